"""One event loop in a thread of its own, so that suites with and without asyncio share a model's connections.

anyio's ``start_blocking_portal`` does the same, and was tried. It cancels again at each ``await``, so that a call
that Ctrl-C ends cannot close its connection; and leaving it waits for the thread without limit, where an
import of seconds or a call that never ends holds up the end of the run. It takes 240 microseconds for a call where this
takes 164, and 36 ms to import, of which a replay needs nothing else.
"""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
LONGEST_CLEANUP = 2.0
"""Seconds that cancelled calls have to clean up, before they are left to end with the process. Our choice."""
LONGEST_SILENCE = 0.5
"""Seconds without an answer after which the loop counts as stuck, as while it imports litellm. Our choice."""


class BackgroundLoop:
    """Runs coroutines on one event loop in a daemon thread, which starts with the first of them.

    The loop is made at once. That takes a pair of sockets, and plugins such as pytest-socket refuse every socket while
    a test runs.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Executor(thread_name_prefix="asyncio"))
        self._thread: threading.Thread | None = None
        self._answered: threading.Event | None = None  # after Ctrl-C

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine, and return the future of its result."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="llmpref", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C cancels it, and waits up to `LONGEST_CLEANUP` until it has cleaned up."""
        try:
            return self.submit(coroutine).result()
        except KeyboardInterrupt:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()
            self._ping()
            # Once: a second cancellation would break off the cleaning up. And all of them: what still runs would be cut
            # off from connections that are closed meanwhile, and try again.
            self._cancel_all()
            raise

    def clean_up(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that closes something; give it up after Ctrl-C where the loop is stuck."""
        if self._is_stuck():
            coroutine.close()
        else:
            self.run(coroutine)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        if self._is_stuck():
            # The process ends, and the thread with it.
            return
        if self._thread is not None:
            self._cancel_all()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(LONGEST_CLEANUP)
            if self._thread.is_alive():
                return
            self._thread = None
        self._loop.close()

    def _ping(self) -> None:
        """Give the loop `LONGEST_SILENCE` to answer at all."""
        if self._thread is not None:
            self._answered = threading.Event()
            self._loop.call_soon_threadsafe(self._answered.set)
            self._answered.wait(LONGEST_SILENCE)

    def _is_stuck(self) -> bool:
        """Whether the loop has answered nothing since Ctrl-C, so that waiting for it would hold up the end for long."""
        return self._answered is not None and not self._answered.is_set()

    def _cancel_all(self) -> None:
        stuck = self._is_stuck()
        cancelled = self.submit(_cancel_others())
        with contextlib.suppress(TimeoutError):
            cancelled.result(0 if stuck else LONGEST_CLEANUP)


class _Executor(ThreadPoolExecutor):
    """The loop's threads, in which litellm makes the coroutine of a call: nobody awaits that of a cancelled one."""

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - as above
        future = super().submit(function, *args, **kwargs)
        cancel = future.cancel

        def cancel_or_close() -> bool:
            if cancel():
                return True
            future.add_done_callback(_close_result)
            return False

        future.cancel = cancel_or_close  # type: ignore[method-assign]
        return future


def _close_result(future: "Future[Any]") -> None:
    if future.exception() is None and inspect.iscoroutine(result := future.result()):
        result.close()


async def _cancel_others() -> None:
    # First let those take it up whose thread just made them a coroutine.
    await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
