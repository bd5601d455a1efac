"""Estimates of several studies, each with its own error, related to a covariate of the studies.

A study's estimate is its true value and noise of known variance; true values lie around a line, with variance ``tau^2``
that is estimated by restricted maximum likelihood. Studies are few, so intervals are Knapp and Hartung's.

References
----------
Higgins and Thompson 2002
Knapp and Hartung 2003
Raudenbush 2009
Röver, Knapp and Friede 2015
Viechtbauer 2005
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from pytest_llmpref.stats.arrays import FloatArray

FEWEST = 4
"""Fewest studies of which a line is fitted: with three, one degree of freedom is left, and t is 12.7. Our choice."""
_GRID = 24
"""Values of ``tau^2`` at which the likelihood is looked at before it is maximised between two of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through estimates.

    Attributes
    ----------
    intercept, slope
        At a covariate of 0, and per unit of the covariate.
    covariance
        Of both, shape (2, 2), by Knapp and Hartung.
    df
        Degrees of freedom of t.
    tau
        Standard deviation of true values around the line.
    i2
        Share of the variance around the line that is no noise of the estimates (Higgins and Thompson 2002).
    """

    intercept: float
    slope: float
    covariance: FloatArray
    df: int
    tau: float
    i2: float

    @property
    def error(self) -> float:
        """Standard error of the slope."""
        return math.sqrt(float(self.covariance[1, 1]))

    @property
    def p_value(self) -> float:
        """Two-sided p of the slope."""
        if self.error == 0:
            return 1.0 if self.slope == 0 else 0.0
        return float(2 * special.stdtr(self.df, -abs(self.slope) / self.error))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of the slope."""
        half = self._quantile(level) * self.error
        return self.slope - half, self.slope + half

    def at(self, covariate: float, level: float = 0.95) -> tuple[float, float, float]:
        """Return the line at a covariate, with the interval of the line there (not of a new study)."""
        here = np.array([1.0, covariate])
        value = self.intercept + self.slope * covariate
        half = self._quantile(level) * math.sqrt(max(0.0, float(here @ self.covariance @ here)))
        return value, value - half, value + half

    def _quantile(self, level: float) -> float:
        return float(special.stdtrit(self.df, (1 + level) / 2))


def meta_regression(value: FloatArray, error: FloatArray, covariate: FloatArray) -> Line:
    """Fit a line through estimates of several studies by mixed-effects meta-regression.

    ``tau^2`` is estimated by restricted maximum likelihood (Viechtbauer 2005, Raudenbush 2009). Standard errors are
    scaled by the weighted residuals (Knapp and Hartung 2003), but never made smaller by that: where few studies happen
    to lie close to the line, they would be too small (Röver, Knapp and Friede 2015).

    Parameters
    ----------
    value, error, covariate
        Estimate, its standard error, and covariate of each study, shape (k,).

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST` studies, the covariate is the same in all, or an error is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.meta_regression import meta_regression
    >>> size = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> line = meta_regression(np.array([0.1, 0.3, 0.6, 0.7, 1.0]), np.full(5, 0.1), size)
    >>> round(line.slope, 3), [round(end, 3) for end in line.interval()], round(line.tau, 3)
    (0.22, [0.119, 0.321], 0.0)
    """
    if len(value) < FEWEST:
        raise ValueError(f"{len(value)} studies are too few for a line; it takes {FEWEST}")
    if not np.ptp(covariate) > 0:
        raise ValueError("the covariate is the same in all studies")
    if not (np.isfinite(error) & (error > 0)).all():
        raise ValueError("each estimate needs a standard error above 0")
    # Centred and scaled, so that years and numbers of parameters are fitted as well as anything.
    middle, scale = float(covariate.mean()), float(covariate.std())
    design = np.column_stack([np.ones_like(covariate), (covariate - middle) / scale])
    variance = error**2
    tau2 = _tau2(value, variance, design)
    coefficients, covariance, residual = _weighted(value, variance + tau2, design)
    df = len(value) - 2
    inflation = max(1.0, float(residual**2 @ (1 / (variance + tau2))) / df)
    back = np.array([[1.0, -middle / scale], [0.0, 1 / scale]])
    intercept, slope = back @ coefficients
    return Line(
        float(intercept),
        float(slope),
        back @ (covariance * inflation) @ back.T,
        df,
        math.sqrt(tau2),
        _i2(variance, tau2, design),
    )


def _weighted(value: FloatArray, variance: FloatArray, design: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients, their covariance, and residuals, of the fit weighted by the inverse of variances."""
    weighted = design / variance[:, None]
    covariance = np.linalg.inv(design.T @ weighted).astype(np.float64)
    coefficients = covariance @ (weighted.T @ value)
    return coefficients, covariance, value - design @ coefficients


def _tau2(value: FloatArray, variance: FloatArray, design: FloatArray) -> float:
    """Return the variance around the line that maximises the restricted likelihood."""
    covariate = design[:, 1]
    products = np.stack([np.ones_like(value), covariate, covariate**2, value, covariate * value])

    def deviances(tau2: FloatArray) -> FloatArray:
        # Of each tau^2, shape (g,). Some fifty are looked at, so the fit of two coefficients is spelt out.
        total = variance + tau2[:, None]
        weight = 1 / total
        s, sx, sxx, sy, sxy = products @ weight.T
        determinant = s * sxx - sx**2
        intercept, slope = (sxx * sy - sx * sxy) / determinant, (s * sxy - sx * sy) / determinant
        residual = value - intercept[:, None] - slope[:, None] * covariate
        return np.asarray(np.log(total).sum(axis=1) + np.log(determinant) + np.sum(residual**2 * weight, axis=1))

    def deviance(tau2: float) -> float:
        return float(deviances(np.array([tau2]))[0])

    most = float(np.var(value) * 10 + variance.max())
    grid = np.concatenate([[0.0], np.geomspace(most * 1e-9, most, _GRID)])
    of_grid = deviances(grid)
    best = int(np.argmin(of_grid))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID)]
    found = optimize.minimize_scalar(deviance, bounds=(low, high), method="bounded", options={"xatol": most * 1e-12})
    return float(found.x) if found.fun < of_grid[0] else 0.0


def _i2(variance: FloatArray, tau2: float, design: FloatArray) -> float:
    """Return the share of the variance around the line that is no noise: ``tau^2`` beside a typical noise variance."""
    weighted = design / variance[:, None]
    weight = 1 / variance
    projected = weight.sum() - np.trace(np.linalg.inv(design.T @ weighted) @ (weighted.T @ weighted))
    typical = (len(variance) - design.shape[1]) / projected
    return float(tau2 / (tau2 + typical))
