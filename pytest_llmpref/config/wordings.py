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
ENTITY = "entity"
"""The framing that names an entity, and its slot."""


@cache
def shipped_lists() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the lists of texts in which users speak, which a set may bring of its own: prompts -> list -> texts."""
    found = dict[str, Mapping[str, Sequence[str]]]()
    for path in sorted((data_folder("fixtures") / "prompts").glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        if "framings" in table:
            found[path.stem] = {ENTITY: table["framings"][ENTITY]}
        elif "persona" in table:
            found[path.stem] = {key: texts for key, texts in table.items() if isinstance(texts, list)}
    return found


def wording_problems(given: Wordings) -> Iterator[str]:
    """Say what is wrong with a set's wordings, apart from types.

    Parameters
    ----------
    given
        As in the file.
    """
    shipped = shipped_lists()
    for name, lists in given.items():
        if name not in shipped:
            yield f"wordings.{name}: no such prompts; a set can word {', '.join(shipped)}"
            continue
        for key, texts in lists.items():
            if key not in shipped[name]:
                yield f"wordings.{name}.{key}: no such list; there are {', '.join(shipped[name])}"
            elif len(texts) != (count := len(shipped[name][key])):
                yield f"wordings.{name}.{key}: has {len(texts)} texts; write {count}, as the shipped list has"
            else:
                yield from _misshapen(f"wordings.{name}.{key}", key, texts)


def _misshapen(place: str, key: str, texts: Sequence[str]) -> Iterator[str]:
    wanted = {ENTITY} if key == ENTITY else set[str]()
    for number, text in enumerate(texts, start=1):
        try:
            slots = {slot for _, slot, _, _ in string.Formatter().parse(text) if slot is not None}
        except ValueError:
            slots = {text}
        if slots != wanted or not text.strip():
            said = ", ".join(f"{{{slot}}}" for slot in wanted) or "none"
            yield f"{place}: text {number} must be a sentence with exactly these slots: {said}"
