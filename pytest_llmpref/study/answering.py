"""Who answers the questions of a study, on which event loop, and within which limits.

The model itself answers, a recording of it, or a simulated model in this process. A run's limits hold for all workers
together.
"""

import asyncio
import contextlib
import inspect
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pytest_llmpref.cassettes import Cassette, Deeds, RecordingModel, ReplayModel
from pytest_llmpref.cassettes.recording import Budget, BudgetedModel, priced
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.asking import FirstReplies, WatchedModel, ask_all
from pytest_llmpref.experiments.experiment import AgentExperiment, Around, Plan
from pytest_llmpref.experiments.registry import simulated_answers
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.models.chat import ChatModel, Reply
from pytest_llmpref.models.dressing import DressedModel
from pytest_llmpref.models.opening import answers_in_process, asked_through_litellm, open_model
from pytest_llmpref.models.parameters import PriceError, price_under
from pytest_llmpref.models.reasoning import RoomForReasoning
from pytest_llmpref.parsing.thinking import without_thinking
from pytest_llmpref.study.batching import as_recorded, in_batches, replayed_in_batches
from pytest_llmpref.study.coverage import Plans
from pytest_llmpref.study.extensions import Extensions

T = TypeVar("T")
LONGEST_CLEANUP = 2.0
"""Seconds that cancelled calls have to clean up, before they are left to end with the process. Our choice."""
LONGEST_SILENCE = 0.5
"""Seconds without an answer after which the loop counts as stuck, as while it imports litellm. Our choice."""


def within_budget(model: ChatModel, settings: Settings) -> ChatModel:
    """Return the model, or one that keeps to the run's limits where there are any.

    Raises
    ------
    PriceError
        If costs are limited, and the price is unknown: unknown is not free.
    """
    if settings.max_cost == settings.max_tokens == math.inf:
        return model
    price = price_under(model.name, settings)
    if price is None and settings.max_cost < math.inf:
        raise PriceError(
            f"{model.name}: its price is not in litellm's list, so --llmpref-max-cost cannot be kept; give it by "
            "--llmpref-price IN/OUT (US dollars for a million tokens), or limit --llmpref-max-tokens"
        )
    return BudgetedModel(model, Budget(ledger_of(settings), settings.max_cost, settings.max_tokens), price)


def ledger_of(settings: Settings) -> Path:
    """Return the file in which the workers of this run add up what they spend."""
    return settings.cassettes / f"run-{settings.began:%Y%m%dT%H%M%S%f}.spent"


