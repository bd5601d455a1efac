"""Which failures of a call are worth another try, and what the others mean.

Providers' failures reach us as litellm's exceptions, which carry a status code even where nothing came over the wire:
litellm says 500 for a key that is not set, and for a server that refuses connections. So the chain of causes counts.

A provider that answered, and then fails every call: one call tries it now and then, and all others wait.
"""

import asyncio
import contextlib
import errno
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.secrets import Secrets

WAIT_FIRST = 15.0
"""Seconds before an outage is tried for the first time; doubled with each further one. Our choice."""
WAIT_MOST = 300.0
"""Most seconds between two tries."""


class Outage:
    """Holds a model's calls while its provider is out, for so many seconds in all.

    Parameters
    ----------
    longest
        Seconds after which an outage is no longer waited out.
    tell
        Told in words that calls are held, and that they go on.
    """

    def __init__(self, longest: float, tell: Callable[[str], None]) -> None:
        self._longest = longest
        self._tell = tell
        self._over = asyncio.Event()
        self._over.set()

    async def passed(self) -> None:
        """Wait until the outage is over, if there is one."""
        await self._over.wait()

    @property
    def is_on(self) -> bool:
        """Whether calls are held."""
        return not self._over.is_set()

    async def wait_out(
        self, name: str, said: str, ask: Callable[[], Awaitable[Reply]], passes: Callable[[Exception], bool]
    ) -> Reply:
        """Try a call again and again, all others being held, until it is answered, and return the reply.

        Parameters
        ----------
        name
            The model's name.
        said
            What the last call failed with.
        ask
            The call.
        passes
            Whether a failure may pass.

        Raises
        ------
        Exception
            The failure of the last try, if it does not pass, or the outage took too long.
        """
        self._over.clear()
        began, wait = time.monotonic(), WAIT_FIRST
        try:
            while True:
                wait = min(wait, max(began + self._longest - time.monotonic(), 0.0))
                self._tell(f"{name} is out ({said}); held for {wait:.0f} s")
                await asyncio.sleep(wait)
                try:
                    reply = await ask()
                except Exception as error:
                    if not passes(error) or time.monotonic() - began >= self._longest:
                        raise
                    wait = min(2 * wait, WAIT_MOST)
                    continue
                self._tell(f"{name} answers again after {time.monotonic() - began:.0f} s")
                return reply
        finally:
            self._over.set()


WAIT_INITIAL = 0.5
"""Seconds before the second try; doubled with each further one."""

WAIT_MAX = 30.0
"""Most seconds between two tries, unless the provider asks for more."""


class MalformedResponseError(Exception):
    """The provider answered with something that is no completion."""


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether a failed call is tried again.

    Attributes
    ----------
    retry
        Whether another try makes sense.
    wait
        Seconds that the provider asked to wait; ``None`` where it did not say.
    """

    retry: bool
    wait: float | None = None

    @classmethod
    def no(cls) -> "RetryDecision":
        """Another try would end the same way."""
        return cls(retry=False)

    @classmethod
    def transient(cls) -> "RetryDecision":
        """The fault may pass."""
        return cls(retry=True)

    @classmethod
    def rate_limit(cls, retry_after: float | None) -> "RetryDecision":
        """The provider wants fewer calls, or none for some seconds."""
        return cls(retry=True, wait=retry_after)


def decide(error: Exception) -> RetryDecision:
    """Classify the failure of one try."""
    if isinstance(error, LLMPrefError) or own_error(error) or is_unavailable(error) or is_filtered(error):
        return RetryDecision.no()
    status = status_of(error)
    if status is not None and 400 <= status < 500 and status not in _PASSING:
        return RetryDecision.no()
    wait = retry_after(error)
    return RetryDecision.rate_limit(wait) if status == 429 or wait is not None else RetryDecision.transient()


# Request timeout, conflict (lock), too early, too many requests.
_PASSING = frozenset({408, 409, 425, 429})
# Unauthorised, payment required, not found.
_CLOSED_DOORS = frozenset({401, 402, 404})
_FORBIDDEN = 403
_HOPELESS = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance is too low"
    r"|(missing|incorrect|invalid|no)\b.{0,40}\b(api[ _-]?key|credentials)|api key not valid"
    r"|LLM Provider NOT provided|model_not_found|invalid model|model\b.{0,80}\b(does not exist|not found)"
    r"|UnsupportedParamsError",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(
    r"\b((api[ _-]?)?keys?|credentials?|account|organi[sz]ation|project|subscription|team)\b.{0,60}"
    r"(\b(no|not|lacks?|without|disabled|suspended|blocked|revoked|expired|limit)|n't)\b"
    r"|(\bnot|n't) (have access|allowed|authori[sz]ed|permitted|entitled)\b.{0,40}\bmodels?\b"
    r"|permission_error|unsupported_country|(country|region)\b.{0,40}\bnot supported",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[ _]?filter|content[ _]policy|content management policy|ContentPolicyViolation"
    r"|safety system|input was flagged",
    re.IGNORECASE,
)


def is_unavailable(error: Exception) -> bool:
    """Whether no call to this model can succeed: no key, no permission, no such model, no such provider.

    To be asked of failures that are not `is_filtered`, and not `is_forbidden`.
    """
    if status_of(error) in _CLOSED_DOORS:
        return True
    for cause in causes(error):
        # The provider's client library is missing, or could not be made into a client.
        if isinstance(cause, ImportError) or _is(cause, "openai", "OpenAIError"):
            return True
    return _HOPELESS.search(_first_line(f"{_code(error)} {error}")) is not None


def is_forbidden(error: Exception) -> bool:
    """Whether the provider forbade the call: for its key, or, as aggregators and firewalls do, for its question."""
    return status_of(error) == _FORBIDDEN


def refuses_key(error: Exception) -> bool:
    """Whether the words of a call that `is_forbidden` leave no doubt that they concern the key, not the question."""
    said = _first_line(f"{_code(error)} {error}")
    return (_KEY_REFUSED.search(said) or _HOPELESS.search(said)) is not None


def is_filtered(error: Exception) -> bool:
    """Whether the provider's content filter refused the question: an answer of its kind, not a fault."""
    # OpenRouter's moderation says 403.
    return status_of(error) in {400, 403} and (
        _FILTERED.search(f"{type(error).__name__} {_code(error)} {_first_line(str(error))}") is not None
    )


