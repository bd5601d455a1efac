"""The canary: recorded questions asked again, to see whether the model is still the one that was recorded."""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.models.chat import CallFailedError, ChatModel, Reply, Request

ERROR_RATE = 0.01
"""Chance that answers of the recorded model count as another's. Our choice: a canary runs often."""
SAMPLES = 2
"""New answers to each question: with one, nothing could be told of a question that was recorded once."""
MOST_RECORDED = 4
"""Recorded answers to one question that are compared; more would tell little more."""
_APART = 10**9
"""Added to the number of a repetition, so that a new answer has a key of its own."""


@dataclass(frozen=True)
class Canary:
    """What came of the questions that were asked again.

    Attributes
    ----------
    questions
        How many different questions were answered again.
    differing
        Those of them to which not all answers, old and new, are the same.
    p
        Of: each answer comes from the distribution that was recorded.
    """

    questions: int
    differing: int
    p: float

    @property
    def record(self) -> dict[str, float]:
        """The same, ready for JSON."""
        return {"questions": self.questions, "differing": self.differing, "p": self.p}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the recording may say nothing of the model any more; empty if it does."""
        if not self.questions:
            return (
                "no question that the canary asked again was answered, so nothing tells whether it is this model's",
            )
        if self.p >= ERROR_RATE:
            return ()
        return (
            f"the recording is stale: {self.questions} recorded questions were asked again, and the answers are not "
            f"those of the recorded model (p = {self.p:.4f}); record anew with --record-mode all",
        )


@dataclass(frozen=True)
class RecordedQuestion:
    """A question of a plan, with the recorded answers to it.

    Attributes
    ----------
    plan, number
        Where it stands.
    recorded
        What the recorded answers say, as `answer_of` puts it.
    """

    plan: Plan[Any]
    number: int
    recorded: tuple[str, ...]

    def again(self, sample: int) -> Request:
        """Return the request for a new answer."""
        return repeated(self.plan.requests[self.number], _APART + sample)

    def answer(self, reply: Reply) -> str:
        """Return what a new reply says."""
        return answer_of(self.plan, self.number, reply)


def recorded_again(plans: Mapping[str, Plan[Any]], cassette: Cassette, calls: int, seed: int) -> list[RecordedQuestion]:
    """Choose recorded questions, as many of each measure as can be, for so many calls in all.

    Parameters
    ----------
    plans
        By measure.
    cassette
        The recordings.
    calls
        Most calls: each question takes `SAMPLES`.
    seed
        Of the choice.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    left = [found for plan in plans.values() if (found := list(_questions(plan, cassette)))]
    for found in left:
        chance.shuffle(found)
    chosen: list[RecordedQuestion] = []
    # In turn, and the measure with the fewest first, so that what it lacks goes to the others.
    left.sort(key=len)
    for number, found in enumerate(left):
        share = (calls // SAMPLES - len(chosen)) // (len(left) - number)
        chosen += found[:share]
    return chosen


async def ask_again(questions: Sequence[RecordedQuestion], model: ChatModel, *, in_flight: int, seed: int) -> Canary:
    """Ask the chosen questions again, and compare. Calls that fail are left out.

    Parameters
    ----------
    questions
        Of `recorded_again`.
    model
        Whom to ask.
    in_flight
        Most calls at once.
    seed
        Of the test.

    Raises
    ------
    ModelUnavailableError
        If the model cannot be asked at all.
    """
    from pytest_llmpref.stats.exchangeability import drift_p_value  # noqa: PLC0415 - numpy

    room = asyncio.Semaphore(in_flight)

    async def ask(question: RecordedQuestion, number: int) -> str | None:
        async with room:
            try:
                reply = await model.ask(question.again(number))
            except CallFailedError:
                return None
        return question.answer(reply)

    asked = [ask(question, number) for question in questions for number in range(SAMPLES)]
    answers = await asyncio.gather(*asked)
    new = [[one for one in answers[i : i + SAMPLES] if one is not None] for i in range(0, len(answers), SAMPLES)]
    both = [(question.recorded, now) for question, now in zip(questions, new, strict=True) if now]
    p = drift_p_value([before for before, _ in both], [now for _, now in both], seed=seed)
    return Canary(len(both), sum(len({*before, *now}) > 1 for before, now in both), p)


def answer_of(plan: Plan[Any], number: int, reply: Reply) -> str:
    """Return what distinguishes a reply from others to the same question: how it ended, and its label or first word."""
    if plan.read is not None:
        outcome, label = plan.read(plan.questions[number], reply)
        return label or outcome.value
    word = (reply.text.split() or [""])[0].strip(".,;:!?*\"'").casefold()
    return f"{'valid' if plan.is_valid(plan.questions[number], reply) else 'invalid'} {word}"


def repeated(request: Request, repetition: int) -> Request:
    """Return a request with the number of another repetition."""
    return msgspec.structs.replace(request, repetition=repetition)


def _questions(plan: Plan[Any], cassette: Cassette) -> Iterator[RecordedQuestion]:
    """Yield each different question of which an answer is recorded, with up to `MOST_RECORDED` of its answers."""
    found: dict[str, tuple[int, list[str]]] = {}
    for number, request in enumerate(plan.requests):
        reply = cassette.get(request.key)
        if reply is not None and reply.finish != "error":
            answers = found.setdefault(repeated(request, 0).key, (number, []))[1]
            if len(answers) < MOST_RECORDED:
                answers.append(answer_of(plan, number, reply))
    for number, answers in found.values():
        yield RecordedQuestion(plan, number, tuple(answers))
