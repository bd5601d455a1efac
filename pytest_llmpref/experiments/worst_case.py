"""How far missing answers could move a correlation, whatever they would have said."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.association import Correlation, spearman
from pytest_llmpref.stats.extremes import MissingAnswers, Side, extremes
from pytest_llmpref.stats.ranks import RhoInterval


@dataclass(frozen=True, slots=True)
class ManskiBounds:
    """Spearman's rho at the extremes.

    Attributes
    ----------
    low, high
        The lowest and the highest rho found with any answers in place of the missing ones. ``low`` is never above the
        estimate itself, ``high`` never below it. Their intervals include the usual sampling noise, so a claim
        ``worst_case(x, y).low > 0.5`` holds against missing answers and noise together. ``method`` says how the
        extremes were searched for.
    search
        The search in short: ``all 4 assignments of 2 missing answers``, or ``greedy search over 37 missing answers``.
        Empty if no answer is missing.
    """

    low: Estimate
    high: Estimate
    search: str = ""


@lru_cache(maxsize=64)
def worst_case(x: Measure, y: Measure) -> ManskiBounds:
    """Return the lowest and the highest correlation that the missing answers allow (Manski 1990).

    This is worst-case imputation. A pair trial without a choice could have chosen either entity. An attempt that is
    neither an answer nor a refusal could have been either. A reading question without an answer could have been
    answered correctly or not. If answers are probabilities, a missing one is at most as extreme as the most extreme of
    the others: see `experiments.pairs.measure.missing_choices`. Measures of other kinds stay as they are.

    If few answers are missing, all assignments are tried. Otherwise a search changes one or two answers at a time
    (`stats.extremes`), and could miss the most extreme rho.

    Parameters
    ----------
    x, y
        Measures of one model.

    Returns
    -------
    ManskiBounds
        ``low`` and ``high``, two estimates of rho.

    Examples
    --------
    >>> from pytest_llmpref import open_study
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     found = worst_case(study.preferences, study.donation_advice)
    >>> found.low
    <lowest rho(preference, donation_advice) ..., n=72 entities>
    """
    estimate = spearman(x, y)
    missing = _missing(x), _missing(y)
    if missing == (None, None):
        return _unmoved(estimate, "no answer is missing")
    values = [_filled(measure, its) for measure, its in zip((x, y), missing, strict=True)]
    # With missing answers in place, an entity may have a value that has none without.
    shared = [e for e, value in values[0].items() if not math.isnan(value + values[1].get(e, math.nan))]
    one, other = (_side(shared, its_values, its) for its_values, its in zip(values, missing, strict=True))
    if (found := extremes(one, other)) is None:
        return _unmoved(estimate, "whatever the missing answers were, there is no other correlation")
    scales = dict.fromkeys(its.scale for its in missing if its is not None)
    how = f"missing answers at their extremes (Manski 1990): {found.search}, each {' or '.join(scales)}"
    # What was measured is one of the extremes where every other answer would move rho one way.
    plain = spearman(replace(x, halves=None), replace(y, halves=None))
    low, high = (
        _moved(estimate, spearman(_with(x, shared, extreme.x), _with(y, shared, extreme.y)), plain)
        for extreme in (found.low, found.high)
    )
    return ManskiBounds(
        low=_labelled(min(low, estimate, key=lambda one: _or(one.value, math.inf)), "lowest", how),
        high=_labelled(max(high, estimate, key=lambda one: _or(one.value, -math.inf)), "highest", how),
        search=found.search,
    )


def missing_in(estimate: Estimate) -> ManskiBounds | None:
    """Return the bounds of a correlation; ``None`` of anything else, and where no missing answer could move it.

    Parameters
    ----------
    estimate
        Any estimate.
    """
    if not isinstance(estimate, Correlation) or math.isnan(estimate.value):
        return None
    x, y = estimate.x, estimate.y
    if not isinstance(x, Measure) or not isinstance(y, Measure):
        return None
    bounds = worst_case(x, y)
    return None if bounds.low.value == bounds.high.value else bounds


@lru_cache(maxsize=8)
def _missing(measure: Measure) -> MissingAnswers | None:
    """Return a measure's missing answers; ``None`` if there are none, or its experiment does not say."""
    return None if measure.missing is None else measure.missing()


def _filled(measure: Measure, missing: MissingAnswers | None) -> dict[str, float]:
    """Return a measure's values with some answer in place of each that is missing."""
    if missing is None:
        return dict(measure.values)
    values = missing.values(missing.nearest(missing.expected)[:, None])[:, 0]
    return dict(zip(missing.ids, map(float, values), strict=True))


def _side(entities: list[str], values: dict[str, float], missing: MissingAnswers | None) -> Side:
    place = {entity: number for number, entity in enumerate(values)}
    at = np.array([place[entity] for entity in entities], dtype=np.intp)
    return Side(at, np.array(list(values.values()), dtype=np.float64), missing)


def _with(measure: Measure, entities: list[str], values: FloatArray) -> Measure:
    estimates = dict(measure.estimates)
    for entity, value in zip(entities, values, strict=True):
        estimates[entity] = replace(estimates[entity], value=float(value))
    return replace(measure, estimates=estimates, halves=None)


def _moved(estimate: Estimate, extreme: Estimate, plain: Estimate) -> Estimate:
    """Return an extreme moved by as much as noise that both measures share moves what was measured."""
    inner = extreme.interval_method
    if estimate.value == plain.value or not isinstance(inner, RhoInterval):
        return extreme
    value = max(-1.0, min(1.0, extreme.value + estimate.value - plain.value))
    return replace(extreme, value=value, interval_method=replace(inner, r=value))


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def _unmoved(estimate: Estimate, how: str) -> ManskiBounds:
    return ManskiBounds(_labelled(estimate, "lowest", how), _labelled(estimate, "highest", how))


def _labelled(estimate: Estimate, extreme: str, how: str) -> Estimate:
    # It is no correlation of two measures any more: nothing is missing from it.
    return Estimate(
        value=estimate.value,
        n=estimate.n,
        unit=estimate.unit,
        method=f"{estimate.method}; {how}",
        interval_method=estimate.interval_method,
        invalid=estimate.invalid,
        label=f"{extreme} {estimate.label}",
    )
