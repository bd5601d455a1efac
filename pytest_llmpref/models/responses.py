"""From litellm's response to a Reply.

Tools, and calls of them, are converted between our form and litellm's, which is OpenAI's.
"""

from typing import Any

from pytest_llmpref.models.chat import Message, Reply, Tool, ToolCall, possible
from pytest_llmpref.models.faults import MalformedResponseError
from pytest_llmpref.models.parameters import Parameters


def tools_to_send(tools: tuple[Tool, ...]) -> list[dict[str, object]]:
    """Return the tools that a model may call, in litellm's form."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def message_to_send(message: Message) -> dict[str, object]:
    """Return a message in litellm's form, with the calls in it or the call that it answers."""
    sent: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        sent["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        sent["tool_call_id"] = message.tool_call_id
    return sent


def calls_in(message: Any) -> tuple[ToolCall, ...]:
    """Return the calls in litellm's message. Some providers give them no id; each gets one that is its own."""
    calls = getattr(message, "tool_calls", None) or ()
    return tuple(
        ToolCall(call.id or f"call_{number}", call.function.name or "", call.function.arguments or "")
        for number, call in enumerate(calls)
    )


# Providers' words for a reply that came to its own end. litellm makes "stop" of these, and of every word that it does
# not know; those are kept as they are.
_NATURAL_ENDS = frozenset({"stop", "STOP", "end_turn", "stop_sequence", "eos", "eos_token", "EOS", "COMPLETE"})
_TEXTS = frozenset({"text", "output_text"})
_FAULTS = frozenset({"error", "ERROR", "network_error"})
# Gemini withholds a reply for these too, and they tell nothing of what it thinks of the question: the reply resembles
# what it was trained on, is in a language that it does not speak, or was stopped for a reason that it does not name.
_NO_REFUSALS = frozenset({"RECITATION", "IMAGE_RECITATION", "LANGUAGE", "OTHER"})
_FILTERS = frozenset({"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"})


def reply_from(response: Any, latency: float, sent: Parameters) -> Reply:
    """Normalise litellm's ``ModelResponse``.

    Raises
    ------
    MalformedResponseError
        If there is no reply in it.
    """
    if not response.choices:
        raise MalformedResponseError("the provider sent an empty list of choices")
    choice = response.choices[0]
    message = choice.message
    usage = getattr(response, "usage", None)
    prompt_tokens, completion_tokens = _tokens(usage)
    reply = Reply(
        text=message.content or "",
        finish=_finish(choice),
        refusal=_refusal(message),
        top_logprobs=_top_logprobs(choice),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        # litellm has computed its completion_cost already: None where the price is unknown.
        cost=response._hidden_params.get("response_cost"),  # noqa: SLF001 - where litellm documents that it is
        latency=latency,
        parameters=sent,
        tool_calls=calls_in(message),
        reasoning_tokens=_reasoning_tokens(usage),
        served=_text(getattr(response, "model", None)),
        fingerprint=_text(getattr(response, "system_fingerprint", None)),
    )
    return possible(reply)


def take_other_forms(message: type, choices: type) -> None:
    """Make litellm's classes of a message and a choice take what servers send in other forms than OpenAI's.

    litellm turns the whole reply away for content in parts, and for a log-probability that is null. Content in parts
    is joined, without parts that are no text, such as hidden reasoning; log-probabilities that litellm cannot take are
    dropped.
    """
    make_message, make_choices = message.__init__, choices.__init__  # type: ignore[misc]

    def init_message(self: Any, content: Any = None, *others: Any, **fields: Any) -> None:
        make_message(self, _joined(content), *others, **fields)

    def fits(self: Any, others: Any, fields: Any, logprobs: Any) -> bool:
        try:
            make_choices(self, *others, logprobs=logprobs, **fields)
        except ValueError:  # of which pydantic's are a kind
            if logprobs is None:
                raise
            return False
        # Since 1.110, litellm takes what does not fit as it is.
        return not isinstance(getattr(self, "logprobs", None), dict)

    def init_choices(self: Any, *others: Any, **fields: Any) -> None:
        logprobs = fields.pop("logprobs", None)
        # Of those of later tokens nobody asks.
        any(fits(self, others, fields, known) for known in (logprobs, _of_the_first(logprobs), None))

    message.__init__ = init_message  # type: ignore[misc]
    choices.__init__ = init_choices  # type: ignore[misc]


def _of_the_first(logprobs: Any) -> Any:
    """Return the log-probabilities of the first token alone; ``None`` if there are none."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return {"content": tokens[:1]} if isinstance(tokens, list) else None


def _joined(content: Any) -> Any:
    """Return content in parts as one text; any other content as it is."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return content
    texts = [part.get("text") for part in content if part.get("type") in _TEXTS]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else content


def _finish(choice: Any) -> str:
    finish: str = choice.finish_reason
    fields = getattr(choice, "provider_specific_fields", None) or {}
    native = fields.get("native_finish_reason")
    if native in _FILTERS or any(word in str(fields.get("error")) for word in _FILTERS):
        return "content_filter"
    if native in _FAULTS:
        raise MalformedResponseError(f"the provider broke the reply off: finish reason {native!r}")
    if native in _NO_REFUSALS or (finish == "stop" and native is not None and native not in _NATURAL_ENDS):
        return str(native)
    return finish


def _refusal(message: Any) -> str | None:
    refusal = getattr(message, "refusal", None)
    if refusal is None:
        refusal = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    return str(refusal) if refusal else None


def _top_logprobs(choice: Any) -> dict[str, float] | None:
    """Return the log-probabilities of the likeliest first tokens, or of the first token alone where that is all."""
    tokens = getattr(getattr(choice, "logprobs", None), "content", None)
    if not tokens:
        return None
    likeliest = getattr(tokens[0], "top_logprobs", None) or [tokens[0]]
    found: dict[str, float] = {}
    for token in likeliest:
        # Tokens that are parts of a character look the same; the first is the likelier.
        found.setdefault(token.token, float("nan") if token.logprob is None else float(token.logprob))
    return found or None


def _tokens(usage: Any) -> tuple[int, int]:
    if usage is None:
        return 0, 0
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    # xAI leaves hidden reasoning out of the completion's tokens, but not out of the total.
    return prompt, max(completion, (usage.total_tokens or 0) - prompt)


def _reasoning_tokens(usage: Any) -> int:
    tokens = getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None)
    return tokens if isinstance(tokens, int) else 0


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""
