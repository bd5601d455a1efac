"""The measure of experiments that show two entities and ask for one: ratings, checks, and what is derived from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import msgspec
import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
)
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.pairs.validity import generalizability_record, levels_of, survival_reasons
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.stats.arrays import IntArray
from pytest_llmpref.stats.change import Changes, changed, strength_correlations
from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT
from pytest_llmpref.stats.comparisons import (
    Comparisons,
    cycle_rate,
    decided_pairs,
    label_bias,
    no_bias_p_value,
    order_averaged_elo,
    position_bias,
    win_rates,
)
from pytest_llmpref.stats.extremes import MissingAnswers
from pytest_llmpref.stats.few_outcomes import FEWEST_OF_EITHER, FEWEST_TO_BOUND, interval
from pytest_llmpref.stats.generalizability import Facet, GStudy, g_study
from pytest_llmpref.stats.halves import SPLITS, halves_of, split_half
from pytest_llmpref.stats.rating import PRIOR_SD, Rating, bradley_terry, refits

ONE_SIDED = 0.95
"""Share of one position, or of one label, from which on a model carries no preference at all. Our choice."""
PROBABILITIES = 5
"""How many a missing probability is tried at: between its extremes a strength can pass others and fall back."""


def pair_measure(name: str, conditions: Conditions, trials: Sequence[PairTrial], replies: Sequence[Replies]) -> Measure:
    """Rate the entities, check the measurement, and return the measure.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, replies
        In one order.
    """
    groups = conditions.groups
    comparisons = comparisons_of(trials, list(groups))
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies)
    reasons = coverage_reasons(diagnostics)
    labelled = all(trial.first_is_a is not None for trial in trials)
    rated = _UNRATED
    if len(comparisons):
        rated = rate(comparisons, list(groups), levels_of(trials), seed=conditions.seed, labelled=labelled)
    reasons += rated.reasons
    if rated.rating is not None:
        diagnostics |= _pair_diagnostics(comparisons, rated.rating, list(groups), conditions.seed)
    if not labelled:
        diagnostics["label_bias"] = None
    reliability = rated.reliability
    diagnostics["reliability"] = None if reliability is None else _reliability_record(reliability)
    diagnostics["design"] = conditions.profile.design
    if conditions.profile.selection == "adaptive":
        diagnostics["selection"] = "adaptive"
    diagnostics["generalizability"] = generalizability_record(rated.formats)
    measure = measure_under(
        name,
        conditions,
        {entity: rated.estimates.get(entity, _unknown()) for entity in groups},
        reasons,
        reliability=reliability,
        diagnostics=diagnostics,
        trials=trials,
    )
    halves = cache(partial(halves_of, comparisons, tuple(groups))) if len(comparisons) else None
    return replace(measure, missing=partial(missing_choices, trials, list(groups)), halves=halves)


@dataclass(frozen=True, slots=True)
class Rated:
    """What comparisons say of the entities.

    Attributes
    ----------
    rating
        The fit; ``None`` without comparisons, as is `reliability`.
    reliability
        Split-half reliability of the strengths.
    formats
        How far they hold in other formats; ``None`` if there are too few entities to tell.
    estimates
        Entity id -> strength on the Elo scale.
    reasons
        Why the measurement is invalid, as far as the comparisons tell; empty if it is not.
    """

    rating: Rating | None
    reliability: Estimate | None
    formats: GStudy | None
    estimates: Mapping[str, Estimate]
    reasons: tuple[str, ...]


_UNRATED = Rated(None, None, None, {}, tuple(reliability_reasons(None)))


def rate(
    comparisons: Comparisons,
    ids: Sequence[str],
    levels: Mapping[Facet, IntArray],
    *,
    seed: int,
    splits: int = SPLITS,
    labelled: bool = True,
) -> Rated:
    """Rate the entities, and check the answers, the fit, its reliability, and that the order survives other formats.

    Parameters
    ----------
    comparisons
        The choices; at least one.
    ids
        Of the entities, in the order of their numbers.
    levels
        Wording and answer form of each choice, as in `stats.generalizability.g_study`.
    seed, splits
        As in `stats.halves.split_half`.
    labelled
        Whether it is known which option carried which label.
    """
    rating = bradley_terry(comparisons)
    reliability = split_half(comparisons, seed=seed, splits=splits)
    formats = g_study(comparisons, levels)
    reasons = (
        *_rating_reasons(comparisons, rating, labelled=labelled),
        *reliability_reasons(reliability),
        *survival_reasons(formats),
    )
    return Rated(rating, reliability, formats, strengths(comparisons, rating, ids), reasons)


def missing_choices(trials: Sequence[PairTrial], ids: Sequence[str]) -> MissingAnswers | None:
    """Return the trials without a choice, and the strengths had they ended in one; ``None`` if there are none.

    A missing answer could have been as firm as the firmest of the others, for either entity, or less so, in steps of a
    quarter. Where these are choices, that is a choice of either. Where they are probabilities, one of 0 or 1 would lie
    far outside their scale: among probabilities near 0.5 it would count for as much as dozens of them. A firmness, and
    not the range of the probabilities as they are: which entity is shown first is by chance, so what was seen for the
    first could have been for the second.

    Parameters
    ----------
    trials
        With and without a choice.
    ids
        Of the entities.
    """
    varying = np.array([trial.score is None for trial in trials], dtype=np.bool_)
    if not varying.any():
        return None
    known = np.array([trial.score for trial in trials if trial.score is not None], dtype=np.float64)
    firmest = 0.5 + float(np.max(np.abs(known - 0.5))) if len(known) else 1.0
    drawn = bool(np.all((known == 0) | (known == 1)))
    levels = np.array([0.0, 1.0]) if drawn else np.unique(np.linspace(1 - firmest, firmest, PROBABILITIES))
    filled = [msgspec.structs.replace(trial, score=0.0) if trial.score is None else trial for trial in trials]
    again = refits(comparisons_of(filled, ids), varying)
    return MissingAnswers(
        ids=tuple(ids),
        count=int(varying.sum()),
        levels=[levels] * int(varying.sum()),
        expected=np.full(int(varying.sum()), 0.5),
        values=again.effects,
        spread=again.spread,
        rows=again.rows,
        scale="a choice of either"
        if drawn
        else f"one of {len(levels)} probabilities from {levels[0]:.3f} to {levels[-1]:.3f}",
    )


def comparisons_of(trials: Sequence[PairTrial], ids: Sequence[str]) -> Comparisons:
    """Return the trials that ended in a choice, entities numbered as in ``ids``.

    Parameters
    ----------
    trials
        With and without a choice.
    ids
        Of the entities.

    Examples
    --------
    >>> from pytest_llmpref import Attempt, Outcome
    >>> from pytest_llmpref.experiments.pairs.questions import PairTrial
    >>> chosen, refused = (Attempt("k", outcome, "") for outcome in (Outcome.CHOICE, Outcome.REFUSAL))
    >>> trials = [PairTrial((chosen,), ("b", "a"), score=1.0), PairTrial((refused,), ("a", "b"))]
    >>> found = comparisons_of(trials, ["a", "b"])
    >>> found.first.tolist(), found.score.tolist()
    ([1], [1.0])
    """
    index = {entity: number for number, entity in enumerate(ids)}
    chosen = [trial for trial in trials if trial.score is not None]
    return Comparisons(
        first=np.array([index[trial.entities[0]] for trial in chosen], dtype=np.intp),
        second=np.array([index[trial.entities[1]] for trial in chosen], dtype=np.intp),
        score=np.array([trial.score for trial in chosen], dtype=np.float64),
        # Labels that are not known are as if each stood with one position: then nothing is said of them.
        label_first_is_a=np.array([trial.first_is_a is not False for trial in chosen], dtype=np.bool_),
        n_entities=len(ids),
    )


def strengths(comparisons: Comparisons, rating: Rating, ids: Sequence[str]) -> dict[str, Estimate]:
    """Return the strength of each entity, by id.

    Parameters
    ----------
    comparisons, rating
        The choices, and their fit.
    ids
        Of the entities, in the order of their numbers.
    """
    sides, score = np.r_[comparisons.first, comparisons.second], comparisons.score
    n, won = (
        np.bincount(sides, weights, comparisons.n_entities)
        for weights in (np.ones(2 * len(comparisons)), np.r_[score, 1 - score])
    )
    errors = zip(rating.elo, rating.standard_errors, rating.degrees_of_freedom, strict=True)
    normals = [Normal(float(elo), float(error), float(df)) for elo, error, df in errors]
    return {
        entity: Estimate(
            value=float(elo),
            n=int(trials),
            unit="trials",
            method="Bradley-Terry on the Elo scale over these wordings, standard error clustered by pair"
            + _on_prior(wins, trials, drawn=comparisons.drawn),
            interval_method=interval(normal, wins, trials - wins) if comparisons.drawn else normal,
            label=f"Elo of {entity}",
        )
        for entity, trials, wins, elo, normal in zip(ids, n, won, rating.elo, normals, strict=True)
    }


def _on_prior(wins: float, trials: float, *, drawn: bool) -> str:
    """Say that an interval rests on the prior, where nearly all of an entity's trials went one way; empty elsewhere."""
    if min(wins, trials - wins) >= FEWEST_OF_EITHER:
        return ""
    told = (
        f"; chosen in {wins:g} of {trials:g} trials, so how far it lies from the others rests on the prior (standard "
        f"deviation {ELO_PER_LOGIT * PRIOR_SD:.0f} points), and it may lie further"
    )
    if not drawn or not trials:
        return told
    if wins != trials - wins and min(wins, trials - wins) < FEWEST_TO_BOUND:
        return f"{told}: the interval has no end there"
    return f"{told}; each limit is as much further out as mid-P limits are than Wald's (Berry and Armitage 1995)"


