"""One model x one profile: opens the model and its cassette, computes each measure once, and keeps it."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pytest_llmpref.background import BackgroundLoop
from pytest_llmpref.cassettes import Cassette, RecordingModel, ReplayModel, must_ask
from pytest_llmpref.cassettes.budget import Budget, BudgetedModel
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.asking import Plan, ask_all, next_attempt
from pytest_llmpref.experiments.boolq import boolq
from pytest_llmpref.experiments.controls import permuted
from pytest_llmpref.experiments.donation import donation_advice
from pytest_llmpref.experiments.experiment import Conditions, Experiment
from pytest_llmpref.experiments.judging import JudgedModel, judged, question_to_judge
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairwise import pairwise_preference
from pytest_llmpref.experiments.ranking import direct_ranking
from pytest_llmpref.experiments.refusal import refusals
from pytest_llmpref.models.chat import ChatModel, Reply, Request
from pytest_llmpref.models.opening import answers_in_process, is_simulated, listed_price, open_model
from pytest_llmpref.models.prices import PriceError, price_of
from pytest_llmpref.options import Settings

EXPERIMENTS: dict[str, Callable[[], Experiment]] = {
    "preference": pairwise_preference,
    "direct_ranking": direct_ranking,
    "donation_advice": donation_advice,
    "refusal": refusals,
    "boolq": boolq,
}
"""Measure -> the experiment that yields it."""


class NotRecordedError(LLMPrefError):
    """Trials that a replay needs are not recorded; the message counts them and says how to record them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Trials of one experiment that are not recorded to their end.

    Attributes
    ----------
    measure
        Name of the measure.
    missing
        The number of each such trial in the plan, and the first of its attempts that is missing.
    planned
        How many trials are planned.
    """

    measure: str
    missing: Mapping[int, Request]
    planned: int


class Progress(Protocol):
    """Shows the asking of one experiment."""

    def __call__(self, reply: Reply, ended: bool, /) -> None:
        """Count one reply that was just received, and whether its trial ended with it."""
        ...

    def close(self) -> None:
        """Finish the display."""
        ...


class Study:
    """The measures of one model.

    Parameters
    ----------
    conditions
        Model, entities, profile and seed.
    settings
        How models are asked, and where recordings are.
    progress
        Opens a display, given a title and the number of trials to ask.
    """

    def __init__(self, conditions: Conditions, settings: Settings, progress: Callable[[str, int], Progress]) -> None:
        self.conditions = conditions
        self.cassette = Cassette.open(settings.cassettes, conditions.model)
        self._judge = Cassette.open(settings.cassettes, settings.judge) if settings.judge else None
        self._settings = settings
        self._progress = progress
        self._plans: dict[str, Plan] = {}
        self._measures: dict[str, Measure] = {}
        self._failure: LLMPrefError | None = None
        self._loop = BackgroundLoop()
        self._opened: dict[str, ChatModel] = {}

    @property
    def measures(self) -> dict[str, Measure]:
        """The measures computed so far, by name."""
        return dict(self._measures)

    def gaps(self, measures: Iterable[str]) -> list[Gap]:
        """Return what is planned for these measures and has to be asked."""
        if self._in_process(self.cassette):
            return []
        found = []
        for name in measures:
            plan = self._plan(name)
            if missing := self._missing(plan, range(len(plan.requests))):
                found.append(Gap(name, missing, len(plan.requests)))
        return found

    def planned(self, measure: str) -> int:
        """Return how many questions are planned for a measure."""
        return len(self._plan(measure).requests)

    def prepare(self, measures: Sequence[str]) -> None:
        """Make sure, before the first question, that these measures can be had.

        A replay needs every trial recorded. A live model is asked the first question that is missing, which also
        records it. A simulated model that answers by itself needs a world that can be used.

        Raises
        ------
        NotRecordedError
            If a replay lacks trials.
        ModelUnavailableError
            If the model cannot be asked.
        WorldError, EntityFileError
            If a simulated model's file cannot be used.
        """
        if self._in_process(self.cassette):
            self._answering(self.cassette)
        if not (gaps := self.gaps(measures)):
            return
        if self._settings.record_mode == "none":
            raise NotRecordedError(describe_gaps(self.cassette.model, gaps, self._settings))
        self._ask(gaps[0].measure, list(gaps[0].missing)[:1], title=None)

    def measure(self, name: str) -> Measure:
        """Return a measure; its trials are asked or replayed the first time.

        Raises
        ------
        LLMPrefError
            What ``prepare`` raises. A failure is remembered, so that the next caller fails at once.
        """
        if name in self._measures:
            return self._measures[name]
        if self._failure is not None:
            raise self._failure
        try:
            self._measures[name] = self._compute(name)
        except LLMPrefError as error:
            self._failure = error
            raise
        return self._measures[name]

    async def ask(self, request: Request) -> Reply:
        """Ask one question of a test's own, recorded and replayed like all else; for use in any event loop."""
        model = self._answering(self.cassette) if self._settings.record_mode == "none" else self._live(self.cassette)
        return await asyncio.wrap_future(self._loop.submit(model.ask(request)))

    def close(self) -> None:
        """Stop the model, and end the background loop."""
        for model in self._opened.values():
            self._loop.run(model.close())
        self._opened.clear()
        self._loop.close()

    def _compute(self, name: str) -> Measure:
        plan = self._plan(name)
        if gaps := self.gaps([name]):
            if self._settings.record_mode == "none":
                raise NotRecordedError(describe_gaps(self.cassette.model, gaps, self._settings))
            self._ask(name, list(gaps[0].missing), title=self._title(name))
        # Live or not, what is analysed is what the cassette holds, where there is one.
        asking = ask_all(
            self._asked(plan, self._answering), plan, range(len(plan.requests)), in_flight=self._settings.in_flight
        )
        measure = EXPERIMENTS[name]().analyse(self.conditions, plan, self._loop.run(asking))
        permute = self._settings.control == "permuted-entities"
        return permuted(measure, self._settings.control_seed) if permute else measure

    def _title(self, name: str) -> str:
        model = self.conditions.model
        return f"{model}{' (simulated)' if is_simulated(model) else ''} {name}"

    def _plan(self, name: str) -> Plan:
        if name not in self._plans:
            self._plans[name] = EXPERIMENTS[name]().plan(self.conditions)
        return self._plans[name]

    def _ask(self, name: str, numbers: Sequence[int], title: str | None) -> None:
        """Ask what is still missing, and record it. Among workers, the first one asks, and the others find it done."""
        plan = self._plan(name)
        with self.cassette.lock():
            self.cassette.reload()
            if self._judge is not None:
                self._judge.reload()
            missing = list(self._missing(plan, numbers))
            if not missing:
                return
            display = self._progress(title, len(missing)) if title else None
            try:
                on_reply = display or (lambda _reply, _ended: None)
                model = self._asked(plan, self._live)
                asking = ask_all(model, plan, missing, in_flight=self._settings.in_flight, on_reply=on_reply)
                self._loop.run(asking)
            finally:
                if display:
                    display.close()

    def _missing(self, plan: Plan, numbers: Iterable[int]) -> dict[int, Request]:
        """Return, of these trials, those that have to be asked, and the first attempt at each that has to."""
        found = {number: self._first_missing(plan, number) for number in numbers}
        return {number: request for number, request in found.items() if request is not None}

    def _first_missing(self, plan: Plan, number: int) -> Request | None:
        request, replies = plan.requests[number], list[Reply]()
        while True:
            reply = self._recorded(self.cassette, request)
            if reply is not None and plan.can_be_judged and self._judge is not None:
                question = question_to_judge(self._judge.model, request, reply)
                answer = None if question is None else self._recorded(self._judge, question)
                # Without the judge's word it is not known whether the trial goes on.
                reply = reply if question is None else judged(reply, answer) if answer is not None else None
            if reply is None:
                return request
            replies.append(reply)
            if not plan.goes_on(number, replies):
                return None
            request = next_attempt(request)

    def _recorded(self, cassette: Cassette, request: Request) -> Reply | None:
        """Return the recorded reply to a request; ``None`` where it has to be asked."""
        found = cassette.interaction(request.key)
        if found is None or must_ask(found, self._settings.record_mode, self._settings.began):
            return None
        return found.reply

    def _asked(self, plan: Plan, model_of: Callable[[Cassette], ChatModel]) -> ChatModel:
        """Return the model that a plan's questions are put to, its replies judged if a judge was named."""
        model = model_of(self.cassette)
        return model if self._judge is None or not plan.can_be_judged else JudgedModel(model, model_of(self._judge))

    def _live(self, cassette: Cassette) -> ChatModel:
        """Return the model of a cassette itself, everything that it answers being recorded there."""
        key = f"live {cassette.model}"
        if key not in self._opened:
            settings = self._settings
            mode: Literal["new_episodes", "all"] = "all" if settings.record_mode == "all" else "new_episodes"
            model = within_budget(self._open(cassette), settings)
            self._opened[key] = RecordingModel(model, cassette, mode, settings.began)
        return self._opened[key]

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

                self._opened[key] = WireReplayModel(self._open(cassette, only_recorded=True), cassette)
            else:
                self._opened[key] = ReplayModel(cassette)
        return self._opened[key]

    def _open(self, cassette: Cassette, *, only_recorded: bool = False) -> ChatModel:
        settings = self._settings
        return open_model(
            cassette.model,
            timeout=settings.timeout,
            max_tries=settings.max_tries,
            max_wait=settings.max_wait,
            only_recorded=only_recorded,
        )


