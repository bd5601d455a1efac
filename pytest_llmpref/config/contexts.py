"""Contexts: what surrounds a question, a randomised factor. Families of them are TOML files, typed and checked.

A family says which contexts are compared with which filler, and, where entities are assigned to arms in them, which
arms there are. A text has a slot ``{ARM}`` where the names of an arm's entities go; an arm without a slot is not
mentioned.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pytest_llmpref.config.entities import Slug
from pytest_llmpref.config.reading import UserFileError, fitted, listed, parse_toml, read_bytes
from pytest_llmpref.files import data_folder

_MOST_BYTES = 1 << 20
LIKE_LENGTH = 0.2
"""By which part of its length a filler may differ from a treatment. Our choice."""
BETWEEN = "; "
"""Stands between the names of an arm."""
Role = Literal["treatment", "filler", "control"]
Place = Literal["system", "user"]
Whose = Literal["assistant", "user"]


class ContextError(UserFileError):
    """A family of contexts cannot be used."""


@dataclass(frozen=True, slots=True)
class Context:
    """One context.

    Attributes
    ----------
    text
        What is said before the question, with a slot for each arm that is mentioned.
    role
        ``treatment``: what it does is the question. ``filler``: of like length, and to no effect; treatments are
        compared with it. ``control``: a positive control, which tells the model to act so that the effect must show.
    place
        Where the text stands: as the ``system`` prompt, or at the beginning of what the ``user`` says.
    refusals
        Whether it is asked only where refusals are looked at.
    """

    text: Annotated[str, Meta(max_length=20_000)]
    role: Role
    place: Place = "system"
    refusals: bool = False

    def filled(self, names: Mapping[str, Sequence[str]]) -> str:
        """Return the text with the names of each arm in its slot.

        Parameters
        ----------
        names
            Arm -> names of its entities, in the order in which they are to stand.
        """
        return self.text.strip().format(**{arm: BETWEEN.join(listed_) for arm, listed_ in names.items()})

    @property
    def slots(self) -> frozenset[str]:
        """The arms that it mentions."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.text) if name is not None)

    @property
    def length(self) -> int:
        """Characters, apart from the slots."""
        return sum(len(words) for words, *_ in string.Formatter().parse(self.text.strip()))


@dataclass(frozen=True, slots=True)
class Family:
    """Contexts that are compared with each other.

    Attributes
    ----------
    name
        Of the file, without its ending.
    about
        What they vary, in words.
    contexts
        Id -> context, the filler among them.
    arms
        Arm -> dose: the arms that entities are assigned to; none where contexts are about no entity.
    whose
        Whose attitude the arms are: the ``assistant``'s own, or the ``user``'s.
    """

    name: str
    about: str
    contexts: dict[Slug, Context]
    arms: dict[str, float] = field(default_factory=dict)
    whose: Whose = "assistant"

    def of_role(self, role: Role) -> tuple[str, ...]:
        """Return the ids of the contexts with a role.

        Parameters
        ----------
        role
            Which role.
        """
        return tuple(id_ for id_, context in self.contexts.items() if context.role == role)

    @property
    def filler(self) -> str:
        """Id of the filler."""
        return self.of_role("filler")[0]


def load_contexts(name: str, *, refusals: bool = False) -> Family:
    """Read a shipped family by its name, or a user's own by the path of its TOML file.

    Parameters
    ----------
    name
        Such as ``attitudes``, or a path that ends in ``.toml``.
    refusals
        Whether refusals are looked at: contexts that are for these alone are left out elsewhere.

    Raises
    ------
    ContextError
        If there is no such family, or its file cannot be used.

    Examples
    --------
    >>> from pytest_llmpref.config.contexts import load_contexts
    >>> load_contexts("attitudes").arms
    {'liked': 1.0, 'disliked': -1.0, 'unmentioned': 0.0}
    """
    shipped = data_folder("fixtures") / "contexts"
    path = Path(name) if name.endswith(".toml") else shipped / f"{name}.toml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in shipped.glob("*.toml")))
        raise ContextError(name, [f"no such family of contexts; use one of {names}, or the path of a .toml file"])
    table = parse_toml(path, ContextError, read_bytes(path, ContextError, _MOST_BYTES))
    values, wrong = fitted(table, Family, apart=["name"])
    if wrong:
        raise ContextError(path, listed(wrong))
    family = Family(name=path.stem, **values)
    if problems := _problems(family):
        raise ContextError(path, problems)
    return replace(family, contexts={id_: one for id_, one in family.contexts.items() if refusals or not one.refusals})


def _problems(family: Family) -> list[str]:
    """Say what is wrong with a family, apart from types."""
    problems = [said for id_, context in family.contexts.items() if (said := _misshapen(id_, context))]
    if problems:
        return problems
    if len(family.of_role("filler")) != 1:
        count = len(family.of_role("filler"))
        problems.append(f'contexts: {count} have role = "filler"; give exactly one, which the others are compared with')
    problems += [
        f"contexts.{id_}.refusals: only a control may be for refusals alone; leave the line out"
        for id_, context in family.contexts.items()
        if context.refusals and context.role != "control"
    ]
    if not family.of_role("treatment"):
        problems.append('contexts: none has role = "treatment"; give at least one')
    problems += [
        f"arms: the name {arm!a} is none that a slot can have; write letters, digits and underscores"
        for arm in family.arms
        if not arm.isidentifier()
    ]
    if len(set(family.arms.values())) < 2 and family.arms:
        problems.append("arms: all have one dose; give at least two arms of different doses, or leave the table out")
    return problems or [*_wrong_slots(family), *_wrong_lengths(family)]


def _misshapen(id_: str, context: Context) -> str:
    if not context.text.strip():
        return f"contexts.{id_}.text: is empty; write what is said before the question"
    try:
        slots = context.slots
    except ValueError as error:
        return f"contexts.{id_}.text: is no form ({error}); write {{{{ and }}}} for braces"
    wrong = sorted(slot for slot in slots if not slot.isidentifier())
    return f"contexts.{id_}.text: has the slot {{{wrong[0]}}}; a slot is the name of an arm" if wrong else ""


def _wrong_slots(family: Family) -> list[str]:
    problems, arms = list[str](), ", ".join(family.arms) or "none, since there is no table [arms]"
    filler = family.contexts[family.filler].slots
    for id_, context in family.contexts.items():
        if unknown := sorted(context.slots - family.arms.keys()):
            problems.append(f"contexts.{id_}.text: has the unknown slot {{{unknown[0]}}}; the arms are {arms}")
        elif context.slots != filler:
            apart = min(context.slots ^ filler)
            problems.append(
                f"contexts.{id_}.text: either it or the filler lacks {{{apart}}}; "
                "name the same entities in both, so that naming them is not what differs"
            )
    if family.arms and not filler:
        problems.append("contexts: no text names an arm; write {ARM} where its entities go, or leave out [arms]")
    return problems


def _wrong_lengths(family: Family) -> list[str]:
    filler = family.contexts[family.filler].length
    return [
        f"contexts.{id_}.text: has {family.contexts[id_].length} characters and the filler {filler}; "
        f"make their lengths alike, within {LIKE_LENGTH:.0%}"
        for id_ in family.of_role("treatment")
        if abs(family.contexts[id_].length - filler) > LIKE_LENGTH * filler
    ]
