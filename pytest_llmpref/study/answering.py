"""Who answers the questions of a study: the model itself, a recording of it, or a simulated model in this process.

A run's limits on what its models may spend, all workers together.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pytest_llmpref.cassettes import Cassette, Deeds, RecordingModel, ReplayModel
from pytest_llmpref.cassettes.recording import Budget, BudgetedModel
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.asking import JudgedModel, Plan
from pytest_llmpref.experiments.registry import simulated_answers
from pytest_llmpref.models.chat import ChatModel
from pytest_llmpref.models.opening import answers_in_process, open_model
from pytest_llmpref.models.parameters import PriceError, price_of
from pytest_llmpref.models.reasoning import RoomForReasoning
from pytest_llmpref.parsing.thinking import without_thinking
from pytest_llmpref.study.extensions import Extensions


def within_budget(model: ChatModel, settings: Settings) -> ChatModel:
    """Return the model, or one that keeps to the run's limits where there are any.

    Raises
    ------
    PriceError
        If costs are limited, and the price is unknown: unknown is not free.
    """
    if settings.max_cost == settings.max_tokens == math.inf:
        return model
    setup = setup_of(model.name, settings)
    price = price_of(setup.model or model.name, setup.price or settings.price)
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
        The recordings of the model, and of the judge; ``judge`` is ``None`` where there is none.
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

    @property
    def in_process(self) -> bool:
        """Whether the model answers by itself in a run that records nothing."""
        return self._in_process(self._cassette)

    def to_ask(self, plan: Plan | None, *, live: bool) -> ChatModel:
        """Return whom to ask, its replies judged if a judge was named and can tell them apart.

        Parameters
        ----------
        plan
            What is asked; ``None`` for a question of a test's own, which is never judged.
        live
            Whether the model itself is asked, and all that it answers recorded.
        """
        answerer = self._live if live else self._answering
        model = answerer(self._cassette)
        if self._judge is None or plan is None or not plan.can_be_judged:
            return model
        return JudgedModel(model, answerer(self._judge))

    def deeds(self, *, live: bool) -> Deeds:
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

    def _live(self, cassette: Cassette) -> ChatModel:
        """Return the model of a cassette itself, everything that it answers being recorded there."""
        key = f"live {cassette.model}"
        if key not in self._opened:
            settings = self._settings
            mode: Literal["new_episodes", "all"] = "all" if settings.record_mode == "all" else "new_episodes"
            setup = setup_of(cassette.model, settings)
            model = within_budget(self._open(cassette), settings)
            if not setup.limits_replies:
                # Each call that reasoning makes longer, or makes again, counts.
                model = RoomForReasoning(model, without_thinking, setup.model)
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
