"""How fast a provider takes a model's calls: as fast as it says, or as is found from when it turns calls away.

Limiters such as aiolimiter and pyrate-limiter keep to a rate that is known from the start. Here it is not, and it may
change: so calls go out freely until one is turned away. From then on two bounds hold, and both grow again slowly, as in
TCP's congestion control (RFC 5681): calls a second, and calls under way.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator

from pytest_llmpref.models.allowance import Allowance

HOLD_FIRST = 0.5
"""Seconds that calls are held where the provider names none; doubled each time that the next is turned away too."""
HOLD_MOST = 60.0
"""Most of these seconds."""
GROWTH = 0.03
"""Share by which the rate grows with each answer; less where there are many a second, by the root of their number."""
SLOW_GROWTH = 0.001
"""The same near a rate at which calls were turned away."""
BEYOND = 1.2
"""Part of that rate from which it is near no longer: the limit has risen."""
ENOUGH = 5
"""Answers from which a rate is found for the first time."""
FALL = 0.9
"""Least part of that rate which is left of it."""
LITTLE_LEFT = 0.1
"""Share of what is allowed; where less is left, calls are spread out beforehand. All these are our choice."""


class Pace:
    """When each of a model's calls may be sent. One for all calls of an event loop."""

    def __init__(self) -> None:
        self._gate = asyncio.Lock()
        self._freed = asyncio.Event()
        self._under_way = 0
        self._window = math.inf  # most calls under way
        self._threshold = math.inf  # up to which the window grows fast
        self._found: float | None = None  # calls a second that were taken
        self._rate = math.inf  # calls a second that are sent
        self._plateau = math.inf  # rate from which it grows slowly, since calls were turned away near it
        self._best = 0.0  # the highest rate that was found
        self._next = -math.inf  # when the next may be sent
        self._hold = HOLD_FIRST
        self._emptied: float | None = None  # when nothing was left
        self._answered = 0  # since then
        self._since: float | None = None  # when the first of those was turned away that no answer followed

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Wait for a call's turn, first come, first served; what is inside is the call. Gives the time it was sent."""
        now = asyncio.get_running_loop().time
        async with self._gate:
            while True:
                if self._under_way and self._under_way + 1 > self._window:
                    self._freed.clear()
                    await self._freed.wait()
                elif (wait := self._next - now()) > 0:
                    await asyncio.sleep(wait)
                else:
                    break
            self._under_way += 1
            self._next = now() + 1 / self._rate
        try:
            yield now()
        finally:
            self._under_way -= 1
            self._freed.set()

    def answered(self, sent: float, allowance: Allowance | None = None) -> None:
        """Take note that a call, sent then, was answered, and of what the provider says that it still takes."""
        self._answered += 1
        self._since = None
        self._hold = HOLD_FIRST
        self._window += 1 if self._window < self._threshold else 1 / self._window
        if self._found is not None:
            near = self._plateau <= self._rate < BEYOND * self._plateau
            growth = SLOW_GROWTH if near else GROWTH
            self._rate += growth * self._found / max(1.0, self._found) ** 0.5
        if allowance is not None and (interval := allowance.interval) is not None:
            if allowance.remaining <= max(self._under_way, LITTLE_LEFT * allowance.limit):
                self._found = self._rate = 1 / interval
            if allowance.remaining < 1:
                self._next = max(self._next, sent + interval)

    def turned_away(self, sent: float, wait: float | None, most: float) -> bool:
        """Hold all calls, since the provider takes fewer; all that were sent before count as one.

        Parameters
        ----------
        sent
            When the call was sent.
        wait
            Seconds that the provider asked to wait; ``None`` if it did not say.
        most
            Seconds without any answer after which it is pointless to go on.

        Returns
        -------
        Whether it is not yet.
        """
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        if self._emptied is None or sent >= self._emptied:
            self._slow_down(now)
            if wait is None:
                wait = max(self._hold, 1 / self._rate)
                self._hold = min(2 * self._hold, HOLD_MOST)
        if wait is not None:
            # Not at the same moment as whoever else shares the limit.
            self._next = max(self._next, now + wait * random.uniform(1.0, 1.1))  # noqa: S311 - no secret
        return self._next - self._since < most

    def _slow_down(self, now: float) -> None:
        """Find the rate from the answers between two moments at which nothing was left.

        The provider allowed at least as many: what it allows while calls are held may be lost.
        """
        if self._emptied is None or self._answered >= ENOUGH or self._found is not None:
            if self._emptied is not None:
                found = self._answered / (now - self._emptied)
                if self._found is not None:
                    self._plateau = (found + self._rate) / 2
                    # Calls that are turned away now and then, whatever their rate, must not slow it down for ever.
                    self._best = max(found, self._best)
                    found = max(found, FALL * self._plateau, self._best / 2)
                self._found = self._rate = found
            self._emptied, self._answered = now, 0
        self._threshold = max(1.0, self._under_way / 2)
        # One call tells whether the provider takes any again. Once the rate is known that is needless, and a call that
        # hangs must not hold up all others.
        self._window = 1.0 if self._found is None else max(2.0, self._threshold)
