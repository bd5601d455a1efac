"""What a provider says of the calls that it takes: in the headers of its answers, or in the text of a refusal."""

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many calls the provider says that it takes.

    Attributes
    ----------
    limit, remaining
        In a period, and of them now.
    reset
        Seconds until all of them may be made again.
    """

    limit: float
    remaining: float
    reset: float

    @property
    def interval(self) -> float | None:
        """Seconds in which one more call is allowed; ``None`` if that cannot be told."""
        used = self.limit - self.remaining
        return self.reset / used if used > 0 and self.reset > 0 else None


_NAMES = ("x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}", "x-ratelimit-{}", "ratelimit-{}")


def allowance_in(headers: Mapping[str, str], now: datetime | None = None) -> Allowance | None:
    """Return what a response's headers say of the calls that are allowed; ``None`` if they say nothing.

    Providers that take OpenAI's headers, Anthropic, and those that send the headers without a unit are understood.
    """
    lower = {name.lower().removeprefix("llm_provider-"): str(value) for name, value in headers.items()}
    for name in _NAMES:
        found = [lower.get(name.format(part), "") for part in ("limit", "remaining", "reset")]
        limit, remaining = map(_number, found[:2])
        reset = seconds(found[2], now or datetime.now(UTC))
        if limit is not None and remaining is not None and reset is not None and 0 <= remaining <= limit:
            return Allowance(limit, remaining, reset)
    return None


_RETRY_INFO = re.compile(r"retryDelay\W{1,8}([\d.]+(?:ms|s))")
_TRY_AGAIN = re.compile(
    r"\b(?:retry|try again) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|h|m|s) ?)+|\d+(?:\.\d+)? seconds?\b)", re.IGNORECASE
)


def wait_in(headers: Mapping[str, str], text: str) -> float | None:
    """Return the seconds that a provider asks to wait before the next call; ``None`` if it does not say.

    Parameters
    ----------
    headers
        In lower case. ``Retry-After`` is a number of seconds or an HTTP date (RFC 9110, 10.2.3); OpenAI and Azure send
        ``retry-after-ms`` too, which is finer.
    text
        What it said: a body with Google's RetryInfo, or words such as "try again in 1.2s".
    """
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    # By the provider's own clock where it shows it: this machine's may be wrong.
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    if (wait := seconds(headers.get("retry-after", ""), now)) is not None:
        return wait
    if match := _RETRY_INFO.search(text) or _TRY_AGAIN.search(text):
        return seconds(re.sub(r"\s*seconds?$", "s", match[1]), now)
    return None


_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)\s*")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOMENT = 10**9
"""A number of seconds beyond it is a moment since 1970; one a thousand times that, in milliseconds."""


def seconds(text: str, now: datetime) -> float | None:
    """Return how long a provider's words last from now on: ``1.5``, ``6m0s``, ``20ms``, a date, or a moment."""
    if (number := _number(text)) is not None:
        if number > _MOMENT:
            number = (number / 1000 if number > 1000 * _MOMENT else number) - now.timestamp()
        return max(0.0, number)
    parts = _PARTS.findall(text)
    if parts and _PARTS.sub("", text).strip() == "":
        return sum(float(count) * _UNITS[unit] for count, unit in parts)
    moment = _moment(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            moment = read(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
