"""The event loop in a thread of its own: what runs on it never holds up the end of a run."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from pytest_llmpref.config.options import default_settings
from pytest_llmpref.study import answering
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.studies import Studies


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
    monkeypatch.setattr(answering, "LONGEST_CLEANUP", 0.05)
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


def test_ctrl_c_does_not_wait_for_a_loop_that_is_stuck(monkeypatch):
    """As in an import that takes seconds: nothing there can be cancelled, or cleaned up."""
    monkeypatch.setattr(answering, "LONGEST_SILENCE", 0.05)
    monkeypatch.setattr(answering, "LONGEST_CLEANUP", 3600)
    loop, begun, over = BackgroundLoop(), threading.Event(), threading.Event()

    async def call():
        begun.set()
        over.wait(60)

    async def closes():
        raise AssertionError

    interrupted(loop, call(), begun)
    loop.clean_up(closes())
    loop.close()
    over.set()


def test_ctrl_c_before_a_coroutine_is_handed_over_leaves_none_that_nobody_awaits(monkeypatch):
    loop, start = BackgroundLoop(), threading.Thread.start

    def starts(thread):
        start(thread)
        raise KeyboardInterrupt

    async def call():
        pass

    coroutine = call()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", starts)
        with pytest.raises(KeyboardInterrupt):
            loop.run(coroutine)
    assert coroutine.cr_frame is None
    loop.close()


def made_in_a_thread(begun: threading.Event, go: threading.Event, made: list):
    """Return a call whose coroutine a thread makes, once it may go on; it is never to run."""

    async def request():
        raise AssertionError

    def make():
        begun.set()
        assert go.wait(60)
        made.append(request())
        return made[0]

    async def call():
        await (await asyncio.get_running_loop().run_in_executor(None, make))

    return call


def test_a_coroutine_that_a_thread_makes_for_a_cancelled_call_is_closed():
    """litellm makes a call's coroutine in a thread; Ctrl-C meanwhile left it to be warned of as never awaited."""
    loop, begun, go, made = BackgroundLoop(), threading.Event(), threading.Event(), []

    call = made_in_a_thread(begun, go, made)

    interrupted(loop, call(), begun)
    go.set()
    loop._loop._default_executor.shutdown(wait=True)
    assert made[0].cr_frame is None
    loop.close()


def test_a_call_that_is_cancelled_just_as_its_thread_ends_leaves_no_coroutine_that_nobody_awaits():
    """It never sees what its thread made. "never awaited" then stood in the output of one run in many."""
    loop, begun, go, made = BackgroundLoop(), threading.Event(), threading.Event(), []

    call = made_in_a_thread(begun, go, made)

    async def cancels_just_then():
        calling = asyncio.create_task(call())
        await asyncio.to_thread(begun.wait, 30)
        go.set()
        for _ in range(10_000):
            if calling._fut_waiter.done():
                break
            await asyncio.sleep(0)
        # What the thread made is there, and the call's next step, which comes after this one, would take it up.
        await answering._cancel_others(loop._executor)

    loop.submit(cancels_just_then()).result()
    assert made[0].cr_frame is None
    loop.close()


def test_several_models_are_seen_to_at_once_and_ctrl_c_cancels_the_calls_of_all(tmp_path):
    studies = Studies(default_settings(cassettes=tmp_path, began=datetime.now(UTC)), lambda _title, _total: None)
    both, cleaned = threading.Barrier(2), threading.Event()

    def together(model: str) -> str:
        both.wait(30)
        return model.upper()

    assert studies.at_once(together, ["a", "b"]) == ["A", "B"]

    async def call():
        both.wait(30)
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.set()

    def interrupted_or_asking(model: str) -> None:
        if model == "interrupted":
            both.wait(30)
            raise KeyboardInterrupt
        studies._loop.run(call())

    with pytest.raises(KeyboardInterrupt):
        studies.at_once(interrupted_or_asking, ["interrupted", "asking"])
    assert cleaned.wait(30)
    studies.close()
