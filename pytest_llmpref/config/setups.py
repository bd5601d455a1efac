"""How users set models up: a file of names for such sets, and options that hold for every model of a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.reading import UserFileError, decoded, fitted, listed, parse_toml, read_bytes

Value = str | int | float | bool

SERVER = "server"
"""Under this name a request's parameters hold what the user calls the server: it is part of the key, and never sent."""
_MOST_BYTES = 1 << 20


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


AS_IS = Setup()
"""A model about which the user's files say nothing."""


class SetupError(UserFileError):
    """A model's settings cannot be used."""


def setup_of(model: str, settings: Settings) -> Setup:
    """Return how a model is set up: by its table in the file, and then by the options, which come first.

    The options are for the models that are measured: a judge has its table alone.

    Raises
    ------
    SetupError
        If either cannot be used.
    """
    if model.startswith("sim/"):
        return AS_IS
    found = _tables(settings.models_file).get(model, AS_IS) if settings.models_file is not None else AS_IS
    if is_judge_alone(model, settings):
        return found
    given: dict[str, Any] = {}
    if settings.param:
        given["parameters"] = {**found.parameters, **_parameters(settings.param)}
    if settings.header:
        given["headers"] = {**found.headers, **_pairs("--llmpref-header", settings.header, "NAME=VARIABLE")}
    if settings.system is not None:
        given["system"] = _text(settings.system)
    if settings.api_base:
        ((server, address),) = _pairs("--llmpref-api-base", [settings.api_base], "NAME=URL").items()
        if not address.startswith(("http://", "https://")) or "/" in server:
            said = (
                "give the server a name, as in staging=https://models.test/v1; the name is part of what is recorded, "
                "the address is not"
            )
            raise SetupError(f"--llmpref-api-base {settings.api_base}", [said])
        given |= {"server": server, "api_base": address}
    return replace(found, **given) if given else found


def is_judge_alone(model: str, settings: Settings) -> bool:
    """Whether a model is asked as a judge, and not measured itself."""
    return bool(settings.judge) and model not in settings.models


def _pairs(option: str, given: Iterable[str], form: str) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (equals and name and value):
            # Not the whole text: it may be a key that was written in the wrong place.
            raise SetupError(f"{option} {name}", [f"write {form}"])
        pairs[name] = value
    return pairs


def _parameters(given: Iterable[str]) -> dict[str, Value]:
    parameters = {name: _typed(value) for name, value in _pairs("--llmpref-param", given, "KEY=VALUE").items()}
    if wrong := checked_parameters(parameters):
        raise SetupError("--llmpref-param", [wrong])
    return parameters


def _typed(text: str) -> Value:
    """Return a number or a boolean as JSON has it, any other text as it is."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text


@lru_cache(maxsize=8)
def _tables(path: Path) -> Mapping[str, Setup]:
    """Read a file of models."""
    setups, problems = dict[str, Setup](), list[str]()
    for name, table in parse_toml(path, SetupError, read_bytes(path, SetupError, _MOST_BYTES)).items():
        values, wrong = fitted(table, Setup)
        if name.startswith(("sim/", "local/")):
            wrong[""] = "what runs here is not set up in this file; name a model of a server"
        elif not wrong and (said := checked_parameters(values.get("parameters", {}))):
            wrong["parameters"] = said
        problems += listed(wrong, f"[{name}]")
        if values.get("system"):
            values["system"] = _text(path.parent / values["system"])
        if not wrong:
            setups[name] = Setup(**values)
    if problems:
        raise SetupError(path, problems)
    return setups


def _text(path: Path) -> str:
    """Read a system prompt."""
    text = decoded(path, SetupError, read_bytes(path, SetupError, _MOST_BYTES)).strip()
    if not text:
        raise SetupError(path, ["is empty; write the system prompt, or leave the file out"])
    return text


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
