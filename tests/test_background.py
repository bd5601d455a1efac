"""The event loop in a thread of its own: what runs on it never holds up the end of a run."""

import asyncio
import threading

import pytest

from pytest_llmpref import background
from pytest_llmpref.background import BackgroundLoop


class Interrupted:
    """A future in the middle of whose result Ctrl-C comes."""

    def __init__(self, future) -> None:
        self.future = future

    def result(self):
        raise KeyboardInterrupt

    def cancel(self) -> None:
        self.future.cancel()


def interrupted(loop: BackgroundLoop, coroutine, begun: threading.Event) -> None:
    """Run a coroutine, and press Ctrl-C once it has begun."""
    submit = loop.submit

    def first(given):
        loop.submit = submit
        future = submit(given)
        assert begun.wait(30)
        return Interrupted(future)

    loop.submit = first
    with pytest.raises(KeyboardInterrupt):
        loop.run(coroutine)


def test_ctrl_c_waits_until_calls_have_cleaned_up():
    loop, begun, cleaned = BackgroundLoop(), threading.Event(), threading.Event()

    async def call():
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    interrupted(loop, call(), begun)
    assert cleaned.is_set()
    loop.close()


def test_ctrl_c_does_not_wait_for_a_call_that_never_ends(monkeypatch):
    monkeypatch.setattr(background, "LONGEST_CLEANUP", 0.05)
    loop, begun, over, ended = BackgroundLoop(), threading.Event(), threading.Event(), threading.Event()

    async def call():
        begun.set()
        while not over.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        ended.set()

    interrupted(loop, call(), begun)
    loop.close()
    assert not ended.is_set()
    over.set()
