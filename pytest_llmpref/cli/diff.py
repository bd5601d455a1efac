"""``llmpref diff``: compares the results of two releases."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.garbage import no_garbage_collection

STATUS = "exit status: 0 nothing changed beyond sampling noise, 1 something did, or a verdict, 2 no comparison"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser(
        "diff", help="compare two results.json: what changed, how sure, and verdicts", epilog=STATUS
    )
    command.add_argument("old", type=Path, help="results.json of the last release")
    command.add_argument("new", type=Path, help="results.json of the new one")
    command.add_argument("--json", action="store_true", help="print the comparison as JSON, with every entity")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pytest_llmpref.characters import in_json  # noqa: PLC0415
    from pytest_llmpref.comparison.comparing import compare_results  # noqa: PLC0415 - imports the statistics
    from pytest_llmpref.report.comparison import comparison_lines  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    try:
        register_installed()
        # Hundreds of thousands of trials are built, and none is dropped before the end.
        with no_garbage_collection():
            comparison = compare_results(load_results(options.old), load_results(options.new), str(options.old))
    except LLMPrefError as error:
        print(f"llmpref: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(in_json(msgspec.json.encode(comparison).decode()))
    else:
        print("\n".join(comparison_lines(comparison)))
    if not comparison.models:
        return 2
    return int(comparison.changed)
