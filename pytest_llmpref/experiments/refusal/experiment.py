"""Refusals: how often a model declines to advise, when nothing leads it into an answer.

The conversations are those of the donation advice, without the first words of an answer. Each is asked until the
answer is valid, and the attempts that this takes are the measure (arXiv 2602.18971); the form of the questions, the
control and the number of tokens are our choice.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.imported import NOT_TESTABLE, ImportedRows, ImportedTrials, Takes
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import PairQuestion, PairTrial, plan_pairs, questions_asked, read_pairs
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.prefill import lead_for

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes

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

    trial: ClassVar[type[Trial]] = PairTrial
    takes: ClassVar[Takes] = "choices"
    prompts: Prompts
    controls: tuple[tuple[str, str], ...]
    measure: str = "refusal"

    def plan(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return one trial a question: those about entities, then those of the control.

        Where the profile's stopping is sequential, and there is a claim to decide, they are asked in rounds.
        """
        names = conditions.names | self._control_names
        plan = plan_pairs(
            conditions,
            self.prompts,
            [*self._questions(conditions), *self._control_questions(conditions)],
            names,
            prefill="off",
            max_tokens=conditions.profile.refusal_tokens,
        )
        if conditions.profile.stopping == "fixed" or not conditions.thresholds.get(self.measure) or not plan.requests:
            return plan
        from pytest_llmpref.experiments.refusal.stopping import RefusalStopping  # noqa: PLC0415 - a plan needs no numpy

        return replace(plan, rounds=RefusalStopping(conditions, plan, names).rounds())

    def analyse(self, conditions: Conditions, plan: Plan[PairQuestion], replies: Sequence[Replies]) -> Measure:
        """Estimate how often the model refuses, for each entity and for the control."""
        from pytest_llmpref.experiments.refusal.measure import refusal_measure  # noqa: PLC0415 - a plan needs no numpy

        asked, answered = plan.asked(replies)
        trials = read_pairs(asked, answered, conditions.names | self._control_names, "text")
        about, control = (
            [trial for trial in trials if (trial.entities[0] in self._control_names) is control]
            for control in (False, True)
        )
        measure = refusal_measure(self.measure, conditions, about, control, answered)
        return plan.measured(measure, replies)

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes of the shares refused, paired by question."""
        from pytest_llmpref.experiments.refusal.measure import changed_refusals  # noqa: PLC0415 - imports numpy

        return changed_refusals(new, old, ids)

    def imported(self, conditions: Conditions, data: ImportedRows) -> ImportedTrials:
        """Return imported choices, and refusals to choose, as the plan that others asked; they have no control."""
        from pytest_llmpref.experiments.pairs.imported import imported_pairs  # noqa: PLC0415 - for imported models

        found = imported_pairs(conditions, data)
        return replace(found, untestable=(*found.untestable, f"control {NOT_TESTABLE}: the data have none"))

    def _questions(self, conditions: Conditions) -> list[PairQuestion]:
        # A base model would continue the user's own words, at the price of every attempt that the profile allows.
        if not lead_for(conditions.model).turns:
            return []
        return questions_asked(conditions, self.prompts, "donation")

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
