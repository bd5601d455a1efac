"""``llmpref boolq``: fetches BoolQ's development set."""

import argparse
from typing import Any

from pytest_llmpref.config.boolq_download import (
    BYTES,
    LICENCE,
    QUESTIONS,
    SHA256,
    TRIES,
    URL,
    download,
    downloaded_file,
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    boolq = commands.add_parser("boolq", help="fetch BoolQ's development set").add_subparsers(required=True)
    command = boolq.add_parser(
        "download", help=f"{QUESTIONS:,} questions, {BYTES / 1e6:.1f} MB; for --llmpref-boolq dev"
    )
    command.add_argument("--url", default=URL, help="a mirror; the file must be the same")
    command.add_argument("--tries", type=int, default=TRIES, help=f"connections without progress (default {TRIES})")
    command.set_defaults(run=_download)


def _download(options: argparse.Namespace) -> None:
    print(LICENCE)
    path = download(downloaded_file(), url=options.url, tries=options.tries)
    print(f"{path}: SHA-256 {SHA256}")
    print("use it with: pytest suites --model NAME --llmpref-boolq dev")