def within_budget(model: ChatModel, settings: Settings) -> ChatModel:
    """Return the model, or one that keeps to the run's limits where there are any.

    Raises
    ------
    PriceError
        If costs are limited, and the price is unknown: unknown is not free.
    """
    if settings.max_cost == settings.max_tokens == math.inf:
        return model
    price = price_of(model.name, settings.price)
    if price is None and settings.max_cost < math.inf:
        raise PriceError(
            f"{model.name}: its price is not in litellm's list, so --llmpref-max-cost cannot be kept; give it by "
            "--llmpref-price IN/OUT (US dollars for a million tokens), or limit --llmpref-max-tokens"
        )
    return BudgetedModel(model, Budget(ledger_of(settings), settings.max_cost, settings.max_tokens), price)


def ledger_of(settings: Settings) -> Path:
    """Return the file in which the workers of this run add up what they spend."""
    return settings.cassettes / f"run-{settings.began:%Y%m%dT%H%M%S%f}.spent"


def describe_gaps(model: str, gaps: Sequence[Gap], settings: Settings) -> str:
    """Say how many trials of which experiment are missing, and how to record just those."""
    missing = [request for gap in gaps for request in gap.missing.values()]
    lines = [f"{model}: {len(missing):,} trials are not recorded, and --record-mode none asks nothing:"]
    lines += [f"  {gap.measure}: {len(gap.missing):,} of {gap.planned:,}" for gap in gaps]
    prompt = sum(len(message.content) for request in missing for message in request.messages) // 4
    reply = sum(request.max_tokens for request in missing)
    lines += [
        "record just those with:",
        f"  pytest suites --model {model} {_options(settings)} --record-mode new_episodes",
        f"which takes about {prompt:,} tokens of prompts, and at most {reply:,} of replies",
        f"({_price(model, prompt, reply)}).",
    ]
    return "\n".join(lines)


def _options(settings: Settings) -> str:
    """Return the options on which it depends what is asked."""
    options = [f"--profile {settings.profile}"]
    if settings.entities is not None:
        options.append(f"--llmpref-entities {settings.entities}")
    options += [f"--llmpref-boolq {settings.boolq}"] * bool(settings.boolq)
    options += [f"--llmpref-control {settings.control}"] * (settings.control == "fictitious-entities")
    options += [f"--llmpref-answers {settings.answers}"] * (settings.answers != "auto")
    options += [f"--llmpref-prefill {settings.prefill}"] * (settings.prefill != "auto")
    options += [f"--llmpref-judge {settings.judge}"] * bool(settings.judge)
    options += [f"--llmpref-seed {settings.seed}"] * (settings.seed != 0)
    return " ".join(options)


def _price(model: str, prompt: int, reply: int) -> str:
    price = listed_price(model, prompt, reply)
    if price is None:
        return "at a price that litellm's list lacks"
    return f"at most about ${price:.2f} by litellm's price list" if price else "free, since the model runs here"
