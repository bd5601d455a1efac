"""What the failure of a call means: the account, the question, its parameters, the rate, or the connection.

Providers' failures reach us as litellm's exceptions, which carry a status code even where nothing came over the wire:
litellm says 500 for a key that is not set, and for a server that refuses connections. So the chain of causes counts.
"""

import errno
import re
import socket
from collections.abc import Iterator, Mapping

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.allowance import wait_in
from pytest_llmpref.secrets import Secrets


class MalformedResponseError(Exception):
    """The provider answered with something that is no completion."""


# Unauthorised, payment required, not found.
_CLOSED_DOORS = frozenset({401, 402, 404})
_FORBIDDEN = 403
_TOO_MANY = 429
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
    r"|safety system|input was flagged|violates usage guidelines|SAFETY_CHECK_TYPE",
    re.IGNORECASE,
)
_FILTERED_WHATEVER_THE_STATUS = re.compile(
    # DeepSeek; DashScope; Gemini behind OpenRouter, which forwards it with the status that it pleases.
    r"Content Exists Risk|data_inspection_failed|may contain inappropriate content|PROHIBITED_CONTENT"
)
_STAYS_SPENT = re.compile(r"insufficient_quota|credit balance|PerDay", re.IGNORECASE)


def is_unavailable(error: Exception) -> bool:
    """Whether no call to this model can succeed: no key, no permission, no such model, no such provider.

    To be asked of failures that are not `is_filtered`, and not `is_forbidden`.
    """
    if status_of(error) == _TOO_MANY:
        return not is_rate_limit(error)
    if status_of(error) in _CLOSED_DOORS:
        return True
    for cause in causes(error):
        # The provider's client library is missing, or could not be made into a client.
        if isinstance(cause, ImportError) or _is(cause, "openai", "OpenAIError"):
            return True
    return _HOPELESS.search(_first_line(f"{_code(error)} {error}")) is not None


def is_rate_limit(error: Exception) -> bool:
    """Whether the provider takes fewer calls just now.

    Google says "You exceeded your current quota" of a minute's too, and then when to come back; others say so of an
    account that is spent.
    """
    if status_of(error) != _TOO_MANY or own_error(error) is not None:
        return False
    said = _said(error)
    if _STAYS_SPENT.search(said):
        return False
    return retry_after(error) is not None or "PerMinute" in said or _HOPELESS.search(_first_line(said)) is None


def is_spent_for_today(error: Exception) -> bool:
    """Whether the provider says that the quota of a day is used up."""
    return status_of(error) == _TOO_MANY and "PerDay" in _said(error)


def is_forbidden(error: Exception) -> bool:
    """Whether the provider forbade the call: for its key, or, as aggregators and firewalls do, for its question."""
    return status_of(error) == _FORBIDDEN


def refuses_key(error: Exception) -> bool:
    """Whether the words of a call that `is_forbidden` leave no doubt that they concern the key, not the question."""
    said = _first_line(f"{_code(error)} {error}")
    return (_KEY_REFUSED.search(said) or _HOPELESS.search(said)) is not None


def is_filtered(error: Exception) -> bool:
    """Whether the provider's content filter refused the question: an answer of its kind, not a fault."""
    if _FILTERED_WHATEVER_THE_STATUS.search(_said(error)):
        return True
    # OpenRouter's moderation and xAI say 403.
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
    if "max_completion_tokens" in said and "max_tokens" in sent:
        return {"max_tokens"}
    if "logprobs" in said:
        return {"logprobs", "top_logprobs"} & sent.keys()
    if "response_format" in said or "json_schema" in said or "output_format" in said or "output_config" in said:
        return {"response_format"} & sent.keys()
    return {"temperature"} & sent.keys() if "temperature" in said else set()


_PREFILL_REFUSED = re.compile(
    r"prefill|must end with a user message|last message\b.{0,40}\b(must|should)\b.{0,40}\buser"
    r"|expected last role user|last role\b.{0,40}\bassistant",
    re.IGNORECASE,
)


def refuses_prefill(error: Exception) -> bool:
    """Whether the provider does not continue a last message of the assistant."""
    return status_of(error) in {400, 422} and _PREFILL_REFUSED.search(_said(error)) is not None


def missing_package(error: Exception) -> str | None:
    """Return which package litellm lacks for this provider; ``None`` if it lacks none."""
    for cause in causes(error):
        if isinstance(cause, ImportError):
            module = (cause.name or "").split(".")[0] or _first_line(str(cause))
            return _PACKAGES.get(module, module)
    return None


_PACKAGES = {"google": "google-auth", "botocore": "boto3"}
"""Package by the name of its module, where that differs."""


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of a failure, as litellm has it; ``None`` if it has none."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the provider asked to wait, in a header or in what it said; ``None`` if it did not."""
    return wait_in(_headers(error), _said(error))


def describe(error: Exception, secrets: Secrets) -> str:
    """Say in one line what failed, without litellm's prefixes and without keys."""
    text = _first_line(str(error)).removesuffix("Traceback (most recent call last):").strip()
    text = _AN_OBJECT.sub("", _PREFIX.sub("", text)) or type(error).__name__
    if misfit := _MISFIT.search(str(error)):
        # litellm says which field of a reply it could not take, far below.
        text = f"{text.rstrip('. ')}: field {misfit['field']}: {misfit['what']}"
    return secrets.scrub(text).strip()[:300]


# What litellm puts before the provider's own words, once or several times.
_PREFIX = re.compile(r"^((litellm\.)?(\w*(Error|Exception|Timeout)( Error)?|LiteLLM)( ?[:-]+ | - ?))+")


# What aiohttp says of a connection's encryption: where an object lies in memory, which differs in each run.
_AN_OBJECT = re.compile(r" \w+:<[\w.]+ object at 0x[0-9a-fA-F]+>")


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


def _said(error: Exception) -> str:
    """Return all that the provider said, as far as litellm kept it, without where in litellm it was raised."""
    bodies = [str(body) for cause in causes(error) if (body := getattr(cause, "body", None))]
    return " ".join([str(error).split("Traceback (most recent call last)", 1)[0], *bodies])


def _is(error: BaseException, package: str, name: str) -> bool:
    kind = type(error)
    return kind.__name__ == name and kind.__module__.split(".")[0] == package


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]
