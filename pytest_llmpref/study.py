"""One model x one profile: opens the model and its cassette, computes each measure once, and keeps it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, Protocol

from pytest_llmpref.background import BackgroundLoop
from pytest_llmpref.cassettes import Cassette, Deeds, RecordingModel, ReplayModel
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agentic.experiment import agentic
from pytest_llmpref.experiments.arms import any_arms, extremes, quarters
from pytest_llmpref.experiments.asking import Plan, Replies, ask_all
from pytest_llmpref.experiments.boolq import boolq
from pytest_llmpref.experiments.controls import permuted
from pytest_llmpref.experiments.donation import donation_advice
from pytest_llmpref.experiments.experiment import AgentExperiment, Around, Conditions, Experiment
from pytest_llmpref.experiments.forms import advice_forms, preference_forms
from pytest_llmpref.experiments.judging import JudgedModel
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairwise import pairwise_preference
from pytest_llmpref.experiments.ranking import direct_ranking
from pytest_llmpref.experiments.refusal import refusals
from pytest_llmpref.extensions import NOTHING, ExtensionError, Extensions
from pytest_llmpref.foreign_measures import checked_measure, foreign_experiment
from pytest_llmpref.gaps import Gap, NotRecordedError, Recorded, describe_gaps
from pytest_llmpref.models.chat import ChatModel, Reply, Request
from pytest_llmpref.models.opening import answers_in_process, is_simulated, open_model
from pytest_llmpref.options import Settings
from pytest_llmpref.sharding import Shard
from pytest_llmpref.spending import within_budget

EXPERIMENTS: dict[str, Callable[[], Experiment]] = {
    "preference": pairwise_preference,
    "direct_ranking": direct_ranking,
    "donation_advice": donation_advice,
    "refusal": refusals,
    "boolq": boolq,
    "agentic": agentic,
    "preference_forms": preference_forms,
    "advice_forms": advice_forms,
}
"""Measure -> the experiment that yields it."""


class Progress(Protocol):
    """Shows the asking of one experiment."""

    def __call__(self, reply: Reply, ended: bool, /) -> None:
        """Count one reply that was just received, and whether its trial ended with it."""
        ...

    def tell(self, said: str) -> None:
        """Show what holds up the asking."""
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
    loop
        Where models are asked; whoever made it closes it.
    extensions
        What other packages add.
    """

    def __init__(
        self,
        conditions: Conditions,
        settings: Settings,
        progress: Callable[[str, int], Progress],
        loop: BackgroundLoop,
        extensions: Extensions = NOTHING,
    ) -> None:
        self.conditions = conditions
        self.cassette = Cassette.open(settings.cassettes, conditions.model)
        self._judge = Cassette.open(settings.cassettes, settings.judge) if settings.judge else None
        self._settings, self._loop = settings, loop
        self._recorded = Recorded(self.cassette, self._judge, settings)
        self._progress = progress
        self._extensions = extensions
        self._plans: dict[str, Plan] = {}
        self._measures: dict[str, Measure] = {}
        self._failures: dict[str | None, LLMPrefError] = {}  # under None what ends all of them
        self._display: Progress | None = None
        self._only_planned = False
        self._opened: dict[str, ChatModel] = {}

    @property
    def measures(self) -> dict[str, Measure]:
        """The measures computed so far, by name."""
        return dict(self._measures)

    @property
    def all_protocols(self) -> bool:
        """Whether pairs are also asked about in forms that no measure but robustness needs."""
        return self._settings.protocols == "all"

    def gaps(self, measures: Iterable[str]) -> list[Gap]:
        """Return what is planned for these measures and has to be asked."""
        if self._in_process(self.cassette):
            return []
        return [gap for name in measures if (gap := self._gap(name)) is not None]

    def planned(self, measure: str) -> int:
        """Return how many questions are planned for a measure."""
        return self._plan(measure).total

    def at_most(self, measure: str) -> bool:
        """Whether that is the most, since the answers may end the asking before."""
        rounds = self._plan(measure).rounds
        return rounds is not None and rounds.at_most

    def only_plan(self) -> None:
        """Count from now on what a run would ask: preferences that are not recorded are not asked for."""
        self._only_planned = bool(self.gaps(["preference"]))

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
        in_process = self._in_process(self.cassette)
        if in_process:
            self._answering(self.cassette)
        live = in_process or self._settings.record_mode != "none"
        for name in measures:
            experiment = self._experiment(name)
            if isinstance(experiment, AgentExperiment) and self.conditions.agentic:
                self._loop.run(experiment.check(self.conditions, self._settings.sandbox, live=live))
        if not (gaps := self.gaps(measures)):
            return
        if self._settings.record_mode == "none":
            raise NotRecordedError(describe_gaps(self.cassette.model, gaps, self._settings))
        with self._recording():
            self._ask(
                gaps[0].measure, list(self._recorded.missing(self._plan(gaps[0].measure), list(gaps[0].missing)[:1]))
            )

    def measure(self, name: str) -> Measure:
        """Return a measure; its trials are asked or replayed the first time.

        Raises
        ------
        LLMPrefError
            What ``prepare`` raises, or what is wrong with another package's measure. A failure is remembered, so that
            the next caller fails at once.
        """
        if name in self._measures:
            return self._measures[name]
        if failure := self._failures.get(None) or self._failures.get(name):
            raise failure
        try:
            self._measures[name] = self._compute(name)
        except LLMPrefError as error:
            self._failures[name if isinstance(error, ExtensionError) else None] = error
            raise
        return self._measures[name]

    def ask_share(self, name: str, shard: Shard) -> tuple[int, int]:
        """Ask and record what is missing of one share of a measure's trials.

        Returns
        -------
        How many were asked, and how many the share has.

        Raises
        ------
        LLMPrefError
            What ``prepare`` raises, or if the answers to other shares decide what is asked.
        """
        plan = self._plan(name)
        if plan.rounds is not None:
            raise LLMPrefError(
                f"{name}: {plan.rounds.setting} chooses questions by the answers so far, which no share has; record it "
                f"unshared, or use a profile that is fixed there"
            )
        share = [number for number, request in enumerate(plan.requests) if shard.holds(request.key)]
        with self._recording():
            if missing := list(self._recorded.missing(plan, share)):
                with self._shown(f"{self._title(name)} shard {shard}", len(missing)) as display:
                    self._ask(name, missing, display)
        return len(missing), len(share)

    async def ask(self, request: Request) -> Reply:
        """Ask one question of a test's own, recorded and replayed like all else; for use in any event loop."""
        model = self._answering(self.cassette) if self._settings.record_mode == "none" else self._live(self.cassette)
        return await asyncio.wrap_future(self._loop.submit(model.ask(request)))

    def close(self) -> None:
        """Stop the model."""
        for model in self._opened.values():
            self._loop.clean_up(model.close())
        self._opened.clear()

    def _compute(self, name: str) -> Measure:
        plan = self._plan(name)
        if gaps := self.gaps([name]):
            if self._settings.record_mode == "none":
                raise NotRecordedError(describe_gaps(self.cassette.model, gaps, self._settings))
            self._ask_rounds(name)
        # Live or not, what is analysed is what the cassette holds, where there is one.
        replies = list[Replies]([()] * len(plan.requests))
        while numbers := plan.next_round(replies):
            answered = self._loop.run(self._replies(name, numbers, live=False))
            for number, attempts in zip(numbers, answered, strict=True):
                replies[number] = attempts
        measure = self._experiment(name).analyse(self._conditions(name), plan, replies)
        if name in self._extensions.experiments:
            measure = checked_measure(name, measure)
        permute = self._settings.control == "permuted-entities"
        return permuted(measure, self._settings.control_seed) if permute else measure

    def _title(self, name: str) -> str:
        model = self.conditions.model
        return f"{model}{' (simulated)' if is_simulated(model) else ''} {name}"

    def _experiment(self, name: str) -> Experiment:
        """Return the experiment that yields a measure.

        Raises
        ------
        ExtensionError
            If one of another package yields a measure of another name.
        """
        if name in EXPERIMENTS:
            return EXPERIMENTS[name]()
        return foreign_experiment(name, self._extensions.experiments[name])

    def _plan(self, name: str) -> Plan:
        if name not in self._plans:
            self._plans[name] = self._experiment(name).plan(self._conditions(name))
        return self._plans[name]

    def _conditions(self, name: str) -> Conditions:
        """Return the conditions of an experiment: some compare entities that only preferences tell."""
        conditions, profile = self.conditions, self.conditions.profile
        ids, agents = tuple(conditions.groups), isinstance(self._experiment(name), AgentExperiment)
        if agents and conditions.agentic and conditions.arms is None:
            size = profile.agentic_entities
            arms = any_arms(ids, size) if self._only_planned else extremes(self.measure("preference"), size)
        elif name == "boolq" and profile.stopping == "sequential" and conditions.bounds.get(name):
            arms = any_arms(ids, len(ids) // 4) if self._only_planned else quarters(self.measure("preference"))
        else:
            return conditions
        return replace(conditions, arms=arms)

    def _replies(
        self,
        name: str,
        numbers: Sequence[int],
        *,
        live: bool,
        on_reply: Callable[[Reply, bool], None] = lambda _reply, _ended: None,
    ) -> Coroutine[Any, Any, list[Replies]]:
        """Ask trials, of the model or of the cassette."""
        plan, settings, experiment = self._plan(name), self._settings, self._experiment(name)
        model = self._asked(plan, self._live if live else self._answering)
        in_process = self._in_process(self.cassette)
        # A replay by key finds what a run came to beside its requests; one at the wire makes it again from these.
        if isinstance(experiment, AgentExperiment) and (live or in_process or settings.replay == "wire"):
            return experiment.run_all(
                self._conditions(name),
                numbers,
                model,
                self._deeds(live=live, in_process=in_process),
                Around(settings.sandbox, settings.in_flight, settings.report_dir / "latest" / "agentic", on_reply),
            )
        return ask_all(model, plan, numbers, in_flight=settings.in_flight, on_reply=on_reply)

    def _deeds(self, *, live: bool, in_process: bool) -> Deeds:
        """Return where the deeds of agents are recorded, or found."""
        if in_process:
            return Deeds(None, "new_episodes", self._settings.began)
        return Deeds(self.cassette, self._settings.record_mode if live else "none", self._settings.began)

    def _ask_rounds(self, name: str) -> None:
        """Ask what is missing of a measure, round by round. Among workers, the first asks, and others find it done."""
        with self._recording():
            if (gap := self._gap(name)) is None:
                return
            asked = set[int]()
            with self._shown(self._title(name), gap.count) as display:
                # A round that was asked and is missing still, as where the clock was set back, is not asked for ever.
                while gap is not None and not asked.issuperset(gap.missing):
                    self._ask(name, list(gap.missing), display)
                    asked |= gap.missing.keys()
                    gap = self._gap(name)

    @contextmanager
    def _shown(self, title: str, total: int) -> Iterator[Progress]:
        self._display = display = self._progress(title, total)
        try:
            yield display
        finally:
            self._display = None
            display.close()

    def _ask(self, name: str, numbers: list[int], on_reply: Callable[[Reply, bool], None] | None = None) -> None:
        """Ask trials, and record them."""
        if numbers:
            self._loop.run(self._replies(name, numbers, live=True, on_reply=on_reply or (lambda _reply, _ended: None)))

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Wait until no other worker asks this model, and read what it recorded."""
        with self.cassette.lock():
            self.cassette.reload()
            if self._judge is not None:
                self._judge.reload()
            yield

    def _gap(self, name: str) -> Gap | None:
        return self._recorded.gap(name, self._plan(name))

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

    def _tell(self, said: str) -> None:
        """Show what holds up the asking, where that is shown."""
        if self._display is not None:
            self._display.tell(said)

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
        )
