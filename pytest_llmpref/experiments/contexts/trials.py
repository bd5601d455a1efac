"""Trials of questions in contexts: what is asked, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pytest_llmpref.experiments.contexts.placing import Placed
from pytest_llmpref.experiments.pairs.questions import PairQuestion, PairTrial

Outcomes = Literal["chosen", "refused"]
"""What is looked at: whether an entity was chosen, or whether the question about it was refused at once."""


class ContextTrial(PairTrial, frozen=True, gc=False):
    """A question about an ordered pair, in a context.

    Attributes
    ----------
    context
        Id of the context.
    drawing
        Number of the assignment that it followed.
    arms
        The arms of the two entities, in the order in which they were shown; empty where there are none.
    """

    columns: ClassVar[Mapping[str, str]] = {
        **PairTrial.columns,
        "context": "context",
        "drawing": "drawing",
        "arms": "arms",
    }

    context: str = ""
    drawing: int = 0
    arms: Sequence[str] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.first_is_a, self.context, self.drawing, *self.arms


@dataclass(frozen=True, slots=True)
class ContextQuestion:
    """A question about a pair, and the context that it is asked in."""

    pair: PairQuestion
    placed: Placed


def in_place(trial: PairTrial, one: Placed) -> ContextTrial:
    """Return a trial with the context that it was asked in.

    Parameters
    ----------
    trial
        As read.
    one
        The context.
    """
    arms = tuple(one.arms[entity] for entity in trial.entities) if one.arms else ()
    same: dict[str, Any] = {name: getattr(trial, name) for name in PairTrial.__struct_fields__}
    return ContextTrial(**same, context=one.context, drawing=one.drawing, arms=arms)