def is_unreachable(error: Exception) -> bool:
    """Whether no connection to the server could be made."""
    return any(
        isinstance(cause, ConnectionRefusedError | socket.gaierror)
        or (isinstance(cause, OSError) and cause.errno in {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
        for cause in causes(error)
    )


def own_error(error: Exception) -> LLMPrefError | None:
    """Return the error of this package that litellm wrapped, if any: a refused socket, a missing recording."""
    return next((cause for cause in causes(error) if isinstance(cause, LLMPrefError)), None)


def refused_parameters(error: Exception, sent: Mapping[str, object]) -> set[str]:
    """Return which optional parameters of those sent the provider says that it does not take."""
    if status_of(error) not in {400, 422}:
        return set()
    said = str(error).lower()
    if not re.search(
        r"not support|unsupported|not allowed|not available|deprecated|unknown|unrecognized|only the default", said
    ):
        return set()
    if "logprobs" in said:
        return {"logprobs", "top_logprobs"} & sent.keys()
    if "response_format" in said or "json_schema" in said or "output_format" in said or "output_config" in said:
        return {"response_format"} & sent.keys()
    return {"temperature"} & sent.keys() if "temperature" in said else set()


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of a failure, as litellm has it; ``None`` where it has none."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the provider asked to wait.

    ``Retry-After`` is a number of seconds or an HTTP date (RFC 9110, 10.2.3); OpenAI and Azure send
    ``retry-after-ms`` too, which is finer.
    """
    headers = _headers(error)
    after = headers.get("retry-after", "")
    for value, unit in ((headers.get("retry-after-ms", ""), 1000.0), (after, 1.0)):
        with contextlib.suppress(ValueError):
            return max(0.0, float(value) / unit)
    moment = _moment(after)
    # By the provider's own clock where it shows it: this machine's may be wrong.
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def describe(error: Exception, secrets: Secrets) -> str:
    """Say in one line what failed, without litellm's prefixes and without keys."""
    text = _first_line(str(error)).removesuffix("Traceback (most recent call last):").strip()
    text = _PREFIX.sub("", text) or type(error).__name__
    if misfit := _MISFIT.search(str(error)):
        # litellm says which field of a reply it could not take, far below.
        text = f"{text.rstrip('. ')}: field {misfit['field']}: {misfit['what']}"
    return secrets.scrub(text).strip()[:300]


# What litellm puts before the provider's own words, once or several times.
_PREFIX = re.compile(r"^((litellm\.)?(\w*(Error|Exception|Timeout)( Error)?|LiteLLM)( ?[:-]+ | - ?))+")


# How pydantic names the first field that did not fit, and why.
_MISFIT = re.compile(r"\d+ validation errors? for \w+\n(?P<field>\S+)\n\s+(?P<what>[^\[\n]*[^\[\n ])")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _headers(error: Exception) -> dict[str, str]:
    for cause in causes(error):
        response = getattr(cause, "response", None)
        for found in (getattr(cause, "litellm_response_headers", None), getattr(response, "headers", None)):
            if found:
                return {str(name).lower(): str(value) for name, value in found.items()}
    return {}


def _code(error: Exception) -> str:
    # Some releases of litellm (1.97) give their own error no body: the client's error, which caused it, has one.
    bodies = (getattr(cause, "body", None) for cause in causes(error))
    return next((str(body["code"]) for body in bodies if isinstance(body, dict) and body.get("code")), "")


def _is(error: BaseException, package: str, name: str) -> bool:
    kind = type(error)
    return kind.__name__ == name and kind.__module__.split(".")[0] == package


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
