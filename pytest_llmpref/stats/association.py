"""Do two measures order the entities alike? Spearman's rho, within groups too, and a statistic of a user's own.

References
----------
Bonett and Wright 2000
Efron 1987
Hoeffding 1948
"""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown
from pytest_llmpref.stats.arrays import FloatArray, explained_by_groups
from pytest_llmpref.stats.ranks import (
    FEWEST,
    MeanRho,
    RhoInterval,
    rank_correlation,
    shared_variance,
    unbiased_rank_correlation,
)


class HasValues(Protocol):
    """Anything with a value for each entity: every measure is."""

    @property
    def name(self) -> str:
        """Name of the measure."""

    @property
    def values(self) -> Mapping[str, float]:
        """Entity id -> value; NaN, or left out, where there is none."""

    @property
    def reasons(self) -> Sequence[str]:
        """Why the measurement is invalid; empty where it is not."""
        ...

    @property
    def unranked(self) -> Sequence[str]:
        """Why the values do not order the entities; empty where they do."""
        ...


@runtime_checkable
class HasGroups(HasValues, Protocol):
    """Values whose entities come in groups."""

    @property
    def groups(self) -> Mapping[str, str]:
        """Entity id -> group."""
        ...


@runtime_checkable
class HasLeaveOneOut(HasValues, Protocol):
    """Values of entities that depend on which others were asked about."""

    @property
    def absences(self) -> Callable[[], Mapping[str, Mapping[str, float]]] | None:
        """Returns entity id -> the others' values had it never been asked about, less their values; or ``None``."""
        ...


@dataclass(frozen=True, slots=True, repr=False, eq=False, kw_only=True)
class Correlation(Estimate):
    """Spearman's rho between two measures, which knows them.

    Attributes
    ----------
    x, y
        The measures.
    """

    x: HasValues
    y: HasValues


def spearman(x: HasValues, y: HasValues) -> Correlation:
    """Return Spearman's rho between two measures over the entities that have a value in both.

    The entities are a sample of their kind; the groups that they come in are as given, and others could give another
    rho, where both measures differ by group: see `within_groups`. The method says how much groups explain.

    Reasons for which either measure is invalid pass on to the estimate. Where values of one depend on which other
    entities were asked about, the interval carries that too (`stats.ranks.shared_variance`).

    Parameters
    ----------
    x, y
        Measures of the same entities.

    Returns
    -------
    Correlation
        From -1 to 1, over the entities that both know.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> x = SimpleNamespace(name="x", values=dict(zip("abcdef", range(6))), reasons=(), unranked=())
    >>> y = SimpleNamespace(name="y", values=dict(zip("abcdef", (0, 2, 1, 3, 5, 4))), reasons=(), unranked=())
    >>> spearman(x, y)
    <rho(x, y) 0.8857, 95% [0.2476, 0.9924], n=6 entities>
    """
    entities, x_values, y_values = _shared(x, y)
    extra = _extra_variance(x, entities, y_values) + _extra_variance(y, entities, x_values)
    estimate = spearman_estimate(x_values, y_values, invalid=_reasons(x, y), extra=extra)
    estimate = replace(estimate, method=estimate.method + _grouped(x, y, entities))
    described = _described(estimate, f"rho({x.name}, {y.name})", x, y, len(entities))
    return Correlation(**{one.name: getattr(described, one.name) for one in fields(Estimate)}, x=x, y=y)


def within_groups(x: HasGroups, y: HasValues) -> Estimate:
    """Return Spearman's rho between two measures within the groups of the first, averaged over the groups.

    Parameters
    ----------
    x
        A measure that knows its entities' groups.
    y
        Another of the same entities.

    Returns
    -------
    Estimate
        From -1 to 1.
    """
    entities, x_values, y_values = _shared(x, y)
    groups = [x.groups[entity] for entity in entities]
    estimate = within_group_spearman(x_values, y_values, groups, invalid=_reasons(x, y))
    return _described(estimate, f"rho within groups({x.name}, {y.name})", x, y, len(entities))


