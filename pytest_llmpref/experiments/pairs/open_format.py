"""Open questions about pairs: no labels, no request for a letter, and a user who insists once.

The reader of other replies reads them, or a judge. So a finding can be had in two formats, and compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.experiment import AboutPairs
from pytest_llmpref.experiments.pairs.questions import (
    Form,
    PairQuestion,
    plan_pairs,
    questions_asked,
    read_pairs,
)
from pytest_llmpref.experiments.trials import Replies, load_prompts
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.parsing.thinking import without_thinking

OPEN = Form("open", neutral=False, by_name=True, labelled=False)
INSISTS = "Please pick one."
"""What the user says once to a reply that chooses neither."""
ATTEMPTS = 2
"""The open question, and the one in which the user insists."""
ROOM = 4
"""How many times the tokens of a reply to a question that asks for a letter an open one may take. Our choice."""


@dataclass(frozen=True, slots=True)
class OpenExperiment(AboutPairs):
    """The questions of a pair experiment, asked openly; where the reply chooses neither, the user insists.

    Attributes
    ----------
    measure
        Name of the measure: Bradley-Terry strengths on the Elo scale, from what was chosen in the end.
    prompts
        Name of the prompts.
    """

    measure: str
    prompts: str

    def plan(self, conditions: Conditions) -> Plan[PairQuestion]:
        """Return one trial a question: the pairs, orders and wordings of the constrained one; none of a base model."""
        prompts = load_prompts(self.prompts, OPEN.name)
        turns = lead_for(conditions.model).turns
        plan = plan_pairs(
            conditions,
            prompts,
            # A base model would continue the user's own words.
            questions_asked(conditions, prompts, self.prompts) if turns else [],
            conditions.names,
            prefill="off",
            max_tokens=ROOM * conditions.profile.refusal_tokens,
            form=OPEN,
        )
        return replace(plan, attempts=ATTEMPTS, follow=insisting)

    def analyse(self, conditions: Conditions, plan: Plan[PairQuestion], replies: Sequence[Replies]) -> Measure:
        """Rate the entities, check the measurement, and return the measure."""
        from pytest_llmpref.experiments.pairs.measure import pair_measure  # noqa: PLC0415 - a plan needs no numpy

        return pair_measure(self.measure, conditions, read_pairs(plan, replies, conditions.names, "text"), replies)


def insisting(first: Request, replies: Sequence[Reply]) -> Request:
    """Return the conversation so far, in which the user insists; the question again if the reply was empty.

    Parameters
    ----------
    first
        The open question.
    replies
        Those to it.

    Examples
    --------
    >>> from pytest_llmpref import Message, Reply, Request
    >>> asked = Request("sim/x", (Message("user", "Tea or coffee?"),), 1.0, 9)
    >>> [message.content for message in insisting(asked, [Reply("Both are nice.", "stop")]).messages]
    ['Tea or coffee?', 'Both are nice.', 'Please pick one.']
    """
    said = without_thinking(replies[-1].text).strip()
    if not said:
        return msgspec.structs.replace(first, repetition=first.repetition + len(replies))
    return msgspec.structs.replace(
        first, messages=(*first.messages, Message("assistant", said), Message("user", INSISTS))
    )
