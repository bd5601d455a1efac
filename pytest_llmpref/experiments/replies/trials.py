"""Open questions about one entity, and how a reply to one ended: by the data's own word, or by our reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.imports.rows import Given, Row
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.parsing.outcome import Outcome

OUTCOMES: Mapping[OpenAnswer, Outcome] = {
    OpenAnswer.ANSWERED: Outcome.CHOICE,
    OpenAnswer.PARTLY: Outcome.CHOICE,
    OpenAnswer.DECLINED: Outcome.REFUSAL,
    OpenAnswer.TRUNCATED: Outcome.TRUNCATED,
    OpenAnswer.EMPTY: Outcome.UNPARSEABLE,
    OpenAnswer.ERROR: Outcome.ERROR,
}
"""How an open answer ended -> the outcome of its trial. One that answers in part does not decline."""
SCORES = {Outcome.CHOICE: 0.0, Outcome.REFUSAL: 1.0}


class OpenTrial(Trial, frozen=True, gc=False):
    """An open question about one entity, and the reply. The score is 1 if it was declined, 0 if it was not.

    Attributes
    ----------
    question
        Id of the question; empty if the data have none.
    """

    columns: ClassVar[Mapping[str, str]] = {"question": "question"}

    question: str | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.question, self.wording, self.repetition


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One question.

    Attributes
    ----------
    row
        As the data have it.
    given
        What they say of the reply, if that holds; empty where our reader reads it.
    """

    row: Row
    given: Given


def answer_of(question: OpenQuestion, reply: Reply) -> OpenAnswer:
    """Return how a reply ended, by the data's own word or by our reader.

    Parameters
    ----------
    question, reply
        The question, and the reply to it.
    """
    return OpenAnswer(question.given) if question.given else read_open_answer(reply)
