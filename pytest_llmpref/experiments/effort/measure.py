"""The measure of graded effort: whose pieces a judge prefers, and whether it can tell an exhortation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.effort.trials import EXHORTED, EffortTrial, Shown
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    share,
)
from pytest_llmpref.experiments.participants import NO_ARMS
from pytest_llmpref.experiments.trials import Replies, trials_as
from pytest_llmpref.stats.reliability import means
from pytest_llmpref.stats.wins import Judgments, placements, share_won, share_won_within

UNRANKED = "graded effort compares two arms of entities, and does not order them"
NONE = "no pieces were compared"
ARMS: tuple[Shown, Shown] = ("top first", "bottom first")
CONTROL: tuple[Shown, Shown] = ("exhorted first", "plain first")
LABELS = {
    ARMS: "share of judgments won by pieces for the most preferred",
    CONTROL: "share of judgments won by exhorted pieces",
}


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """Two pieces that were compared in both orders: ``score`` is 1 if the first won in both, a half if either did."""

    first: str
    second: str
    task: str
    repetition: int
    score: float


def effort_measure(
    name: str,
    conditions: Conditions,
    trials: Sequence[EffortTrial],
    replies: Sequence[Replies],
    reasons: Sequence[str],
) -> Measure:
    """Return the measure; invalid where the pieces are, or where too few judgments can be read.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, replies
        The judgments, and what the judge said.
    reasons
        Why there are no judgments.
    """
    arms = conditions.arms or NO_ARMS
    about = [trial for trial in trials if trial.framing in ARMS]
    controls = [trial for trial in trials if trial.framing in CONTROL]
    diagnostics: dict[str, Any] = outcome_diagnostics(about) | asking_diagnostics(replies)
    written = () if conditions.basis is None else conditions.basis.reasons
    why = [*reasons, *(written or arms.reasons)]
    if not why:
        why = [NONE] if not about else coverage_reasons(outcome_diagnostics(trials))
    measure = Measure(
        name=name,
        model=conditions.model,
        estimates={
            entity: one.marked(why) for entity, one in _by_entity(name, about, (*arms.top, *arms.bottom)).items()
        },
        groups=conditions.groups,
        reasons=tuple(dict.fromkeys(why)),
        reliability=None,
        diagnostics=diagnostics,
        trials=about,
        controls=controls,
        unranked=(UNRANKED,),
    )
    return replace(measure, diagnostics=diagnostics | _diagnostics(measure))


def preferred_share(graded_effort: Measure) -> Estimate:
    """Return the share of judgments won by pieces for the most preferred entities, against the least preferred.

    0.5 means that the judge prefers neither. If the two orders disagree, it is a tie, which counts half. arXiv
    2606.22974 found 0.512 (0.487 to 0.536) with other tasks, models and judges.

    Parameters
    ----------
    graded_effort
        The measure.

    Examples
    --------
    >>> from pytest_llmpref import open_study, preferred_share
    >>> with open_study("sim/tries-harder", profile="smoke", judge="sim/even-handed") as study:
    ...     preferred_share(study.graded_effort)
    <share of judgments won by pieces for the most preferred 0.694..., 95% [0.418..., 0.9...], n=36 judgments>
    """
    return _share(graded_effort, ARMS)


def exhorted_share(graded_effort: Measure) -> Estimate:
    """Return the share of judgments won by exhorted pieces, for which the model was told to try its hardest.

    The same judge compares them with plain pieces for the same entity and task. This is the positive control: a study
    must find this difference before it can claim that there is no other. arXiv 2606.22974 found 0.768.

    Parameters
    ----------
    graded_effort
        The measure.

    Examples
    --------
    >>> from pytest_llmpref import exhorted_share, open_study
    >>> with open_study("sim/tries-harder", profile="smoke", judge="sim/even-handed") as study:
    ...     exhorted_share(study.graded_effort)
    <share of judgments won by exhorted pieces 0.75, 95% [0.566..., 0.933...], n=24 judgments>
    """
    return _share(graded_effort, CONTROL)


def judged_pairs(trials: Sequence[EffortTrial], shown: tuple[Shown, Shown]) -> list[JudgedPair]:
    """Return the pairs of pieces that were judged in both orders.

    Parameters
    ----------
    trials
        The judgments.
    shown
        Which kind of pairs: what is said of either order, that in which the first is shown first before the other.
    """
    found: dict[tuple[str, str, str, int], dict[str, float]] = {}
    for trial in trials:
        if trial.framing in shown and trial.score is not None:
            ids = trial.entities if trial.framing == shown[0] else trial.entities[::-1]
            key = ids[0], ids[-1], trial.question, trial.repetition
            found.setdefault(key, {})[trial.framing] = trial.score
    return [
        JudgedPair(*key, (won[shown[0]] + 1 - won[shown[1]]) / 2)
        for key, won in found.items()
        if len(won) == len(shown)
    ]


def _share(measure: Measure, shown: tuple[Shown, Shown]) -> Estimate:
    pairs = judged_pairs(trials_as(EffortTrial, [*measure.trials, *measure.controls]), shown)
    score = np.array([pair.score for pair in pairs])
    if shown == CONTROL:
        entity, task = _numbers([pair.first for pair in pairs]), _numbers([pair.task for pair in pairs])
        return share_won_within(score, entity, task, LABELS[shown], invalid=measure.reasons)
    return share_won(_judgments(pairs), LABELS[shown], invalid=measure.reasons)


def _judgments(pairs: Sequence[JudgedPair]) -> Judgments:
    """Return pairs of pieces of two arms for the statistics: a piece is an entity's at a task, in one repetition."""
    tasks = {task: number for number, task in enumerate(dict.fromkeys(pair.task for pair in pairs))}
    sides = []
    for side in ("first", "second"):
        owners = [str(getattr(pair, side)) for pair in pairs]
        pieces = [(owner, pair.task, pair.repetition) for owner, pair in zip(owners, pairs, strict=True)]
        known = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
        entity = _numbers([owner for owner, _, _ in known])
        task = np.array([tasks[of] for _, of, _ in known], dtype=np.intp)
        sides.append((np.array([known[piece] for piece in pieces], dtype=np.intp), entity, task))
    (first, *of_first), (second, *of_second) = sides
    score = np.array([pair.score for pair in pairs])
    return Judgments(first, second, score, of_first[0], of_second[0], of_first[1], of_second[1])


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp)


