"""Which failures of a call are worth another try.

In an `Outage`, where a provider answered and then fails every call, one call tries it now and then; all others wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.faults import is_filtered, is_unavailable, own_error, retry_after, status_of

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


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether a failed call is tried again.

    Attributes
    ----------
    retry
        Whether another try makes sense.
    wait
        Seconds that the provider asked to wait; ``None`` if it did not say.
    """

    retry: bool
    wait: float | None = None

    @classmethod
    def no(cls) -> "RetryDecision":
        """Another try would end the same way."""
        return cls(retry=False)

    @classmethod
    def transient(cls, wait: float | None) -> "RetryDecision":
        """The fault may pass, after the wait that the provider asks for where it does."""
        return cls(retry=True, wait=wait)


# Request timeout, conflict (lock), too early, too many requests.
_PASSING = frozenset({408, 409, 425, 429})


def decide(error: Exception) -> RetryDecision:
    """Classify the failure of one try."""
    if isinstance(error, LLMPrefError) or own_error(error) or is_unavailable(error) or is_filtered(error):
        return RetryDecision.no()
    status = status_of(error)
    if status is not None and 400 <= status < 500 and status not in _PASSING:
        return RetryDecision.no()
    return RetryDecision.transient(retry_after(error))
