"""A trial, with every attempt at it; the counts that every measure reports.

Comparisons build hundreds of thousands of trials: so they are structs, which are built fast, and left out of the search
for circles of references, of which they have none.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from pytest_llmpref.parsing.outcome import Attempt, Outcome


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
    counts = Counter((entity, trial.attempts[-1].outcome) for trial in trials for entity in trial.entities)
    entities = dict.fromkeys(entity for entity, _ in counts)
    return {entity: {outcome.value: counts[entity, outcome] for outcome in Outcome} for entity in entities}
