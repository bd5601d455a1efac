"""How far strengths hold in other formats: variance components of entities by label, position, wording and answer form.

A generalizability study (Brennan 2001) of answers about pairs. The log-odds that the first of two entities is chosen
are the difference of their strengths, and of what each gains where it carries label A, where it is shown first, where
the first option carries A, in a wording, and in an answer form. The variances of these gains over the entities are
estimated by moments: quadratic forms are set equal to their expectations (Rao 1971). Answers about two different pairs
of an entity share what the entity gains; they share neither their noise nor what is particular to a pair.

References
----------
Brennan 2001
Efron and Stein 1981
Rao 1971
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.sparse import coo_array, csr_array

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.comparisons import Comparisons, require_comparisons
from pytest_llmpref.stats.pair_logit import PairFits, PairRegression
from pytest_llmpref.stats.rating import LEAST_SCATTER, NUISANCE_SD, PRIOR_SD
from pytest_llmpref.stats.reliability import cut

Facet = Literal["label", "position", "label_by_position", "wording", "answer_form"]
TWO_LEVELS: tuple[Facet, ...] = ("label", "position", "label_by_position")
"""Facets with two levels: what an entity gains in one, it loses in the other."""
FEWEST = 8
"""Fewest entities whose variances are estimated. Our choice."""
LEAST_TOLD = 0.25
"""Least part of what a facet does to answers that strengths and biases leave: a small design may hardly tell what an
entity gains, where its first option mostly carries one label, from its strength. Our choice."""


@dataclass(frozen=True, slots=True)
class GStudy:
    """What a generalizability study finds; variances are in squared log-odds, and estimates of them may be below 0.

    Attributes
    ----------
    entity
        Variance of the strengths that hold in all formats.
    facets
        Facet -> variance of what entities gain at one of its levels; only facets that the design varies.
    residual
        Residual variance of a single answer.
    swaps
        Facet -> correlation, without noise, between the strengths at two of its levels.
    coefficient
        Generalizability coefficient: the share of the variance in measured strengths that holds in all formats.
    one_format
        The same for strengths in a single format, without noise.
    """

    entity: float
    facets: Mapping[Facet, float]
    residual: float
    swaps: Mapping[Facet, Estimate]
    coefficient: Estimate
    one_format: float


@dataclass(frozen=True, slots=True)
class _Within:
    """A normal interval cut to what a correlation can be."""

    inner: Normal

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval, cut to -1 and 1."""
        low, high = self.inner.limits(level)
        return cut(low), cut(high)


def g_study(comparisons: Comparisons, levels: Mapping[Facet, IntArray]) -> GStudy | None:
    """Estimate how much of what entities differ by holds in all formats.

    Intervals come from the jackknife over entities (Efron and Stein 1981), with Student's t.

    Parameters
    ----------
    comparisons
        The trials.
    levels
        Level of each trial in further facets, ``wording`` and ``answer_form``, from 0; shape (t,) each. A facet with
        only one level is left out, and so is one that the design can hardly tell from strengths.

    Returns
    -------
    GStudy or None
        ``None`` for fewer than 8 entities, or answers that do not tell them apart.

    Raises
    ------
    ValueError
        If there are no comparisons.

    Examples
    --------
    Entities gain more by a label than they differ by, so strengths with label A are unlike those with label B:

    >>> import numpy as np
    >>> from scipy import special
    >>> rng = np.random.default_rng(0)
    >>> first, second = np.array([(i, j) for i in range(24) for j in range(24) if i != j]).T
    >>> is_a = (first + second + (first < second)) % 2 == 0
    >>> strength, gain = rng.normal(0, 0.5, 24), rng.normal(0, 1.0, 24)
    >>> logits = strength[first] - strength[second] + np.where(is_a, 1, -1) * (gain[first] + gain[second])
    >>> found = g_study(Comparisons(first, second, special.expit(logits), is_a, 24), {})
    >>> found.swaps["label"].value < 0 < found.swaps["position"].value
    True
    """
    require_comparisons(comparisons)
    fit = _Fit(comparisons, levels)
    if len(fit.compared) < FEWEST or np.ptp(fit.strengths) == 0:
        return None
    varied = {facet: _Facet(fit, *made) for facet, made in _varied(comparisons, levels).items()}
    facets = {name: facet for name, facet in varied.items() if facet.told_apart}
    return _study(fit, facets, _gains(fit, list(facets.values())))