class Answerers:
    """Opens each answerer when it is first needed, and keeps it.

    Parameters
    ----------
    cassette, judge
        The recordings of the model, and of the judge; ``judge`` is ``None`` if there is none.
    settings
        How models are asked.
    extensions
        What packages add.
    tell
        Told in words what holds up the asking.
    """

    def __init__(
        self,
        cassette: Cassette,
        judge: Cassette | None,
        settings: Settings,
        extensions: Extensions,
        tell: Callable[[str], None],
    ) -> None:
        self._cassette, self._judge = cassette, judge
        self._settings, self._extensions, self._tell = settings, extensions, tell
        self._opened: dict[str, ChatModel] = {}
        self._first = FirstReplies(cassette.model)

    @property
    def in_process(self) -> bool:
        """Whether the model answers by itself in a run that records nothing."""
        return self._in_process(self._cassette)

    def to_ask(self, *, live: bool, singly: bool = False, of_judge: bool = False) -> ChatModel:
        """Return whom to ask.

        Parameters
        ----------
        live
            Whether the model itself is asked, and all that it answers recorded.
        singly
            Whether each question waits for the answer to another, so that no batch may hold it up.
        of_judge
            Whether the judge is asked, in place of the model.
        """
        cassette = self._asked(of_judge=of_judge)
        return self._live(cassette, singly=singly) if live else self._answering(cassette)

    def _asked(self, *, of_judge: bool) -> Cassette:
        return self._judge if of_judge and self._judge is not None else self._cassette

    def _to_judge(self, plan: Plan[Any], *, live: bool) -> ChatModel | None:
        """Return who judges the replies to a plan's questions; ``None`` if nobody does, or could."""
        if self._judge is None or plan.options is None:
            return None
        return self._live(self._judge) if live else self._answering(self._judge)

    def replies(
        self,
        plans: Plans,
        measure: str,
        numbers: Sequence[int],
        *,
        live: bool,
        on_reply: Callable[[Reply, bool], None] | None = None,
    ) -> Coroutine[Any, Any, list[Replies]]:
        """Ask trials of a measure's plan, of the model if ``live``, else of whoever answers without being recorded.

        ``on_reply`` is told of each reply, and whether its trial ended with it.
        """
        plan, settings, experiment = plans[measure], self._settings, plans.experiment(measure)
        model = self.to_ask(live=live, singly=isinstance(experiment, AgentExperiment), of_judge=plan.of_judge)
        tell = on_reply or _tell_nobody
        # A replay by key finds what a run came to beside its requests; one at the wire makes it again from these.
        if isinstance(experiment, AgentExperiment) and (live or self.in_process or settings.replay == "wire"):
            folder = settings.run_dir / measure
            around = Around(settings.sandbox, settings.in_flight, folder, tell)
            asked: ChatModel = DressedModel(model, setup_of(self._cassette.model, settings))
            if live:
                asked = WatchedModel(asked, self._first)
            return experiment.run_all(plans.conditions(measure), plan, numbers, asked, self._deeds(live=live), around)
        first = self._first if live and not plan.of_judge else None
        batched = live and self._goes_in_batches(self._asked(of_judge=plan.of_judge).model)
        # All questions of a round go together. A first question alone would be a job alone, where all go as jobs.
        in_flight = len(numbers) if batched else settings.in_flight
        alone = not batched or settings.batch_least > 1
        judge = self._to_judge(plan, live=live)
        return ask_all(model, plan, numbers, in_flight=in_flight, judge=judge, on_reply=tell, first=first, alone=alone)

    def _deeds(self, *, live: bool) -> Deeds:
        """Return where the deeds of agents are recorded, or found."""
        if self.in_process:
            return Deeds(None, "new_episodes", self._settings.began)
        return Deeds(self._cassette, self._settings.record_mode if live else "none", self._settings.began)

    async def close(self) -> None:
        """Stop every model that was opened."""
        opened = list(self._opened.values())
        self._opened.clear()
        for model in opened:
            await model.close()

    def canary(self) -> ChatModel:
        """Return the model itself, all that it answers in this run being recorded apart from its recordings."""
        folder = self._settings.cassettes / "canary"
        return self._live(Cassette.open(folder, self._cassette.model), "canary", singly=True)

    def collecting(self) -> ChatModel:
        """Return the model as earlier batches answered it: what these brought is recorded, and nothing is asked."""
        return self._live(self._cassette, "collecting")

    def _live(
        self,
        cassette: Cassette,
        mode: Literal["recording", "canary", "collecting"] = "recording",
        *,
        singly: bool = False,
    ) -> ChatModel:
        """Return the model of a cassette itself, everything that it answers being recorded there."""
        batched = self._goes_in_batches(cassette.model) and not singly
        key = f"{mode} {'in batches' * batched} {cassette.model}"
        if key not in self._opened:
            settings = self._settings
            anew = mode == "canary" or settings.record_mode == "all"
            setup = setup_of(cassette.model, settings)
            model = self._open(cassette)
            if batched:
                model = in_batches(model, cassette, settings, self._tell, only_collect=mode == "collecting")
            model = within_budget(priced(model, settings), settings)
            if not setup.limits_replies:
                # Each call that reasoning makes longer, or makes again, counts.
                model = RoomForReasoning(model, without_thinking, setup.model)
            if batched:
                model = as_recorded(model)
            self._opened[key] = RecordingModel(model, cassette, "all" if anew else "new_episodes", settings.began)
        return self._opened[key]

    def _goes_in_batches(self, model: str) -> bool:
        """Whether a model's questions go in batches: they do not where it runs here, or comes from a package."""
        setup = setup_of(model, self._settings)
        return self._settings.batch != "off" and asked_through_litellm(model, self._extensions.models, setup)

    def _in_process(self, cassette: Cassette) -> bool:
        """Whether the model of a cassette answers by itself in a run that records nothing.

        A simulated model does, unless a recording of it is there: then that is replayed, like any other.
        """
        return self._settings.record_mode == "none" and answers_in_process(cassette.model) and not len(cassette)

    def _answering(self, cassette: Cassette) -> ChatModel:
        """Return who answers without anything being recorded: the cassette, or a simulated model itself."""
        if not self._in_process(cassette):
            return self._replay(cassette)
        key = f"simulated {cassette.model}"
        if key not in self._opened:
            self._opened[key] = self._open(cassette)
        return self._opened[key]

    def _replay(self, cassette: Cassette) -> ChatModel:
        """Return a model that answers from a cassette, at the depth that was asked for."""
        key = f"replay {cassette.model}"
        if key not in self._opened:
            if self._settings.replay == "wire":
                from pytest_llmpref.cassettes.wire import WireReplayModel  # noqa: PLC0415 - imports vcr

                model = self._open(cassette, only_recorded=True)
                self._opened[key] = WireReplayModel(replayed_in_batches(model, cassette), cassette)
            else:
                self._opened[key] = ReplayModel(cassette)
        return self._opened[key]

    def _open(self, cassette: Cassette, *, only_recorded: bool = False) -> ChatModel:
        settings = self._settings
        return open_model(
            cassette.model,
            self._extensions.models,
            timeout=settings.timeout,
            max_tries=settings.max_tries,
            max_wait=settings.max_wait,
            max_outage=settings.max_outage,
            on_outage=self._tell,
            only_recorded=only_recorded,
            answers=simulated_answers(),
            setup=setup_of(cassette.model, settings),
        )


