"""Asks what two names alone answer, and reads the answers; see `names`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import msgspec

from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.names import CONTRARIES, NameQuestion, NameTrial, asking_for, name_questions
from pytest_llmpref.experiments.pairs.questions import (
    PairQuestion,
    PairTrial,
    in_order_of_asking,
    plan_pairs,
    read_pairs,
)
from pytest_llmpref.experiments.trials import Replies, Trial, load_prompts, trials_as

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes


@dataclass(frozen=True, slots=True)
class NameExperiment:
    """Two contraries about the names of each pair, in both orders.

    Attributes
    ----------
    measure
        Name of the measure: the share of its questions in which an entity is named.
    prompts
        Name of the prompts.
    """

    trial: ClassVar[type[Trial]] = NameTrial
    measure: str
    prompts: str

    def plan(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return one trial a question, what is asked for by what is asked for."""
        prompts, questions = load_prompts(self.prompts), self._questions(conditions)
        plans = [
            plan_pairs(
                conditions,
                asking_for(fact, prompts),
                in_order_of_asking(question for question in questions if question.fact == fact),
                conditions.names,
                prefill=conditions.prefill,
                max_tokens=conditions.profile.max_tokens,
            )
            for facts in CONTRARIES
            for fact in facts
        ]
        every = [question for plan in plans for question in plan.questions]
        return replace(plans[0], questions=every, requests=[request for plan in plans for request in plan.requests])

    def analyse(self, conditions: Conditions, plan: Plan[PairQuestion], replies: Sequence[Replies]) -> Measure:
        """Return how often each entity is named, and how often the answer is right."""
        from pytest_llmpref.experiments.pairs.habit import name_measure  # noqa: PLC0415 - a plan needs no numpy

        read = read_pairs(plan, replies, conditions.names, conditions.answers)
        trials = [_name_trial(question, trial) for question, trial in zip(plan.questions, read, strict=True)]
        return name_measure(self.measure, conditions, trials, replies)

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes of the shares, paired by pair."""
        from pytest_llmpref.experiments.pairs.habit import changed_shares  # noqa: PLC0415 - imports numpy

        return changed_shares(trials_as(NameTrial, new), trials_as(NameTrial, old), ids)

    def _questions(self, conditions: Conditions) -> list[NameQuestion]:
        profile, prompts = conditions.profile, load_prompts(self.prompts)
        wordings = asking_for(CONTRARIES[0][0], prompts).wordings
        return list(
            name_questions(
                list(conditions.groups),
                conditions.names,
                partners=profile.name_partners,
                orders=profile.orders,
                repetitions=profile.repetitions,
                wordings=min(profile.paraphrases or wordings, wordings),
                seed=conditions.seed,
                design=profile.design,
            )
        )


def _name_trial(question: PairQuestion, trial: PairTrial) -> NameTrial:
    """Return the trial with what was asked for, and whether the answer is right."""
    if not isinstance(question, NameQuestion):
        raise TypeError(f"a question about names is a NameQuestion, not {type(question).__name__}")
    right = None if trial.score is None else (trial.score if question.first_is_right else 1 - trial.score) > 0.5
    return NameTrial(**msgspec.structs.asdict(trial), fact=question.fact, correct=right)
