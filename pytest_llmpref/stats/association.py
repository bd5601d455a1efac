"""Do two measures order the entities alike? Spearman's rho.

Within groups: `stats.grouped`. A statistic of a user's own: `stats.own_statistic`.

References
----------
Bonett and Wright 2000
Efron and Stein 1981
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import IntervalMethod, Unknown
from pytest_llmpref.stats.arrays import FloatArray, explained_by_groups
from pytest_llmpref.stats.closed_form import FEWEST_GROUPS
from pytest_llmpref.stats.crossed import without_shared_noise
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval, rank_correlation, shared_variance
from pytest_llmpref.stats.sampled import Groups, scatter_of


class HasValues(Protocol):
    """Anything with a value for each entity: every measure is."""

    @property
    def name(self) -> str:
        """Name of the measure."""

    @property
    def values(self) -> Mapping[str, float]:
        """Entity id -> value; NaN or left out if there is none."""

    @property
    def reasons(self) -> Sequence[str]:
        """Why the measurement is invalid; empty if it is not."""
        ...

    @property
    def unranked(self) -> Sequence[str]:
        """Why the values do not order the entities; empty if they do."""
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


def spearman(x: HasValues, y: HasValues, *, groups: Groups = "sample") -> Correlation:
    """Return Spearman's rho between two measures over the entities that have a value in both.

    The interval generalises to other groups of the kind. If both measures differ by group, 72 entities in eight groups
    carry little more information than eight cases. So the jackknife leaves out whole groups, and Student's t has one
    degree of freedom fewer than there are groups. With fewer than 5 groups, the interval is about these entities only,
    and the label says so. With ``groups="given"``, it generalises to other entities of these groups.

    If either measure is invalid, so is rho, for the same reasons. If values of one measure depend on which other
    entities were asked about, the interval allows for that (`stats.ranks.shared_variance`). The noise that measures of
    the same pairs share is removed (`stats.crossed`).

    Parameters
    ----------
    x, y
        Measures of the same entities. The groups come from the first measure that has them.
    groups
        ``"sample"``: entities' groups are a sample of their kind. ``"given"``: groups are as given, and the entities a
        sample of each.

    Returns
    -------
    Correlation
        From -1 to 1, over the entities with a value in both.

    Raises
    ------
    ValueError
        If ``groups`` is neither ``"sample"`` nor ``"given"``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> x = SimpleNamespace(name="x", values=dict(zip("abcdef", range(6))), reasons=(), unranked=())
    >>> y = SimpleNamespace(name="y", values=dict(zip("abcdef", (0, 2, 1, 3, 5, 4))), reasons=(), unranked=())
    >>> spearman(x, y)
    <rho(x, y) 0.8857, 95% [0.2476, 0.9924], n=6 entities>
    """
    if groups not in ("sample", "given"):
        raise ValueError(f'spearman(groups={groups!r}): groups are a "sample" of their kind, or as "given"')
    entities, x_values, y_values = shared_values(x, y)
    extra = _extra_variance(x, entities, y_values) + _extra_variance(y, entities, x_values)
    of = groups_of((x, y), entities)
    plain = spearman_estimate(x_values, y_values, invalid=reasons_of(x, y), extra=extra, groups=of, given=groups)
    estimate = without_shared_noise(plain, x, y)
    estimate = replace(estimate, method=estimate.method + _explained(x, y, entities, of))
    note = _ONLY[groups] if groups == "given" or few_groups(of) else ""
    described = described_as(estimate, f"rho({x.name}, {y.name}{note})", x, y, len(entities))
    return Correlation(**{one.name: getattr(described, one.name) for one in fields(Estimate)}, x=x, y=y)


_SWAYED = "; and for that entities sway each other's values, by the jackknife over entities"
THESE_ONLY = "; these entities only"
"""Label of an interval that tells nothing of other groups."""
_ONLY = {"sample": THESE_ONLY, "given": "; groups as given"}


def few_groups(groups: Sequence[str] | None) -> bool:
    """Return whether there are groups, and too few to tell how far others would differ from them."""
    return 1 < len(set(groups or ())) < FEWEST_GROUPS


def spearman_estimate(
    x: ArrayLike,
    y: ArrayLike,
    *,
    invalid: Iterable[str] = (),
    extra: float = 0.0,
    groups: Sequence[str] | None = None,
    given: Groups = "sample",
) -> Estimate:
    """Return Spearman's rho, with an interval on Fisher's z scale: see `stats.ranks.RhoInterval`.

    How rho scatters over samples is estimated by the jackknife (`stats.sampled.jackknife`); with fewer than 8 values it
    is as of independent normal ones. For the interval, |rho| is at most ``1 - 6 / (n * (n**2 - 1))``, halfway from
    perfect agreement to a single swap of neighbours.

    Parameters
    ----------
    x, y
        Values, shape (n,) each. With NaN, fewer than 4 values, or no spread, the estimate is invalid and NaN.
    invalid
        Reasons why the measurement is invalid.
    extra
        Variance of Fisher's z in addition to the sampling variance of independent pairs of values.
    groups
        Group of each, shape (n,); ``None`` if they come in none.
    given
        Whether groups are a ``sample`` of their kind, or as ``given``.

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
    a, b = vectors(x, y)
    n, reasons = len(a), [*invalid]
    rho = math.nan
    interval_method: IntervalMethod = Unknown()
    method = "Spearman"
    if problem := why_no_rank_correlation(a, b):
        reasons.append(problem)
    else:
        rho = rank_correlation(a, b)
        scatter, how = scatter_of(a, b, groups, given)
        interval_method = RhoInterval(rho, n, extra, scatter)
        method = f"Spearman, score interval on Fisher's z {how}"
    method += _SWAYED if extra > 0 else ""
    return Estimate(rho, n, "entities", method, interval_method, tuple(dict.fromkeys(reasons)), "rho")


