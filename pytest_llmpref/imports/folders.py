"""Imported models in a folder of cassettes: what is there, whether it can be read, and several folders merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmpref.files import open_to_read, write_whole
from pytest_llmpref.imports.rows import Header
from pytest_llmpref.imports.store import FOLDER, StoredImportError, header_of, load_import


@dataclass(frozen=True, slots=True)
class Stored:
    """The file of one imported model: its header, and its size in bytes."""

    path: Path
    header: Header
    size: int


def import_files(folder: Path) -> list[Path]:
    """Return the files of imported models in a folder of cassettes.

    Parameters
    ----------
    folder
        Of the cassettes.
    """
    return sorted((folder / FOLDER).glob("*.jsonl.gz"))


def stored(path: Path) -> Stored:
    """Describe the file of an imported model.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    StoredImportError
        If it cannot be read.
    """
    return Stored(path, header_of(path), path.stat().st_size)


def fault_of(path: Path) -> str:
    """Say what is wrong with the file of an imported model; empty if it is whole.

    Parameters
    ----------
    path
        The file.
    """
    try:
        load_import(path.parents[1], header_of(path).model)
    except StoredImportError as error:
        return str(error)
    return ""


def to_merge(sources: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the files of imported models that a folder of cassettes lacks, and where they go.

    Two imports are never mixed: which rows are in both, nobody can know.

    Parameters
    ----------
    sources
        Folders of cassettes.
    folder
        The one to add to.

    Returns
    -------
    dict
        Place in ``folder`` -> the file to copy there.

    Raises
    ------
    StoredImportError
        If different files hold the same model, or one cannot be read.
    """
    found = {path: path for path in import_files(folder)}
    for path in (path for source in sources for path in import_files(source)):
        place = folder / FOLDER / path.name
        known = found.setdefault(place, path)
        if known != path and _content(known) != _content(path):
            model = header_of(path).model
            raise StoredImportError(
                f"{path}: {model} is in {known} too, with other rows; nothing was merged. Import the files of both "
                "together with --add, or leave one of the folders out"
            )
    return {place: path for place, path in found.items() if place != path}


def copy(path: Path, place: Path) -> None:
    """Copy the file of an imported model.

    Parameters
    ----------
    path, place
        The file, and where it goes.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, _content(path), f"{place.name}.unfinished", durable=True)


def _content(path: Path) -> bytes:
    with open_to_read(path) as file:
        return file.read()
