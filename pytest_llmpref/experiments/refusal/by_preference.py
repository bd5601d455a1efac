"""What refusals are together with preferences: beyond the sum of two dislikes, and for which reasons."""

import math

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.refusal.measure import attempts_of, refused_attempts
from pytest_llmpref.parsing.outcome import Reason
from pytest_llmpref.stats import refusal_patterns
from pytest_llmpref.stats.arrays import values_in
from pytest_llmpref.stats.noise import Noisy, expected_quartiles, true_values
from pytest_llmpref.stats.refusal_patterns import share_trend
from pytest_llmpref.stats.superadditivity import interaction


def superadditivity(refusals: Measure, preferences: Measure) -> Estimate:
    """Return the interaction of both entities' dislikes in the log-odds of a refusal, beyond their single effects.

    The logistic model also has a term for two options of one group. The interval allows for a minimum refusal rate. The
    estimate is invalid if the less liked option alone explains the refusals equally well; see `stats.superadditivity`.

    Parameters
    ----------
    refusals, preferences
        The measures of one model.

    Returns
    -------
    Estimate
        In log-odds; above 0, two disliked options are refused more than the sum of both.

    Examples
    --------
    >>> from pytest_llmpref import open_study, superadditivity
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     superadditivity(study.refusals, study.preferences)
    <interaction of dislikes 0.168..., 95% [-0.751, 1.087], n=288 trials>
    """
    ids = tuple(refusals.estimates)
    _, group = np.unique([refusals.groups[entity] for entity in ids], return_inverse=True)
    found = interaction(attempts_of(refusals.trials, ids), Noisy.of(preferences, ids), group)
    return found.marked(_reasons_beside_order(refusals, preferences))


def excess_refusals(refusals: Measure, preferences: Measure) -> Estimate:
    """Return how much more often two options of the least-liked quarter are refused than their effects add up to.

    The estimate's ``method`` describes the finding in words.

    Parameters
    ----------
    refusals, preferences
        The measures of one model.

    Returns
    -------
    Estimate
        A difference in probability; 0.01 is one percentage point.

    Examples
    --------
    >>> from pytest_llmpref import excess_refusals, open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     excess_refusals(study.refusals, study.preferences)
    <excess refusal rate beyond additivity (probability) -0.0238..., 95% [-0.398, 0.3503], n=76 trials>
    """
    ids = tuple(refusals.estimates)
    found = refusal_patterns.excess(attempts_of(refusals.trials, ids), values_in(preferences.values, ids))
    return found.marked(_reasons_beside_order(refusals, preferences))


def reason_trends(refusals: Measure, preferences: Measure) -> dict[Reason, Estimate]:
    """Return, for each reason for refusing, the change in its share from one quartile of preference to the next.

    A refusal counts once for each of the two entities in its question. Noise in preferences puts entities into wrong
    quartiles, so each entity counts at its expected quartile of true preference (`stats.noise.expected_quartiles`).

    Parameters
    ----------
    refusals, preferences
        The measures of one model.

    Returns
    -------
    dict
        Reason -> estimate: the change in its share per quartile, from the least to the most preferred.

    Examples
    --------
    >>> from pytest_llmpref import Reason, open_study, reason_trends
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     reason_trends(study.refusals, study.preferences)[Reason.NEUTRALITY]
    <trend in share of neutrality per preference quartile 0.0401..., 95% [-0.0993..., 0.1796], n=104 refusals>
    """
    ids = tuple(refusals.estimates)
    number = {entity: index for index, entity in enumerate(ids)}
    quartile_of = expected_quartiles(true_values(Noisy.of(preferences, ids)))
    cases = [
        (quartile_of[number[entity]], reason, tuple(sorted(trial.entities)))
        for trial, _, reason in refused_attempts(refusals.trials)
        for entity in trial.entities
        if not math.isnan(quartile_of[number[entity]])
    ]
    pairs = {pair: index for index, pair in enumerate(dict.fromkeys(pair for _, _, pair in cases))}
    quartile = np.array([case[0] for case in cases], dtype=np.float64)
    cluster = np.array([pairs[case[2]] for case in cases], dtype=np.intp)
    return {
        reason: share_trend(
            quartile,
            np.array([case[1] is reason for case in cases], dtype=np.bool_),
            cluster,
            f"trend in share of {reason.value} per preference quartile",
            unit="refusals",
        ).marked(_reasons_beside_order(refusals, preferences))
        for reason in Reason
    }


def _reasons_beside_order(*measures: Measure) -> list[str]:
    """Return why any of the measures is invalid, or says nothing of this since it was asked only until a verdict.

    Unlike `stats.association.reasons_of`, not that one does not order the entities: no order is asked about here.
    """
    return [f"{measure.name}: {reason}" for measure in measures for reason in (*measure.reasons, *measure.early)]
