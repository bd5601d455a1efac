"""``llmpref cassettes``: looks after recordings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_llmpref.cassettes import Cassette


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    cassettes = commands.add_parser("cassettes", help="pack, export and import recordings").add_subparsers(
        required=True
    )
    for name, run, what in _ACTIONS:
        command = cassettes.add_parser(name, help=what)
        command.add_argument("model", help="the model's name, as given to --model")
        if name != "pack":
            command.add_argument("file", type=Path, help="the YAML file")
        command.add_argument("--folder", type=Path, default=Path("cassettes"), help="folder of the cassettes")
        command.set_defaults(run=run)


def _pack(options: argparse.Namespace) -> None:
    cassette = Cassette.open(options.folder, options.model)
    with cassette.lock():
        print(f"{cassette.pack()}: {len(cassette):,} interactions")


def _export(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml  # noqa: PLC0415 - packing needs no YAML

    cassette = Cassette.open(options.folder, options.model)
    export_vcr_yaml(cassette, options.file)
    print(f"{options.file}: written")


def _import(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes.vcr_yaml import import_vcr_yaml  # noqa: PLC0415 - as above

    cassette = Cassette.open(options.folder, options.model)
    with cassette.lock():
        import_vcr_yaml(options.file, cassette)
        print(f"{cassette.journal}: {len(cassette):,} interactions")


_ACTIONS: tuple[tuple[str, Callable[[argparse.Namespace], None], str], ...] = (
    ("pack", _pack, "merge what live runs recorded into the packed file that is committed"),
    ("export", _export, "write a vcrpy YAML cassette"),
    ("import", _import, "read a vcrpy YAML cassette that export wrote"),
)