def strengths_of(comparisons: Comparisons, ids: Sequence[str]) -> dict[str, Estimate]:
    """Return the strength of each entity, by id, from comparisons of which there may be none.

    Parameters
    ----------
    comparisons
        The choices.
    ids
        Of the entities, in the order of their numbers.
    """
    if not len(comparisons):
        return {entity: _unknown() for entity in ids}
    return strengths(comparisons, bradley_terry(comparisons), ids)


def _unknown() -> Estimate:
    nan = float("nan")
    return Estimate(value=nan, n=0, unit="trials", method="no answers", interval_method=Normal(nan, nan))


def _pair_diagnostics(comparisons: Comparisons, rating: Rating, ids: list[str], seed: int) -> dict[str, Any]:
    cycles = cycle_rate(comparisons)
    elo = order_averaged_elo(comparisons, seed=seed)
    wins = win_rates(comparisons)
    return {
        "converged": rating.converged,
        "elo_sd": float(np.nanstd(rating.elo)),
        "position_bias": _bias_record(position_bias(comparisons)),
        "label_bias": _bias_record(label_bias(comparisons)),
        "decided_pairs": interval_record(decided_pairs(comparisons)),
        "cycles": {
            "rate": cycles.rate,
            "triads": cycles.triads,
            "cyclic": cycles.cyclic,
            "undecided_pairs": cycles.undecided_pairs,
        },
        "order_averaged_elo": dict(zip(ids, (round(float(value), 2) for value in elo), strict=True)),
        "win_rate": dict(zip(ids, (round(float(value), 4) for value in wins.value), strict=True)),
    }