def spearman_estimate(
    x: ArrayLike, y: ArrayLike, *, invalid: Iterable[str] = (), unit: str = "entities", extra: float = 0.0
) -> Estimate:
    """Return Spearman's rho, with an interval on Fisher's z scale: see `stats.ranks.RhoInterval`.

    For the interval, |rho| is at most ``1 - 6 / (n * (n**2 - 1))``, halfway from perfect agreement to a single swap
    of neighbours.

    Parameters
    ----------
    x, y
        Values, shape (n,) each. With NaN, fewer than 4 values, or no spread, the estimate is invalid and NaN.
    invalid
        Reasons why the measurement is invalid.
    unit
        What n counts.
    extra
        Variance of Fisher's z beside that of a sample of independent pairs of values.

    Returns
    -------
    Estimate
        From -1 to 1.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> spearman_estimate([1, 2, 3, 4, 5], [2, 1, 3, 5, 4])
    <rho 0.8, 95% [-0.3096, 0.9925], n=5 entities>
    """
    a, b = _vectors(x, y)
    n, reasons = len(a), [*invalid]
    method = "Spearman, score interval on Fisher's z with the standard error of Bonett and Wright (2000)"
    if extra > 0:
        method += "; and for that entities sway each other's values, by the jackknife over entities"
    rho = math.nan
    interval_method: IntervalMethod = Unknown()
    if problem := _problem(a, b, unit):
        reasons.append(problem)
    else:
        rho = rank_correlation(a, b)
        interval_method = RhoInterval(rho, n, extra)
    return Estimate(rho, n, unit, method, interval_method, tuple(dict.fromkeys(reasons)), "rho")


def within_group_spearman(
    x: ArrayLike, y: ArrayLike, groups: Sequence[str], *, invalid: Iterable[str] = ()
) -> Estimate:
    """Return the mean over groups of Spearman's rho, each group's without the bias that a small sample has.

    Spearman's rho of a small sample lies nearer to 0 than the population's, and averaging does not mend that; see
    `stats.ranks.unbiased_rank_correlation`. Groups are weighted by the inverse of its variance for independent
    measures, and the interval holds every rho whose own variance leaves the mean within reach. Groups with fewer than
    4 entities, or without spread, are left out, and the method says how many.

    Parameters
    ----------
    x, y, groups
        Two values and the group of each entity, shape (n,) each.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        From -1 to 1.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    a, b = _vectors(x, y)
    if len(groups) != len(a):
        raise ValueError(f"within_group_spearman: {len(a)} values, but {len(groups)} groups")
    names = np.asarray(groups, dtype=np.str_)
    found, sizes = [], []
    for name in np.unique(names):
        inside = names == name
        if not _problem(a[inside], b[inside], "entities"):
            found.append(unbiased_rank_correlation(a[inside], b[inside]))
            sizes.append(int(inside.sum()))
    left_out = len(np.unique(names)) - len(sizes)
    method = (
        f"Spearman within {len(sizes)} groups{f' ({left_out} left out)' if left_out else ''}, unbiased "
        "(Hoeffding 1948), score interval with the variance of that U-statistic"
    )
    if not sizes:
        reasons = (*invalid, f"no group has {FEWEST} entities with different values")
        return Estimate(math.nan, 0, "entities", method, Unknown(), reasons, "rho within groups")
    interval = MeanRho(tuple(found), tuple(sizes))
    invalid = tuple(dict.fromkeys(invalid))
    return Estimate(interval.mean, sum(sizes), "entities", method, interval, invalid, "rho within groups")


def _vectors(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a correlation needs two arrays of one shape (n,), not {a.shape} and {b.shape}")
    return a, b


def _problem(x: FloatArray, y: FloatArray, unit: str) -> str:
    """Say why two arrays have no rank correlation; empty where they have one."""
    if np.isnan(x).any() or np.isnan(y).any():
        return f"{int((np.isnan(x) | np.isnan(y)).sum())} of {len(x)} {unit} have no value (NaN)"
    if len(x) < FEWEST:
        return f"{len(x)} {unit} are too few: a correlation needs at least {FEWEST}"
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return f"all {unit} have the same value, so their order cannot be compared"
    return ""


def _shared(x: HasValues, y: HasValues) -> tuple[list[str], list[float], list[float]]:
    entities = [
        entity
        for entity, value in x.values.items()
        if not math.isnan(value) and not math.isnan(y.values.get(entity, math.nan))
    ]
    return entities, [x.values[entity] for entity in entities], [y.values[entity] for entity in entities]


def _extra_variance(measure: HasValues, entities: Sequence[str], others: Sequence[float]) -> float:
    """Return what a measure's entities, swaying one another, add to the variance of z; 0 where they do not."""
    if not isinstance(measure, HasLeaveOneOut) or measure.absences is None or not entities:
        return 0.0
    absences = measure.absences()
    changes = np.array([[absences[gone].get(one, math.nan) for gone in entities] for one in entities])
    if np.isnan(changes[~np.eye(len(entities), dtype=np.bool_)]).any():
        return 0.0
    values = np.array([measure.values[entity] for entity in entities])
    return shared_variance(np.asarray(others), values, changes)


