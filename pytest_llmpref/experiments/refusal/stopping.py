"""Refusals asked in rounds until a gate's verdict is decided: before each interim analysis, some more opponents.

Each pair is asked about once before any is asked about again, in the other order. So the trials about an entity are of
different pairs as long as it has any new opponent, and however alike the answers about one pair are, none counts twice.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.experiment import Conditions, Plan, Rounds
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs.questions import Pair, PairQuestion, read_pairs
from pytest_llmpref.experiments.refusal.measure import control_rate
from pytest_llmpref.experiments.stopping import Ending, stopping_record
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.clustering import own_design_effects
from pytest_llmpref.stats.refusal import Attempts, overall_rate
from pytest_llmpref.stats.sequential import CONFIDENCE_SEQUENCE_METHOD, SequentialShare

STEPS_A_LOOK = 4
"""Steps of the design between two looks: each entity meets eight others. Our choice."""
EARLY = "asked only until the gate's verdict was decided, which only the share for each entity allows for"
"""Why nothing else that is computed from such answers may be claimed."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Questions about two entities, and before which look at the answers each is asked; shape (t,) each.

    Attributes
    ----------
    first, second
        Index of the entity shown first, and second: 0 to ``n_entities - 1``.
    look
        From 0.
    n_entities
        Number of entities.
    """

    first: IntArray
    second: IntArray
    look: IntArray
    n_entities: int

    @property
    def count(self) -> int:
        """How many looks there are."""
        return int(self.look.max()) + 1 if len(self.look) else 0

    def tally(self, weights: FloatArray) -> FloatArray:
        """Return for each entity the sum of the weights of the questions about it; shape (n_entities,)."""
        about_first, about_second = (np.bincount(of, weights, self.n_entities) for of in (self.first, self.second))
        return np.asarray(about_first + about_second, dtype=np.float64)

    def effects(self, seen: BoolArray, refused: FloatArray) -> FloatArray:
        """Return each entity's design effect in the questions seen; shape (n_entities,).

        Where its trials all ended alike, nothing tells how alike those about one pair are: each pair counts once.
        """
        n, first, second = self.n_entities, self.first[seen], self.second[seen]
        entity, pair = np.r_[first, second], np.tile(np.minimum(first, second) * n + np.maximum(first, second), 2)
        pairs = np.bincount(np.unique(entity * n**2 + pair) // n**2, minlength=n)
        per_pair = np.bincount(entity, minlength=n) / np.maximum(pairs, 1)
        ended = np.tile(refused[seen] > 0, 2)
        return own_design_effects(entity, pair, ended, n, otherwise=np.maximum(per_pair, 1.0))


def looks_of(questions: Sequence[PairQuestion], index: Mapping[str, int]) -> Looks:
    """Return before which look each question is asked: all pairs once, step by step, and then all once more.

    Parameters
    ----------
    questions
        Of the design, those about one pair in any order.
    index
        Entity id -> its index.
    """
    turns = _turns(questions)
    looks_a_turn = max((question.step for question in questions), default=0) // STEPS_A_LOOK + 1
    return Looks(
        first=np.array([index[question.first] for question in questions], dtype=np.intp),
        second=np.array([index[question.second] for question in questions], dtype=np.intp),
        look=np.array(
            [turn * looks_a_turn + asked.step // STEPS_A_LOOK for turn, asked in zip(turns, questions, strict=True)],
            dtype=np.intp,
        ),
        n_entities=len(index),
    )


def _turns(questions: Sequence[PairQuestion]) -> list[int]:
    """Return how many of the questions about the same pair are asked before each.

    Of either order, that comes first which makes both entities stand first as often as second so far: refusals may
    depend on position.
    """
    of_pair = dict[Pair, list[int]]()
    for number in sorted(range(len(questions)), key=lambda number: questions[number].step):
        of_pair.setdefault(questions[number].pair, []).append(number)
    turns, lean = [0] * len(questions), Counter[str]()
    for numbers in of_pair.values():
        ahead = min((questions[number].first for number in numbers), key=lean.__getitem__)
        numbers.sort(key=lambda number: (questions[number].repetition, questions[number].first != ahead))
        for turn, number in enumerate(numbers):
            turns[number] = turn
        lean[questions[numbers[0]].first] += 1
        lean[questions[numbers[0]].second] -= 1
    return turns


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How far the questions have come; shape (n_entities,) each.

    Attributes
    ----------
    rates
        Each entity's share of refusals: at the look that decided its claims, else at the last look.
    decided
        At which look, from 1, the claims about an entity were decided; 0 if they are not.
    refuted, futile
        Whether one of them is refuted; whether one can no longer be supported, whatever the answers to come (futility).
    looks
        How many looks were taken; a number.
    pending
        Numbers of the questions to ask before the next look; none if all are done.
    """

    rates: list[Estimate]
    decided: IntArray
    refuted: BoolArray
    futile: BoolArray
    looks: int
    pending: IntArray


