"""Keep keys and other secrets out of cassettes."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from pytest_llmpref.cassettes.interaction import Exchange, Headers, WireRequest
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

    def scrub(
        self, request: Request, reply: Reply, exchange: Exchange | None
    ) -> tuple[Request, Reply, Exchange | None]:
        """Return what may be written of an interaction: no header but the harmless ones, and no secret anywhere."""
        if exchange is not None:
            self._secrets.learn(_credentials(exchange.request))
            exchange = self._without_headers(exchange)
        if self._suspects(request, reply, exchange):
            request, reply = self._request(request), self._reply(reply)
            exchange = None if exchange is None else self._bodies(exchange)
        return request, reply, exchange

    def text(self, text: str) -> str:
        """Replace each secret in a text, and each half of a surrogate pair, which UTF-8 cannot express."""
        return self._secrets.scrub(text.encode("utf-8", "replace").decode())

    def _suspects(self, *parts: object) -> bool:
        """Tell whether parts of an interaction may hold what has to be replaced; never wrongly false."""
        try:
            line = msgspec.json.encode(parts)
        except UnicodeEncodeError:
            return True
        return self._secrets.suspected(line)

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


def _credentials(sent: WireRequest) -> Iterator[str]:
    """Yield what a request authenticated with, in case a body or a reply repeats it."""
    for name, values in sent.headers.items():
        if _CREDENTIAL_HEADER.search(name):
            yield from (value.split(maxsplit=1)[-1] for value in values if value.strip())
    url = urlsplit(sent.uri)
    yield from (value for name, value in parse_qsl(url.query) if _SECRET_PARAMETER.search(name))
    yield url.password or ""


def _kept(headers: Headers) -> Headers:
    return {
        name.lower(): values
        for name, values in headers.items()
        if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIXES)
    }


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