def _study(fit: "_Fit", facets: Mapping[Facet, "_Facet"], gains: FloatArray) -> GStudy:
    """Divide what strengths scatter by among entities, facets and the rest."""
    leaks = np.array([fit.leak(facet) for facet in facets.values()])
    # Strengths lie about their mean, not about that of all entities of the kind.
    unbiased = len(fit.compared) / (len(fit.compared) - 1)
    whole = unbiased * fit.strengths**2
    strengths = whole - unbiased * (fit.noise + leaks @ gains.mean(axis=1))
    variances = dict(zip(facets, map(float, gains.mean(axis=1)), strict=True))
    entity = float(strengths.mean())
    one_format = max(entity, 0.0) + sum(max(variance, 0.0) for variance in variances.values())
    return GStudy(
        entity=entity,
        facets=variances,
        residual=fit.residual([(facet, variances[name]) for name, facet in facets.items()]),
        swaps={name: _swap(name, strengths, gain) for name, gain in zip(facets, gains, strict=True)},
        coefficient=_jackknifed(
            lambda held, measured: held / measured, strengths, whole, label="generalizability coefficient"
        ),
        one_format=max(entity, 0.0) / one_format if one_format > 0 else math.nan,
    )


def _swap(facet: Facet, strengths: FloatArray, gains: FloatArray) -> Estimate:
    """Return the correlation of strengths in two levels of a facet."""
    back = 1 if facet in TWO_LEVELS else 0
    return _jackknifed(
        lambda held, gained: (held - back * gained) / (held + gained) if held + gained > 0 else math.nan,
        strengths,
        gains,
        label=f"correlation of strengths across {facet.replace('_', ' ')}",
    )


def _jackknifed(
    statistic: Callable[[float, float], float], one: FloatArray, other: FloatArray, *, label: str
) -> Estimate:
    """Return a statistic of the means of what entities contribute, shape (n,) each, cut to -1 and 1."""
    n = len(one)
    value = statistic(float(one.mean()), float(other.mean()))
    without = [
        statistic(float(a), float(b))
        for a, b in zip((one.sum() - one) / (n - 1), (other.sum() - other) / (n - 1), strict=True)
    ]
    error = math.sqrt((n - 1) / n * float(np.sum((np.array(without) - np.mean(without)) ** 2)))
    return Estimate(
        value=cut(value),
        n=n,
        unit="entities",
        method="variance components by moments (Brennan 2001; Rao 1971), jackknife over entities",
        interval_method=_Within(Normal(value, error, df=n - 1)),
        invalid=() if math.isfinite(value) else ("entities do not differ beyond noise",),
        label=label,
    )


def _varied(
    comparisons: Comparisons, levels: Mapping[Facet, IntArray]
) -> dict[Facet, tuple[int, IntArray, FloatArray, FloatArray]]:
    """Return, by facet, its levels, each trial's level, and what gains of the first and the second count for there."""
    one, none = np.ones(len(comparisons)), np.zeros(len(comparisons), dtype=np.intp)
    a = np.where(comparisons.label_first_is_a, 1.0, -1.0)
    found: dict[Facet, tuple[int, IntArray, FloatArray, FloatArray]] = {"position": (1, none, one, one)}
    if np.ptp(a):
        found = {"label": (1, none, a, a), **found, "label_by_position": (1, none, a, -a)}
    for facet, level in levels.items():
        if np.ptp(level):
            found[facet] = (int(level.max()) + 1, level, one, -one)
    return found


