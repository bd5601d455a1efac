"""The command ``llmpref``: looks after cassettes."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_llmpref.errors import LLMPrefError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except LLMPrefError as error:
        print(f"llmpref: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llmpref", description=__doc__)
    commands = parser.add_subparsers(required=True)
    cassettes = commands.add_parser("cassettes", help="pack, export and import recordings").add_subparsers(
        required=True
    )
    for name, run, what in (
        ("pack", _pack, "merge what live runs recorded into the packed file that is committed"),
        ("export", _export, "write a vcrpy YAML cassette"),
        ("import", _import, "read a vcrpy YAML cassette that export wrote"),
    ):
        command = cassettes.add_parser(name, help=what)
        command.add_argument("model", help="the model's name, as given to --model")
        if name != "pack":
            command.add_argument("file", type=Path, help="the YAML file")
        command.add_argument("--folder", type=Path, default=Path("cassettes"), help="folder of the cassettes")
        command.set_defaults(run=run)
    return parser


def _pack(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes import Cassette  # noqa: PLC0415 - help needs none of it

    cassette = Cassette.open(options.folder, options.model)
    with cassette.lock():
        print(f"{cassette.pack()}: {len(cassette):,} interactions")


def _export(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes import Cassette  # noqa: PLC0415 - help needs none of it
    from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml  # noqa: PLC0415

    cassette = Cassette.open(options.folder, options.model)
    export_vcr_yaml(cassette, options.file)
    print(f"{options.file}: written")


def _import(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes import Cassette  # noqa: PLC0415 - help needs none of it
    from pytest_llmpref.cassettes.vcr_yaml import import_vcr_yaml  # noqa: PLC0415

    cassette = Cassette.open(options.folder, options.model)
    with cassette.lock():
        import_vcr_yaml(options.file, cassette)
        print(f"{cassette.journal}: {len(cassette):,} interactions")
