"""``llmpref compare-family``: how what was found of several models goes with size, date or stage of training."""

import argparse
import re
from pathlib import Path
from typing import Any

from pytest_llmpref.files import refuse_links_below


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser(
        "compare-family",
        help="relate the results of several models to size, date or stage of training",
        description="Relate correlations, reliabilities and refusal rates of several models to what they differ in.",
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="results.json of a run, or of several")
    command.add_argument(
        "--covariate",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV file: a column model, and one for each covariate (numbers, dates, or two words)",
    )
    command.add_argument(
        "--log", action="append", default=[], metavar="COLUMN", help="take the logarithm of a column; repeatable"
    )
    command.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="QUANTITY",
        help="what to relate, as in 'rho(preference, donation_advice)', 'reliability of preference' or 'refusal rate "
        "of donation_advice'; repeatable; all that four models have, if left out",
    )
    command.add_argument(
        "--format", choices=("text", "markdown", "csv", "models"), default="text",
        help="output format: for a terminal, for a document, a row for each trend, or a row for each model",
    )  # fmt: skip
    command.add_argument("--charts", type=Path, metavar="FOLDER", help="folder to draw each trend in, as SVG")
    command.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> None:
    from pytest_llmpref.comparison.covariates import load_covariates  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.comparison.family import compare_family  # noqa: PLC0415
    from pytest_llmpref.report.family import family_lines, family_markdown, trend_svg  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results, merged  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    register_installed()
    covariates = load_covariates(options.covariate, options.log)
    results = merged({path: load_results(path) for path in options.files})
    family = compare_family(results, covariates, options.of)
    if options.charts is not None:
        refuse_links_below(Path.cwd(), options.charts)
        options.charts.mkdir(parents=True, exist_ok=True)
        for trend in family.trends:
            name = re.sub(r"[^a-z0-9]+", "-", f"{trend.quantity} {trend.covariate.name}".lower()).strip("-")
            (options.charts / f"{name}.svg").write_text(trend_svg(trend), encoding="utf-8", newline="\n")
    if options.format in {"csv", "models"}:
        frame = family.frame() if options.format == "csv" else family.models_frame()
        print(frame.to_csv(index=False), end="")
    else:
        lines = family_lines if options.format == "text" else family_markdown
        print("\n".join(lines(family)))
