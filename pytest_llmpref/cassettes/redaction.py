"""Keep keys and other secrets out of cassettes."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from pytest_llmpref.cassettes.interaction import FORMAT, Exchange, Headers, Interaction, Line
from pytest_llmpref.characters import whole_text
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.secrets import (
    SCRUBBED,
    FoundSecret,
    Secrets,
    address_credentials,
    body_credentials,
    environment_secrets,
    find_secrets,
    header_credentials,
)
from pytest_llmpref.secrets.shapes import SECRET_NAME, unlike_words

__all__ = ["SCRUBBED", "FoundSecret", "Scrubber", "find_secrets"]

_KEPT_HEADERS = frozenset(
    {
        "content-type",
        "date",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
    }
)
_KEPT_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_OWN_WORDS = frozenset({"v", "key", "model", "role", "asked", "run", "method"})
"""Fields whose values are ours, and by which a recording is found again."""

_Part = TypeVar("_Part")


class Scrubber:
    """Replaces secrets by ``[scrubbed]``.

    Secrets are what `environment_secrets` finds in the environment, whatever went out in a credential header, in the
    address or in a field of the body that is named so, cookies, and anything in the shape of a provider's key. Each is
    known as it stands, escaped for JSON or a URL, broken into lines, and in base64.

    Parameters
    ----------
    environment
        Where to look for secrets; ``os.environ`` unless given.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._secrets = Secrets(environment_secrets(environment))

    def interaction(
        self, key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime, design: int = 1
    ) -> tuple[Interaction, bytes]:
        """Return what may be written of an interaction, and its line: no header but the harmless ones, and no secret.

        The key stays that of the request as asked, so that the same request finds its reply again.
        """
        if exchange is not None:
            self._secrets.learn(_credentials(exchange), for_now=True)
            exchange = _without_headers(exchange)
        try:
            recorded, line = _encoded(key, request, reply, exchange, at, design)
            suspected = self._secrets.suspected(line)
        except UnicodeEncodeError:
            suspected = True
        if suspected:
            if exchange is not None:
                for body in (exchange.request.body, exchange.response.body):
                    self._secrets.learn(body_credentials(body), for_now=True)
            clean = None if exchange is None else self._without_secrets(exchange)
            request, reply = self._without_secrets(request), self._without_secrets(reply)
            recorded, line = _encoded(key, request, reply, clean, at, design)
        return recorded, line

    def text(self, text: str) -> str:
        """Replace each secret in a text, and each half of a character, which no file can hold."""
        return self._secrets.scrub(whole_text(text))

    def _without_secrets(self, part: _Part) -> _Part:
        """Return a part of an interaction with each text in it scrubbed, however deep it stands."""
        clean: Any = part
        if isinstance(part, str):
            clean = self.text(part)
        elif isinstance(part, msgspec.Struct):
            fields = {name: getattr(part, name) for name in part.__struct_fields__ if name not in _OWN_WORDS}
            clean = replace(part, **{name: self._field(name, value) for name, value in fields.items()})
        elif isinstance(part, dict):
            clean = {self.text(name): self._without_secrets(value) for name, value in part.items()}
        elif isinstance(part, list | tuple):
            clean = type(part)(map(self._without_secrets, part))
        return cast("_Part", clean)

    def _field(self, name: str, value: Any) -> Any:  # noqa: ANN401 - of whatever type the field is
        clean = self._without_secrets(value)
        return _address(clean) if name == "uri" else clean


def _encoded(
    key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime, design: int
) -> tuple[Interaction, bytes]:
    line = Line(FORMAT, key, request, reply, msgspec.Raw(msgspec.json.encode(exchange)), at, design)
    return Interaction(FORMAT, key, request, reply, at, design), msgspec.json.encode(line)


def _credentials(exchange: Exchange) -> Iterator[str]:
    """Yield what a request authenticated with, and the cookies that came back, in case either repeats it."""
    yield from header_credentials(exchange.request.headers)
    yield from _in_address(exchange.request.uri)
    received = {name: values for name, values in exchange.response.headers.items() if _kept_name(name) is None}
    # Most of what comes back under such a name names something else, such as what a cache keeps.
    yield from (value for value in header_credentials(received) if unlike_words(value, 12))


def _without_headers(exchange: Exchange) -> Exchange:
    sent, received = exchange.request, exchange.response
    return Exchange(
        replace(sent, uri=_uri(sent.uri), headers=_kept(sent.headers)),
        replace(received, headers=_kept(received.headers)),
    )


def _kept(headers: Headers) -> Headers:
    return {kept: values for name, values in headers.items() if (kept := _kept_name(name))}


# The same few names and addresses come with every call.


@lru_cache(maxsize=1024)
def _kept_name(name: str) -> str | None:
    """Return under which name a header is kept; ``None`` if it is not."""
    lower = name.lower()
    return lower if lower in _KEPT_HEADERS or lower.startswith(_KEPT_PREFIXES) else None


@lru_cache(maxsize=64)
def _in_address(uri: str) -> tuple[str, ...]:
    return tuple(address_credentials(uri))


@lru_cache(maxsize=64)
def _uri(uri: str) -> str:
    """Replace the values of secret parameters, and drop a user and password, leaving all else as it stands."""
    url = urlsplit(uri)
    url = url._replace(query=_parameters(url.query), fragment=_parameters(url.fragment))
    if "@" in url.netloc:
        url = url._replace(netloc=url.netloc.rpartition("@")[2])
    return urlunsplit(url)


def _parameters(query: str) -> str:
    parameters = parse_qsl(query, keep_blank_values=True)
    if not any(SECRET_NAME.search(name) for name, _ in parameters):
        return query
    return urlencode([(name, SCRUBBED if SECRET_NAME.search(name) else value) for name, value in parameters], safe="[]")


def _address(uri: str) -> str:
    """Return an address that stays one where a secret was its host's name: brackets mean IPv6 there."""
    scheme, between, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{between}{host.replace(SCRUBBED, SCRUBBED.strip('[]'))}{slash}{path}"
