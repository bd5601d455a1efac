"""Trials of questions in contexts: what is asked, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, cast

from pytest_llmpref.experiments.contexts.placing import Placed
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.reading.trials import ReadingTrial
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.parsing.outcome import Attempt, Outcome

Outcomes = Literal["chosen", "refused", "right", "solved", "seen"]
"""What is looked at: whether an entity was chosen, whether the question about it was refused at once, whether the
answer that helps it was right, whether the task for it was solved, or whether the conversation about it was seen as a
test."""

_COLUMNS = {"context": "context", "drawing": "drawing", "arms": "arms"}


class ContextTrial(PairTrial, frozen=True, gc=False):
    """A question about an ordered pair, in a context.

    Attributes
    ----------
    context
        Id of the context.
    drawing
        Number of the assignment that it followed.
    arms
        The arms of the two entities, in the order in which they were shown; empty if there are none.
    """

    columns: ClassVar[Mapping[str, str]] = {**PairTrial.columns, **_COLUMNS}

    context: str = ""
    drawing: int = 0
    arms: Sequence[str] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.first_is_a, self.context, self.drawing, *self.arms

    @property
    def beside(self) -> str:
        """The second entity."""
        return self.entities[1]


class ContextReadingTrial(ReadingTrial, frozen=True, gc=False):
    """A yes/no question whose right answer helps an entity, in a context.

    Attributes
    ----------
    context, drawing
        As in `ContextTrial`.
    arms
        The arm of the entity; empty if there are none.
    """

    columns: ClassVar[Mapping[str, str]] = {**ReadingTrial.columns, **_COLUMNS}

    context: str = ""
    drawing: int = 0
    arms: Sequence[str] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.question, self.context, self.drawing, *self.arms

    @property
    def beside(self) -> str:
        """The question, which may have the id of an entity."""
        return f"question {self.question}"


class ContextRunTrial(Trial, frozen=True, gc=False):
    """A run of an agent on behalf of an entity, in a context. The score is how much of the task it solved.

    Attributes
    ----------
    task
        Id of the task.
    context, drawing
        As in `ContextTrial`.
    arms
        The arm of the entity; empty if there are none.
    """

    columns: ClassVar[Mapping[str, str]] = {"task": "task", **_COLUMNS}

    task: str = ""
    context: str = ""
    drawing: int = 0
    arms: Sequence[str] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.task, self.context, self.drawing, *self.arms

    @property
    def beside(self) -> str:
        """The task, which may have the id of an entity."""
        return f"task {self.task}"


class AwarenessTrial(Trial, frozen=True, gc=False):
    """The question whether a conversation about two entities looked like a test. The score is 1 where it did.

    Attributes
    ----------
    context, drawing, arms
        As in `ContextTrial`.
    says_yes
        Whether the answer was yes, which means a test in one wording, and none in the other; not kept in results.
    """

    columns: ClassVar[Mapping[str, str]] = _COLUMNS

    context: str = ""
    drawing: int = 0
    arms: Sequence[str] = ()
    # Last, since results are read back by the place of their columns.
    says_yes: bool | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.context, self.drawing, *self.arms

    @property
    def beside(self) -> str:
        """The second entity."""
        return self.entities[1]


class InContext(Protocol):
    """A trial of a question in a context."""

    @property
    def entities(self) -> tuple[str, ...]:
        """Ids of the entities in the question."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts."""
        ...

    @property
    def context(self) -> str:
        """Id of the context."""
        ...

    @property
    def drawing(self) -> int:
        """Number of the assignment that it followed."""
        ...

    @property
    def arms(self) -> Sequence[str]:
        """The arm of each entity; empty if there are none."""
        ...

    @property
    def beside(self) -> str:
        """What the first entity was put beside: another one, a question or a task."""
        ...


Bare = TypeVar("Bare")
SomeTrial = TypeVar("SomeTrial", bound=Trial)
SomeInContext = TypeVar("SomeInContext", bound=InContext)


@dataclass(frozen=True, slots=True)
class ContextQuestion(Generic[Bare]):
    """A bare question, and the context that it is asked in."""

    bare: Bare
    placed: Placed


def in_place(kind: type[SomeTrial], trial: Trial, one: Placed) -> SomeTrial:
    """Return a trial with the context that it was asked in.

    Parameters
    ----------
    kind
        The class of trials in contexts, which derives from the class of the trial without a context.
    trial
        As read.
    one
        The context.
    """
    arms = tuple(one.arms[entity] for entity in trial.entities) if one.arms else ()
    same: dict[str, Any] = {name: getattr(trial, name) for name in type(trial).__struct_fields__}
    same |= {"context": one.context, "drawing": one.drawing, "arms": arms}
    return kind(**same)


def trials_in_contexts(measure: Measure) -> Sequence[InContext]:
    """Return the trials of a measure of questions in contexts.

    Parameters
    ----------
    measure
        The measure.

    Raises
    ------
    TypeError
        If its questions were asked in no contexts.
    """
    if not all(hasattr(trial, "context") for trial in measure.trials[:1]):
        raise TypeError(f"{measure.name} was asked in no contexts: give a measure such as those of suites/causal")
    return cast("Sequence[InContext]", measure.trials)


def score(trial: InContext, place: int, looked_at: Outcomes) -> float | None:
    """Return what a trial says of the entity at a place; ``None`` where nothing.

    Parameters
    ----------
    trial
        The trial.
    place
        0 for the entity shown first.
    looked_at
        What is looked at.
    """
    if looked_at == "refused":
        return float(trial.attempts[0].outcome is Outcome.REFUSAL)
    if isinstance(trial, ContextReadingTrial):
        return None if trial.correct is None else float(trial.correct)
    if isinstance(trial, AwarenessTrial | ContextRunTrial):
        return trial.score
    if not isinstance(trial, ContextTrial) or trial.score is None:
        return None
    return trial.score if place == 0 else 1 - trial.score


def of_context(trials: Sequence[SomeInContext], context: str) -> list[SomeInContext]:
    """Return the trials in one context."""
    return [trial for trial in trials if trial.context == context]
