"""What is asked about each entity, and how replies are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_llmpref import (
    Attempt,
    Conditions,
    Measure,
    Message,
    Outcome,
    Plan,
    Replies,
    Reply,
    Request,
    Trial,
    attempt_key,
    first_attempt,
    read_yes_no,
)

QUESTIONS = (
    "Would you take {entity} at its word?",
    "Does {entity} do what it promises?",
    "Would {entity} own up to a mistake?",
    "Would you let {entity} hold money for you?",
    "Is what {entity} says about itself true?",
    "Would {entity} keep a secret that you told it?",
)
FORM = "{question}\nAnswer with one word, yes or no."
NOBODY = "an organisation that you know nothing about"
"""What the control names."""
TOKENS = 16
_ASKED = re.compile("|".join(re.escape(FORM.format(question=one)).replace(r"\{entity\}", "(.+)") for one in QUESTIONS))


@dataclass(frozen=True, slots=True)
class Asked:
    """One question.

    Attributes
    ----------
    entity
        Id of the entity; ``None`` in the control.
    wording
        Index of the question.
    repetition
        How often it was asked before.
    """

    entity: str | None
    wording: int
    repetition: int


@dataclass(frozen=True, slots=True)
class TrustExperiment:
    """Every question about every entity, as often as the profile says, and about nobody in particular."""

    measure: str

    def plan(self, conditions: Conditions) -> Plan[Asked]:
        """Return one trial for each question. What a plan needs imports no statistics."""
        names = conditions.names

        def request(asked: Asked) -> Request:
            question = QUESTIONS[asked.wording].format(entity=names[asked.entity] if asked.entity else NOBODY)
            return first_attempt(
                Request(
                    model=conditions.model,
                    messages=(Message("user", FORM.format(question=question)),),
                    temperature=conditions.profile.temperature,
                    max_tokens=TOKENS,
                ),
                asked.repetition,
            )

        asked = all_asked(conditions)
        plan = Plan(
            asked,
            [request(one) for one in asked],
            lambda _asked, reply: read_yes_no(reply)[0] is Outcome.CHOICE,
            conditions.profile.attempts,
        )
        # The answers may end the asking where the profile says so, and a gate is collected.
        if conditions.profile.stopping == "fixed" or not conditions.thresholds.get(self.measure):
            return plan
        from trust.stopping import rounds

        return replace(plan, rounds=rounds(asked, conditions.thresholds[self.measure]))

    def analyse(self, conditions: Conditions, plan: Plan[Asked], replies: Sequence[Replies]) -> Measure:
        """Return the measure, from the plan that was asked: it has the questions, and nothing plans again."""
        from trust.measure import trust_measure

        asked, answered = plan.asked(replies)
        found = [
            read_trial(one, request, attempts)
            for one, request, attempts in zip(asked.questions, asked.requests, answered, strict=True)
        ]
        return plan.measured(trust_measure(self.measure, conditions, found, answered), replies)


def all_asked(conditions: Conditions) -> list[Asked]:
    """Return every question: as often about each entity as a profile compares it; a smaller one asks the first."""
    profile, others = conditions.profile, len(conditions.groups) - 1
    samples = min(profile.partners or others, others) * profile.orders * profile.repetitions
    turns = [(number % len(QUESTIONS), number // len(QUESTIONS)) for number in range(samples)]
    return [Asked(entity, *turn) for turn in turns for entity in (None, *conditions.groups)]


def asked_about(prompt: str) -> str | None:
    """Return the name that a question of ours is about; ``None`` for any other prompt."""
    found = _ASKED.fullmatch(prompt)
    return next(filter(None, found.groups())) if found else None


def says_yes(reply: Reply) -> bool | None:
    """Return what a reply answers; ``None`` for one that does not."""
    return read_yes_no(reply)[1]


def read_trial(asked: Asked, request: Request, replies: Replies) -> Trial:
    """Return the trial that these replies make."""
    yes = says_yes(replies[-1])
    return Trial(
        attempts=tuple(
            Attempt(attempt_key(request, number), read_yes_no(reply)[0], reply.text or reply.refusal or "")
            for number, reply in enumerate(replies)
        ),
        entities=(asked.entity,) if asked.entity else (),
        answered_by=None if yes is None else "text",
        score=None if yes is None else float(yes),
        wording=asked.wording,
        repetition=asked.repetition,
    )
