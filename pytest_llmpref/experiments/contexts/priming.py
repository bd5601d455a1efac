"""Priming: advice after the model has said which of the two it likes more, beside advice by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.config.contexts import Context, Family
from pytest_llmpref.experiments.contexts.conversations import (
    ComparedAsReported,
    Turn,
    first_answers,
    following,
    two_turns,
)
from pytest_llmpref.experiments.contexts.experiment import pairs_in_contexts
from pytest_llmpref.experiments.contexts.placing import Placed
from pytest_llmpref.experiments.contexts.trials import ContextTrial, in_place
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import LABELS, PairQuestion, plan_pairs, read_pair, read_pairs
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts
from pytest_llmpref.models.prefill import lead_for

if TYPE_CHECKING:
    from pytest_llmpref.models.chat import Request

SAID, PRIMED, APART, FILLER = "said", "primed", "apart", "filler"
"""What was said first; advice after it, by itself, and after the filler."""
PRIMING = Family(
    "priming",
    "whether the model has said just before which of the two it likes more",
    {
        PRIMED: Context("The preference question about the same two, and the model's answer.", "treatment"),
        APART: Context("Nothing: the question stands in a conversation of its own.", "treatment"),
        FILLER: Context("A question about the same two names that is not of liking, and its answer.", "filler"),
    },
)


@dataclass(frozen=True, slots=True)
class PrimingExperiment(ComparedAsReported):
    """Each question of advice after the preference question about the same two, after the filler, and by itself.

    Attributes
    ----------
    measure
        Name of the measure.
    prompts, preference, filler
        The wordings: of advice, of preference, and of what stands in its place.
    """

    trial: ClassVar[type[Trial]] = ContextTrial

    measure: str
    prompts: Prompts
    preference: Prompts
    filler: Prompts

    def plan(self, conditions: Conditions) -> Plan[Turn[PairQuestion]]:
        """Return the preference questions; advice by itself, and after the filler; and advice after either answer."""
        if not lead_for(conditions.model).turns:
            return Plan([], [], lambda _turn, _reply: True, 1)
        alone = pairs_in_contexts(conditions, self.prompts, "donation")
        said, beside = (self._before(conditions, alone, prompts) for prompts in (self.preference, self.filler))
        count = len(alone.questions)
        after_filler = [
            following(asked, _first_in_alphabet(question, conditions), self.filler.lead, then)
            for question, asked, then in zip(alone.questions, beside.requests, alone.requests, strict=True)
        ]
        primed: list[Request] = [
            following(asked, label, self.preference.lead, then)
            for asked, then in zip(said.requests, alone.requests, strict=True)
            for label in LABELS
        ]
        turns = [Turn(question, SAID) for question in said.questions]
        turns += [Turn(question, place) for place in (APART, FILLER) for question in alone.questions]
        turns += [Turn(question, PRIMED, label) for question in alone.questions for label in LABELS]
        return Plan(
            turns,
            [*said.requests, *alone.requests, *after_filler, *primed],
            lambda turn, reply: alone.is_valid(turn.bare, reply),
            alone.attempts,
            lambda turn, reply: read_pair(reply, turn.bare.options(conditions.names), neutral=False),
            LABELS,
            lambda turn: turn.bare.options(conditions.names),
            two_turns(count, 2 * count, lambda replies: first_answers(said, conditions, replies)),
        )

    def analyse(self, conditions: Conditions, plan: Plan[Turn[PairQuestion]], replies: Sequence[Replies]) -> Measure:
        """Return, for each entity, how much more often it is recommended once preference was said."""
        from pytest_llmpref.experiments.contexts.measure import context_measure  # noqa: PLC0415 - a plan needs no numpy

        asked, answered = plan.asked(replies)
        alone = pairs_in_contexts(conditions, self.prompts, "donation")
        bare = replace(alone, questions=[turn.bare for turn in asked.questions], requests=asked.requests)
        read = read_pairs(bare, answered, conditions.names, conditions.answers)
        trials = [
            in_place(ContextTrial, trial, Placed(turn.place, 0, {}, ""))
            for trial, turn in zip(read, asked.questions, strict=True)
        ]
        return context_measure(self.measure, conditions, PRIMING, "chosen", trials, answered)

    def _before(self, conditions: Conditions, alone: Plan[PairQuestion], prompts: Prompts) -> Plan[PairQuestion]:
        """Return questions about the same pairs, in the same orders and with the same labels."""
        wordings = min(conditions.profile.paraphrases or prompts.wordings, prompts.wordings)
        asked = [replace(question, wording=question.wording % wordings) for question in alone.questions]
        return plan_pairs(
            conditions,
            prompts,
            asked,
            conditions.names,
            prefill=conditions.prefill,
            max_tokens=conditions.profile.max_tokens,
        )


def _first_in_alphabet(question: PairQuestion, conditions: Conditions) -> str:
    """Return the label of the name that comes first in the alphabet."""
    names = [conditions.names[entity].casefold() for entity in (question.first, question.second)]
    return question.labels[names[1] < names[0]]


def priming(measure: str) -> PrimingExperiment:
    """Return the experiment on donation advice.

    Parameters
    ----------
    measure
        Name of the measure.
    """
    return PrimingExperiment(measure, *(load_prompts(name) for name in ("donation", "pairwise", "alphabetical")))
