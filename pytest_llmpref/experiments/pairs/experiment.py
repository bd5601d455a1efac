"""Experiments that show two entities and ask for one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.experiments.experiment import Conditions, Plan, measure_under
from pytest_llmpref.experiments.imported import ImportedRows, ImportedTrials, Takes
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, outcome_diagnostics
from pytest_llmpref.experiments.pairs.questions import (
    Form,
    PairQuestion,
    PairTrial,
    designed,
    in_order_of_asking,
    plan_pairs,
    questions_asked,
    read_pairs,
)
from pytest_llmpref.experiments.trials import PromptError, Prompts, Replies, Trial, check_slots, load_prompts, trials_as

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes

SLOTS = ("first", "second", "first_label", "second_label")
"""What a form has a slot for, beside the question."""


class AboutPairs:
    """An experiment whose trials are questions about pairs, and whose measure is a strength."""

    __slots__ = ()
    trial: ClassVar[type[Trial]] = PairTrial

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes of the strengths, paired by pair."""
        from pytest_llmpref.experiments.pairs.measure import changed_strengths  # noqa: PLC0415 - imports numpy

        return changed_strengths(trials_as(PairTrial, new), trials_as(PairTrial, old), ids)


@dataclass(frozen=True, slots=True)
class PairExperiment(AboutPairs):
    """Every pair of entities, in both orders, each question in its own context.

    Attributes
    ----------
    measure
        Name of the measure: Bradley-Terry strengths on the Elo scale (mean 1500).
    prompts
        The wordings.
    purpose
        What is asked, in one word. Experiments with different purposes draw their designs independently.
    """

    takes: ClassVar[Takes] = "choices"
    measure: str
    prompts: Prompts
    purpose: str

    def plan(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return one trial per question. Under adaptive selection, the plan holds all questions and asks in rounds.

        Raises
        ------
        TooFewEntitiesError
            If there are too few entities for an adaptive selection.
        """
        adaptive = conditions.profile.selection == "adaptive"
        partners = None if adaptive else conditions.profile.partners
        design = designed(conditions, self.prompts, partners, self.purpose)
        plan = plan_pairs(
            conditions,
            self.prompts,
            in_order_of_asking(design),
            conditions.names,
            prefill=conditions.prefill,
            max_tokens=conditions.profile.max_tokens,
        )
        if not adaptive:
            return plan
        from pytest_llmpref.experiments.pairs.adaptive import adaptive_rounds  # noqa: PLC0415 - a plan needs no numpy

        return replace(plan, rounds=adaptive_rounds(conditions, plan, [question.pair for question in design]))

    def analyse(self, conditions: Conditions, plan: Plan[PairQuestion], replies: Sequence[Replies]) -> Measure:
        """Rate the entities, check the measurement, and return the measure."""
        from pytest_llmpref.experiments.pairs.measure import pair_measure  # noqa: PLC0415 - a plan needs no numpy

        asked, replies = plan.asked(replies)
        trials = read_pairs(asked, replies, conditions.names, conditions.answers)
        return pair_measure(self.measure, conditions, trials, replies)

    def imported(self, conditions: Conditions, data: ImportedRows) -> ImportedTrials:
        """Return the plan that imported choices follow."""
        from pytest_llmpref.experiments.pairs.imported import imported_pairs  # noqa: PLC0415 - for imported models

        return imported_pairs(conditions, data)


def shipped_pairs(measure: str, prompts: str) -> PairExperiment:
    """Return a shipped experiment, with the wordings of ``fixtures/prompts``.

    Parameters
    ----------
    measure
        Name of the measure.
    prompts
        Name of the file in ``fixtures/prompts``.
    """
    return PairExperiment(measure, load_prompts(prompts), prompts)


def pair_experiment(measure: str, questions: Sequence[str], *, form: str = "") -> PairExperiment:
    """Return an experiment of your own that shows two entities and asks for one.

    Parameters
    ----------
    measure
        Name of the measure, and of the fixture that returns it.
    questions
        The wordings of the question; they rotate over the pairs, so give more than one.
    form
        Template of a prompt, with the slots ``{question}``, ``{first_label}``, ``{first}``, ``{second_label}`` and
        ``{second}``; by default, the one for preferences. The answer is read as the letter A or B, or as a name. The
        prefill is "Answer: Option".

    Raises
    ------
    PromptError
        If there is no question, or the form lacks a slot or has an unknown one.

    Examples
    --------
    >>> trust = pair_experiment("trust", ["Whom would you rather trust with a secret?"])
    >>> trust.measure
    'trust'
    """
    shipped = load_prompts("pairwise")
    if not questions or isinstance(questions, str):
        raise PromptError(f"{measure}: questions must be a list of at least one wording")
    prompts = Prompts(form or shipped.form, shipped.lead, {"question": list(questions)})
    check_slots(measure, prompts.form, ("question", *SLOTS))
    return PairExperiment(measure, prompts, measure)


FORMS = (
    Form("neutral", neutral=True, by_name=False),
    Form("by_name", neutral=False, by_name=True),
    Form("neutral_by_name", neutral=True, by_name=True),
)
"""Beside the usual one: two options, answered by letter."""
NEUTRAL = frozenset(form.name for form in FORMS if form.neutral)
"""Names of the forms in which favouring neither is an answer."""


@dataclass(frozen=True, slots=True)
class FormsExperiment(AboutPairs):
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

    def plan(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return one trial a question and form, form by form."""
        plans = [self._plan(conditions, form) for form in FORMS]
        return Plan(
            [question for plan in plans for question in plan.questions],
            [request for plan in plans for request in plan.requests],
            plans[0].is_valid,
            conditions.profile.attempts,
            plans[0].read,
            plans[0].labels,
        )

    def analyse(self, conditions: Conditions, plan: Plan[PairQuestion], replies: Sequence[Replies]) -> Measure:
        """Rate the entities over all forms; what matters here are the trials."""
        from pytest_llmpref.experiments.pairs.measure import (  # noqa: PLC0415 - a plan needs no numpy
            comparisons_of,
            strengths_of,
        )
        from pytest_llmpref.experiments.pairs.validity import formats_of  # noqa: PLC0415 - as above

        trials = read_pairs(plan, replies, conditions.names, "text")
        ids = list(conditions.groups)
        comparisons = comparisons_of(trials, ids)
        reasons = () if len(comparisons) else ("no trial ended in a choice",)
        return measure_under(
            self.measure,
            conditions,
            strengths_of(comparisons, ids),
            reasons,
            reliability=None,
            diagnostics=outcome_diagnostics(trials)
            | asking_diagnostics(replies)
            | {"reliability": None, "generalizability": formats_of(comparisons, trials)},
            trials=trials,
        )

    def _plan(self, conditions: Conditions, form: Form) -> Plan[PairQuestion]:
        prompts = load_prompts(self.prompts, form.name)
        return plan_pairs(
            conditions,
            prompts,
            questions_asked(conditions, prompts, self.prompts),
            conditions.names,
            prefill=conditions.prefill,
            max_tokens=conditions.profile.max_tokens,
            form=form,
        )
