"""One event loop in a thread of its own, so that suites with and without asyncio share a model's connections."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines on one event loop in a daemon thread, which starts with the first of them at the latest."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread if it is not running yet, and return its loop.

        A loop needs a pair of sockets. Before the tests nothing refuses them; in a test, pytest-socket may.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="llmpref", daemon=True)
            self._thread.start()
        return self._loop

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine, and return the future of its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.start())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C cancels it, and waits until it has cleaned up."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            # Or the calls under way would be cut off from connections that are closed meanwhile, and try again.
            self.submit(_cancel_others()).result()
            raise

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        if self._loop is None or self._thread is None:
            return
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None


async def _cancel_others() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
