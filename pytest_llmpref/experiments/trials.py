"""Trials: their wordings, read from ``fixtures/prompts/NAME.toml``, what is asked, and what came of it.

Comparisons build hundreds of thousands of trials: so they are structs, which are built fast, and left out of the search
for circles of references, of which they have none.
"""

import math
import string
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self, TypeVar, cast

import msgspec

from pytest_llmpref.config.wordings import Wordings
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Attempt, Outcome

Replies = tuple[Reply, ...]
"""The replies to one trial, in the order of its attempts; empty if it was not asked."""


class PromptError(LLMPrefError):
    """A prompt of a user's experiment that cannot be used; the message names the experiment and the fix."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """A form with slots. The file fills some of them from lists: every combination is one wording.

    ``lead`` holds the first words of an answer, ``name`` is that of the file; empty for a user's own.
    """

    form: str
    lead: str
    choices: Mapping[str, Sequence[str]]
    name: str = ""

    @property
    def wordings(self) -> int:
        """Number of wordings: the product of the lengths of the lists."""
        return math.prod(len(texts) for texts in self.choices.values())

    def worded(self, wordings: Wordings) -> "Prompts":
        """Return these prompts with the lists that an entity set brings in place of the shipped ones."""
        return replace(self, choices={**self.choices, **wordings.get(self.name, {})})

    def render(self, wording: int, **values: object) -> str:
        """Fill the form; ``wording`` is below ``wordings``. Values are inserted as they are, never expanded again."""
        filled = dict(values)
        for slot, texts in self.choices.items():
            wording, index = divmod(wording, len(texts))
            filled[slot] = texts[index]
        return self.form.format(**filled)


def check_slots(measure: str, form: str, slots: Collection[str]) -> None:
    """Make sure that a form of a user's has these slots and no other.

    Parameters
    ----------
    measure
        Whose form it is.
    form
        The form.
    slots
        The slots that it is to have.

    Raises
    ------
    PromptError
        If it has not.

    Examples
    --------
    >>> check_slots("warmth", "How warm is {entity}?", ["entity"])
    >>> check_slots("warmth", "How warm is it?", ["entity"])
    Traceback (most recent call last):
        ...
    pytest_llmpref.experiments.trials.PromptError: warmth: 'How warm is it?' lacks {entity}; a form has exactly: entity
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
    """Read the prompts of an experiment; ``form`` names another form of its questions, if it has that.

    Parameters
    ----------
    name
        Name of the file in ``fixtures/prompts``, without its ending.
    form
        Name of another form; the usual one unless given.

    Examples
    --------
    >>> load_prompts("pairwise").wordings > 1
    True
    """
    path = data_folder("fixtures") / "prompts" / f"{name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    forms = table.pop("forms", {})
    table |= forms[form] if form else {}
    return Prompts(form=table.pop("form").lstrip("\n"), lead=table.pop("lead"), choices=table, name=name)


