"""How users set models up: a file of names for such sets, and options that hold for every model of a run."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.config.options import Settings
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given
from pytest_llmpref.models.setup import AS_IS, Setup, Value, checked_parameters

_MOST_BYTES = 1 << 20


class SetupError(LLMPrefError):
    """A model's settings that cannot be used; the message names the file or the option, the key and the fix."""


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
    if model == settings.judge and model not in settings.models:
        return found
    given: dict[str, Any] = {}
    if settings.param:
        given["parameters"] = {**found.parameters, **_parameters(settings.param)}
    if settings.header:
        given["headers"] = {**found.headers, **_pairs("--llmpref-header", settings.header, "NAME=VARIABLE")}
    if settings.system is not None:
        given["system"] = _text("--llmpref-system", settings.system)
    if settings.api_base:
        ((server, address),) = _pairs("--llmpref-api-base", [settings.api_base], "NAME=URL").items()
        if not address.startswith(("http://", "https://")) or "/" in server:
            raise SetupError(
                f"--llmpref-api-base {settings.api_base}: give the server a name, as in "
                "staging=https://models.test/v1; the name is part of what is recorded, the address is not"
            )
        given |= {"server": server, "api_base": address}
    return msgspec.structs.replace(found, **given) if given else found


def _pairs(option: str, given: Iterable[str], form: str) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (equals and name and value):
            # Not the whole text: it may be a key that was written in the wrong place.
            raise SetupError(f"{option} {name}: write {form}")
        pairs[name] = value
    return pairs


def _parameters(given: Iterable[str]) -> dict[str, Value]:
    parameters = {name: _typed(value) for name, value in _pairs("--llmpref-param", given, "KEY=VALUE").items()}
    if wrong := checked_parameters(parameters):
        raise SetupError(f"--llmpref-param: {wrong}")
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
    try:
        tables = tomllib.loads(_text("--llmpref-models-file", path))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise SetupError(f"{path}: not valid TOML: {error}") from error
    return {name: _setup(path, name, table) for name, table in tables.items()}


def _setup(path: Path, name: str, table: object) -> Setup:
    if name.startswith(("sim/", "local/")):
        raise SetupError(f"{path}: [{name}]: what runs here is not set up in this file; name a model of a server")
    try:
        setup = msgspec.convert(table, Setup)
    except msgspec.ValidationError as error:
        known = ", ".join(Setup.__struct_fields__)
        raise SetupError(f"{path}: [{name}]: {error}; a table has {known}") from error
    if wrong := checked_parameters(setup.parameters):
        raise SetupError(f"{path}: [{name}] parameters: {wrong}")
    if setup.system:
        setup = msgspec.structs.replace(setup, system=_text(f"{path}: [{name}] system", path.parent / setup.system))
    return setup


def _text(source: str, path: Path) -> str:
    try:
        with open_given(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise SetupError(f"{source} {path}: more than {_MOST_BYTES:,} bytes")
        text = data.decode().strip()
    except OSError as error:
        raise SetupError(f"{source} {path}: cannot read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{source} {path}: not UTF-8 ({error})") from error
    if not text:
        raise SetupError(f"{source} {path}: is empty")
    return text
