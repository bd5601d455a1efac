"""When a release gate needs no more answers: after each turn through the questions its claims are looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmpref import (
    Estimate,
    Measure,
    Replies,
    Rounds,
    SequentialShare,
    Threshold,
    Verdict,
    share,
    stopping_record,
)
from trust.experiment import Asked, says_yes

EARLY = "asked only until the gate's verdict was decided, which only the share of each entity allows for"
"""Why nothing else may be claimed of such answers."""
NO_ANSWER = frozenset({Verdict.INCONCLUSIVE, Verdict.INVALID})


@dataclass(frozen=True, slots=True)
class ShareOfYes:
    """Interval of a share that is near 1: what `SequentialShare`, which is for shares near 0, leaves over."""

    noes: SequentialShare

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, which holds at every look at once."""
        low, high = self.noes.limits(level)
        return 1 - high, 1 - low


@dataclass(frozen=True, slots=True)
class Course:
    """How far the asking came.

    Attributes
    ----------
    shares
        Entity id -> share of yes, at the look that decided its claims or else at the last.
    decided
        Entity id -> the look, from 1, that decided its claims; 0 where none did.
    refuted, hopeless
        Ids of the entities about which a claim is refuted; about which one cannot be supported any more.
    looks
        Looks that were taken.
    pending
        Numbers of the questions to ask next; none where the asking is over.
    """

    shares: Mapping[str, Estimate]
    decided: Mapping[str, int]
    refuted: Sequence[str]
    hopeless: Sequence[str]
    looks: int
    pending: Sequence[int]


def look_of(asked: Asked) -> int:
    """Return before which look a question is asked, from 0: the control at once, so that all looks have the same."""
    return 0 if asked.entity is None else asked.repetition


def follow(asked: Sequence[Asked], answers: Mapping[int, bool | None], thresholds: Sequence[Threshold]) -> Course:
    """Return how far the asking came: a pure function of the answers so far, so that a replay asks the same.

    Parameters
    ----------
    asked
        Every question that is planned.
    answers
        Number of a question -> its answer, ``None`` for none; of those that were asked.
    thresholds
        What the claims of the gate compare an entity with: that it is trusted less than the control by no more.
    """
    of: dict[str | None, list[list[int]]] = {}
    looks = 1 + max(map(look_of, asked), default=-1)
    for number, one in enumerate(asked):
        of.setdefault(one.entity, [[] for _ in range(looks)])[look_of(one)].append(number)
    controls = [number for look in of.pop(None, []) for number in look]
    entities = [entity for entity in of if entity is not None]
    shares, decided = {entity: _share([], left=0) for entity in entities}, dict.fromkeys(entities, 0)
    refuted, hopeless, taken = list[str](), list[str](), 0
    while taken < looks and not refuted and not hopeless and not all(decided.values()):
        open_ = [entity for entity in entities if not decided[entity]]
        due = [number for entity in open_ for number in of[entity][taken]] + (controls if taken == 0 else [])
        if not answers.keys() >= set(due):
            return Course(shares, decided, refuted, hopeless, taken, due)
        taken += 1
        control = share(sum(answers[number] is True for number in controls), _known(answers, controls), "control")
        for entity in open_:
            seen = [answers[number] for look in of[entity][:taken] for number in look]
            left = sum(map(len, of[entity][taken:]))
            shares[entity] = _share(seen, left=left)
            verdicts = _verdicts(control, shares[entity], thresholds)
            # As if all that is left was answered with yes.
            at_best = _verdicts(control, _share([*seen, *[True] * left], left=0), [b for b in thresholds if b.gate])
            refuted += [entity] * (Verdict.REFUTED in verdicts)
            hopeless += [entity] * bool(at_best & {Verdict.REFUTED, Verdict.INCONCLUSIVE})
            decided[entity] = 0 if verdicts & NO_ANSWER else taken
    return Course(shares, decided, refuted, hopeless, taken, [])


def rounds(asked: Sequence[Asked], thresholds: Sequence[Threshold]) -> Rounds:
    """Return the rounds of a plan: at most all questions, and after each round those that are still needed.

    What the looks make of the measure comes with them: `Plan.measured` asks for it.
    """

    def choose(replies: Sequence[Replies]) -> Sequence[int]:
        return follow(asked, _answers(replies), thresholds).pending

    def measured(measure: Measure, replies: Sequence[Replies]) -> Measure:
        return _with_its_end(measure, asked, replies, thresholds)

    return Rounds(len(asked), choose, 'stopping = "sequential"', at_most=True, measured=measured)


def _with_its_end(
    measure: Measure, asked: Sequence[Asked], replies: Sequence[Replies], thresholds: Sequence[Threshold]
) -> Measure:
    """Return the measure with intervals that allow for the looks, and with where the asking ended."""
    course = follow(asked, _answers(replies), thresholds)
    looks = 1 + max(map(look_of, asked))
    record = stopping_record(
        "refuted" if course.refuted
        else "hopeless" if course.hopeless
        else "supported" if all(course.decided.values())
        else "open",
        looks=(course.looks, looks),
        asked=(sum(map(bool, replies)), len(asked)),
        thresholds=thresholds,
        because=course.refuted or course.hopeless,
        decided=course.decided,
    )  # fmt: skip
    early = (EARLY,) if record["asked"] < record["planned"] else ()
    return replace(
        measure,
        estimates={
            entity: replace(found, label=measure[entity].label).marked(measure.reasons)
            for entity, found in course.shares.items()
        },
        diagnostics=measure.diagnostics | {"stopping": record},
        unranked=(*measure.unranked, *early),
        early=early,
    )


def _answers(replies: Sequence[Replies]) -> dict[int, bool | None]:
    return {number: says_yes(attempts[-1]) for number, attempts in enumerate(replies) if attempts}


def _known(answers: Mapping[int, bool | None], numbers: Sequence[int]) -> int:
    return sum(answers[number] is not None for number in numbers)


def _share(answers: Sequence[bool | None], *, left: int) -> Estimate:
    """Return the share of yes; ``left`` is how many questions are still to be asked."""
    yes, n = answers.count(True), len(answers) - answers.count(None)
    return Estimate(
        value=yes / n if n else float("nan"),
        n=n,
        unit="trials",
        method="share of yes, asked until decided: confidence sequence (Robbins 1970)",
        interval_method=ShareOfYes(SequentialShare(n - yes, n, complete=not left)),
    )


def _verdicts(control: Estimate, trusted: Estimate, thresholds: Sequence[Threshold]) -> set[Verdict]:
    """Return the verdicts on the claims about an entity, as one of those that must all hold."""
    found = set()
    for threshold in thresholds:
        with threshold.ledger():
            found.add((control - trusted < threshold.margin).verdict)
    return found
