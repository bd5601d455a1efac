"""The pace against providers that take so many calls a minute, all simulated, in virtual time."""

import asyncio
import itertools
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import virtual_time

from pytest_llmpref.models.allowance import Allowance, allowance_in, seconds, wait_in
from pytest_llmpref.models.pace import Pace

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@dataclass
class Bucket:
    """Takes a burst, and so many calls a minute; says so in headers, or only turns calls away."""

    rate: float
    burst: float
    says: str
    counts_refused: bool = False
    latency: float = 0.5
    at: float = 0.0
    left: float = field(init=False)
    turned_away: int = 0

    def __post_init__(self) -> None:
        self.left = self.burst

    def take(self) -> tuple[bool, float | None, Allowance | None]:
        """Return whether a call is taken, the wait that is asked for, and what is allowed."""
        now = asyncio.get_running_loop().time()
        self.left = min(self.burst, self.left + (now - self.at) * self.rate / 60)
        self.at = now
        taken = self.left >= 1
        if taken or self.counts_refused:
            self.left = max(0.0, self.left - 1)
        allowance = Allowance(self.burst, math.floor(self.left), (self.burst - self.left) * 60 / self.rate)
        if taken:
            return True, None, allowance if self.says == "all" else None
        self.turned_away += 1
        wait = (1 - self.left) * 60 / self.rate
        return False, math.ceil(wait) if self.says in {"all", "Retry-After"} else None, None


@dataclass
class Windows(Bucket):
    """Takes so many calls in each minute of the clock."""

    def take(self) -> tuple[bool, float | None, Allowance | None]:
        now = asyncio.get_running_loop().time()
        if now // 60 != self.at // 60:
            self.left = self.rate
        self.at = now
        taken = self.left >= 1
        self.left -= taken
        self.turned_away += not taken
        reset = 60 - now % 60
        allowance = Allowance(self.rate, self.left, reset) if self.says == "all" else None
        return taken, None if taken or self.says == "nothing" else math.ceil(reset), allowance


async def ask_all(provider: Bucket, calls: int, in_flight: int = 16) -> tuple[float, int]:
    """Return the seconds that so many calls took, and how many were answered."""
    pace, queue, answered = Pace(), iter(range(calls)), 0

    async def worker() -> None:
        nonlocal answered
        for _ in queue:
            taken = False
            while not taken:
                async with pace.turn() as sent:
                    await asyncio.sleep(provider.latency / 2)
                    taken, wait, allowance = provider.take()
                    await asyncio.sleep(provider.latency / 2)
                    if taken:
                        pace.answered(sent, allowance)
                    else:
                        assert pace.turned_away(sent, wait, 300.0)
            answered += 1

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return asyncio.get_running_loop().time(), answered


@pytest.fixture(autouse=True)
def _same_draws():
    random.seed(7)


CALLS = {60: 240, 500: 2000, 5000: 12_000}
SAYS, BURSTS = ("all", "Retry-After", "nothing"), ("minute", "second")
AT_MOST = [("minute", "all"), ("second", "Retry-After"), ("minute", "nothing")]
"""What is tried of the highest rate every day; slow are the others, which the same test crosses at the other two."""


def each_provider():
    for rate, burst, says in itertools.product(CALLS, BURSTS, SAYS):
        slow = [pytest.mark.slow] if rate == max(CALLS) and (burst, says) not in AT_MOST else []
        yield pytest.param(rate, burst, says, marks=slow, id=f"{rate}-{burst}-{says}")


@pytest.mark.parametrize(("rate", "burst", "says"), list(each_provider()))
def test_no_call_is_lost_and_the_time_is_near_the_ideal(rate, burst, says):
    calls = CALLS[rate]
    room = float(rate) if burst == "minute" else max(1.0, rate / 60)
    provider = Bucket(rate, room, says)
    took, answered = virtual_time.run(ask_all(provider, calls, in_flight=64))
    assert answered == calls
    ideal = (calls - room) * 60 / rate
    print(f"{rate} {burst} {says}: {took / ideal:.2f} x ideal, {provider.turned_away} turned away")
    assert took <= (1.6 if rate == 60 and says == "nothing" else 1.25) * ideal
    assert provider.turned_away <= 0.3 * calls + 64


@pytest.mark.parametrize("says", ["all", "Retry-After"])
def test_whole_minutes_are_kept_to(says):
    """Calls that are all taken at once at the start of a minute: four minutes' worth begin in the fourth."""
    provider = Windows(60, 60, says)
    took, answered = virtual_time.run(ask_all(provider, 240))
    assert answered == 240
    assert took <= 1.25 * 180
    assert provider.turned_away <= 0.3 * 240


def test_a_provider_that_counts_the_calls_that_it_turns_away_is_not_starved():
    provider = Bucket(60, 60, "nothing", counts_refused=True)
    took, answered = virtual_time.run(ask_all(provider, 240))
    assert answered == 240
    assert took <= 1.6 * 180


