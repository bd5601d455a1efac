"""Conversations of two turns: a question about a pair, its answer, and a question that follows.

Both possible answers are planned, each with the question that follows it. Which of the two is asked is the model's own
choice: so a plan is fixed, the keys of its requests are those of any conversation, and a replay asks the same. The
answer stands in the conversation in the form that was asked for, whatever else the model said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.pairs.questions import LABELS, PairQuestion, read_pairs
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.models.chat import Message, Request

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes

First = TypeVar("First")


class ComparedAsReported:
    """An experiment of two turns: what followed an answer need not have been asked of both releases."""

    __slots__ = ()

    def changes(
        self,
        new: Sequence[Trial],  # noqa: ARG002 - the protocol's
        old: Sequence[Trial],  # noqa: ARG002
        ids: Sequence[str],  # noqa: ARG002
    ) -> "Changes":
        """Return none: effects by entity are compared as they were reported."""
        return {}, None


@dataclass(frozen=True, slots=True)
class Turn(Generic[First]):
    """A question in a conversation.

    Attributes
    ----------
    bare
        What is known of the first question of the conversation.
    place
        Which of a conversation's questions it is: the ``first``, or one that follows.
    after
        Label of the answer that it follows; empty if it follows none of the model's.
    """

    bare: First
    place: str = "first"
    after: str = ""


def following(asked: Request, label: str, lead: str, then: Request) -> Request:
    """Return a request that puts a question after another one and its answer.

    Parameters
    ----------
    asked
        The first question.
    label
        The label that was the answer to it.
    lead
        The first words of an answer.
    then
        The question that follows, by itself.

    Examples
    --------
    >>> from pytest_llmpref import Message, Request
    >>> from pytest_llmpref.experiments.contexts.conversations import following
    >>> one, two = (Request("sim/x", (Message("user", said),), 1.0, 9) for said in ("Which?", "Sure?"))
    >>> [message.content for message in following(one, "B", "Answer: Option", two).messages]
    ['Which?', 'Answer: Option B', 'Sure?']
    """
    *before, last = asked.messages
    if last.role == "assistant":
        said = [*before, Message("assistant", f"{last.content} {label}")]
    else:
        said = [*before, last, Message("assistant", label if last.content.endswith(lead) else f"{lead} {label}")]
    return msgspec.structs.replace(then, messages=(*said, *then.messages))


def first_answers(plan: Plan[PairQuestion], conditions: Conditions, replies: Sequence[Replies]) -> list[str | None]:
    """Return the label that answers each first question; ``None`` if none does, or none was asked for.

    Parameters
    ----------
    plan
        The first questions.
    conditions
        Of the study.
    replies
        Those to each of them.
    """
    numbers = [number for number, attempts in enumerate(replies) if attempts]
    read = read_pairs(plan.part(numbers), [replies[number] for number in numbers], conditions.names, conditions.answers)
    found: list[str | None] = [None] * len(replies)
    for number, trial in zip(numbers, read, strict=True):
        if trial.score is not None:
            found[number] = plan.questions[number].labels[trial.score < 0.5]
    return found


def two_turns(count: int, others: int, answered: Callable[[Sequence[Replies]], Sequence[str | None]]) -> Rounds:
    """Return how a plan is asked whose first questions are followed by one that depends on the answer.

    The plan has the first questions, then others that depend on nothing, and then, for each first question, one that
    follows the answer A and one that follows B.

    Parameters
    ----------
    count, others
        Number of first questions, and of others.
    answered
        Given the replies to the first questions, returns the label that answers each; ``None`` for no answer.
    """

    def choose(replies: Sequence[Replies]) -> list[int]:
        if not any(replies):
            return list(range(count + others))
        labels = answered(replies[:count])
        chosen = [
            count + others + len(LABELS) * number + LABELS.index(label)
            for number, label in enumerate(labels)
            if label is not None
        ]
        return [number for number in chosen if not replies[number]]

    return Rounds(2 * count + others, choose, "its second turn", at_most=True, most=2)