def _tell_nobody(_reply: Reply, _ended: bool) -> None:
    pass


class BackgroundLoop:
    """Runs coroutines on one event loop in a daemon thread, which starts with the first of them.

    So suites with and without asyncio share a model's connections. The loop is made at once. That takes a pair of
    sockets, and plugins such as pytest-socket refuse every socket while a test runs.

    anyio's ``start_blocking_portal`` does the same, and was tried. It cancels again at each ``await``, so that a call
    that Ctrl-C ends cannot close its connection; and leaving it waits for the thread without limit, where an import of
    seconds or a call that never ends holds up the end of the run. It takes 240 microseconds for a call where this takes
    164, and 36 ms to import, of which a replay needs nothing else.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._executor = _Executor(thread_name_prefix="asyncio")
        self._loop.set_default_executor(self._executor)
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
            if _is_new(coroutine):
                coroutine.close()
            self.interrupt()
            raise

    def interrupt(self) -> None:
        """Cancel all that runs, after Ctrl-C; see `run`."""
        self._ping()
        # Once: a second cancellation would break off the cleaning up. And all of them: what still runs would be cut off
        # from connections that are closed meanwhile, and try again.
        self._cancel_all()

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
        cancelled = self.submit(_cancel_others(self._executor))
        with contextlib.suppress(TimeoutError):
            cancelled.result(0 if stuck else LONGEST_CLEANUP)


class _Executor(ThreadPoolExecutor):
    """The loop's threads, in which litellm makes the coroutine of a call: nobody awaits that of a cancelled one."""

    def __init__(self, thread_name_prefix: str) -> None:
        super().__init__(thread_name_prefix=thread_name_prefix)
        self._made: deque[Coroutine[Any, Any, Any]] = deque()

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - as above
        while self._made and not _is_new(self._made[0]):
            del self._made[0]
        future = super().submit(function, *args, **kwargs)
        future.add_done_callback(self._keep)
        cancel = future.cancel

        def cancel_or_close() -> bool:
            if cancel():
                return True
            future.add_done_callback(_close_result)
            return False

        future.cancel = cancel_or_close  # type: ignore[method-assign]
        return future

    def close_made(self) -> None:
        """Close each coroutine that was made and not taken up. Call it when nobody is left who could."""
        while self._made:
            if _is_new(coroutine := self._made.popleft()):
                coroutine.close()

    def _keep(self, future: "Future[Any]") -> None:
        # A call that is cancelled between the end of its thread and its own next step drops what it was given.
        if (coroutine := _coroutine_of(future)) is not None:
            self._made.append(coroutine)


def _is_new(coroutine: Coroutine[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED


def _coroutine_of(future: "Future[Any]") -> Coroutine[Any, Any, Any] | None:
    if future.cancelled() or future.exception() is not None:
        return None
    return result if inspect.iscoroutine(result := future.result()) else None


def _close_result(future: "Future[Any]") -> None:
    if (coroutine := _coroutine_of(future)) is not None:
        coroutine.close()


async def _cancel_others(executor: _Executor) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    executor.close_made()
