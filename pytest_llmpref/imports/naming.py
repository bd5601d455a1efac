"""The entities of imported data: a name or an id as the data have it, to the id of an entity."""

import re
from collections.abc import Iterable
from pathlib import Path

from pytest_llmpref.characters import unseen_problem
from pytest_llmpref.config.entities import Entity, EntitySet, slug
from pytest_llmpref.config.reading import shown
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.rows import ImportedEntity

MOST_ENTITIES = 10_000
"""As many as a study may have (`config.profiles.Profile.entities`)."""
LONGEST_NAME = 200
_HAS_LETTER = re.compile(r"[^\W_]")


class Names:
    """Gives each entity of the data an id.

    Parameters
    ----------
    source
        The file that is imported, for messages.
    known
        The entities that there may be; ``None`` for all that the data name.
    """

    def __init__(self, source: Path, known: EntitySet | None = None) -> None:
        self._source, self._closed = source, known is not None
        self._ids: dict[str, ImportedEntity | None] = {}
        self._taken = set[str]()
        for entity in known or ():
            self.learn(ImportedEntity(entity.id, entity.name, entity.group))
        if known is not None:
            self._ids |= {_folded(one.name): one for one in self._ids.values() if one is not None}
            self._ids |= {one.id: one for one in list(self._ids.values()) if one is not None}

    def learn(self, entity: Entity | ImportedEntity) -> None:
        """Make an entity known under its name."""
        self._ids[_folded(entity.name)] = ImportedEntity(entity.id, entity.name, entity.group)
        self._taken.add(entity.id)

    def of(self, text: object) -> ImportedEntity | None:
        """Return the entity that a cell names; ``None`` if it names none, or none that there may be.

        Raises
        ------
        ImportFileError
            If there are more entities than a study may have.
        """
        name = " ".join(str(text).split()) if text is not None else ""
        folded = _folded(name)
        if folded in self._ids:
            return self._ids[folded]
        found = None if self._closed or not _usable(name) else ImportedEntity(self._new_id(name), name)
        self._ids[folded] = found
        if len(self._ids) > MOST_ENTITIES:
            said = f"more than {MOST_ENTITIES:,} different entities, such as {shown(name)}"
            raise ImportFileError(self._source, [f"{said}; name the columns that hold entities by --column"])
        return found

    def _new_id(self, name: str) -> str:
        wanted = slug(name) or f"entity-{len(self._taken) + 1}"
        numbered = (f"{wanted}-{number}" for number in range(2, MOST_ENTITIES))
        found = wanted if wanted not in self._taken else next(one for one in numbered if one not in self._taken)
        self._taken.add(found)
        return found


def _usable(name: str) -> bool:
    return len(name) <= LONGEST_NAME and _HAS_LETTER.search(name) is not None and not unseen_problem(name)


def _folded(name: str) -> str:
    return name.casefold()


def named(entities: Iterable[ImportedEntity]) -> str:
    """Return the names of some entities, the first few of them, for messages."""
    names = [one.name for one in entities]
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
