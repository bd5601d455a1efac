"""How users set models up: a file of names for such sets, and options that hold for every model of a run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.reading import UserFileError, decoded, fitted, listed, parse_toml, read_bytes
from pytest_llmpref.models.parameters import Price, price_of
from pytest_llmpref.models.setup import AS_IS, Setup, Value, checked_parameters

_MOST_BYTES = 1 << 20


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


def price_under(model: str, settings: Settings) -> Price | None:
    """Return the price of a model: its table's, the option's, or litellm's; ``None`` where it is unknown.

    The option is for the models that are measured. A judge has it only where nothing else says what it costs.

    Raises
    ------
    PriceError
        If a price that the user gave cannot be read.
    """
    setup = setup_of(model, settings)
    name = setup.model or model
    if is_judge_alone(model, settings) and (known := price_of(name, setup.price)) is not None:
        return known
    return price_of(name, setup.price or settings.price)


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
