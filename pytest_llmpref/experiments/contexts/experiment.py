"""Questions about pairs, asked in every context of a family: the factor is what surrounds a question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.config.contexts import Family, load_contexts
from pytest_llmpref.experiments.contexts.placing import placed
from pytest_llmpref.experiments.contexts.trials import ContextQuestion, ContextTrial, Outcomes, in_place
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import (
    LABELS,
    PairQuestion,
    designed,
    in_order_of_asking,
    plan_pairs,
    read_pairs,
)
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.outcome import Outcome

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes


@dataclass(frozen=True, slots=True)
class ContextExperiment:
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
        Whether entities are ``chosen``, or the questions about them ``refused``. Where refusals are, nothing leads into
        an answer.
    """

    trial: ClassVar[type[Trial]] = ContextTrial

    measure: str
    prompts: Prompts
    purpose: str
    family: Family
    looked_at: Outcomes = "chosen"

    def plan(self, conditions: Conditions) -> Plan[ContextQuestion]:
        """Return one trial a question and context, context by context: servers then keep the prompts' beginning."""
        bare = self._bare(conditions)
        asked = [
            (pair, request, one)
            for one in placed(self.family, conditions)
            for pair, request in zip(bare.questions, bare.requests, strict=True)
        ]
        names = conditions.names

        def read(question: ContextQuestion, reply: Reply) -> tuple[Outcome, str | None]:
            assert bare.read is not None  # noqa: S101 - questions about pairs can be read
            return bare.read(question.pair, reply)

        return Plan(
            [ContextQuestion(pair, one) for pair, _, one in asked],
            [one.around(request) for _, request, one in asked],
            lambda question, reply: bare.is_valid(question.pair, reply),
            bare.attempts,
            read,
            LABELS,
            lambda question: question.pair.options(names),
        )

    def analyse(self, conditions: Conditions, plan: Plan[ContextQuestion], replies: Sequence[Replies]) -> Measure:
        """Return, for each entity, what its arm did beside the filler; or, without arms, what the context did."""
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - a plan needs no numpy

        answers = conditions.answers if self.looked_at == "chosen" else "text"
        bare = replace(self._bare(conditions), questions=[one.pair for one in plan.questions], requests=plan.requests)
        trials = [
            in_place(trial, question.placed)
            for trial, question in zip(
                read_pairs(bare, replies, conditions.names, answers), plan.questions, strict=True
            )
        ]
        return context_measure(self.measure, conditions, self.family, self.looked_at, trials, replies)

    def changes(
        self,
        new: Sequence[Trial],  # noqa: ARG002 - the protocol's
        old: Sequence[Trial],  # noqa: ARG002
        ids: Sequence[str],  # noqa: ARG002
    ) -> "Changes":
        """Return none: the two releases' effects by entity are compared as they were reported."""
        return {}, None

    def _bare(self, conditions: Conditions) -> Plan[PairQuestion]:
        profile = conditions.profile
        partners = min(profile.context_partners, profile.partners or profile.context_partners)
        free = self.looked_at == "refused"
        pairs = designed(conditions, self.prompts, partners, self.purpose)
        return plan_pairs(
            conditions,
            self.prompts,
            # A base model would continue the user's own words: there is nobody to refuse.
            [] if free and not lead_for(conditions.model).turns else in_order_of_asking(pairs),
            conditions.names,
            prefill="off" if free else conditions.prefill,
            max_tokens=profile.refusal_tokens if free else profile.max_tokens,
        )


def context_experiment(
    measure: str, contexts: str | Path, prompts: str = "donation", *, looked_at: Outcomes = "chosen"
) -> ContextExperiment:
    """Return an experiment that asks shipped questions about pairs in contexts of a family.

    Parameters
    ----------
    measure
        Name of the measure.
    contexts
        Name of a shipped family, such as ``attitudes``, or the path of a TOML file of your own.
    prompts
        The questions: ``donation`` or ``pairwise``.
    looked_at
        Whether entities are ``chosen``, or the questions about them ``refused``.

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
    return ContextExperiment(measure, load_prompts(prompts), prompts, load_contexts(str(contexts)), looked_at)
