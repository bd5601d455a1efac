"""The command ``llmpref``: what is not a pytest run. Each subcommand is a module of ``commands``."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from pytest_llmpref.errors import LLMPrefError

COMMANDS = ("init", "plan", "report", "diff", "boolq", "cassettes", "serve", "paper_table", "calibrate")
"""The modules of ``commands``, in the order in which help lists them. They import what they run when it runs."""


def run() -> NoReturn:
    """Be the process ``llmpref``, which ends at once: Python would first take thousands of recorded replies apart."""
    if sys.argv[1:2] != ["serve"]:
        # What ends soon has no use for searches among these replies either.
        gc.disable()
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="llmpref", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"pytest_llmpref.commands.{name}").add(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except LLMPrefError as error:
        print(f"llmpref: {error}", file=sys.stderr)
        return 1
