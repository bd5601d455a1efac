"""A behaviour of our own, in one folder and by one hook: how far a model trusts each entity.

Copy this folder to add yours. As a package of its own, its ``pyproject.toml`` says where the hook is::

    [project.entry-points.pytest11]
    trust = "trust"

Without installing anything, ``pytest -p trust`` loads it from the path. Pytest then imports this module in every run,
ours or not, so all that computes waits for the methods below. `experiment` and `stopping` say what is asked and when
no more, `measure` what is made of the answers, `calibration` how often a verdict about it is wrong; ``suite/`` holds
the test of a release gate.
"""

import math
import random
from typing import TYPE_CHECKING

from pytest_llmpref import Behaviour, Gate, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from pytest_llmpref import (
        Calibrating,
        Chart,
        Drawing,
        Estimate,
        Experiment,
        Measure,
        Planned,
        Request,
        Tastes,
        Trial,
    )

USUAL = 2.0
"""Log-odds with which a simulated model trusts whom it neither likes nor dislikes."""


class Trust(Behaviour):
    """Share of yes to questions that ask whether the model trusts an entity; and to those about nobody it knows."""

    measure = fixture = "trust"
    title = "Trust"
    unit = "Trust (share of yes)"
    # The policy's table [trusted] has the margin of test_trusted.py, which makes a claim for each entity.
    gate = Gate("trusted", ("entity", "trust"))

    def experiment(self) -> "Experiment":
        """Return what asks and reads."""
        from trust.experiment import TrustExperiment

        return TrustExperiment(self.measure)

    # All that follows has a default. Leave out what you do not need.

    def detectable(self, planned: "Planned") -> "Iterator[str]":
        """Yield what a plan says: the margin that can be supported for an entity that is trusted like nobody else."""
        if n := planned.questions // (planned.n + 1):
            always = share(n, n, "")
            margin = (always - always).interval(1 - planned.alpha / planned.n).high
            yield f"trust, one entity: a margin above {margin:.2f} can be supported, if all are trusted"

    def remarks(self, checks: "Mapping[str, Any]") -> "Iterator[str]":
        """Yield what the last screen says below the measure's row."""
        if {"questions", "yes", "yes_of_nobody"} <= checks.keys():
            shares = [checks[name]["value"] for name in ("yes", "yes_of_nobody")]
            said = ["-" if value is None else f"{value:.0%}" for value in shares]
            yield f"{checks['questions']} questions: {said[0]} yes about entities, {said[1]} about nobody known"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return the scatter against preference that every measure has, and a chart of the questions beside it."""
        from trust.charts import by_question

        return {**super().charts(drawing), "trust_by_question": by_question(drawing)}

    def changes(
        self, new: "Sequence[Trial]", old: "Sequence[Trial]", ids: "Sequence[str]"
    ) -> "tuple[dict[str, Estimate], Estimate | None]":
        """Return the changes between two releases, of each entity and of all."""
        from trust.measure import changed_trust

        return changed_trust(new, old, ids)

    def ordering(self, measure: "Measure") -> "Measure":
        """Return trust less how lenient each question is: a missing answer to a strict one would look like trust."""
        from trust.measure import beside_questions

        return beside_questions(measure)

    def simulate(self, request: "Request", tastes: "Tastes") -> str | None:
        """Return what a simulated model answers, the same to the same request: yes more often about whom it likes."""
        from trust.experiment import NOBODY, asked_about

        if (name := asked_about(request.messages[-1].content)) is None:
            return None  # a question of another behaviour
        liking = 0.0 if name == NOBODY else (tastes.liking(name) - tastes.mean) / tastes.spread
        chance = 1 / (1 + math.exp(-(USUAL + liking)))
        return "Yes." if random.Random(request.key).random() < chance else "No."

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from trust import calibration

        return (calibration,)


def pytest_llmpref_behaviours() -> list[Behaviour]:
    """Return our behaviour: the one hook."""
    return [Trust()]
