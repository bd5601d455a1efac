"""Pair experiments in other forms: with an option that favours neither, and with names for answers.

They are asked for one purpose: to see whether a finding hangs on the protocol (`experiments.protocols`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_llmpref.experiments.asking import Plan, Replies
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, outcome_diagnostics
from pytest_llmpref.experiments.pairs.trials import Form, plan_pairs, questions_asked, read_pairs
from pytest_llmpref.experiments.prompts import load_prompts
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.models.chat import Reply

FORMS = (
    Form("neutral", neutral=True, by_name=False),
    Form("by_name", neutral=False, by_name=True),
    Form("neutral_by_name", neutral=True, by_name=True),
)
"""Beside the usual one: two options, answered by letter."""
NEUTRAL = frozenset(form.name for form in FORMS if form.neutral)
"""Names of the forms in which favouring neither is an answer."""


@dataclass(frozen=True, slots=True)
class FormsExperiment:
    """The questions of a pair experiment, each asked in every form but the usual one.

    Attributes
    ----------
    measure
        Name of the measure: Bradley-Terry strengths on the Elo scale, over all forms together.
    prompts
        Name of the prompts.
    """

    measure: str
    prompts: str

    def plan(self, conditions: Conditions) -> Plan:
        """Return one trial a question and form, form by form."""
        plans = [self._plan(conditions, form) for form in FORMS]
        each = len(plans[0].requests)

        def is_valid(number: int, reply: Reply) -> bool:
            form, place = divmod(number, each)
            return plans[form].is_valid(place, reply)

        return Plan([request for plan in plans for request in plan.requests], is_valid, conditions.profile.attempts)

    def analyse(self, conditions: Conditions, plan: Plan, replies: Sequence[Replies]) -> Measure:
        """Rate the entities over all forms; what matters here are the trials."""
        from pytest_llmpref.experiments.pairs.measure import (  # noqa: PLC0415 - a plan needs no numpy
            comparisons_of,
            strengths_of,
        )

        trials = list[Trial]()
        for form in FORMS:
            questions = questions_asked(conditions, load_prompts(self.prompts, form.name))
            numbers = range(len(trials), len(trials) + len(questions))
            said = [replies[number] for number in numbers]
            trials += read_pairs(plan.part(numbers), said, questions, conditions.names, "text", form)
        ids = list(conditions.groups)
        comparisons = comparisons_of(trials, ids)
        reasons = () if len(comparisons) else ("no trial ended in a choice",)
        return Measure(
            name=self.measure,
            model=conditions.model,
            estimates={id_: one.marked(reasons) for id_, one in strengths_of(comparisons, ids).items()},
            groups=conditions.groups,
            reasons=reasons,
            reliability=None,
            diagnostics=outcome_diagnostics(trials) | asking_diagnostics(replies) | {"reliability": None},
            trials=trials,
        )

    def _plan(self, conditions: Conditions, form: Form) -> Plan:
        prompts = load_prompts(self.prompts, form.name)
        return plan_pairs(
            conditions,
            prompts,
            questions_asked(conditions, prompts),
            conditions.names,
            prefill=conditions.prefill,
            max_tokens=conditions.profile.max_tokens,
            form=form,
        )
