"""One model x one profile: opens the model and its cassette, computes each measure once, and keeps it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from pytest_llmpref.config.labels import Labels
from pytest_llmpref.config.options import Settings, Shard
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.errors import ExtensionError, LLMPrefError
from pytest_llmpref.experiments.asking import attempt_key
from pytest_llmpref.experiments.experiment import AgentExperiment, Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import permuted
from pytest_llmpref.experiments.registry import behaviour_of, is_shipped
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.dressing import dressed
from pytest_llmpref.models.opening import is_simulated
from pytest_llmpref.study.answering import Answerers, BackgroundLoop
from pytest_llmpref.study.batching import all_of, in_order_of_need
from pytest_llmpref.study.canary import Canary, ask_again, recorded_again
from pytest_llmpref.study.coverage import Gap, needs_of
from pytest_llmpref.study.extensions import NOTHING, Extensions
from pytest_llmpref.study.labelling import Labelling
from pytest_llmpref.study.missing import NotRecordedError, check_recorded
from pytest_llmpref.study.provenance import invalidated, with_provenance
from pytest_llmpref.study.records import checked_measure
from pytest_llmpref.study.sources import source_of


class Progress(Protocol):
    """Shows the asking of one experiment."""

    def __call__(self, reply: Reply, ended: bool, refused: bool, /) -> None:
        """Count one reply that was just received: whether its trial ended with it, and whether it is a refusal."""
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
    labels
        People's labels of replies, if there are any.

    Attributes
    ----------
    judge
        Name of the model that judges the replies; empty where rules alone read them.
    source
        Where replies come from.
    plans
        What is asked for each measure.
    labelling
        What people's labels say of the replies, and which replies people are to label.

    Raises
    ------
    SettingError
        If a judge is to be found, and none is known for the model's provider.
    """

    def __init__(
        self,
        conditions: Conditions,
        settings: Settings,
        progress: Callable[[str, int], Progress],
        loop: BackgroundLoop,
        extensions: Extensions = NOTHING,
        labels: Labels | None = None,
    ) -> None:
        self.source = source_of(conditions, settings, self.measure)
        self.cassette, self.judge, self.judging = self.source.cassette, self.source.judge, self.source.judging
        self.conditions, self.plans, self._recorded = (
            self.source.conditions,
            self.source.plans,
            self.source.recorded,
        )
        self._settings, self._loop = settings, loop
        self._progress = progress
        self._display: Progress | None = None
        self._setup = setup_of(conditions.model, settings)
        self._answerers = Answerers(self.cassette, self.judging, settings, extensions, self._tell)
        self.labelling = Labelling(settings, labels)
        self.all_protocols = settings.protocols == "all"
        """Whether pairs are also asked about in forms that no measure but robustness needs."""
        self._measures: dict[str, Measure] = {}
        self._canary: Canary | None = None
        self._failures: dict[str | None, LLMPrefError] = {}  # under None what ends all of them

    @property
    def measures(self) -> dict[str, Measure]:
        """The measures computed so far, by name."""
        return dict(self._measures)

    def gaps(self, measures: Iterable[str]) -> list[Gap]:
        """Return what is planned for these measures and has to be asked."""
        if self._answerers.in_process or not self.source.is_asked:
            return []
        return [gap for name in measures if (gap := self._gap(name)) is not None]

    def answered(self, keys: Iterable[str], measures: Iterable[str]) -> set[str]:
        """Return the given keys that have a reply; a model in this process may reply to any."""
        if not self._answerers.in_process and self.source.is_asked:
            return {key for key in keys if self.cassette.interaction(key) is not None}
        plans = [self.plans[name] for name in measures if not self.source.why_absent([name])]
        attempts = (
            attempt_key(request, number)
            for plan in plans
            for request in plan.requests
            for number in range(plan.attempts)
        )
        return set(keys).intersection(attempts)

    def planned(self, measure: str) -> int:
        """Return how many questions are planned for a measure."""
        return self.plans[measure].total

    def at_most(self, measure: str) -> bool:
        """Whether that is the most, since the answers may end the asking before."""
        rounds = self.plans[measure].rounds
        return rounds is not None and rounds.at_most

    def rounds_of_batches(self, measures: Sequence[str]) -> list[list[str]]:
        """Return what is asked together in batches, group after group; agents are in none.

        A group takes one round if every answer is valid and chooses no question.
        """
        return [names for names in in_order_of_need(measures, self.plans, self.conditions) if self.gaps(names)]

    def only_plan(self, measures: Iterable[str]) -> None:
        """Count from now on what a run would ask: what these measures need and is not recorded is not asked for."""
        for needed in dict.fromkeys(need for name in measures for need in needs_of(name, self.conditions)):
            if self.gaps([needed]):
                self.plans.not_measured |= {needed}

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
        if not self.source.is_asked:
            return
        in_process = self._answerers.in_process
        if in_process:
            self._answerers.to_ask(live=False)
        self._ask_canary(measures)
        live = in_process or self._settings.record_mode != "none"
        for name in measures:
            experiment = self.plans.experiment(name)
            if isinstance(experiment, AgentExperiment) and self.conditions.agentic:
                self._loop.run(experiment.check(self.conditions, self._settings.sandbox, live=live))
        if self._settings.record_mode == "none":
            check_recorded(self, measures, self._settings)
        if not (gaps := self.gaps(measures)):
            return
        if self._settings.batch != "off":
            self._record_together(measures)
            return
        with self._recording():
            self._ask(
                gaps[0].measure, list(self._recorded.missing(self.plans[gaps[0].measure], list(gaps[0].missing)[:1]))
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
        if why := self.source.why_absent([name]):
            raise NotRecordedError(why)  # which says nothing of other measures
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
        if (basis := behaviour_of(name).basis) and self.gaps([basis]):
            raise LLMPrefError(
                f"{name}: its questions are made of all answers to {basis}, which no share has; record the shares of "
                f"{basis} first, merge them, and then record {name}"
            )
        plan = self.plans[name]
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
        model = self._answerers.to_ask(live=self._settings.record_mode != "none", singly=True)
        return await asyncio.wrap_future(self._loop.submit(model.ask(dressed(request, self._setup))))

    def close(self) -> None:
        """Stop the model."""
        self._loop.clean_up(self._answerers.close())

    def _compute(self, name: str) -> Measure:
        if self._settings.record_mode == "none":
            check_recorded(self, [name], self._settings)
        plan = self.plans[name]
        if self.gaps([name]):
            self._ask_rounds(name)
        # Live or not, what is analysed is what the cassette holds, where there is one.
        by_wire = self._settings.replay == "wire" and self.source.is_asked
        replies = None if by_wire else self._recorded.complete(name, plan)
        if replies is None:
            replies = list[Replies]([()] * len(plan.requests))
            while numbers := plan.next_round(replies):
                answered = self._loop.run(self._answerers.replies(self.plans, name, numbers, live=False))
                for number, attempts in zip(numbers, answered, strict=True):
                    replies[number] = attempts
        self.labelling.take(name, plan, replies)
        measure = self.plans.experiment(name).analyse(self.plans.conditions(name), plan, replies)
        if not is_shipped(name):
            measure = checked_measure(name, measure)
        measure = self.source.found(name, measure)
        # Who answered is compared with who answered the same: the model, or its judge.
        others = [other for known, other in self._measures.items() if self.plans[known].of_judge == plan.of_judge]
        asked = self.judging if plan.of_judge and self.judging is not None else self.cassette
        measure = with_provenance(measure, others, asked, self._settings.served)
        if self._canary is not None:
            measure = replace(measure, diagnostics=measure.diagnostics | {"canary": self._canary.record})
            measure = invalidated(measure, self._canary.reasons)
        permute = self._settings.control == "permuted-entities"
        return permuted(measure, self._settings.control_seed) if permute else measure

    def _record_together(self, measures: Sequence[str]) -> None:
        """Ask all that is missing of these measures, together, so that each round of batches has all its questions.

        Agents wait for their tests.
        """
        for names in in_order_of_need(measures, self.plans, self.conditions):
            # Planned before the recording begins: a plan may need a measure.
            planned = {name: self.plans[name] for name in names}
            total = sum(gap.count for gap in self.gaps(names))
            with self._recording(), self._shown(self._title("in batches"), total) as display:
                done = set[tuple[str, int]]()
                while gaps := [gap for name in planned if (gap := self._gap(name)) is not None]:
                    new = {(gap.measure, number) for gap in gaps for number in gap.missing} - done
                    if not new:
                        break
                    done |= new
                    self._loop.run(all_of([self._asking(gap.measure, list(gap.missing), display) for gap in gaps]))

    def _ask_canary(self, measures: Sequence[str]) -> None:
        """Ask recorded questions again, where that is wanted. Among workers, the first asks."""
        if self._canary is not None or not self._settings.canary or self._answerers.in_process:
            return
        plans = {
            name: self.plans[name] for name in measures if not isinstance(self.plans.experiment(name), AgentExperiment)
        }
        questions = recorded_again(plans, self.cassette, self._settings.canary, self.conditions.seed)
        if questions:
            with self.cassette.lock():
                asking = ask_again(
                    questions,
                    self._answerers.canary(),
                    in_flight=self._settings.in_flight,
                    seed=self.conditions.seed,
                )
                self._canary = self._loop.run(asking)

    def _title(self, name: str) -> str:
        model = self.conditions.model
        return f"{model}{' (simulated)' if is_simulated(model) else ''} {name}"

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

    def _ask(self, name: str, numbers: list[int], display: Progress | None = None) -> None:
        """Ask trials, and record them."""
        if numbers:
            self._loop.run(self._asking(name, numbers, display))

    def _asking(
        self, name: str, numbers: Sequence[int], display: Progress | None
    ) -> Coroutine[Any, Any, list[Replies]]:
        """Return what asks trials, and records and shows them."""
        is_refusal = self.plans[name].is_refusal

        def on_reply(reply: Reply, ended: bool) -> None:
            if display is not None:
                display(reply, ended, is_refusal(reply))

        return self._answerers.replies(self.plans, name, numbers, live=True, on_reply=on_reply)

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Wait until no other worker asks this model, and read what it recorded."""
        with self.cassette.lock():
            self.cassette.reload()
            if self.judging is not None:
                self.judging.reload()
            yield

    def _gap(self, name: str) -> Gap | None:
        return self._recorded.gap(name, self.plans[name])

    def _tell(self, said: str) -> None:
        """Show what holds up the asking, where that is shown."""
        if self._display is not None:
            self._display.tell(said)