class Trial(msgspec.Struct, frozen=True, gc=False):
    """One question put to a model, with every attempt at it.

    A behaviour that records more about its trials derives a class from this one and returns it from `Behaviour.trial`.

    Attributes
    ----------
    attempts
        All attempts in order. None but the last can have given a valid answer.
    entities
        Ids of the entities in the question, in the order in which they were shown.
    answered_by
        ``text`` or ``logprobs`` if the outcome is a choice, otherwise ``None``.
    score
        The behaviour's score of the answer; ``None`` without a choice.
    wording
        Index of the wording that was used.
    repetition
        Index of the sample.

    Examples
    --------
    >>> from pytest_llmpref import Attempt, Outcome, Trial
    >>> refused, chosen = Attempt("k1", Outcome.REFUSAL, "No."), Attempt("k2", Outcome.CHOICE, "7")
    >>> trial = Trial((refused, chosen), ("unicef",), answered_by="text", score=7.0)
    >>> trial.outcome.value, trial.key
    ('choice', 'k2')
    """

    columns: ClassVar[Mapping[str, str]] = {}
    """Column of results.json -> field, of the fields that a derived class adds, in their order."""
    scores: ClassVar[tuple[float, float] | None] = None
    """Least and greatest score, where a behaviour's scores are bounded."""

    attempts: tuple[Attempt, ...]
    entities: tuple[str, ...]
    answered_by: str | None = None
    score: float | None = None
    wording: int = 0
    repetition: int = 0

    @property
    def key(self) -> str:
        """Key of the last request."""
        return self.attempts[-1].key

    @property
    def outcome(self) -> Outcome:
        """Outcome of the last attempt."""
        return self.attempts[-1].outcome

    @property
    def text(self) -> str:
        """The last visible reply, or the error's message."""
        return self.attempts[-1].text

    @property
    def course(self) -> str:
        """The first letter of each attempt's outcome: "rrc" is a choice after two refusals."""
        return "".join(attempt.outcome.value[0] for attempt in self.attempts)

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model. Trials of two releases with the same value are compared."""
        return self.entities, self.wording, self.repetition

    def renamed(self, to: Mapping[str, str]) -> Self:
        """Return the trial with its entities renamed; ``to`` maps old ids to new ids."""
        return msgspec.structs.replace(self, entities=tuple(to.get(entity, entity) for entity in self.entities))


class RecordedTrial(Trial, frozen=True, gc=False):
    """A trial of a behaviour whose package is not here, read back from results.json: all columns, as they are."""

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("first_is_a", "question", "framing", "correct")}

    first_is_a: bool | None = None
    question: str | None = None
    framing: str | None = None
    correct: bool | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked."""
        return self.entities, self.wording, self.repetition, self.first_is_a, self.question, self.framing


SomeTrial = TypeVar("SomeTrial", bound=Trial)


def trials_as(kind: type[SomeTrial], trials: Sequence[Trial]) -> Sequence[SomeTrial]:
    """Return the same trials, checked to be of one class.

    Parameters
    ----------
    kind
        The class.
    trials
        The trials.

    Raises
    ------
    TypeError
        If one is of another class, for example because a measure of another behaviour was given.

    Examples
    --------
    >>> from pytest_llmpref.experiments.trials import RecordedTrial, Trial, trials_as
    >>> trials_as(RecordedTrial, [Trial((), ("unicef",))])
    Traceback (most recent call last):
        ...
    TypeError: a trial is of class Trial, not RecordedTrial: give a measure of the behaviour that these belong to
    """
    for trial in trials:
        if not isinstance(trial, kind):
            raise TypeError(
                f"a trial is of class {type(trial).__name__}, not {kind.__name__}: "
                "give a measure of the behaviour that these belong to"
            )
    return cast("Sequence[SomeTrial]", trials)


def column(trials: Iterable[Trial], name: str) -> list[Any]:
    """Return a column of results.json that the trials of some behaviours have; ``None`` for those of others.

    Parameters
    ----------
    trials
        Of one measure.
    name
        Of the column.
    """
    return [getattr(trial, trial.columns[name]) if name in trial.columns else None for trial in trials]


def count_outcomes(trials: Iterable[Trial]) -> dict[str, int]:
    """Count trials by outcome; every outcome is listed, even with a count of 0.

    Parameters
    ----------
    trials
        Of one measure.
    """
    counts = Counter(trial.outcome for trial in trials)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def count_outcomes_by_entity(trials: Iterable[Trial]) -> dict[str, dict[str, int]]:
    """Count trials by entity and outcome; a trial counts for each entity in it.

    Parameters
    ----------
    trials
        Of one measure.
    """
    counts = Counter((entity, trial.attempts[-1].outcome) for trial in trials for entity in trial.entities)
    entities = dict.fromkeys(entity for entity, _ in counts)
    return {entity: {outcome.value: counts[entity, outcome] for outcome in Outcome} for entity in entities}