def vectors(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return two vectors as arrays of one shape; ``ValueError`` where they are none."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a correlation needs two arrays of one shape (n,), not {a.shape} and {b.shape}")
    return a, b


def why_no_rank_correlation(x: FloatArray, y: FloatArray) -> str:
    """Say why two arrays have no rank correlation; empty if they have one."""
    if np.isnan(x).any() or np.isnan(y).any():
        return f"{int((np.isnan(x) | np.isnan(y)).sum())} of {len(x)} entities have no value (NaN)"
    if len(x) < FEWEST:
        return f"{len(x)} entities are too few: a correlation needs at least {FEWEST}"
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "all entities have the same value, so their order cannot be compared"
    return ""


def shared_values(x: HasValues, y: HasValues) -> tuple[list[str], list[float], list[float]]:
    """Return the entities that have a value in both measures, and their values."""
    entities = [
        entity
        for entity, value in x.values.items()
        if not math.isnan(value) and not math.isnan(y.values.get(entity, math.nan))
    ]
    return entities, [x.values[entity] for entity in entities], [y.values[entity] for entity in entities]


def _extra_variance(measure: HasValues, entities: Sequence[str], others: Sequence[float]) -> float:
    """Return what a measure's entities, swaying one another, add to the variance of z; 0 if they do not."""
    if not isinstance(measure, HasLeaveOneOut) or measure.absences is None or not entities:
        return 0.0
    absences = measure.absences()
    changes = np.array([[absences[gone].get(one, math.nan) for gone in entities] for one in entities])
    if np.isnan(changes[~np.eye(len(entities), dtype=np.bool_)]).any():
        return 0.0
    values = np.array([measure.values[entity] for entity in entities])
    return shared_variance(np.asarray(others), values, changes)


def groups_of(measures: Iterable[HasValues], entities: Sequence[str]) -> list[str] | None:
    """Return the group of each entity, as the first of the measures has it that knows them; ``None`` if none does."""
    known = next((one.groups for one in measures if isinstance(one, HasGroups)), None)
    return None if known is None else [known.get(entity, "") for entity in entities]


def _explained(x: HasValues, y: HasValues, entities: Sequence[str], groups: Sequence[str] | None) -> str:
    """Say how much of what both measures differ by groups explain; nothing where that is not known."""
    if groups is None:
        return ""
    shares = [
        explained_by_groups(np.array([measure.values[entity] for entity in entities]), groups) for measure in (x, y)
    ]
    if any(map(math.isnan, shares)):
        return ""
    return f"; groups explain {shares[0]:.0%} and {shares[1]:.0%} of how entities differ"


def reasons_of(*measures: HasValues) -> list[str]:
    """Return why any of the measures is invalid, or does not order the entities, or is no other than the first."""
    same = len(measures) > 1 and all(measure is measures[0] for measure in measures)
    reasons = [f"{measure.name}: {reason}" for measure in measures for reason in (*measure.reasons, *measure.unranked)]
    return [*reasons, *([f"{measures[0].name}: correlated with itself, which says nothing"] if same else [])]


def described_as(estimate: Estimate, label: str, x: HasValues, y: HasValues, shared: int) -> Estimate:
    """Return an estimate with its label, and how many entities have no value in both measures."""
    missing = len({*x.values, *y.values}) - shared
    note = f"; {missing} entities without a value in both are left out" if missing else ""
    return replace(estimate, method=estimate.method + note, label=label)