class _Fit:
    """Strengths whatever the format, and what the fit does to the gains of entities.

    Attributes
    ----------
    compared
        The entities with trials.
    strengths, noise
        Of each of these: its strength less the mean, and the variance of its noise, by pair; shape (n,).
    """

    def __init__(self, comparisons: Comparisons, levels: Mapping[Facet, IntArray]) -> None:
        n, t = comparisons.n_entities, len(comparisons)
        others = _biases(comparisons, levels)
        model, fits = _fitted(comparisons, others, 1.0)
        if not comparisons.drawn:
            # Probabilities scatter less than draws, and tell so much more: the prior must not shrink them.
            scatter = _scatter(comparisons.score, fits.chances[:, 0])
            model, fits = _fitted(comparisons, others, min(1.0, max(scatter, LEAST_SCATTER)))
        chances = fits.chances[:, 0]
        self.comparisons = comparisons
        self.pair_of = comparisons.pairs[1]
        self.residuals, self.variance = comparisons.score - chances, chances * (1 - chances)
        self.design = model.trials(np.arange(t))
        self.bread = np.linalg.inv(model.information(self.variance[:, None])[0])
        self.compared = np.flatnonzero(np.bincount(np.r_[comparisons.first, comparisons.second], minlength=n))
        # Centred over the entities that were compared: rows of theirs only.
        centring = np.zeros((len(self.compared), len(self.bread)))
        centring[:, self.compared] = -1 / max(len(self.compared), 1)
        centring[np.arange(len(self.compared)), self.compared] += 1
        self.strengths = centring @ fits.parameters[:, 0]
        sandwich = model.sandwich(self.residuals, self.variance, self.bread, self.pair_of)
        self.noise = np.einsum("ij,jk,ik->i", centring, sandwich, centring)
        self.spread = centring @ self.bread

    def leak(self, facet: "_Facet") -> float:
        """Return how much of a facet's variance a squared strength less its noise holds, on average over entities."""
        passed = self.spread @ facet.on_fit.T
        # What comes by single pairs is in the noise already, which is that of pairs.
        return float(np.sum(passed**2) - np.sum(facet.by_pair_on_fit.dot(self.spread.T) ** 2)) / len(self.compared)

    def residual(self, facets: "list[tuple[_Facet, float]]") -> float:
        """Return the variance of an answer about all effects, in squared log-odds, given the facets' variances."""
        t, p = self.design.shape
        explained = sum(max(variance, 0.0) * self._scatter_of(facet) for facet, variance in facets)
        scatter = float(self.residuals @ self.residuals) - explained
        return max(scatter, 0.0) * t / max(t - p, 1) / float(self.variance @ self.variance)

    def _scatter_of(self, facet: "_Facet") -> float:
        """Return what a unit of a facet's variance adds to the sum of squared residuals."""
        taken = facet.taken
        weighted = csr_array(self.design.multiply(self.variance[:, None]))
        within = (weighted.T @ weighted) @ taken - 2 * (weighted.T @ facet.weighted).toarray()
        return float(facet.weighted.power(2).sum() + np.sum(taken * within))


def _fitted(comparisons: Comparisons, others: FloatArray, scatter: float) -> tuple[PairRegression, PairFits]:
    """Fit strengths and biases to answers that scatter so much, the variance of draws being 1."""
    n = comparisons.n_entities
    model = PairRegression(
        comparisons.first,
        comparisons.second,
        n,
        sign=-1.0,
        others=others,
        precision=np.r_[np.full(n, scatter * PRIOR_SD**-2.0), np.full(others.shape[1], NUISANCE_SD**-2.0)],
    )
    return model, model.fit(comparisons.score[:, None], np.ones((len(comparisons), 1)))


def _scatter(score: FloatArray, chances: FloatArray) -> float:
    return float(np.sum((score - chances) ** 2)) / float(np.sum(chances * (1 - chances)))