def follow(
    looks: Looks, refused: FloatArray, asked: BoolArray, control: Estimate, thresholds: Sequence[Threshold]
) -> Course:
    """Look at the answers, time and again, until a gate's verdict is decided or all questions are asked.

    The claims about an entity are that it is refused less than a margin above the control. They are decided at the
    first look at which their intervals do not hold the margin, and stay so. What is asked of an entity later, because
    it meets one that is open, depends on the answers, and does not count for it; an open entity meets all that the
    design has it meet. A gate is closed by the first claim that is refuted, or that could not be supported even if
    nobody was refused again (curtailment, which spends no error: Lan, Simon and Halperin 1982); it opens when all are
    supported.

    Parameters
    ----------
    looks
        The questions.
    refused
        1 where the first attempt was refused, 0 where not, NaN if there is no answer; shape (t,).
    asked
        Whether a question was asked; shape (t,).
    control
        Rate of the control, whose questions are all asked before the first look.
    thresholds
        What the claims are compared with. Whatever they are, the intervals hold.

    Returns
    -------
    Course
        How far the questions have come.
    """
    n, taken = looks.n_entities, 0
    decided, refuted, futile = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    planned = looks.tally(np.ones(len(refused)))
    rates = [_rate(0.0, 0, 1.0, complete=False)] * n
    while taken < looks.count and not (refuted.any() or futile.any() or decided.all()):
        is_open = decided == 0
        due = (looks.look == taken) & (is_open[looks.first] | is_open[looks.second])
        if not asked[due].all():
            return Course(rates, decided, refuted, futile, taken, np.flatnonzero(due))
        seen = asked & (looks.look <= taken) & ~np.isnan(refused)
        effects, taken = looks.effects(seen, refused), taken + 1
        hits, made = looks.tally(np.where(seen, refused, 0.0)), looks.tally(seen.astype(np.float64))
        for entity in np.flatnonzero(is_open):
            rates[entity] = _rate(hits[entity], int(made[entity]), effects[entity], complete=taken == looks.count)
            # As if all that is left was answered without a refusal, and no trials were alike.
            best = _rate(hits[entity], int(planned[entity]), 1.0, complete=True)
            verdicts = _verdicts(rates[entity], control, thresholds)
            refuted[entity] = Verdict.REFUTED in verdicts
            futile[entity] = (
                not _verdicts(best, control, [threshold for threshold in thresholds if threshold.gate]) <= _NOT_FUTILE
            )
            if verdicts <= {Verdict.SUPPORTED, Verdict.REFUTED}:
                decided[entity] = taken
    return Course(rates, decided, refuted, futile, taken, np.array([], dtype=np.intp))


_NOT_FUTILE = {Verdict.SUPPORTED, Verdict.INVALID}
"""Verdicts at best that are no futility: a measurement that fails its checks says so once all of it was asked."""


def _verdicts(rate: Estimate, control: Estimate, thresholds: Sequence[Threshold]) -> set[Verdict]:
    """Return the verdicts on the claims that an entity is refused less than a margin above the control."""
    found = set()
    for threshold in thresholds:
        with threshold.ledger():
            found.add((rate - control < threshold.margin).verdict)
    return found


def _rate(refused: float, n: int, effect: float, *, complete: bool) -> Estimate:
    return Estimate(
        value=float(refused) / n if n else math.nan,
        n=n,
        unit="trials",
        method=f"share of first attempts, {CONFIDENCE_SEQUENCE_METHOD}, design effect {effect:.2f} (Kish 1965)",
        interval_method=SequentialShare(float(refused) / effect, n / effect, complete),
    )


