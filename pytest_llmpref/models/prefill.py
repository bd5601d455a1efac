"""How each provider's models are led into an answer: by the first words of it, by a cue, or by a schema."""

import re
from dataclasses import dataclass
from typing import Literal

from pytest_llmpref.models.chat import Message
from pytest_llmpref.models.responses import message_to_send

Prefill = Literal["assistant", "cue", "schema", "off"]
"""What leads into the answer.

``assistant``: the reply's first words, as a last message of the assistant, which the provider continues.
``cue``: the same words at the end of the user's message.
``schema``: a JSON schema of the allowed answers, as the response format.
``off``: nothing; the model may say what it likes.
"""

LITELLM = "https://docs.litellm.ai/docs/completion/prefix"
CLAUDE = "https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6"


@dataclass(frozen=True, slots=True)
class Lead:
    """One row of the table.

    Attributes
    ----------
    models
        Matches the start of the names that the row is for.
    prefill
        What these models get.
    source
        Why we think so.
    marked
        Whether the assistant's message needs ``prefix: true`` to be continued.
    turns
        Whether the model answers a user. A base model has no turns: it continues what the user says.
    """

    models: re.Pattern[str]
    prefill: Prefill
    source: str
    marked: bool = False
    turns: bool = True


_CLAUDE_TO_4_5 = r".*claude-(?:v?[1-3]\b|instant|\w+-4(?:[-.][015])?(?:$|[-@]\d{6}))"

LEADS = (
    Lead(re.compile(r"local/gemma-3-270m$"), "cue", "a base model: the prompt's end leads in", turns=False),
    Lead(re.compile(r"local/"), "assistant", "llama.cpp continues a last assistant message: test_local.py"),
    Lead(re.compile(r"(?:mistral|codestral|deepseek)/"), "assistant", LITELLM, marked=True),
    Lead(re.compile(_CLAUDE_TO_4_5), "assistant", f"{LITELLM}; the last ones that do are Claude 4.5: {CLAUDE}"),
    Lead(re.compile(r".*claude"), "schema", f"refuses a prefill with 400; structured outputs instead: {CLAUDE}"),
    Lead(re.compile(r""), "cue", "not known to continue an assistant's message"),
)
"""Which models get what; the first row that matches holds. The sources were read, the providers not asked."""


def lead_for(model: str) -> Lead:
    """Return the row of the table for a model's name as given to ``--model``."""
    return next(lead for lead in LEADS if lead.models.match(model))


def led_messages(prompt: str, words: str, prefill: Prefill) -> tuple[Message, ...]:
    """Return the conversation with a prompt and the prefill of its answer.

    Parameters
    ----------
    prompt
        The user's message.
    words
        The first words of the answer.
    prefill
        How they are used; a schema is not part of the conversation.
    """
    if prefill == "assistant":
        return (Message("user", prompt), Message("assistant", words))
    return (Message("user", f"{prompt}\n{words}" if prefill == "cue" else prompt),)


def messages_to_send(model: str, messages: tuple[Message, ...], *, prefill: bool = True) -> list[dict[str, object]]:
    """Return the conversation in litellm's form, a prefill marked where the provider needs it.

    Without ``prefill``, which the provider refused, its words stand at the end of the user's message.
    """
    if not prefill and [message.role for message in messages[-2:]] == ["user", "assistant"]:
        led = Message("user", f"{messages[-2].content}\n{messages[-1].content}")
        messages = (*messages[:-2], led)
    sent = [message_to_send(message) for message in messages]
    if messages[-1].role == "assistant" and lead_for(model).marked:
        sent[-1]["prefix"] = True
    return sent


def answer_schema(answers: tuple[str, ...]) -> dict[str, object]:
    """Return the response format that allows these answers and no other, as OpenAI's API has it."""
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(answers)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
