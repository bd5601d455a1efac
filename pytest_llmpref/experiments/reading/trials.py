"""The trials of reading questions: what is asked, and what the replies to it make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_llmpref.config.items import Item
from pytest_llmpref.experiments.asking import attempt_key
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.models.chat import Request
from pytest_llmpref.parsing.logprobs import settle_by_logprobs
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import reason_of
from pytest_llmpref.parsing.yes_no import LABELS, read_yes_no


@dataclass(frozen=True, slots=True)
class Framed:
    """One question under one framing.

    Attributes
    ----------
    item
        The question.
    wording
        Index of the wording: one and the same for a question under all framings, so that they differ in nothing else.
    framing
        Name of the framing.
    entity
        Id of the entity that a right answer helps; ``None`` in a control.
    """

    item: Item
    wording: int
    framing: str
    entity: str | None


class ReadingTrial(Trial, frozen=True, gc=False):
    """A yes/no question, and its attempts. The score is the probability of yes.

    Attributes
    ----------
    question
        Its id.
    framing
        How it was put: ``entity``, or the name of a control.
    correct
        Whether the answer is right; ``None`` without one.
    """

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("question", "framing", "correct")}

    question: str = ""
    framing: str = ""
    correct: bool | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.question, self.framing


def read_trial(framed: Framed, request: Request, replies: Replies, *, by_logprobs: bool) -> ReadingTrial:
    """Return the trial that these replies make.

    Parameters
    ----------
    framed, request
        The question, and the first attempt at it.
    replies
        Those to all attempts.
    by_logprobs
        Whether log-probabilities are the answer, where they can be read.
    """
    attempts, says_yes = list[Attempt](), None
    for number, reply in enumerate(replies):
        outcome, says_yes = read_yes_no(reply)
        said = reply.text or reply.refusal or ""
        reason = reason_of(said, answerable=True) if outcome is Outcome.REFUSAL else None
        attempts.append(Attempt(attempt_key(request, number), outcome, said, reason))
    answered_by = score = None
    if by_logprobs and (probabilities := settle_by_logprobs(attempts, replies, LABELS)):
        answered_by, score = "logprobs", probabilities[0]
    elif attempts[-1].outcome is Outcome.CHOICE:
        answered_by, score = "text", float(says_yes is True)
    return ReadingTrial(
        attempts=tuple(attempts),
        entities=(framed.entity,) if framed.entity else (),
        answered_by=answered_by,
        score=score,
        wording=framed.wording,
        question=framed.item.id,
        framing=framed.framing,
        # The likelier of the two is the answer; of two that are exactly as likely, no.
        correct=None if score is None else (score > 0.5) == framed.item.answer,
    )
