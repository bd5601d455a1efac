"""``llmpref report``, ``diff`` and ``paper-table``: what is made of results that are there already."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import explained, refuse_links_below
from pytest_llmpref.garbage import no_garbage_collection

if TYPE_CHECKING:
    from pytest_llmpref.results.schema import Results

STATUS = (
    "exit status: 0 if nothing changed beyond sampling noise, 1 if an estimate or a verdict changed, "
    "2 if nothing could be compared"
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommands."""
    command = commands.add_parser(
        "report",
        help="write report.html and summary.md from results",
        description="Write report.html and summary.md from the results.json of one or several runs; with --history, "
        "history.html and history.md, which show how each claim developed over the releases.",
    )
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="results.json of a run")
    command.add_argument("--output", type=Path, help="folder to write to (default: the folder of the first file)")
    command.add_argument(
        "--history", action="store_true", help="show each claim by release; the files may hold the same models"
    )
    command.set_defaults(run=_report)
    command = commands.add_parser(
        "diff",
        help="compare two results.json",
        description="Compare two results.json: which estimates and verdicts changed, and how surely.",
        epilog=STATUS,
    )
    command.add_argument("old", type=Path, help="results.json of the last release")
    command.add_argument("new", type=Path, help="results.json of the new release")
    command.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="output format: for a terminal, for a pull request, or every entity for a program",
    )
    command.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    command.set_defaults(run=_diff)
    command = commands.add_parser(
        "paper-table",
        help="measure five simulated models and print the paper's table",
        description="Measure five simulated models with the paper's findings planted, and print the results next to "
        "the paper's.",
    )
    command.add_argument("--profile", default="paper", help="size of each study (default: paper)")
    command.set_defaults(run=_paper_table)


def _report(options: argparse.Namespace) -> None:
    from pytest_llmpref.report.page import write_reports  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results, merged  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    register_installed()
    folder = options.output or options.files[0].parent
    refuse_links_below(Path.cwd(), folder)
    files = {path: load_results(path) for path in options.files}
    for path in _write_history(files, folder) if options.history else write_reports(merged(files), folder):
        print(path)


def _write_history(files: "dict[Path, Results]", folder: Path) -> list[Path]:
    from pytest_llmpref.report.history import write_history  # noqa: PLC0415 - as above
    from pytest_llmpref.report.page import ReportError  # noqa: PLC0415

    try:
        return write_history(files, folder)
    except OSError as error:
        raise ReportError(explained(error, "write", "make the folder writable or free disk space")) from None


def _diff(options: argparse.Namespace) -> int:
    from pytest_llmpref.characters import in_json  # noqa: PLC0415
    from pytest_llmpref.comparison.baseline import check_scores  # noqa: PLC0415 - imports the statistics
    from pytest_llmpref.comparison.comparing import compare_results  # noqa: PLC0415 - as above
    from pytest_llmpref.report.comparison import comparison_lines  # noqa: PLC0415
    from pytest_llmpref.report.summary import comparison_summary  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    try:
        register_installed()
        # Hundreds of thousands of trials are built, and none is dropped before the end.
        with no_garbage_collection():
            old, new = load_results(options.old), load_results(options.new)
            check_scores(options.old, old)
            check_scores(options.new, new)
            comparison = compare_results(old, new, str(options.old))
    except LLMPrefError as error:
        print(f"llmpref: {error}", file=sys.stderr)
        return 2
    if options.format == "json":
        print(in_json(msgspec.json.encode(comparison).decode()))
    elif options.format == "markdown":
        print(comparison_summary(new, comparison), end="")
    else:
        print("\n".join(comparison_lines(comparison)))
    if not comparison.models:
        return 2
    return int(comparison.changed)


def _paper_table(options: argparse.Namespace) -> None:
    from pytest_llmpref.files import data_folder  # noqa: PLC0415
    from pytest_llmpref.report.paper_table import MODELS, table_lines  # noqa: PLC0415 - for those who want the table
    from pytest_llmpref.results.loading import load_results  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        # A run like any user's, in an empty folder: no ini file and no recording has a part in it.
        command = [sys.executable, "-m", "pytest", str(data_folder("suites") / "replication"), "-q"]
        command += ["--rootdir", folder, "-c", str(Path(folder) / "pytest.ini"), "-p", "no:cacheprovider"]
        command += ["--profile", options.profile, "--report-dir", "reports"]
        for name in MODELS:
            command += ["--model", f"sim/paper-{name}"]
        (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        print(f"measuring five simulated models at profile {options.profile} ...", file=sys.stderr, flush=True)
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603 - our own
        path = Path(folder) / "reports" / "latest" / "results.json"
        # 1: claims were refuted, which the table shows.
        if run.returncode > 1 or not path.is_file():
            raise LLMPrefError(
                f"the suites did not run:\n{(run.stderr or run.stdout).decode('utf-8', 'replace').strip()[-2000:]}"
            )
        results = load_results(path)
    print("\n".join(table_lines(results)))
