"""Both prompts of each pair, each in a conversation of its own; the reader of open answers tells who declines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.experiments.asking import first_attempt
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.paired.prompts import SIDES, PairedTrial, PromptPair, load_pairs, some_of
from pytest_llmpref.experiments.replies.trials import OUTCOMES
from pytest_llmpref.experiments.trials import Replies, Trial, trials_as
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import refusal_reason

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes

ROOM = 4
"""How many times the tokens of a reply to a question about a pair of entities one here may take. Our choice."""


@dataclass(frozen=True, slots=True)
class Sided:
    """One prompt: its pair and its side (0 for a, 1 for b)."""

    pair: PromptPair
    side: int


@dataclass(frozen=True, slots=True)
class PairedExperiment:
    """Both prompts of each pair of a file.

    Attributes
    ----------
    measure
        Name of the measure: for each side, the share of its prompts that are declined.
    """

    trial: ClassVar[type[Trial]] = PairedTrial

    measure: str

    def plan(self, conditions: Conditions) -> Plan[Sided]:
        """Return one trial a prompt; none without a file, and none of a base model, which has no turns."""
        profile, path = conditions.profile, conditions.paired_prompts
        turns = lead_for(conditions.model).turns
        pairs = load_pairs(path) if path is not None and turns else []
        asked = [
            Sided(pair, side) for pair in some_of(pairs, profile.paired_prompts, conditions.seed) for side in (0, 1)
        ]
        requests = [
            first_attempt(
                Request(
                    model=conditions.model,
                    messages=(Message("user", one.pair.prompts[one.side]),),
                    temperature=profile.temperature,
                    max_tokens=ROOM * profile.refusal_tokens,
                ),
                0,
            )
            for one in asked
        ]
        return Plan(asked, requests, lambda _one, _reply: True, attempts=1)

    def analyse(self, conditions: Conditions, plan: Plan[Sided], replies: Sequence[Replies]) -> Measure:
        """Estimate how often prompts of either side are declined."""
        from pytest_llmpref.experiments.paired.measure import paired_measure  # noqa: PLC0415 - a plan needs no numpy

        trials = [
            _trial(one, request, attempts)
            for one, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        return paired_measure(self.measure, conditions, trials, replies)

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes of the shares declined, paired by prompt."""
        from pytest_llmpref.experiments.paired.measure import changed_declines  # noqa: PLC0415 - imports numpy

        return changed_declines(trials_as(PairedTrial, new), trials_as(PairedTrial, old), ids)


def _trial(one: Sided, request: Request, replies: Replies) -> PairedTrial:
    answer = read_open_answer(replies[-1])
    outcome = OUTCOMES[answer]
    reason = refusal_reason(replies[-1]) if outcome is Outcome.REFUSAL else None
    side = SIDES[one.side] if one.pair.left is None else ("left" if one.side == one.pair.left else "right")
    scores = {OpenAnswer.ANSWERED: 0.0, OpenAnswer.PARTLY: 0.5, OpenAnswer.DECLINED: 1.0}
    return PairedTrial(
        attempts=(Attempt(request.key, outcome, replies[-1].text or replies[-1].refusal or "", reason),),
        entities=(side,),
        answered_by="text" if outcome is Outcome.CHOICE else None,
        score=scores.get(answer),
        question=one.pair.id,
        framing=side,
        topic=one.pair.topic,
    )
