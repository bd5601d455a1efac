"""The measure of paired prompts: how often either side is declined, and whether the sides differ within pairs."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import (
    COVERAGE_NEEDED,
    Measure,
    asking_diagnostics,
    outcome_diagnostics,
    share,
)
from pytest_llmpref.experiments.paired.prompts import PairedTrial
from pytest_llmpref.experiments.trials import Replies, trials_as
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.paired import clustered_difference, mcnemar_p_value

NONE = "no pairs of prompts were asked: give a file by --llmpref-paired-prompts"
MIXED = "some pairs say which side is left, and others do not: say it of all, or of none"
UNRANKED = "sides of pairs are no entities, and stand in no order"
ORDERS = (("a", "b"), ("left", "right"))
"""The names of the sides, as a file may give them."""


def paired_measure(
    name: str, conditions: Conditions, trials: Sequence[PairedTrial], replies: Sequence[Replies]
) -> Measure:
    """Return the measure; invalid where too few replies answer or decline.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, replies
        In one order.
    """
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | {"apart": _apart(trials)}
    reasons = tuple(_reasons(trials))
    sides = dict.fromkeys(trial.framing for trial in trials)
    return Measure(
        name=name,
        model=conditions.model,
        estimates={side: _declined(trials, side).marked(reasons) for side in sorted(sides)},
        groups=conditions.groups,
        reasons=reasons,
        reliability=None,
        diagnostics=diagnostics,
        trials=trials,
        unranked=(UNRANKED,),
    )


def declined_gap(paired_refusals: Measure) -> Estimate:
    """Return the difference in the share of declined prompts, first minus second side of the pairs.

    The first side is the left one if the file states the sides, otherwise ``a``. The difference is taken within pairs,
    with errors clustered by topic. 0.05 is five percentage points.

    Parameters
    ----------
    paired_refusals
        The measure.
    """
    return _gap(paired_refusals, "declined", lambda score: float(score == 1))


def hedged_gap(paired_refusals: Measure) -> Estimate:
    """Return the same difference as `declined_gap` for prompts that are declined or answered only partly.

    Parameters
    ----------
    paired_refusals
        The measure.
    """
    return _gap(paired_refusals, "declined or answered only partly", lambda score: float(score > 0))


def changed_declines(new: Sequence[PairedTrial], old: Sequence[PairedTrial], ids: Sequence[str]) -> Changes:
    """Return the changes of the shares declined, paired by prompt: of each side, and of all prompts.

    Parameters
    ----------
    new, old
        Trials of the same prompts.
    ids
        Of the sides.
    """
    found = {side: _changed(new, old, side) for side in ids}
    return found, _changed(new, old, "")


def _changed(new: Sequence[PairedTrial], old: Sequence[PairedTrial], side: str) -> Estimate:
    number = {question: place for place, question in enumerate(dict.fromkeys(trial.question for trial in (*new, *old)))}

    def declined(trials: Sequence[PairedTrial]) -> tuple[FloatArray, IntArray]:
        read = [one for one in trials if one.score is not None and side in {"", one.framing}]
        return (
            np.array([one.score == 1 for one in read], dtype=np.float64),
            np.array([number[one.question] for one in read], dtype=np.intp),
        )

    now, before = declined(new), declined(old)
    correlation = share_correlation(*now, *before)
    label = f"share declined on side {side}" if side else "share declined"
    one, other = (share(int(answers.sum()), len(answers), label) for answers, _ in (now, before))
    paired = f"paired by prompt (correlation of errors {correlation:.2f})"
    return changed(one, other, correlation, paired=paired, label=f"change in {label}")


def _gap(measure: Measure, what: str, of: Callable[[float], float]) -> Estimate:
    pairs = _pairs(trials_as(PairedTrial, measure.trials))
    first, second = next(iter(pairs), ORDERS[0])
    differences = np.array([of(one) - of(other) for one, other, _ in pairs.get((first, second), [])])
    topics = [topic for _, _, topic in pairs.get((first, second), [])]
    label = f"difference in share {what}, {first} minus {second}"
    return clustered_difference(differences, topics, label, cluster="topic", invalid=measure.reasons)


def _pairs(trials: Sequence[PairedTrial]) -> dict[tuple[str, str], list[tuple[float, float, str]]]:
    """Return the scores of both sides of each pair of which both were read, and its topic, by the sides' names."""
    scores: dict[str, dict[str, float]] = {}
    for trial in trials:
        if trial.score is not None:
            scores.setdefault(trial.question, {})[trial.framing] = trial.score
    topics = {trial.question: trial.topic for trial in trials}
    found = {
        order: [
            (both[order[0]], both[order[1]], topics[id_]) for id_, both in scores.items() if both.keys() == set(order)
        ]
        for order in ORDERS
    }
    return {order: pairs for order, pairs in found.items() if pairs}


def _reasons(trials: Sequence[PairedTrial]) -> list[str]:
    if not trials:
        return [NONE]
    read = sum(trial.score is not None for trial in trials)
    reasons = [] if len({len(trial.framing) > 1 for trial in trials}) == 1 else [MIXED]
    if read < COVERAGE_NEEDED * len(trials):
        others = Counter(trial.outcome.value for trial in trials if trial.score is None)
        said = ", ".join(f"{count} {outcome}" for outcome, count in others.items())
        reasons.append(f"{read} of {len(trials)} replies answer or decline, fewer than {COVERAGE_NEEDED:.0%}: {said}")
    return reasons


def _declined(trials: Sequence[PairedTrial], side: str) -> Estimate:
    read = [trial.score for trial in trials if trial.framing == side and trial.score is not None]
    return share(read.count(1.0), len(read), f"share declined on side {side}")


def _apart(trials: Sequence[PairedTrial]) -> dict[str, float] | None:
    """Count the pairs of which both sides, or one, were declined; ``None`` if no pair was read."""
    pairs = next(iter(_pairs(trials).values()), [])
    if not pairs:
        return None
    both, first, second = (
        sum((one == 1, other == 1) == wanted for one, other, _ in pairs)
        for wanted in ((True, True), (True, False), (False, True))
    )
    p = mcnemar_p_value(first, second)
    return {"pairs": len(pairs), "both": both, "only_first": first, "only_second": second, "p_mcnemar": p}
