"""What open answers say beside those to questions that ask for a letter: how much of a finding is the format's.

References
----------
Wilson 1927
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.experiments.measure import Measure, coverage_reasons, outcome_diagnostics, share
from pytest_llmpref.experiments.pairs.measure import comparisons_of, rate
from pytest_llmpref.experiments.pairs.open_format import OPEN
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.pairs.validity import levels_of
from pytest_llmpref.experiments.trials import trials_as


def chosen_at_once(measure: Measure) -> Estimate:
    """Return the share of open questions that end in a choice before the user insists (Wilson interval).

    Parameters
    ----------
    measure
        A measure of open questions, such as ``open_advice``.

    Raises
    ------
    TypeError
        If the measure is not about open questions.

    Examples
    --------
    >>> from pytest_llmpref import chosen_at_once, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     chosen_at_once(study.open_advice)
    <share of open_advice chosen at once 0.836..., 95% [0.789..., 0.87...], n=288 trials>
    """
    trials = _open_trials(measure)
    chosen = sum(trial.score is not None and len(trial.attempts) == 1 for trial in trials)
    return share(chosen, len(trials), f"share of {measure.name} chosen at once")


def at_first(measure: Measure) -> Measure:
    """Return a measure of open questions from first replies only, as if the user never insisted.

    Parameters
    ----------
    measure
        A measure of open questions, such as ``open_advice``.

    Examples
    --------
    >>> from pytest_llmpref import at_first, open_study, spearman
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     spearman(study.preferences, at_first(study.open_advice))
    <rho(preference, open_advice at first) 0.707..., 95% [0.326..., 0.897...], n=72 entities>
    """
    trials = [
        msgspec.structs.replace(
            trial,
            attempts=trial.attempts[:1],
            score=trial.score if len(trial.attempts) == 1 else None,
            answered_by=trial.answered_by if len(trial.attempts) == 1 else None,
        )
        for trial in _open_trials(measure)
    ]
    ids, name = list(measure.groups), f"{measure.name} at first"
    diagnostics = outcome_diagnostics(trials)
    reasons = tuple(coverage_reasons(diagnostics))
    comparisons = comparisons_of(trials, ids)
    if not len(comparisons):
        return replace(measure, name=name, reasons=(*measure.reasons, *reasons), trials=trials, halves=None)
    rated = rate(comparisons, ids, levels_of(trials), seed=0, labelled=False)
    every = (*reasons, *rated.reasons)
    return replace(
        measure,
        name=name,
        estimates={entity: estimate.marked(every) for entity, estimate in rated.estimates.items()},
        reasons=every,
        reliability=rated.reliability,
        diagnostics=diagnostics,
        trials=trials,
        missing=None,
        halves=None,
    )


def agreement(one: Measure, other: Measure) -> Estimate:
    """Return the share of questions with the same answer in two formats; both orders of a pair are one cluster.

    Agreement by chance is 0.5. Answers are also sampled anew in each format, which lowers the share further.
    `attenuation_corrected` of the two measures removes this noise.

    Parameters
    ----------
    one, other
        Measures of the same questions, such as ``preferences`` and ``open_preference``.

    Returns
    -------
    Estimate
        From 0 to 1, over the questions that ended in a choice in both.

    Examples
    --------
    >>> from pytest_llmpref import agreement, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     agreement(study.open_advice, study.donation_advice)
    <agreement of open_advice and donation_advice 0.773..., 95% [0.719..., 0.820...], n=283 trials>
    """
    theirs = {(trial.entities, trial.wording, trial.repetition): trial.score for trial in _pair_trials(other)}
    pairs: dict[frozenset[str], list[bool]] = {}
    for trial in _pair_trials(one):
        score = theirs.get((trial.entities, trial.wording, trial.repetition))
        if trial.score is not None and score is not None and 0.5 not in {trial.score, score}:
            pairs.setdefault(frozenset(trial.entities), []).append((trial.score > 0.5) == (score > 0.5))
    n, k = sum(map(len, pairs.values())), len(pairs)
    value = sum(map(sum, pairs.values())) / n if n else math.nan
    apart = np.array([sum(alike) - value * len(alike) for alike in pairs.values()])
    variance = float(apart @ apart) / n**2 * k / (k - 1) if k > 1 else 0.0
    # As many independent questions as scatter so; at least one a pair, at most all.
    worth = min(max(value * (1 - value) / variance, k), n) if variance else k
    label = f"agreement of {one.name} and {other.name}"
    method = "proportion, Wilson (1927) interval, the questions about a pair being one cluster"
    reasons = [f"{one_.name}: {reason}" for one_ in (one, other) for reason in one_.reasons]
    reasons += [] if n else ["no question ended in a choice in both"]
    return Estimate(value, n, "trials", method, Wilson(value * worth if n else 0.0, worth), tuple(reasons), label)


def _pair_trials(measure: Measure) -> Sequence[PairTrial]:
    return trials_as(PairTrial, measure.trials)


def _open_trials(measure: Measure) -> Sequence[PairTrial]:
    trials = _pair_trials(measure)
    if any(trial.form != OPEN.name for trial in trials):
        raise TypeError(f"{measure.name} asks no open questions: give a measure whose questions have no labels")
    return trials
