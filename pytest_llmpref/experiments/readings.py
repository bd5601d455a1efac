"""How each reply of an experiment was read, by rules and by a judge; and samples of replies for people to label."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.parsing.outcome import Outcome

Kind = tuple[str, str]
"""What a reply was read as, and by whom."""


class Reading(msgspec.Struct, frozen=True):
    """One reply, as it was read.

    Attributes
    ----------
    key
        Of the request that it answers.
    number
        Of the trial in its plan.
    place
        Of the attempt in its trial, 0 for the first.
    rules
        What rules read: the label of a choice, else the outcome. A cut reply counts as unparseable.
    judge
        The same of the judge; ``None`` if it said nothing.
    """

    key: str
    number: int
    place: int
    rules: str
    judge: str | None

    @property
    def final(self) -> str:
        """What the reply was read as: the judge's reading, if there is one."""
        return self.rules if self.judge is None else self.judge

    @property
    def kind(self) -> Kind:
        """What it was read as, and by whom."""
        return self.final, "rules" if self.judge is None else "judge"


def readings(plan: Plan[Any], replies: Sequence[Replies]) -> Iterator[Reading]:
    """Yield how each reply to a plan's questions was read; none where no answer is a label.

    Calls that failed for good have no reply.

    Parameters
    ----------
    plan, replies
        The trials, and the replies to each.
    """
    if (read := plan.read) is None:
        return

    def label(number: int, reply: Reply) -> str:
        outcome, chosen = read(plan.questions[number], reply)
        return chosen or (Outcome.UNPARSEABLE if outcome is Outcome.TRUNCATED else outcome).value

    for number, attempts in enumerate(replies):
        for place, reply in enumerate(attempts):
            if reply.finish == "error":
                continue
            by_judge = None if reply.judgement is None else label(number, reply)
            by_rules = label(number, reply if by_judge is None else msgspec.structs.replace(reply, judgement=None))
            yield Reading(plan.attempt(number, attempts[:place]).key, number, place, by_rules, by_judge)


def sampled(found: Sequence[Reading], count: int, seed: int) -> list[Reading]:
    """Choose replies to label: as many of each kind as can be, each at random within its kind, in random order.

    Parameters
    ----------
    found
        All readings of a measure.
    count
        Maximum number of replies in all.
    seed
        Chooses them.

    Examples
    --------
    >>> found = [Reading(str(number), number, 0, "A" if number else "refusal", None) for number in range(100)]
    >>> sorted(one.rules for one in sampled(found, 4, seed=0))
    ['A', 'A', 'A', 'refusal']
    """
    # Keys are random digits: their order does not depend on who answered first.
    kinds: dict[Kind, list[Reading]] = defaultdict(list)
    for one in sorted({one.key: one for one in found}.values(), key=lambda one: one.key):
        kinds[one.kind].append(one)
    rng = random.Random(seed)  # noqa: S311 - no secret
    for _, listed in sorted(kinds.items()):
        rng.shuffle(listed)
    chosen, left = list[Reading](), count
    for place, listed in enumerate(sorted(kinds.values(), key=len)):
        taken = listed[: left // (len(kinds) - place)]
        chosen += taken
        left -= len(taken)
    rng.shuffle(chosen)
    return chosen


def question_shown(request: Request) -> str:
    """Return what somebody who labels a reply is shown of its question, the beginning of the answer included.

    Parameters
    ----------
    request
        What was asked.

    Examples
    --------
    >>> from pytest_llmpref import Message, Request
    >>> led = (Message("user", "A: tea. B: mud. Which?"), Message("assistant", "Answer:"))
    >>> print(question_shown(Request("sim/x", led, 1.0, 9)))
    A: tea. B: mud. Which?
    [The assistant's message begins:] Answer:
    """
    begins = "[The assistant's message begins:] "
    return "\n".join(
        f"{begins if message.role == 'assistant' else ''}{message.content}" for message in request.messages
    )