def _rating_reasons(comparisons: Comparisons, rating: Rating, *, labelled: bool) -> list[str]:
    """Say why the answers' biases, or the fit, make a measure invalid; empty if they do not."""
    reasons = bias_reasons(comparisons, labelled=labelled)
    if not rating.converged:
        reasons.append(f"the Bradley-Terry fit did not converge in {rating.iterations} iterations")
    if not rating.connected:
        reasons.append("the answered pairs fall apart into groups that nothing compares with each other")
    return reasons


def bias_reasons(comparisons: Comparisons, *, labelled: bool = True) -> list[str]:
    """Say why the answers' biases make a measure invalid; empty if they do not.

    Parameters
    ----------
    comparisons
        The choices; at least one.
    labelled
        Whether the options had labels.
    """
    reasons = []
    biases = [(position_bias(comparisons), ("option shown first", "option shown second"))]
    if labelled:
        biases.append((label_bias(comparisons), ("option labelled A", "option labelled B")))
    for bias, ways in biases:
        for value, way in ((bias.value, ways[0]), (1 - bias.value, ways[1])):
            if value >= ONE_SIDED:
                reasons.append(f"one-sided: the {way} is chosen {value:.1%} of the time, whatever it names")
    return reasons


def _bias_record(share: Estimate) -> dict[str, float | int]:
    return interval_record(share) | {"p_value": no_bias_p_value(share)}


def _reliability_record(reliability: Estimate) -> dict[str, float | int]:
    # The highest correlation with anything that noise leaves to the measure (Spearman 1904).
    return interval_record(reliability) | {"noise_ceiling": float(np.sqrt(max(reliability.value, 0.0)))}


def changed_strengths(new: Sequence[PairTrial], old: Sequence[PairTrial], ids: Sequence[str]) -> Changes:
    """Return the changes of the strengths, paired by pair; nothing where a side has no choice.

    Parameters
    ----------
    new, old
        Trials of the same questions, in the same order.
    ids
        Of the entities.
    """
    one, two = comparisons_of(new, ids), comparisons_of(old, ids)
    if not len(one) or not len(two):
        return {}, None
    now, before = (strengths(side, bradley_terry(side), ids) for side in (one, two))
    correlations = dict(zip(ids, strength_correlations(one, two), strict=True))
    return {
        entity: changed(
            now[entity],
            before[entity],
            correlations[entity],
            paired=paired_by_pair(len(new), correlations[entity]),
            label=f"change in {now[entity].label}",
        )
        for entity in ids
    }, None


def paired_by_pair(questions: int, correlation: float) -> str:
    """Say how the two sides were paired."""
    return f"paired by {questions} questions (correlation of errors {correlation:.2f}, clustered by pair)"