def _grouped(x: HasValues, y: HasValues, entities: Sequence[str]) -> str:
    """Say how much of what both measures differ by groups explain; nothing where that is not known."""
    if not isinstance(x, HasGroups):
        return ""
    groups = [x.groups.get(entity, "") for entity in entities]
    shares = [
        explained_by_groups(np.array([measure.values[entity] for entity in entities]), groups) for measure in (x, y)
    ]
    if any(map(math.isnan, shares)):
        return ""
    return f"; over given groups, which explain {shares[0]:.0%} and {shares[1]:.0%} of how entities differ"


def _reasons(x: HasValues, y: HasValues) -> list[str]:
    return [f"{measure.name}: {reason}" for measure in (x, y) for reason in (*measure.reasons, *measure.unranked)]


def _described(estimate: Estimate, label: str, x: HasValues, y: HasValues, shared: int) -> Estimate:
    missing = len({*x.values, *y.values}) - shared
    note = f"; {missing} entities without a value in both are left out" if missing else ""
    return replace(estimate, method=estimate.method + note, label=label)


RESAMPLES = 5_000
"""Bootstrap samples; enough for the tails of an interval that is corrected for some 20 claims."""
FEWEST_RESAMPLED = 8
"""Fewest entities: of fewer, samples repeat each other too often to stand for new ones. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Bias-corrected and accelerated interval (BCa: Efron 1987) by `scipy.stats.bootstrap`, entities resampled.

    Attributes
    ----------
    statistic
        Takes one vector for each measure, entities in the same order.
    values
        The vectors.
    seed
        Random seed of the resampling.
    """

    statistic: Callable[..., float]
    values: tuple[FloatArray, ...] = field(repr=False)
    seed: int = 0

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval; NaN where the statistic does not vary over the samples."""
        return _limits(self, level)


@lru_cache(maxsize=256)
def _limits(method: Bootstrap, level: float) -> tuple[float, float]:
    from scipy import stats  # noqa: PLC0415 - slow to import, and needed by few

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all samples are alike is said by the interval, which is NaN
        found = stats.bootstrap(
            method.values,
            lambda *columns: float(method.statistic(*columns)),
            n_resamples=RESAMPLES,
            paired=True,
            vectorized=False,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(method.seed),
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def over_entities(statistic: Callable[..., float], *measures: HasValues, label: str = "", seed: int = 0) -> Estimate:
    """Return a statistic of your own over the entities that have a value in every measure.

    The interval treats the entities as a sample of their kind, as that of `spearman` does, and what is claimed about
    the estimate becomes a verdict like any other. Reasons for which a measure is invalid pass on.

    Parameters
    ----------
    statistic
        Takes one numpy vector for each measure, and returns a number.
    measures
        What it is of.
    label
        What it is called in reports; the function's name, and the measures', unless given.
    seed
        Random seed of the resampling.

    Returns
    -------
    Estimate
        NaN for fewer than 8 entities.

    Examples
    --------
    >>> from types import SimpleNamespace as Values
    >>> over_entities(np.mean, Values(name="x", values=dict(enumerate(range(12))), reasons=(), unranked=())).value
    5.5
    """
    columns = [measure.values for measure in measures]
    shared = [entity for entity in columns[0] if all(not math.isnan(one.get(entity, math.nan)) for one in columns)]
    values = tuple(np.array([one[entity] for entity in shared], dtype=np.float64) for one in columns)
    reasons = [f"{measure.name}: {reason}" for measure in measures for reason in (*measure.reasons, *measure.unranked)]
    enough = len(shared) >= FEWEST_RESAMPLED
    if not enough:
        reasons.append(
            f"{len(shared)} entities with a value in each measure are too few: resampling needs {FEWEST_RESAMPLED}"
        )
    name = getattr(statistic, "__name__", "statistic")
    return Estimate(
        value=float(statistic(*values)) if enough else math.nan,
        n=len(shared),
        unit="entities",
        method=f"{name}, BCa interval (Efron 1987) over {RESAMPLES:,} resamples of the entities",
        interval_method=Bootstrap(statistic, values, seed) if enough else Unknown(),
        label=label or f"{name}({', '.join(measure.name for measure in measures)})",
    ).marked(reasons)
