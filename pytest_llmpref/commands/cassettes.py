"""``llmpref cassettes``: looks after recordings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pytest_llmpref.cassettes import Cassette, CassetteError
from pytest_llmpref.cassettes.inspection import cassette_files, disagreements, leaks, listed
from pytest_llmpref.cassettes.merging import Keep, merge


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    cassettes = commands.add_parser("cassettes", help="list, check, scan, pack, merge, export and import recordings")
    actions = cassettes.add_subparsers(required=True, metavar="ACTION")
    for name, run, takes, what in _ACTIONS:
        command = actions.add_parser(name, help=what)
        if "model" in takes:
            command.add_argument("model", help="the model's name, as given to --model")
        if "file" in takes:
            command.add_argument("file", type=Path, help="the YAML file")
        if "sources" in takes:
            command.add_argument("sources", type=Path, nargs="+", help="folders of cassettes, as other jobs left them")
            command.add_argument("--keep", choices=get_args(Keep), help="which of two different replies holds")
        command.add_argument("--folder", type=Path, default=Path("cassettes"), help="folder of the cassettes")
        command.set_defaults(run=run)


def _list(options: argparse.Namespace) -> None:
    files = [found for path in cassette_files(options.folder) if (found := listed(path))]
    print(f"{'model':<32}{'interactions':>13}{'kB':>9}  recorded")
    for one in files:
        dates = dict.fromkeys(f"{time:%Y-%m-%d}" for time in (one.first, one.last))
        print(f"{one.model:<32}{one.interactions:>13,}{one.size / 1000:>9,.0f}  {' to '.join(dates)}")


def _check(options: argparse.Namespace) -> int:
    faults = 0
    for path in cassette_files(options.folder):
        try:
            found = list(disagreements(path))
        except CassetteError as error:
            found = [str(error)]
        faults += len(found)
        print("\n".join(found) if found else f"{path}: whole")
    return int(faults > 0)


def _scan(options: argparse.Namespace) -> int:
    found = [leak for path in cassette_files(options.folder) for leak in leaks(path)]
    for leak in found:
        print(f"{leak.path}:{leak.line}: {leak.secret.kind}, {leak.secret.shown}")
    print(f"{len(found)} secrets found" + ("; revoke them, and record again" if found else ""))
    return int(bool(found))


def _pack(options: argparse.Namespace) -> None:
    cassette = _recorded(options)
    with cassette.lock():
        print(f"{cassette.pack()}: {len(cassette):,} interactions")


def _recorded(options: argparse.Namespace) -> Cassette:
    """Return the cassette of the model; an error that lists what is there if nothing of it was recorded."""
    files = cassette_files(options.folder)
    cassette = Cassette.open(options.folder, options.model)
    if not len(cassette):
        models = dict.fromkeys(found.model for path in files if (found := listed(path)))
        there = f"it holds recordings of {', '.join(models)}" if models else "it holds no recordings"
        raise CassetteError(f"{options.model}: nothing is recorded in {options.folder}; {there}")
    return cassette


def _export(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml  # noqa: PLC0415 - packing needs no YAML

    cassette = _recorded(options)
    export_vcr_yaml(cassette, options.file)
    print(f"{options.file}: written")


def _import(options: argparse.Namespace) -> None:
    from pytest_llmpref.cassettes.vcr_yaml import import_vcr_yaml  # noqa: PLC0415 - as above

    cassette = Cassette.open(options.folder, options.model)
    with cassette.lock():
        import_vcr_yaml(options.file, cassette)
        print(f"{cassette.journal}: {len(cassette):,} interactions")


def _merge(options: argparse.Namespace) -> None:
    for one in merge(options.sources, options.folder, options.keep):
        print(f"{one.cassette}: {one.added:,} interactions added, {one.known:,} known")


_Action = Callable[[argparse.Namespace], int | None]
_ACTIONS: tuple[tuple[str, _Action, tuple[str, ...], str], ...] = (
    ("list", _list, (), "name every recording: its model, interactions, size and dates"),
    ("check", _check, (), "decode every line; exit with 1 where a key, or a raw response, does not match"),
    ("scan", _scan, (), "look for secrets; exit with 1 where one is found"),
    ("pack", _pack, ("model",), "merge what live runs recorded into the packed file that is committed"),
    ("merge", _merge, ("sources",), "add the recordings of other folders; exit with 1 where replies differ"),
    ("export", _export, ("model", "file"), "write a vcrpy YAML cassette"),
    ("import", _import, ("model", "file"), "read a vcrpy YAML cassette that export wrote"),
)
