"""Questions that are asked in every context of a family: the factor is what surrounds a question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from pytest_llmpref.config.contexts import Family, load_contexts
from pytest_llmpref.experiments.contexts.placing import placed
from pytest_llmpref.experiments.contexts.trials import (
    ContextQuestion,
    ContextReadingTrial,
    ContextTrial,
    InContext,
    Outcomes,
    in_place,
)
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import (
    PairQuestion,
    designed,
    in_order_of_asking,
    plan_pairs,
    read_pairs,
)
from pytest_llmpref.experiments.participants import alternating
from pytest_llmpref.experiments.reading.experiment import ENTITY, BoolQExperiment, boolq
from pytest_llmpref.experiments.reading.trials import Framed, read_trial
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts, trials_as
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.logprobs import use_logprobs
from pytest_llmpref.parsing.yes_no import LABELS as YES_NO

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes


Bare = TypeVar("Bare")


def in_every_context(bare: Plan[Bare], family: Family, conditions: Conditions) -> Plan[ContextQuestion[Bare]]:
    """Return a plan that asks the same questions in every context and drawing.

    Context by context: servers then keep the prompts' beginning.

    Parameters
    ----------
    bare
        The questions by themselves.
    family
        Of the contexts.
    conditions
        Of the study.
    """
    asked = [
        (question, request, one)
        for one in placed(family, conditions)
        for question, request in zip(bare.questions, bare.requests, strict=True)
    ]

    read, options = bare.read, bare.options
    return Plan(
        [ContextQuestion(question, one) for question, _, one in asked],
        [one.around(request) for _, request, one in asked],
        lambda question, reply: bare.is_valid(question.bare, reply),
        bare.attempts,
        None if read is None else lambda question, reply: read(question.bare, reply),
        bare.labels,
        None if options is None else lambda question: options(question.bare),
    )


class ComparedByArms:
    """An experiment in contexts that compares two releases by the change in the effect of the arms."""

    __slots__ = ()

    trial: ClassVar[type[Trial]]

    def changes(
        self,
        new: Sequence[Trial],
        old: Sequence[Trial],
        ids: Sequence[str],  # noqa: ARG002 - the protocol's
    ) -> "Changes":
        """Return the change of the arms' effect; effects by entity are compared as they were reported."""
        from pytest_llmpref.experiments.contexts.releases import changed_effect  # noqa: PLC0415 - imports numpy

        both = (cast("Sequence[InContext]", trials_as(self.trial, trials)) for trials in (new, old))
        return {}, changed_effect(*self.compared(), *both)

    def compared(self) -> tuple[Family, Outcomes]:
        """Return the contexts, and what is looked at in them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ContextExperiment(ComparedByArms):
    """The same questions in every context of a family, and under every assignment of it.

    Attributes
    ----------
    measure
        Name of the measure.
    prompts
        The wordings.
    purpose
        As in `experiments.pairs.PairExperiment`.
    family
        The contexts.
    looked_at
        What is counted: entities that are ``chosen``, or questions that are ``refused``. There is no prefill if
        refusals are counted.
    """

    trial: ClassVar[type[Trial]] = ContextTrial

    measure: str
    prompts: Prompts
    purpose: str
    family: Family
    looked_at: Outcomes = "chosen"

    def plan(self, conditions: Conditions) -> Plan[ContextQuestion[PairQuestion]]:
        """Return one trial a question and context."""
        return in_every_context(self.bare(conditions), self.family, conditions)

    def analyse(
        self, conditions: Conditions, plan: Plan[ContextQuestion[PairQuestion]], replies: Sequence[Replies]
    ) -> Measure:
        """Return, for each entity, the effect of its arm or, without arms, of the context, relative to the filler."""
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - a plan needs no numpy

        answers = conditions.answers if self.looked_at == "chosen" else "text"
        bare = replace(self.bare(conditions), questions=[one.bare for one in plan.questions], requests=plan.requests)
        read = read_pairs(bare, replies, conditions.names, answers)
        trials = [
            in_place(ContextTrial, trial, question.placed) for trial, question in zip(read, plan.questions, strict=True)
        ]
        return context_measure(self.measure, conditions, self.family, self.looked_at, trials, replies)

    def compared(self) -> tuple[Family, Outcomes]:
        """Return the contexts, and what is looked at in them."""
        return self.family, self.looked_at

    def bare(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return the questions by themselves."""
        return pairs_in_contexts(conditions, self.prompts, self.purpose, free=self.looked_at == "refused")


