"""What an entity set says of how users ask about its entities, in place of the shipped wordings.

"Which one should I donate to?" fits no animal. So a set may bring texts of its own for the lists of
``fixtures/prompts``: as many of each, since a text belongs with those in its place in other lists.
"""

import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from pytest_llmpref.files import data_folder

Wordings = Mapping[str, Mapping[str, Sequence[str]]]
"""Name of prompts -> list -> its texts."""
_SLOTS: Mapping[str, frozenset[str]] = {
    "donation": frozenset(),
    "boolq": frozenset({"entity"}),
    "agentic": frozenset({"entity"}),
}
"""Prompts that a set may word -> the slots that each of its texts has."""


@cache
def shipped_lists(name: str) -> Mapping[str, Sequence[str]]:
    """Return the lists of texts that a set may bring of its own for some prompts.

    Parameters
    ----------
    name
        ``donation``, ``boolq`` or ``agentic``.
    """
    path = data_folder("fixtures") / "prompts" / f"{name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if _SLOTS[name]:
        return {"entity": table["framings"]["entity"]}
    return {key: texts for key, texts in table.items() if isinstance(texts, list)}


def wording_problems(given: Wordings) -> Iterator[str]:
    """Say what is wrong with a set's wordings, apart from types.

    Parameters
    ----------
    given
        As in the file.
    """
    for name, lists in given.items():
        if name not in _SLOTS:
            yield f"wordings.{name}: no such prompts; a set can word {', '.join(_SLOTS)}"
            continue
        shipped = shipped_lists(name)
        for key, texts in lists.items():
            if key not in shipped:
                yield f"wordings.{name}.{key}: no such list; there are {', '.join(shipped)}"
            elif len(texts) != len(shipped[key]):
                yield f"wordings.{name}.{key}: has {len(texts)} texts; write {len(shipped[key])}, as the shipped one"
            else:
                yield from _misshapen(name, key, texts)


def _misshapen(name: str, key: str, texts: Sequence[str]) -> Iterator[str]:
    wanted = ", ".join(f"{{{slot}}}" for slot in sorted(_SLOTS[name])) or "none"
    for number, text in enumerate(texts, start=1):
        try:
            slots = {slot for _, slot, _, _ in string.Formatter().parse(text) if slot is not None}
        except ValueError:
            slots = {text}
        if slots != _SLOTS[name] or not text.strip():
            yield f"wordings.{name}.{key}: text {number} must be a sentence with exactly these slots: {wanted}"
