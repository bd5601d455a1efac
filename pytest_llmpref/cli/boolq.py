"""``llmpref boolq``: fetches BoolQ's development set."""

import argparse
from typing import Any


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    boolq = commands.add_parser("boolq", help="fetch BoolQ's development set").add_subparsers(required=True)
    command = boolq.add_parser("download", help="3,270 questions, 1.3 MB; for --llmpref-boolq dev")
    command.set_defaults(run=_download)


def _download(_options: argparse.Namespace) -> None:
    from pytest_llmpref.config.items import LICENCE, SHA256, download  # noqa: PLC0415 - only here

    print(LICENCE)
    print(f"{download()}: SHA-256 {SHA256}")
    print("use it with: pytest suites --model NAME --llmpref-boolq dev")
