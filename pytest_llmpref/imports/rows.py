"""One imported reply, as it is kept: what was shown, what the data say came of it, and its words if they are known."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from pytest_llmpref.models.chat import Message, Reply, Request, Tokens
from pytest_llmpref.results.import_record import ImportRecord

Given = Literal[
    "",
    "first",
    "second",
    "refusal",
    "abstention",
    "unparseable",
    "truncated",
    "error",
    "answered",
    "partly",
    "declined",
    "empty",
]
"""What the data say of a reply; empty if they leave that to a reader of its text."""
Number = Annotated[int, msgspec.Meta(ge=0)]


class Row(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One reply.

    Attributes
    ----------
    measure
        The measure that it belongs to.
    entities
        Ids of those that were shown, in this order.
    given
        What the data say of the reply.
    label
        Label of the option that was shown first; empty if it is not known.
    wording
        Which of the measure's wordings.
    repetition
        Index of the sample: how often the same was asked before.
    question
        Id of the question, where the same one is asked about several entities.
    text, finish
        The reply, and the provider's finish reason.
    prompt_tokens, completion_tokens
        Number of tokens as billed; 0 if unknown.
    served
        Which model the provider says that it was.
    """

    measure: str
    entities: tuple[str, ...]
    given: Given = ""
    label: Literal["", "A", "B"] = ""
    wording: Number = 0
    repetition: Number = 0
    question: str = ""
    text: str = ""
    finish: str = "stop"
    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0
    served: str = ""

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the repetition."""
        return self.measure, self.entities, self.label, self.wording, self.question

    def reply(self, judgement: str | None = None) -> Reply:
        """Return the reply as an experiment reads it.

        Parameters
        ----------
        judgement
            What the data say of it, in the words that a judge uses; ``None`` where its text is to be read.
        """
        return Reply(
            text=self.text,
            finish=self.finish,
            judgement=judgement,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            served=self.served,
        )


class ImportedEntity(msgspec.Struct, frozen=True):
    """An entity of the data: its id, its name as the data have it, and its group."""

    id: str
    name: str
    group: str = "all"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of the file of an imported model.

    Attributes
    ----------
    v
        Version of the format.
    model
        Its name, ``imported/...``.
    entities
        In the order in which the data name them.
    wordings
        Measure -> its wordings, by number; empty if the data tell none apart.
    record
        Where the replies come from.
    """

    v: Literal[1] = 1
    model: str
    entities: list[ImportedEntity]
    wordings: dict[str, list[str]] = {}
    record: ImportRecord


def request_of(model: str, row: Row, shown: str, wordings: Sequence[str], names: Mapping[str, str]) -> Request:
    """Return a request that stands for a question whose own words the data may not tell; its key is the trial's.

    Parameters
    ----------
    model
        The imported model's name.
    row
        The reply.
    shown
        What was shown, in words.
    wordings
        Those of the measure.
    names
        Entity id -> name.
    """
    about = shown or ", ".join(names[entity] for entity in row.entities)
    wording = wordings[row.wording] if row.wording < len(wordings) else ""
    said = "\n".join(filter(None, (f"[imported as {row.measure}]", wording, row.question, about)))
    # An imported sample was asked once: no attempts follow it.
    return Request(model, (Message("user", said),), temperature=0.0, max_tokens=0, repetition=row.repetition)
