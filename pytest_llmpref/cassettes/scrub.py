"""Keep keys and other secrets out of cassettes."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from pytest_llmpref.cassettes.interaction import Exchange, Headers, WireRequest
from pytest_llmpref.models.chat import Reply, Request

SCRUBBED = "[scrubbed]"

_SHORTEST = 8
"""Shorter values ("none", "test") are no secrets, and replacing them would spoil ordinary words."""

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
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"key|token|signature|secret|password|credential|^sig$|^code$", re.IGNORECASE)

# What providers' keys look like: how each begins, and the rest. The rest is long enough that prose does not match.
_SHAPES = {
    "sk-": r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek
    "AIza": r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
    "ya29.": r"\bya29\.[A-Za-z0-9._-]{20,}",  # Google OAuth
    "gsk_": r"\bgsk_[A-Za-z0-9]{20,}",  # Groq
    "hf_": r"\bhf_[A-Za-z0-9]{20,}",  # Hugging Face
    "xai-": r"\bxai-[A-Za-z0-9]{20,}",  # xAI
    "pplx-": r"\bpplx-[A-Za-z0-9]{20,}",  # Perplexity
    "r8_": r"\br8_[A-Za-z0-9]{20,}",  # Replicate
    "ghp_": r"\bghp_[A-Za-z0-9]{30,}",  # GitHub Models
    "github_pat_": r"\bgithub_pat_[A-Za-z0-9_]{30,}",
    "AKIA": r"\bAKIA[A-Z0-9]{16}\b",  # AWS
    "ASIA": r"\bASIA[A-Z0-9]{16}\b",
    "eyJ": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",  # JSON web token
    "Bearer ": r"\bBearer +[A-Za-z0-9._~+/=-]{16,}",
}
_BEGINNINGS = tuple(beginning.encode() for beginning in _SHAPES)


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
        variables = os.environ if environment is None else environment
        self._secrets: set[str] = set()
        self._learn(value for name, value in variables.items() if _SECRET_NAME.search(name))

    def scrub(
        self, request: Request, reply: Reply, exchange: Exchange | None
    ) -> tuple[Request, Reply, Exchange | None]:
        """Return what may be written of an interaction: no header but the harmless ones, and no secret anywhere."""
        if exchange is not None:
            self._learn(_credentials(exchange.request))
            exchange = self._without_headers(exchange)
        if self._suspects(request, reply, exchange):
            request, reply = self._request(request), self._reply(reply)
            exchange = None if exchange is None else self._bodies(exchange)
        return request, reply, exchange

    def text(self, text: str) -> str:
        """Replace each secret in a text, and each half of a surrogate pair, which UTF-8 cannot express."""
        return self._pattern.sub(SCRUBBED, text.encode("utf-8", "replace").decode())

    def _suspects(self, *parts: object) -> bool:
        """Tell whether parts of an interaction may hold what has to be replaced; never wrongly false.

        A regular expression of this many alternatives takes longer than all the rest of recording. Searching for
        each fixed string takes a fraction of a microsecond, and settles nearly every interaction.
        """
        try:
            line = msgspec.json.encode(parts)
        except UnicodeEncodeError:
            return True
        return any(known in line for known in self._known) or any(beginning in line for beginning in _BEGINNINGS)

    def _request(self, request: Request) -> Request:
        return replace(request, messages=tuple(replace(m, content=self.text(m.content)) for m in request.messages))

    def _reply(self, reply: Reply) -> Reply:
        tops, sent = reply.top_logprobs, reply.parameters
        return replace(
            reply,
            text=self.text(reply.text),
            finish=self.text(reply.finish),
            refusal=None if reply.refusal is None else self.text(reply.refusal),
            top_logprobs=None if tops is None else {self.text(token): value for token, value in tops.items()},
            parameters={name: self.text(v) if isinstance(v, str) else v for name, v in sent.items()},
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

    def _learn(self, secrets: Iterable[str]) -> None:
        new = {secret for secret in secrets if len(secret) >= _SHORTEST} - self._secrets
        if self._secrets and not new:
            return
        self._secrets |= new
        forms = {form for secret in self._secrets for form in _forms(secret)}
        # Longest first, so that no rest of a longer secret is left standing.
        literal = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
        self._pattern = re.compile("|".join([*literal, *_SHAPES.values()]))
        self._known = tuple({json.dumps(form, ensure_ascii=False)[1:-1].encode() for form in forms})


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


def _forms(secret: str) -> set[str]:
    """Return a secret as it may stand in a text: plain, in a URL, and in JSON of either kind."""
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
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
