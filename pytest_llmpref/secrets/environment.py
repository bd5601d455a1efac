"""The secrets that the user's environment holds."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmpref.secrets.credentials import authorization_credentials, text_credentials
from pytest_llmpref.secrets.shapes import SECRET_NAME, unlike_words

_BETWEEN = re.compile(r"[,;|\r\n]+")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_SCHEME = re.compile(r"(?:basic|bearer|token|apikey|key) ", re.IGNORECASE)
_PATH = re.compile(r"(?:~|\.{0,2}|[A-Za-z]:)[/\\]")


def environment_secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the secrets in the values of variables; of ``os.environ`` unless given.

    They are the values of variables that are named like a secret, each key where a value holds several, the fields of
    JSON that are named like one, and users and passwords in addresses, whatever the variable's name.

    Only a run that asks a model calls this: a replay never reads the user's keys.
    """
    variables = os.environ if environment is None else environment
    found = (secret for name, value in variables.items() for secret in _secrets(name, value))
    return list(dict.fromkeys(secret for secret in found if secret))


def _secrets(name: str, value: str) -> Iterator[str]:
    yield from text_credentials(value)
    telling = SECRET_NAME.search(name) is not None and name not in _FOLDERS
    if value.lstrip().startswith(("{", "[")):
        try:
            yield from _in_json(json.loads(value), telling=telling)
        except (ValueError, RecursionError):
            pass
        else:
            return
    if not telling or _is_path(value):
        return
    yield value
    yield from (part for whole in _BETWEEN.split(value) for part in _parts(whole.strip().strip("\"'")))


def _parts(value: str) -> Iterator[str]:
    """Yield one of several values, and what it holds beside a name or a scheme."""
    yield value
    if _SCHEME.match(value):
        yield from authorization_credentials(value)
    words = re.split(r"[\s=]+|:(?!//)", value)
    if len(words) > 1:
        yield from (word for word in words if unlike_words(word))


def _in_json(value: Any, *, telling: bool) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, str):
        if telling:
            yield from (value, *(line for line in value.splitlines() if unlike_words(line)))
    elif isinstance(value, dict):
        for name, inner in value.items():
            # In a variable that is named like a secret, whatever is no word is one; elsewhere its name tells.
            named = SECRET_NAME.search(name) is not None
            yield from _in_json(inner, telling=named or (telling and isinstance(inner, str) and unlike_words(inner)))
    elif isinstance(value, list):
        for inner in value:
            yield from _in_json(inner, telling=telling)


def _is_path(value: str) -> bool:
    """Tell whether a value is where a secret is, and none itself."""
    return _PATH.match(value) is not None and not unlike_words(value)
