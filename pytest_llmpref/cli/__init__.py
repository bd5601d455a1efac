"""The command ``llmpref``: what is not a pytest run. Each module of this package declares its subcommands."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from pytest_llmpref.errors import LLMPrefError

COMMANDS = {
    "init": "init",
    "boolq": "init",
    "plan": "plan",
    "report": "results",
    "diff": "results",
    "paper-table": "results",
    "compare-family": "family",
    "certify": "certify",
    "verify": "certify",
    "cassettes": "cassettes",
    "batches": "batches",
    "import": "imports",
    "export": "export",
    "serve": "serve",
    "calibrate": "calibrate",
}
"""Command -> its module in this package, as help lists them. Modules import what they run when it runs."""
DESCRIPTION = """
Tools around pytest-llmpref, which tests whether what a language model likes shows in what it does: set up a project,
plan what a study asks and costs, look after recordings, compare two releases. The tests themselves run with pytest.
"""
EPILOG = "Start with: llmpref init. For the options of a command: llmpref COMMAND --help. To run tests: pytest --help."
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells report it: 128 + SIGINT."""
READER_GONE = 141
"""Exit status when the reader of the output went away, as shells report it: 128 + SIGPIPE. No command's own status."""


def run() -> NoReturn:
    """Be the process ``llmpref``, which ends at once: Python would first take thousands of recorded replies apart."""
    if sys.argv[1:2] != ["serve"]:
        # What ends soon has no use for searches among these replies either.
        gc.disable()
    try:
        status = _status()
        sys.stdout.flush()
    except BrokenPipeError:
        # What was printed may be half of an answer, so the status is none of those that have a meaning.
        status = READER_GONE
    except KeyboardInterrupt:
        status = INTERRUPTED
    with suppress(BrokenPipeError):
        sys.stderr.flush()
    if status == INTERRUPTED:
        # What was under way, such as the processes of a calibration, is cleaned up.
        sys.exit(status)
    os._exit(status)


def _status() -> int:
    try:
        return main()
    except SystemExit as ended:  # argparse's, after --help and --version, and where it cannot read the arguments
        return ended.code if isinstance(ended.code, int) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 1 with a message on standard error."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options) or 0)
    except LLMPrefError as error:
        print(f"llmpref: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("llmpref: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llmpref", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in dict.fromkeys(COMMANDS.values()):
        import_module(f"pytest_llmpref.cli.{name}").add(commands)
    return parser


class _Version(argparse.Action):
    """Look the version up only when it is asked for, which takes as long as all else that a small command does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:  # noqa: ANN401 - argparse's signature
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - as above

        try:
            found = version("pytest-llmpref")
        except PackageNotFoundError:
            found = "of a source tree that is not installed"
        print(f"llmpref {found}")
        parser.exit()
