"""``llmpref report``: draws report.html and summary.md anew from results files."""

import argparse
from pathlib import Path
from typing import Any

from pytest_llmpref.files import refuse_links_below


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser("report", help="write report.html and summary.md from results.json, or from several")
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="results.json of a run")
    command.add_argument("--output", type=Path, help="folder to write to; that of the first file if left out")
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from pytest_llmpref.report.page import write_reports  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results, merged  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    register_installed()
    folder = options.output or options.files[0].parent
    refuse_links_below(Path.cwd(), folder)
    results = merged({path: load_results(path) for path in options.files})
    for path in write_reports(results, folder):
        print(path)