class Moody(Bucket):
    """Turns one call in twenty away, whatever their rate."""

    def take(self) -> tuple[bool, float | None, Allowance | None]:
        turned_away = random.random() < 0.05
        self.turned_away += turned_away
        return not turned_away, random.choice([1.0, None]) if turned_away else None, None


def test_calls_that_are_turned_away_at_any_rate_do_not_slow_it_down_for_ever():
    """The holds alone take about 0.75 s for each call that is turned away."""
    provider = Moody(60, 1, "nothing", latency=0.05)
    took, answered = virtual_time.run(ask_all(provider, 6000, in_flight=64))
    assert answered == 6000
    assert took <= 4 * 0.75 * provider.turned_away


def test_a_limit_that_falls_loses_nothing():
    provider = Bucket(600, 10, "nothing")

    async def fall():
        await asyncio.sleep(60)
        provider.rate, provider.burst = 60, 1

    async def run():
        return (await asyncio.gather(ask_all(provider, 800), fall()))[0]

    took, answered = virtual_time.run(run())
    assert answered == 800
    # 600 in the first minute, and 200 seconds for the others.
    assert took <= 2 * 260


def test_a_limit_that_rises_is_found():
    provider = Bucket(60, 1, "nothing")

    async def rise():
        await asyncio.sleep(60)
        provider.rate = provider.burst = 600

    async def run():
        return (await asyncio.gather(ask_all(provider, 1800), rise()))[0]

    took, _ = virtual_time.run(run())
    # At 60 a minute it would be 1,800 seconds; at 600 after the first minute, 60 + 174.
    assert took <= 600


def test_a_provider_that_turns_every_call_away_is_given_up_in_time():
    async def run():
        pace = Pace()
        while True:
            async with pace.turn() as sent:
                if not pace.turned_away(sent, None, 300.0):
                    return asyncio.get_running_loop().time()

    assert 150 <= virtual_time.run(run()) <= 300


def test_calls_that_were_under_way_together_count_as_one():
    """Or sixteen of them would be taken for sixteen signs."""

    async def run():
        pace = Pace()
        async with pace.turn() as first, pace.turn() as second:
            pace.turned_away(first, None, 300.0)
            held = pace._next
            pace.turned_away(second - 1e-9, None, 300.0)
            assert pace._next == held

    virtual_time.run(run())


@pytest.mark.parametrize(
    ("headers", "text", "expected"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "0.25"}, "", 0.25),
        ({"retry-after-ms": "1200", "retry-after": "2"}, "", 1.2),
        ({"retry-after": "Sun, 29 Nov 2026 12:00:30 GMT", "date": "Sun, 29 Nov 2026 12:00:00 GMT"}, "", 30.0),
        ({}, '{"error": {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "41s"}]}}', 41.0),
        ({}, '\\"retryDelay\\": \\"0.5s\\"', 0.5),
        ({}, "You exceeded your current quota. Please retry in 39.8s.", 39.8),
        ({}, "Rate limit reached for gpt-4o. Please try again in 6ms.", 0.006),
        ({}, "Please try again in 1m12.5s. Visit ...", 72.5),
        ({}, "Please retry after 26 seconds.", 26.0),
        ({}, "Please try again later", None),
        ({"retry-after": "soon"}, "", None),
    ],
)
def test_the_wait_that_is_asked_for(headers, text, expected):
    assert wait_in(headers, text) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("60", "0", "1s"), Allowance(60, 0, 1.0)),
        (("14400", "14370", "2m59.56s"), Allowance(14400, 14370, 179.56)),
        (("60", "59", "120ms"), Allowance(60, 59, 0.12)),
        (("60", "-1", "1s"), None),
        (("many", "0", "1s"), None),
    ],
)
@pytest.mark.parametrize("prefix", ["", "llm_provider-"])
def test_what_openais_headers_say(headers, expected, prefix):
    names = ("limit", "remaining", "reset")
    given = {f"{prefix}X-RateLimit-{name}-Requests": value for name, value in zip(names, headers, strict=True)}
    assert allowance_in(given, NOW) == expected


def test_what_other_headers_say():
    anthropic = {"limit": "50", "remaining": "49", "reset": "2026-11-29T12:00:30Z"}
    named = {f"anthropic-ratelimit-requests-{name}": value for name, value in anthropic.items()}
    assert allowance_in(named, NOW) == Allowance(50, 49, 30.0)
    moment = str(int((NOW.timestamp() + 20) * 1000))
    router = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": moment}
    assert allowance_in(router, NOW) == Allowance(20, 0, 20.0)
    assert allowance_in({"x-ratelimit-limit-requests": "60"}, NOW) is None


@pytest.mark.parametrize(("text", "expected"), [("17.5", 17.5), ("1h2m", 3720.0), ("", None), ("soon 5s", None)])
def test_words_for_a_time(text, expected):
    assert seconds(text, NOW) == expected
