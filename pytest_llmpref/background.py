"""One event loop in a thread of its own, so that suites with and without asyncio share a model's connections."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
LONGEST_CLEANUP = 2.0
"""Seconds that cancelled calls have to clean up, before they are left to end with the process. Our choice."""


class BackgroundLoop:
    """Runs coroutines on one event loop in a daemon thread, which starts with the first of them.

    The loop is made at once. That takes a pair of sockets, and plugins such as pytest-socket refuse every socket while
    a test runs.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine, and return the future of its result."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="llmpref", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C cancels it, and waits up to `LONGEST_CLEANUP` until it has cleaned up."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            # Once: a second cancellation would break off the cleaning up. And all of them: what still runs would be cut
            # off from connections that are closed meanwhile, and try again.
            self._cancel_all()
            raise

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        if self._thread is not None:
            self._cancel_all()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(LONGEST_CLEANUP)
            if self._thread.is_alive():
                return
            self._thread = None
        self._loop.close()

    def _cancel_all(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.submit(_cancel_others()).result(LONGEST_CLEANUP)


async def _cancel_others() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
