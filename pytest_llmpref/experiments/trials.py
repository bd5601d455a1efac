"""Trials: their wordings, read from ``fixtures/prompts/NAME.toml``, what is asked, and what came of it.

Comparisons build hundreds of thousands of trials: so they are structs, which are built fast, and left out of the search
for circles of references, of which they have none.
"""

import math
import string
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

import msgspec

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import data_folder
from pytest_llmpref.parsing.outcome import Attempt, Outcome


class PromptError(LLMPrefError):
    """A prompt of a user's experiment that cannot be used; the message names the experiment and the fix."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """A form with slots, some of which the file fills from lists: every combination is one wording.

    ``lead`` holds the first words of an answer.
    """

    form: str
    lead: str
    choices: dict[str, list[str]]

    @property
    def wordings(self) -> int:
        """Number of wordings: the product of the lengths of the lists."""
        return math.prod(len(texts) for texts in self.choices.values())

    def render(self, wording: int, **values: object) -> str:
        """Fill the form; ``wording`` is below ``wordings``. Values are inserted as they are, never expanded again."""
        filled = dict(values)
        for slot, texts in self.choices.items():
            wording, index = divmod(wording, len(texts))
            filled[slot] = texts[index]
        return self.form.format(**filled)


def check_slots(measure: str, form: str, slots: Collection[str]) -> None:
    """Make sure that a form of a user's has these slots and no other.

    Raises
    ------
    PromptError
        If it has not.
    """
    try:
        found = {name for _, name, _, _ in string.Formatter().parse(form) if name is not None}
    except ValueError as error:
        raise PromptError(f"{measure}: {form!r} is no form: {error}; write {{{{ and }}}} for braces") from None
    for wrong, what in ((set(slots) - found, "lacks"), (found - set(slots), "has the unknown slot")):
        if wrong:
            raise PromptError(
                f"{measure}: {form!r} {what} {{{min(wrong)}}}; a form has exactly: {', '.join(sorted(slots))}"
            )


@cache
def load_prompts(name: str, form: str | None = None) -> Prompts:
    """Read the prompts of an experiment; ``form`` names another form of its questions, if it has that."""
    path = data_folder("fixtures") / "prompts" / f"{name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    forms = table.pop("forms", {})
    table |= forms[form] if form else {}
    return Prompts(form=table.pop("form").lstrip("\n"), lead=table.pop("lead"), choices=table)


class Trial(msgspec.Struct, frozen=True, gc=False):
    """One question put to a model, with every attempt at it.

    Attributes
    ----------
    attempts
        In the order in which they were made: all but the last failed to give a valid answer.
    entities
        Ids of the entities in the question, in the order in which they were shown.
    answered_by
        ``text`` or ``logprobs`` where the outcome is a choice, else ``None``.
    score
        For a pair: probability in [0, 1] that the first was chosen (0 or 1 by text); for a yes/no question, of yes; for
        an experiment that scores replies, the score. ``None`` without a choice.
    first_is_a
        For a pair: whether the first option carried label A.
    wording
        Index of the wording that was used.
    repetition
        Index of the sample.
    ranking
        For a ranking: the ids as the reply ranked them, best first.
    question
        For a yes/no question: its id.
    framing
        For a yes/no question: how it was put: ``entity``, or the name of a control. For a pair: the form of the
        question, ``None`` for the usual one.
    correct
        For a yes/no question: whether the answer is right; ``None`` without one.
    """

    attempts: tuple[Attempt, ...]
    entities: tuple[str, ...]
    answered_by: str | None = None
    score: float | None = None
    first_is_a: bool | None = None
    wording: int = 0
    repetition: int = 0
    ranking: tuple[str, ...] = ()
    question: str | None = None
    framing: str | None = None
    correct: bool | None = None

    @property
    def key(self) -> str:
        """Identity of the last request."""
        return self.attempts[-1].key

    @property
    def outcome(self) -> Outcome:
        """How the trial ended: as its last attempt did."""
        return self.attempts[-1].outcome

    @property
    def text(self) -> str:
        """The last visible reply, or the error's message."""
        return self.attempts[-1].text


def count_outcomes(trials: Iterable[Trial]) -> dict[str, int]:
    """Count trials by outcome; every outcome is listed, with 0 where none ended so."""
    counts = Counter(trial.outcome for trial in trials)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def count_outcomes_by_entity(trials: Iterable[Trial]) -> dict[str, dict[str, int]]:
    """Count trials by entity and outcome; a trial counts for each entity in it."""
    counts: dict[str, Counter[str]] = {}
    for trial in trials:
        for entity in trial.entities:
            counts.setdefault(entity, Counter())[trial.outcome.value] += 1
    return {entity: {outcome.value: count[outcome.value] for outcome in Outcome} for entity, count in counts.items()}