class _Facet:
    """What entities gain in the levels of a facet, as it shows in answers.

    Attributes
    ----------
    design
        Regressors of the gains, shape (t, columns): a column for each entity and level.
    by_pair
        The same, by pair and column, shape (rows, t).
    entity, entity_by_pair
        Entity of each column, and of each row.
    taken
        What the fit takes for other effects where there are gains, shape (p, columns).
    """

    def __init__(self, fit: _Fit, levels: int, level: IntArray, first: FloatArray, second: FloatArray) -> None:
        comparisons, t = fit.comparisons, len(fit.comparisons)
        columns = np.r_[comparisons.first * levels + level, comparisons.second * levels + level]
        trials, values, width = np.tile(np.arange(t), 2), np.r_[first, second], comparisons.n_entities * levels
        self.design = csr_array(coo_array((values, (trials, columns)), (t, width)))
        self.turned = csr_array(self.design.T)
        codes, rows = np.unique(np.tile(fit.pair_of, 2) * width + columns, return_inverse=True)
        self.by_pair = csr_array(coo_array((values, (rows, trials)), (len(codes), t)))
        self.entity, self.entity_by_pair = np.arange(width) // levels, codes % width // levels
        weighted = csr_array(self.design.multiply(fit.variance[:, None]))
        self.weighted = weighted
        self.on_fit = (weighted.T @ fit.design).toarray()
        self.taken = fit.bread @ self.on_fit.T
        self.by_pair_on_fit = csr_array(self.by_pair.multiply(fit.variance) @ fit.design)
        self._by_pair_on_fit_turned = csr_array(self.by_pair_on_fit.T)
        self._met_by_pair = (self._by_pair_on_fit_turned @ self.by_pair_on_fit).toarray()

    def expected(self, other: "_Facet") -> float:
        """Return what a unit of the other's variance adds to the quadratic form of this facet, over different pairs."""
        whole = (self.turned @ other.weighted).toarray() - self.on_fit @ other.taken
        pairs = csr_array(self.by_pair @ other.weighted)
        met = self._met_by_pair @ other.taken - 2 * (self._by_pair_on_fit_turned @ pairs).toarray()
        return float(np.sum(whole**2)) - float(pairs.power(2).sum()) - float(np.sum(other.taken * met))

    @cached_property
    def own(self) -> float:
        """What a unit of its own variance adds."""
        return self.expected(self)

    @property
    def told_apart(self) -> bool:
        """Whether the design tells what entities gain in the facet from their strengths."""
        alone = (self.turned @ self.weighted).power(2).sum() - (self.by_pair @ self.weighted).power(2).sum()
        return bool(self.own >= LEAST_TOLD * float(alone) > 0)


def _biases(comparisons: Comparisons, levels: Mapping[Facet, IntArray]) -> FloatArray:
    """Return regressors for biases whatever the entities: of position and of label, by wording and answer form."""
    cell = np.zeros(len(comparisons), dtype=np.intp)
    for level in levels.values():
        cell = cell * (int(level.max()) + 1) + level
    cells = np.unique(cell, return_inverse=True)[1]
    shown = np.eye(int(cells.max()) + 1)[cells]
    a = np.where(comparisons.label_first_is_a, 0.5, -0.5)
    return np.concatenate([shown, shown * a[:, None]], axis=1) if np.ptp(a) else shown


def _gains(fit: _Fit, facets: list[_Facet]) -> FloatArray:
    """Return what entities contribute to the variance of each facet, shape (facets, n): the mean is the variance."""
    n, size = len(fit.compared), fit.comparisons.n_entities
    scatter = float(fit.residuals @ fit.residuals) / float(fit.variance.sum())
    found = np.empty((len(facets), size))
    expected = np.empty((len(facets), len(facets)))
    for row, facet in enumerate(facets):
        sums, pair_sums = facet.turned @ fit.residuals, facet.by_pair @ fit.residuals
        own = _diagonal(facet.on_fit, fit.bread), _diagonal(facet.by_pair_on_fit, fit.bread)
        # The fit follows the noise of all trials, so residuals of different pairs are not quite independent.
        found[row] = np.bincount(facet.entity, sums**2 + scatter * own[0], size) - np.bincount(
            facet.entity_by_pair, pair_sums**2 + scatter * own[1], size
        )
        expected[row] = [facet.own if other is facet else facet.expected(other) for other in facets]
    return np.asarray(n * np.linalg.lstsq(expected, found[:, fit.compared], rcond=1e-9)[0])


def _diagonal(left: FloatArray | csr_array, middle: FloatArray) -> FloatArray:
    """Return the diagonal of ``left @ middle @ left.T``."""
    product = left @ middle
    if isinstance(left, csr_array):
        return np.asarray(left.multiply(product).sum(axis=1)).ravel()
    return np.asarray(np.sum(left * product, axis=1))
