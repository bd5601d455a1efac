"""A model as the user set it up: where it is, what goes with each question, and what none of that may give away."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from pytest_llmpref.models.chat import ChatModel, Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.secrets import declare_secret

Value = str | int | float | bool

SERVER = "server"
"""Under this name a request's parameters hold what the user calls the server: it is part of the key, and never sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a user says of one model; each part has a default.

    Attributes
    ----------
    model
        Litellm's name of it; empty for the name under which it is measured.
    api_base
        Its address, which is no part of a recording's identity: ``server`` is, or the name that stands for all this.
    server
        What the user calls the server at that address.
    key
        Variable that holds its key; litellm's own unless given.
    headers
        Names of headers, and the variables that hold their values.
    parameters
        What is sent with each question, in litellm's words. ``max_tokens`` and ``temperature`` replace those of the
        experiments.
    system
        The system prompt around every question.
    price
        ``IN/OUT``, US dollars for a million tokens.
    prefill
        How answers are led, where not as its name tells.
    """

    model: str = ""
    api_base: str = ""
    server: str = ""
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    system: str = ""
    price: str = ""
    prefill: Literal["", "assistant", "cue", "schema", "off"] = ""

    @property
    def limits_replies(self) -> bool:
        """Whether the user set how long replies may be: then nothing is added for reasoning."""
        return "max_tokens" in self.parameters

    def api_key(self) -> str | None:
        """Return the key; ``None`` for litellm's own.

        Raises
        ------
        ModelUnavailableError
            If its variable is not set.
        """
        return _value(self.key, "its key") if self.key else None

    def header_values(self) -> dict[str, str]:
        """Return the headers to send. Their values count as secrets from now on.

        Raises
        ------
        ModelUnavailableError
            If a variable is not set.
        """
        return {name: _value(variable, f"the header {name}") for name, variable in self.headers.items()}


AS_IS = Setup()
"""A model of which the user says nothing."""


def _value(variable: str, what: str) -> str:
    declare_secret(variable)
    if not (found := os.environ.get(variable, "")):
        raise ModelUnavailableError(f"{what} is in the variable {variable}, which is not set: set {variable}")
    return found


def dressed(request: Request, setup: Setup) -> Request:
    """Return a question with what the user wants to go with it; one that has it already stays as it is."""
    if setup is AS_IS or request.asked == "tool":
        return request
    server = {SERVER: setup.server} if setup.server else {}
    parameters: dict[str, Value] = {**request.parameters, **setup.parameters, **server}
    temperature = parameters.pop("temperature", request.temperature)
    limit = parameters.pop("max_tokens", request.max_tokens)
    return msgspec.structs.replace(
        request,
        messages=_led_by(setup.system, request.messages),
        temperature=float(temperature),
        max_tokens=int(limit),
        parameters=parameters,
    )


def _led_by(system: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not system:
        return messages
    if not messages or messages[0].role != "system":
        return (Message("system", system), *messages)
    if messages[0].content.startswith(system):
        return messages
    return (Message("system", f"{system}\n\n{messages[0].content}"), *messages[1:])


class DressedModel:
    """A `ChatModel` that has another asked as its user set it up. It only borrows the other."""

    def __init__(self, inner: ChatModel, setup: Setup) -> None:
        self.name = inner.name
        self._inner = inner
        self._setup = setup

    async def ask(self, request: Request) -> Reply:
        """Answer one request; raises what the inner model does."""
        return await self._inner.ask(dressed(request, self._setup))

    async def close(self) -> None:
        """Nothing is open that is not others'."""


def checked_parameters(parameters: Mapping[str, Value]) -> str | None:
    """Return what is wrong with parameters, or ``None``."""
    for name, value in parameters.items():
        if name in _RESERVED:
            return f"{name} {_RESERVED[name]}"
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "max_tokens" and not (isinstance(value, int) and number and value >= 1):
            return f"max_tokens is {value!r}; it must be a whole number from 1"
        if name == "temperature" and not (number and 0 <= float(value) <= _HOTTEST):
            return f"temperature is {value!r}; it must be a number from 0 to {_HOTTEST:g}"
    return None


_HOTTEST = 2.0
_OURS = "is set by the experiments"
_RESERVED = {
    **dict.fromkeys(("messages", "n", "stream", "tools", "response_format", "logprobs", "top_logprobs"), _OURS),
    **dict.fromkeys(("timeout", "num_retries", "max_retries", "caching"), "is an option of its own, or none"),
    **dict.fromkeys(("api_key", "key"), "is a key, and parameters are recorded: it belongs into a variable"),
    **dict.fromkeys(("headers", "extra_headers"), "has an option of its own: --llmpref-header NAME=VARIABLE"),
    **dict.fromkeys(("api_base", "base_url", SERVER), "has an option of its own: --llmpref-api-base NAME=URL"),
    "model": "is --model",
    "prefill": "has an option of its own: --llmpref-prefill",
}