@dataclass(frozen=True)
class RefusalStopping:
    """How questions about refusals are asked: in the steps of their design, until the claims about them are decided.

    Attributes
    ----------
    conditions
        Of the study; its ``thresholds`` of refusals decide.
    plan
        A trial for each question: first those about entities, then those of the control.
    names
        Id -> name as shown, of entities and of what the control names.
    """

    conditions: Conditions
    plan: Plan[PairQuestion]
    names: Mapping[str, str]
    # What was read of the replies to a trial is kept: a function of these alone, which many rounds ask for again.
    _read: dict[int, tuple[Replies, Trial]] = field(default_factory=dict, repr=False)

    def rounds(self) -> Rounds:
        """Return the rounds: one before each look, the control in the first."""
        return Rounds(
            len(self.plan.requests),
            self._choose,
            'stopping = "sequential"',
            at_most=True,
            measured=self.measured,
            least=int(np.sum(self.looks.look == 0)) + len(self.control),
            expected=self._expected,
            most=max(self.looks.count, 1),
        )

    def _expected(self) -> list[tuple[str, int]]:
        """Return after how many questions the gate opens if nothing is refused."""
        refused = np.zeros(len(self.looks.first))
        asked = np.zeros(len(refused), dtype=np.bool_)
        # Of the control one rate counts, so which of its pairs a question is about does not matter.
        none = np.zeros(len(self.control), dtype=np.intp)
        control = overall_rate(Attempts(none, none + 1, none, none, none + 1, none > 0, 2))
        while len(due := follow(self.looks, refused, asked, control, self.conditions.thresholds["refusal"]).pending):
            asked[due] = True
        return [("nothing is refused", int(asked.sum()) + len(self.control))]

    @cached_property
    def looks(self) -> Looks:
        """The questions about entities, and before which look each is asked."""
        index = {entity: number for number, entity in enumerate(self.conditions.groups)}
        return looks_of([question for question in self.plan.questions if question.first in index], index)

    @property
    def control(self) -> range:
        """Numbers of the questions of the control."""
        return range(len(self.looks.first), len(self.plan.questions))

    def course(self, replies: Sequence[Replies]) -> Course:
        """Return how far the questions have come, given the replies to each trial of the plan."""
        asked = np.array([bool(attempts) for attempts in replies[: self.control.start]], dtype=np.bool_)
        refused = np.full(len(asked), np.nan)
        for number in np.flatnonzero(asked).tolist():
            outcome = self._first_answer(number, replies[number]).outcome
            if outcome is not Outcome.ERROR:
                refused[number] = outcome is Outcome.REFUSAL
        control = control_rate([self._first_answer(number, replies[number]) for number in self.control])
        return follow(self.looks, refused, asked, control, self.conditions.thresholds["refusal"])

    def measured(self, measure: Measure, replies: Sequence[Replies]) -> Measure:
        """Return the measure with rates that allow for the looks, and with where the questions stopped.

        If they stopped early, everything else computed from the answers does not allow for that, and is marked.
        """
        course, ids = self.course(replies), list(self.conditions.groups)
        ended = _ended(course)
        because = course.refuted if ended == "refuted" else course.futile
        record = stopping_record(
            ended,
            looks=(course.looks, self.looks.count),
            asked=(sum(bool(attempts) for attempts in replies), len(replies)),
            thresholds=self.conditions.thresholds["refusal"],
            because=[ids[number] for number in np.flatnonzero(because)],
            decided={entity: int(look) for entity, look in zip(ids, course.decided, strict=True)},
        )
        early = (EARLY,) if record["asked"] < record["planned"] else ()
        return replace(
            measure,
            estimates={
                entity: replace(rate, label=measure[entity].label).marked(measure.reasons)
                for entity, rate in zip(ids, course.rates, strict=True)
            },
            diagnostics=measure.diagnostics | {"stopping": record},
            unranked=(*measure.unranked, *early),
            early=early,
        )

    def _choose(self, replies: Sequence[Replies]) -> list[int]:
        if not all(replies[number] for number in self.control):
            return [*np.flatnonzero(self.looks.look == 0).tolist(), *self.control]
        return [int(number) for number in self.course(replies).pending]

    def _first_answer(self, number: int, replies: Replies) -> Trial:
        """Return the trial as if it had ended with its first attempt that was no failed call."""
        known = self._read.get(number)
        if known is not None and known[0] == replies:
            return known[1]
        first = next((reply for reply in replies if reply.finish != "error"), replies[-1])
        (trial,) = read_pairs(self.plan.part([number]), [(first,)], self.names, "text")
        self._read[number] = (replies, trial)
        return trial


def _ended(course: Course) -> Ending:
    if course.refuted.any():
        return "refuted"
    if course.futile.any():
        return "hopeless"
    return "supported" if course.decided.all() else "open"
