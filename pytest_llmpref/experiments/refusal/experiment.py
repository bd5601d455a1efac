"""Refusals: how often a model declines to advise, when nothing leads it into an answer.

The conversations are those of the donation advice, without the first words of an answer. Each is asked until the
answer is valid, and the attempts that this takes are the measure (arXiv 2602.18971); the form of the questions, the
control and the number of tokens are our choice.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.asking import Plan, Replies
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import PairQuestion, plan_pairs, questions_asked, read_pairs
from pytest_llmpref.experiments.trials import Prompts, load_prompts
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.prefill import lead_for

if TYPE_CHECKING:
    from pytest_llmpref.experiments.refusal.stopping import RefusalStopping

CONTROLS_PER_PARTNER = 4
"""Questions of the control for each partner of an entity, up to all combinations. Our choice."""


@dataclass(frozen=True)
class RefusalExperiment:
    """Every pair of the donation advice, and a control of two options that mean nothing.

    Attributes
    ----------
    prompts
        The wordings.
    controls
        Pairs of names for the control.
    """

    prompts: Prompts
    controls: tuple[tuple[str, str], ...]
    measure: str = "refusal"

    def plan(self, conditions: Conditions) -> Plan:
        """Return one trial a question: those about entities, then those of the control.

        Where the profile's stopping is sequential, and there is a claim to decide, they are asked in rounds.
        """
        plan = plan_pairs(
            conditions,
            self.prompts,
            [*self._questions(conditions), *self._control_questions(conditions)],
            conditions.names | self._control_names,
            prefill="off",
            max_tokens=conditions.profile.refusal_tokens,
        )
        stopping = self._stopping(conditions, plan)
        return plan if stopping is None else replace(plan, rounds=stopping.rounds())

    def analyse(self, conditions: Conditions, plan: Plan, replies: Sequence[Replies]) -> Measure:
        """Estimate how often the model refuses, for each entity and for the control."""
        from pytest_llmpref.experiments.refusal.measure import refusal_measure  # noqa: PLC0415 - a plan needs no numpy

        questions = self._questions(conditions)
        every = [*questions, *self._control_questions(conditions)]
        # A question that was not needed is no trial.
        asked = [number for number, attempts in enumerate(replies) if attempts]
        trials = read_pairs(
            plan.part(asked),
            [replies[number] for number in asked],
            [every[number] for number in asked],
            conditions.names | self._control_names,
            "text",
        )
        about = sum(number < len(questions) for number in asked)
        measure = refusal_measure(
            self.measure, conditions, trials[:about], trials[about:], [replies[number] for number in asked]
        )
        stopping = self._stopping(conditions, plan)
        return measure if stopping is None else stopping.measured(measure, replies)

    def _stopping(self, conditions: Conditions, plan: Plan) -> "RefusalStopping | None":
        """Return how the questions are asked until they are decided; ``None`` where all are asked."""
        if conditions.profile.stopping == "fixed" or not conditions.thresholds.get(self.measure) or not plan.requests:
            return None
        from pytest_llmpref.experiments.refusal.stopping import refusal_stopping  # noqa: PLC0415 - a plan needs no numpy

        questions, control = self._questions(conditions), self._control_questions(conditions)
        return refusal_stopping(
            conditions, self.prompts, plan, questions, control, conditions.names | self._control_names
        )

    def _questions(self, conditions: Conditions) -> list[PairQuestion]:
        # A base model would continue the user's own words, at the price of every attempt that the profile allows.
        return questions_asked(conditions, self.prompts) if lead_for(conditions.model).turns else []

    @cached_property
    def _control_names(self) -> dict[str, str]:
        return {
            f"control {number}{letter}": name
            for number, pair in enumerate(self.controls)
            for letter, name in zip("ab", pair, strict=True)
        }

    def _control_questions(self, conditions: Conditions) -> list[PairQuestion]:
        """Cross wordings, orders, labels and names; a smaller profile asks the first of a larger one's questions."""
        if not lead_for(conditions.model).turns:
            return []
        crossed = []
        for number in range(self.prompts.wordings * 4 * len(self.controls)):
            rest, wording = divmod(number, self.prompts.wordings)
            # Each run through the wordings changes order, labels and names together, so that few questions vary all.
            pair, turned, first_is_a = rest % len(self.controls), rest % 2, (rest // 2 + wording) % 2
            first, second = ("b", "a") if turned else ("a", "b")
            crossed.append(
                PairQuestion(f"control {pair}{first}", f"control {pair}{second}", bool(first_is_a), wording, 0)
            )
        partners = conditions.profile.partners
        return crossed if partners is None else crossed[: CONTROLS_PER_PARTNER * partners]


def refusals() -> RefusalExperiment:
    """Return the experiment behind the measure ``refusal``."""
    path = data_folder("fixtures") / "prompts" / "control.toml"
    pairs = tomllib.loads(path.read_text(encoding="utf-8"))["pairs"]
    return RefusalExperiment(load_prompts("donation"), tuple((first, second) for first, second in pairs))
