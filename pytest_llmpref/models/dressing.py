"""A model asked as the user set it up: with what goes with each question, and with what only variables may hold."""

import os

import msgspec

from pytest_llmpref.config.setups import AS_IS, SERVER, Setup, Value
from pytest_llmpref.models.chat import ChatModel, Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.secrets import declare_secret


def key_of(setup: Setup) -> str | None:
    """Return the key of a model; ``None`` for litellm's own.

    Raises
    ------
    ModelUnavailableError
        If its variable is not set.
    """
    return _value(setup.key, "its key") if setup.key else None


def headers_of(setup: Setup) -> dict[str, str]:
    """Return the headers to send. Their values count as secrets from now on.

    Raises
    ------
    ModelUnavailableError
        If a variable is not set.
    """
    return {name: _value(variable, f"the header {name}") for name, variable in setup.headers.items()}


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
