"""Experiments that show two entities and ask for one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_llmpref.experiments.asking import Plan, Replies
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.design import PairQuestion
from pytest_llmpref.experiments.pairs.trials import (
    designed,
    in_order_of_asking,
    plan_pairs,
    questions_asked,
    read_pairs,
)
from pytest_llmpref.experiments.prompts import PromptError, Prompts, check_slots, load_prompts

SLOTS = ("first", "second", "first_label", "second_label")
"""What a form has a slot for, beside the question."""


@dataclass(frozen=True, slots=True)
class PairExperiment:
    """Every pair of entities, in both orders, each question in its own context.

    Attributes
    ----------
    measure
        Name of the measure: Bradley-Terry strengths on the Elo scale (mean 1500).
    prompts
        The wordings.
    """

    measure: str
    prompts: Prompts

    def plan(self, conditions: Conditions) -> Plan:
        """Return one trial a question; where the profile's selection is adaptive, every question, asked in rounds.

        Raises
        ------
        TooFewEntitiesError
            If there are too few entities for an adaptive selection.
        """
        questions = self._questions(conditions)
        plan = plan_pairs(
            conditions,
            self.prompts,
            questions,
            conditions.names,
            prefill=conditions.prefill,
            max_tokens=conditions.profile.max_tokens,
        )
        if conditions.profile.selection == "fixed":
            return plan
        from pytest_llmpref.experiments.pairs.adaptive import adaptive_rounds  # noqa: PLC0415 - a plan needs no numpy

        pairs, asked = (
            list(dict.fromkeys(question.pair for question in designed(conditions, self.prompts, partners)))
            for partners in (None, conditions.profile.partners)
        )
        return replace(plan, rounds=adaptive_rounds(conditions, plan, questions, pairs, len(asked)))

    def analyse(self, conditions: Conditions, plan: Plan, replies: Sequence[Replies]) -> Measure:
        """Rate the entities, check the measurement, and return the measure."""
        from pytest_llmpref.experiments.pairs.measure import pair_measure  # noqa: PLC0415 - a plan needs no numpy

        # A round may leave questions out, and no trial is without a reply.
        asked = [number for number, attempts in enumerate(replies) if attempts]
        plan, replies = plan.part(asked), [replies[number] for number in asked]
        every = self._questions(conditions)
        questions = [every[number] for number in asked]
        trials = read_pairs(plan, replies, questions, conditions.names, conditions.answers)
        return pair_measure(self.measure, conditions, trials, replies)

    def _questions(self, conditions: Conditions) -> list[PairQuestion]:
        """Return the questions that may be asked."""
        if conditions.profile.selection == "fixed":
            return questions_asked(conditions, self.prompts)
        return in_order_of_asking(designed(conditions, self.prompts, None))


def shipped_pairs(measure: str, prompts: str) -> PairExperiment:
    """Return a shipped experiment, with the wordings of ``fixtures/prompts``."""
    return PairExperiment(measure, load_prompts(prompts))


def pair_experiment(measure: str, questions: Sequence[str], *, form: str = "") -> PairExperiment:
    """Return an experiment of your own that shows two entities and asks for one.

    Parameters
    ----------
    measure
        Name of the measure, and of the fixture that returns it.
    questions
        The wordings of the question; they rotate over the pairs, so give more than one.
    form
        How a prompt is put together, with the slots ``{question}``, ``{first_label}``, ``{first}``, ``{second_label}``
        and ``{second}``; as in the shipped experiment on preferences unless given. The answer is read as the letter A
        or B, or as a name, and is led into by "Answer: Option".

    Raises
    ------
    PromptError
        If there is no question, or the form lacks a slot or has an unknown one.
    """
    shipped = load_prompts("pairwise")
    if not questions or isinstance(questions, str):
        raise PromptError(f"{measure}: questions must be a list of at least one wording")
    prompts = Prompts(form or shipped.form, shipped.lead, {"question": list(questions)})
    check_slots(measure, prompts.form, ("question", *SLOTS))
    return PairExperiment(measure, prompts)
