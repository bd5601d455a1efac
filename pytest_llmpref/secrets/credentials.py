"""What a request authenticates with, wherever it says so."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pytest_llmpref.secrets.shapes import SECRET_FIELDS, SECRET_NAME, unlike_words
from pytest_llmpref.secrets.writings import from_base64

_COOKIES = ("cookie", "set-cookie")
_PAIRS = re.compile(r"([\w-]+)=\"?([^\",;\s]+)")
_CONVERSATION = frozenset(
    {"messages", "contents", "content", "parts", "choices", "candidates", "input", "output", "args", "arguments"}
)
"""Fields that hold what is said and done: there a password is part of the story."""
_IN_PATH = re.compile(r"(?:api[_-]?)?keys?|(?:\w+[_-])?tokens?|auth|secrets?|credentials?", re.IGNORECASE)


def header_credentials(headers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what the headers of a request, or of a response, authenticate with: each whole, and its parts."""
    for name, values in headers.items():
        if _tells(name):
            for value in values:
                yield from _in_header(name.lower(), value)


# The same few headers come with every call.


@lru_cache(maxsize=1024)
def _tells(name: str) -> bool:
    return SECRET_NAME.search(name) is not None or name.lower() in _COOKIES


@lru_cache(maxsize=64)
def _in_header(name: str, value: str) -> tuple[str, ...]:
    if name == "cookie":
        return tuple(_of_cookies(value.split(";")))
    if name == "set-cookie":
        # What follows says how long, and where, the cookie holds.
        return tuple(_of_cookies([value.partition(";")[0]]))
    return tuple(authorization_credentials(value.strip())) if value.strip() else ()


def authorization_credentials(value: str) -> Iterator[str]:
    """Yield a credential, and what of it may come back alone."""
    scheme, _, rest = value.partition(" ")
    rest = rest.strip() or scheme
    yield rest
    if scheme.lower() == "basic":
        user, _, password = from_base64(rest).partition(":")
        yield f"{user}:{password}"
        yield from _user_and_password(user, password)
        return
    # Of "ApiKey NAME KEY" the last.
    yield rest.split()[-1]
    pairs = _PAIRS.findall(rest)
    for name, part in pairs:
        if SECRET_NAME.search(name) or unlike_words(part, 16):
            # Of AWS' "Credential=KEY/DATE/REGION/..." the first.
            yield from (part, part.split("/")[0])
    if not pairs and rest.count(":") == 1:
        yield from _user_and_password(*rest.split(":"))


def address_credentials(uri: str) -> Iterator[str]:
    """Yield the credentials in an address."""
    try:
        url = urlsplit(uri)
    except ValueError:
        return
    for part in (url.query, url.fragment):
        yield from (value for name, value in parse_qsl(part) if SECRET_NAME.search(name))
    yield from _user_and_password(unquote(url.username or ""), unquote(url.password or ""))
    steps = url.path.split("/")
    for name, value in pairwise(steps):
        if _IN_PATH.fullmatch(name) and unlike_words(unquote(value)):
            yield unquote(value)


def body_credentials(body: str) -> Iterator[str]:
    """Yield the values of a JSON body's fields that are named like a secret, what models say and do apart."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    yield from _in_fields(found)


def text_credentials(text: str) -> Iterator[str]:
    """Yield the user and password of each address in a text."""
    for found in re.finditer(r"://([^\s/@\"'<>:?#]*):?([^\s/@\"'<>?#]*)@", text):
        yield from _user_and_password(*map(unquote, found.groups()))


def _in_fields(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _CONVERSATION:
                continue
            if isinstance(inner, str) and name.endswith(SECRET_FIELDS):
                if unlike_words(inner.rpartition(" ")[2]):
                    yield from authorization_credentials(inner)
            else:
                yield from _in_fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_fields(inner)


def _of_cookies(cookies: Sequence[str]) -> Iterator[str]:
    for cookie in cookies:
        # One without a name is all value (RFC 6265bis).
        name, separator, rest = cookie.partition("=")
        value = (rest if separator else name).strip(' "')
        if unlike_words(unquote(value)):
            yield value


def _user_and_password(user: str, password: str) -> Iterator[str]:
    """Yield the password, and the user where that is the key."""
    yield password
    if not password or unlike_words(user, 16):
        yield user
