"""Keep keys and other secrets out of cassettes."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from pytest_llmpref.cassettes.interaction import FORMAT, Exchange, Headers, Interaction, Line, WireRequest
from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall
from pytest_llmpref.secrets import SCRUBBED, FoundSecret, Secrets, environment_secrets, find_secrets

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
_CREDENTIAL_HEADER = re.compile(r"auth|key|token|secret|cookie|signature|credential", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"key|token|signature|secret|password|credential|^sig$|^code$", re.IGNORECASE)


class Scrubber:
    """Replaces secrets by ``[scrubbed]``.

    Secrets are the values of environment variables that are named like one (KEY, TOKEN, SECRET, PASSWORD), whatever
    went out in a credential header or URL parameter, and anything in the shape of a provider's key.

    Parameters
    ----------
    environment
        Where to look for secrets; ``os.environ`` unless given.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._secrets = Secrets(environment_secrets(environment))

    def interaction(
        self, key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime
    ) -> tuple[Interaction, bytes]:
        """Return what may be written of an interaction, and its line: no header but the harmless ones, and no secret.

        The key stays that of the request as asked, so that the same request finds its reply again.
        """
        if exchange is not None:
            self._secrets.learn(_credentials(exchange.request))
            exchange = self._without_headers(exchange)
        try:
            recorded, line = _encoded(key, request, reply, exchange, at)
            suspected = self._secrets.suspected(line)
        except UnicodeEncodeError:
            suspected = True
        if suspected:
            exchange = None if exchange is None else self._bodies(exchange)
            recorded, line = _encoded(key, self._request(request), self._reply(reply), exchange, at)
        return recorded, line

    def text(self, text: str) -> str:
        """Replace each secret in a text, and each half of a surrogate pair, which UTF-8 cannot express."""
        return self._secrets.scrub(text.encode("utf-8", "replace").decode())

    def _request(self, request: Request) -> Request:
        return replace(request, messages=tuple(self._message(message) for message in request.messages))

    def _message(self, message: Message) -> Message:
        return replace(message, content=self.text(message.content), tool_calls=self._calls(message.tool_calls))

    def _calls(self, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        return tuple(replace(call, arguments=self.text(call.arguments)) for call in calls)

    def _reply(self, reply: Reply) -> Reply:
        tops, sent = reply.top_logprobs, reply.parameters
        return replace(
            reply,
            text=self.text(reply.text),
            finish=self.text(reply.finish),
            refusal=None if reply.refusal is None else self.text(reply.refusal),
            top_logprobs=None if tops is None else {self.text(token): value for token, value in tops.items()},
            parameters={name: self.text(v) if isinstance(v, str) else v for name, v in sent.items()},
            tool_calls=self._calls(reply.tool_calls),
        )

    def _without_headers(self, exchange: Exchange) -> Exchange:
        sent, received = exchange.request, exchange.response
        return Exchange(
            replace(sent, uri=_uri(sent.uri), headers=_kept(sent.headers)),
            replace(received, headers=_kept(received.headers)),
        )

    def _bodies(self, exchange: Exchange) -> Exchange:
        sent, received = exchange.request, exchange.response
        return Exchange(
            replace(sent, uri=self.text(sent.uri), headers=self._values(sent.headers), body=self.text(sent.body)),
            replace(
                received,
                message=self.text(received.message),
                headers=self._values(received.headers),
                body=self.text(received.body),
            ),
        )

    def _values(self, headers: Headers) -> Headers:
        return {name: [self.text(value) for value in values] for name, values in headers.items()}


def _encoded(
    key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime
) -> tuple[Interaction, bytes]:
    line = Line(FORMAT, key, request, reply, msgspec.Raw(msgspec.json.encode(exchange)), at)
    return Interaction(FORMAT, key, request, reply, at), msgspec.json.encode(line)


def _credentials(sent: WireRequest) -> Iterator[str]:
    """Yield what a request authenticated with, in case a body or a reply repeats it."""
    for name, values in sent.headers.items():
        if _holds_credential(name):
            yield from (value.split(maxsplit=1)[-1] for value in values if value.strip())
    yield from _in_uri(sent.uri)


def _kept(headers: Headers) -> Headers:
    return {kept: values for name, values in headers.items() if (kept := _kept_name(name))}


# The same few names and addresses come with every call.


@lru_cache(maxsize=1024)
def _holds_credential(name: str) -> bool:
    return _CREDENTIAL_HEADER.search(name) is not None


@lru_cache(maxsize=1024)
def _kept_name(name: str) -> str | None:
    """Return under which name a header is kept; ``None`` where it is not."""
    lower = name.lower()
    return lower if lower in _KEPT_HEADERS or lower.startswith(_KEPT_PREFIXES) else None


@lru_cache(maxsize=64)
def _in_uri(uri: str) -> tuple[str, ...]:
    """Return the credentials in an address."""
    url = urlsplit(uri)
    secret = (value for name, value in parse_qsl(url.query) if _SECRET_PARAMETER.search(name))
    return (*secret, url.password or "")


@lru_cache(maxsize=64)
def _uri(uri: str) -> str:
    """Replace the values of secret parameters, and drop a user and password, leaving all else as it stands."""
    url = urlsplit(uri)
    parameters = parse_qsl(url.query, keep_blank_values=True)
    if any(_SECRET_PARAMETER.search(name) for name, _ in parameters):
        kept = [(name, SCRUBBED if _SECRET_PARAMETER.search(name) else value) for name, value in parameters]
        url = url._replace(query=urlencode(kept, safe="[]"))
    if "@" in url.netloc:
        url = url._replace(netloc=url.netloc.rpartition("@")[2])
    return urlunsplit(url)
