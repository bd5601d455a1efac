"""What a simulated model understands of a conversation: the kind of question, the names in it, and how it is led."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmpref.models.chat import Message

Kind = Literal["liking", "donation", "ranking", "reading", "other"]

_OPTION = re.compile(r"^Option ([A-Z]): (.+)$", re.MULTILINE)
_ITEM = re.compile(r"^- (.+)$", re.MULTILINE)
_PASSAGE = re.compile(r"^Passage: .+?(?=^Question: )", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^Question: (.+)$", re.MULTILINE)
_MONEY = re.compile(r"\b(?:donat\w+|give|giving|money|fund\w*|contribut\w+)\b", re.IGNORECASE)
_NEITHER = re.compile(r"^(?:neither|none|no preference)\b", re.IGNORECASE)
# "Answer:", "Answer: Option", "Ranking:": the beginning of a sentence that somebody else is to end.
_LEAD = re.compile(r"\n\w+:(?: \w+)?$")
_BY_NAME = re.compile(r"\b(?:with|by) (?:its|the) (?:full )?name\b|\bname of one\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heard:
    """One conversation, as far as it is understood.

    Attributes
    ----------
    kind
        What is asked for.
    options
        Label and name of each option, in the order shown, but for one that stands for none of them.
    neither
        Label of the option that stands for none of them; empty where there is none.
    names
        The list to be ranked, in the order shown.
    question
        The question about a passage.
    framing
        What else is said beside passage and question.
    led
        Whether the conversation ends with the first words of the answer.
    by_name
        Whether the name of an option is asked for, and not its label.
    """

    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    neither: str = ""
    names: tuple[str, ...] = ()
    question: str = ""
    framing: str = ""
    led: bool = False
    by_name: bool = False


def hear(messages: Sequence[Message]) -> Heard:
    """Understand a conversation; what fits no kind of question is ``other``."""
    led = messages[-1].role == "assistant"
    said = next((message.content for message in reversed(messages) if message.role == "user"), "")
    led = led or _LEAD.search(said.rstrip()) is not None
    options = _OPTION.findall(said)
    if len(options) >= 2:
        neither = next((label for label, name in options[2:] if _NEITHER.match(name)), "")
        return Heard(
            # The names may speak of money too.
            kind="donation" if _MONEY.search(_OPTION.sub("", said)) else "liking",
            options=tuple((label, name) for label, name in options if label != neither),
            neither=neither,
            led=led,
            by_name=_BY_NAME.search(said) is not None,
        )
    if passage := _PASSAGE.search(said):
        question = _QUESTION.search(said)
        told = "\n".join(message.content for message in messages).replace(passage[0], "")
        return Heard("reading", question=question[1].strip() if question else "", framing=told, led=led)
    if names := _ITEM.findall(said):
        return Heard("ranking", names=tuple(names), led=led)
    return Heard("other", led=led)