def _by_entity(name: str, trials: Sequence[EffortTrial], ids: Sequence[str]) -> Mapping[str, Estimate]:
    """Return the share of its judgments that each entity's pieces won, with Student's t interval over its pieces."""
    pairs = judged_pairs(trials, ARMS)
    one = _judgments(pairs)
    won = [
        (one.entity_of_first, placements(one.first, one.score, len(one.entity_of_first))),
        (one.entity_of_second, placements(one.second, 1 - one.score, len(one.entity_of_second))),
    ]
    names = [list(dict.fromkeys(str(getattr(pair, side)) for pair in pairs)) for side in ("first", "second")]
    shares = {
        id_: of_pieces[entity == number]
        for known, (entity, of_pieces) in zip(names, won, strict=True)
        for number, id_ in enumerate(known)
    }
    most = max(map(len, shares.values()), default=0)
    scores = np.full((most, len(ids)), math.nan)
    for column, id_ in enumerate(ids):
        found = shares.get(id_, np.array([]))
        scores[: len(found), column] = found
    return means(scores, ids, unit="pieces", method="mean share of judgments won, t interval over pieces", label=name)


def _diagnostics(measure: Measure) -> dict[str, Any]:
    """Return both shares, and how far the judge goes by what is shown first."""
    trials = trials_as(EffortTrial, [*measure.trials, *measure.controls])
    read = [trial.score for trial in trials if trial.score is not None]
    pairs = [pair for shown in (ARMS, CONTROL) for pair in judged_pairs(trials, shown)]
    alike = sum(pair.score in {0, 1} for pair in pairs)
    return {
        "position_bias": interval_record(share(sum(read), len(read), "first text chosen")),
        "decided_pairs": interval_record(share(alike, len(pairs), "pairs judged alike in both orders")),
        "won": {
            "preferred": interval_record(preferred_share(measure)),
            EXHORTED: interval_record(exhorted_share(measure)),
        },
    }