def pairs_in_contexts(
    conditions: Conditions, prompts: Prompts, purpose: str, *, free: bool = False
) -> Plan[PairQuestion]:
    """Return the questions about pairs that are asked in each context, by themselves.

    Parameters
    ----------
    conditions, prompts
        Of the study, and the wordings.
    purpose
        As in `pair_questions`.
    free
        Whether to ask without a prefill, so that the model can refuse.
    """
    profile = conditions.profile
    partners = min(profile.context_partners, profile.partners or profile.context_partners)
    pairs = designed(conditions, prompts, partners, purpose)
    return plan_pairs(
        conditions,
        prompts,
        # A base model would continue the user's own words: there is nobody to refuse.
        [] if free and not lead_for(conditions.model).turns else in_order_of_asking(pairs),
        conditions.names,
        prefill="off" if free else conditions.prefill,
        max_tokens=profile.refusal_tokens if free else profile.max_tokens,
    )


@dataclass(frozen=True, slots=True)
class ContextReading(ComparedByArms):
    """Yes/no questions whose right answers help an entity, in every context of a family.

    Each entity has questions of its own, as many as it is compared with others in a context: the same in all contexts
    and drawings, so that how hard they are cancels out.

    Attributes
    ----------
    measure
        Name of the measure.
    reading
        How the questions are put.
    family
        The contexts.
    """

    trial: ClassVar[type[Trial]] = ContextReadingTrial

    measure: str
    reading: BoolQExperiment
    family: Family

    def plan(self, conditions: Conditions) -> Plan[ContextQuestion[Framed]]:
        """Return one trial a question, entity and context."""
        return in_every_context(self.reading.posed(conditions, self._framed(conditions)), self.family, conditions)

    def analyse(
        self, conditions: Conditions, plan: Plan[ContextQuestion[Framed]], replies: Sequence[Replies]
    ) -> Measure:
        """Return, for each entity, how often answers that help it are right in its arm, relative to the filler."""
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - a plan needs no numpy

        by_logprobs = use_logprobs(conditions.answers, replies, YES_NO)
        trials = [
            in_place(
                ContextReadingTrial,
                read_trial(question.bare, request, attempts, by_logprobs=by_logprobs),
                question.placed,
            )
            for question, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        return context_measure(self.measure, conditions, self.family, "right", trials, replies)

    def compared(self) -> tuple[Family, Outcomes]:
        """Return the contexts; accuracy is looked at in them."""
        return self.family, "right"

    def _framed(self, conditions: Conditions) -> list[Framed]:
        """Return the questions of each entity: its own stretch of all, half of which have the answer yes."""
        items = {item.id: item for item in conditions.items.items}
        order = alternating({id_: item.answer for id_, item in items.items()}, None, conditions.seed)
        wordings = min(
            conditions.profile.paraphrases or len(self.reading.forms[ENTITY]), len(self.reading.forms[ENTITY])
        )
        return [
            # By twos, as in `BoolQExperiment`.
            Framed(items[order[(2 * place + step) % len(order)]], (place + step // 2) % wordings, ENTITY, entity)
            for place, entity in enumerate(conditions.groups)
            for step in range(min(conditions.profile.context_partners, len(order)))
        ]


def context_reading(measure: str, contexts: str | Path) -> ContextReading:
    """Return an experiment that asks the reading questions in a family of contexts.

    Parameters
    ----------
    measure
        Name of the measure.
    contexts
        As in `context_experiment`.

    Raises
    ------
    ContextError
        If the family cannot be used.

    Examples
    --------
    >>> from pytest_llmpref import context_reading
    >>> context_reading("mine", "attitudes").family.filler
    'filler'
    """
    return ContextReading(measure, boolq(), load_contexts(str(contexts)))


def context_experiment(
    measure: str, contexts: str | Path, prompts: str = "donation", *, looked_at: Outcomes = "chosen"
) -> ContextExperiment:
    """Return an experiment that asks the shipped questions about pairs in a family of contexts.

    Parameters
    ----------
    measure
        Name of the measure.
    contexts
        Name of a shipped family, such as ``attitudes``, or the path of a TOML file of your own.
    prompts
        The questions: ``donation`` or ``pairwise``.
    looked_at
        What is counted: entities that are ``chosen``, or questions that are ``refused``.

    Raises
    ------
    ContextError
        If the family cannot be used.

    Examples
    --------
    >>> from pytest_llmpref import context_experiment
    >>> context_experiment("mine", "pressure").family.filler
    'filler'
    """
    family = load_contexts(str(contexts), refusals=looked_at == "refused")
    return ContextExperiment(measure, load_prompts(prompts), prompts, family, looked_at)
