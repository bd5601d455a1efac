"""What a simulated model hears in the context of a question: which context it is, and what is said of liking whom."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from pytest_llmpref.config.contexts import BETWEEN, Context, Family, Whose, load_contexts
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Message
from pytest_llmpref.models.simulated.tastes import Purpose, bare
from pytest_llmpref.models.simulated.world import Contexts


@dataclass(frozen=True, slots=True)
class Situation:
    """What surrounds a question.

    Attributes
    ----------
    context
        Id of the context; empty if there is none, or none that is known.
    role
        Its role.
    doses
        Bare name -> dose of the arm that it is said to be in; nobody in a filler, which says nothing of liking.
    whose
        Whose attitude the doses are: the ``assistant``'s or the ``user``'s.
    text
        What is said, in full.
    """

    context: str = ""
    role: str = ""
    doses: Mapping[str, float] = field(default_factory=dict)
    whose: Whose = "assistant"
    text: str = ""

    def dose(self, name: str) -> float:
        """Return how much the model, or its user, is said to like a name; 0 if nothing is said."""
        return self.doses.get(bare(name), 0.0)


NOWHERE = Situation()
"""No context."""


def sway(planted: Contexts, situation: Situation, purpose: Purpose) -> float:
    """Return what one unit of dose does, in log-odds.

    Parameters
    ----------
    planted
        What contexts do.
    situation
        Which one it is.
    purpose
        What for: what is said of liking, or what is done.
    """
    own = situation.whose == "assistant"
    if purpose == "liking":
        return planted.stated if own else 0.0
    if situation.role == "control":
        return planted.instructed
    return planted.acted if own else planted.user


def situation_of(messages: Sequence[Message]) -> Situation:
    """Return what surrounds the question of a conversation."""
    return _heard(messages[0].content.strip()) if messages else NOWHERE


@lru_cache(maxsize=256)
def _heard(text: str) -> Situation:
    for id_, context, family, pattern in _known():
        if found := pattern.search(text):
            said = found.groupdict() if context.role != "filler" else {}
            return Situation(
                id_,
                context.role,
                {bare(name): family.arms[arm] for arm, names in said.items() for name in names.split(BETWEEN)},
                family.whose,
                found[0].strip(),
            )
    return NOWHERE


@cache
def _known() -> tuple[tuple[str, Context, Family, re.Pattern[str]], ...]:
    """Return the contexts of the shipped families, each with its family; the longest first.

    One context may say all that another says, and more.
    """
    return tuple(sorted(_patterns(), key=lambda known: -known[1].length))


def _patterns() -> Iterator[tuple[str, Context, Family, re.Pattern[str]]]:
    for path in sorted((data_folder("fixtures") / "contexts").glob("*.toml")):
        family = load_contexts(path.stem, refusals=True)
        for id_, context in family.contexts.items():
            # What stands in for a slot has no line break, and the text around it is as it is.
            form = re.escape(context.text.strip())
            form = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", form)
            yield id_, context, family, re.compile(form + r"(?:\n|\Z)")
