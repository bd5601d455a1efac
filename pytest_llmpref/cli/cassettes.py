"""``llmpref cassettes``: looks after recordings."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pytest_llmpref.cassettes import Cassette, CassetteError
from pytest_llmpref.cassettes.folders import Keep, cassette_files, disagreements, listed, merge, models_in
from pytest_llmpref.cassettes.scanning import IMPORTED, scan
from pytest_llmpref.characters import on_lines, on_one_line
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import refuse_links_below
from pytest_llmpref.imports.folders import copy, fault_of, import_files, stored, to_merge


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    cassettes = commands.add_parser("cassettes", help="list, check, scan, pack, merge, export and import recordings")
    actions = cassettes.add_subparsers(required=True, metavar="ACTION")
    for name, run, takes, what in _ACTIONS:
        command = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        if "model" in takes:
            command.add_argument("model", help="the model's name, as given to --model")
        if "file" in takes:
            command.add_argument("file", type=Path, help="the YAML file")
        if "sources" in takes:
            command.add_argument(
                "sources", type=Path, nargs="+", help="folders of recordings, such as those of other jobs"
            )
            command.add_argument("--keep", choices=get_args(Keep), help="which one of two different replies to keep")
        command.add_argument(
            "--folder",
            type=Path,
            default=Path("cassettes"),
            help="folder of the recordings (default: %(default)s)",
        )
        command.set_defaults(run=_in_own_folders(run))


def _in_own_folders(run: "_Action") -> "_Action":
    """Return an action that refuses folders to which a link inside the current folder leads."""

    def checked(options: argparse.Namespace) -> int | None:
        refuse_links_below(Path.cwd(), options.folder, *getattr(options, "sources", ()))
        return run(options)

    return checked


def _list(options: argparse.Namespace) -> int:
    """List what can be read, whatever lies beside it. What cannot be is named on standard error, not in the table."""
    described = [(path, _described) for path in cassette_files(options.folder)]
    described += [(path, _import_described) for path in import_files(options.folder)]
    print(f"{'model':<32}{'interactions':>13}{'kB':>9}  recorded")
    faults = []
    for path, describe in described:
        try:
            row = describe(path)
        except LLMPrefError as error:
            faults.append(on_one_line(str(error)))
            continue
        if row:
            print(row)
    if faults:
        faults.append(f"{len(faults)} of {len(described)} files cannot be read, and are not listed")
        print("\n".join(faults), file=sys.stderr)
    return int(bool(faults))


def _described(path: Path) -> str:
    """Return the row of a cassette; an empty one if nothing is recorded in it."""
    one = listed(path)
    if one is None:
        return ""
    dates = dict.fromkeys(f"{time:%Y-%m-%d}" for time in (one.first, one.last))
    return f"{on_one_line(one.model):<32}{one.interactions:>13,}{one.size / 1000:>9,.0f}  {' to '.join(dates)}"


def _import_described(path: Path) -> str:
    """Return the row of an imported model."""
    found = stored(path)
    names = on_one_line(", ".join(source.file for source in found.header.record.sources))
    numbers = f"{found.header.record.kept:>13,}{found.size / 1000:>9,.0f}"
    return f"{on_one_line(found.header.model):<32}{numbers}  imported from {names}"


def _check(options: argparse.Namespace) -> int:
    faults = 0
    for path in cassette_files(options.folder):
        try:
            found = list(disagreements(path))
        except CassetteError as error:
            found = [str(error)]
        faults += len(found)
        print(on_lines("\n".join(found) if found else f"{path}: whole"))
    for path in import_files(options.folder):
        fault = fault_of(path)
        faults += bool(fault)
        print(on_one_line(fault or f"{path}: whole"))
    return int(faults > 0)


def _scan(options: argparse.Namespace) -> int:
    found = scan(options.folder)
    for leak in found.leaks:
        print(on_one_line(f"{leak.path}:{leak.line}: {leak.secret.kind}, {leak.secret.shown}"))
    for path, read in found.read.items():
        imported = path.parent.name == IMPORTED
        what = "lines" if imported else "interactions" if ".jsonl" in path.suffixes else "texts"
        print(on_one_line(f"{path}: read, {read:,} {what}"))
    for path, why in found.unread.items():
        print(on_one_line(f"{path}: NOT READ: {why}"))
    for path in found.others:
        print(on_one_line(f"{path}: not read, no recording"))
    if not found.read and not found.unread:
        print(on_one_line(f"{options.folder}: no recordings, so nothing was scanned; give another --folder, or record"))
        return 1
    revoke = "; revoke them, and record again" if found.leaks else ""
    not_read = f", {len(found.unread)} NOT READ" if found.unread else ""
    from pytest_llmpref.report.wording import plural  # noqa: PLC0415 - the other commands are quick without it

    where = plural(len(found.read), "file")
    print(f"{plural(len(found.leaks), 'secret')} found in {where}{not_read}{revoke}")
    return int(bool(found.leaks or found.unread))


def _pack(options: argparse.Namespace) -> None:
    cassette = _recorded(options)
    with cassette.lock():
        print(f"{cassette.pack()}: {len(cassette):,} interactions")


def _recorded(options: argparse.Namespace) -> Cassette:
    """Return the cassette of the model; an error that lists what is there if nothing of it was recorded."""
    cassette_files(options.folder)  # an error if there is no such folder
    cassette = Cassette.open(options.folder, options.model)
    if not len(cassette):
        models = models_in(options.folder)
        there = on_one_line(f"it holds recordings of {', '.join(models)}") if models else "it holds no recordings"
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
    # What cannot be merged is said before anything is written.
    imports = to_merge(options.sources, options.folder)
    for one in merge(options.sources, options.folder, options.keep):
        print(on_one_line(f"{one.cassette}: {one.added:,} interactions added, {one.known:,} known"))
    for place, path in imports.items():
        copy(path, place)
        print(on_one_line(f"{place}: copied from {path}"))


_Action = Callable[[argparse.Namespace], int | None]
_ACTIONS: tuple[tuple[str, _Action, tuple[str, ...], str], ...] = (
    (
        "list",
        _list,
        (),
        "list every recording with its model, interactions, size and dates; exit with 1 if a file cannot be read",
    ),
    ("check", _check, (), "decode every line; exit with 1 if a key or a raw response does not match"),
    (
        "scan",
        _scan,
        (),
        "look for secrets in recordings, and in vcrpy's; exit with 1 if one is found, or if nothing could be read",
    ),
    ("pack", _pack, ("model",), "merge what was recorded into the packed file, which you commit"),
    ("merge", _merge, ("sources",), "add the recordings of other folders; exit with 1 if replies differ"),
    ("export", _export, ("model", "file"), "write a recording as a YAML cassette of vcrpy"),
    ("import", _import, ("model", "file"), "read a YAML cassette that export wrote"),
)
