"""Power before spending: what a claim about Spearman's rho over n entities can be expected to show."""

import math
from statistics import NormalDist

import scipy

from pytest_llmpref.claims.claim import DEFAULT_ALPHA
from pytest_llmpref.claims.verdict import Relation
from pytest_llmpref.stats.ranks import FEWEST, RhoInterval

_NORMAL = NormalDist()
_EDGE = 1 - 1e-9


def correlation_power(
    rho: float, n: int, *, bound: float = 0.0, relation: Relation = ">", alpha: float = DEFAULT_ALPHA
) -> float:
    """Return the chance that a claim about Spearman's rho is supported.

    Fisher's z of the estimate is taken to be normal about that of ``rho`` with the standard error of Bonett and Wright
    (2000), and the claim is judged as `estimates.make_claim` does: by the two-sided interval at ``1 - alpha``, or by
    two one-sided tests at ``alpha`` for equivalence.

    Parameters
    ----------
    rho
        The population's rho between the two measures as they are measured: noise lowers it.
    n
        Entities with a value in both.
    bound, relation
        The claim.
    alpha
        Error rate of the claim; divide it by the number of claims in a family.

    Raises
    ------
    ValueError
        If there are fewer than 4 entities, or rho or the bound is not between -1 and 1.
    """
    if n < FEWEST:
        raise ValueError(f"n={n}: a correlation needs at least {FEWEST} entities")
    if not abs(rho) < 1 or not abs(bound) < 1:
        raise ValueError(f"rho={rho}, bound={bound}: both lie between -1 and 1")
    if relation == ">":
        return _above(_lowest_supported(bound, n, 1 - alpha), rho, n)
    if relation == "<":
        return _above(_lowest_supported(-bound, n, 1 - alpha), -rho, n)
    edge = _lowest_supported(-bound, n, 1 - 2 * alpha)
    return max(0.0, _above(edge, rho, n) + _above(edge, -rho, n) - 1)


def smallest_rho(n: int, *, power: float = 0.8, alpha: float = DEFAULT_ALPHA) -> float:
    """Return the smallest rho that ``rho > 0`` is supported for with this power; NaN where none is.

    Raises
    ------
    ValueError
        As `correlation_power`, or if the power is not between alpha and 1.
    """
    if not alpha < power < 1:
        raise ValueError(f"power={power}: it lies between alpha ({alpha}) and 1")
    if correlation_power(_EDGE, n, alpha=alpha) < power:
        return math.nan
    return float(scipy.optimize.brentq(lambda rho: correlation_power(rho, n, alpha=alpha) - power, 0.0, _EDGE))


def _lowest_supported(bound: float, n: int, level: float) -> float:
    """Return the smallest estimate whose interval lies above the bound."""

    def margin(rho: float) -> float:
        return RhoInterval(rho, n).bounds(level)[0] - bound

    largest = RhoInterval(1.0, n).largest
    return float(scipy.optimize.brentq(margin, bound, largest)) if margin(largest) > 0 else 1.0


def _above(threshold: float, rho: float, n: int) -> float:
    """Return the chance of an estimate above a threshold."""
    if threshold >= 1:
        return 0.0
    return 1 - _NORMAL.cdf((math.atanh(threshold) - math.atanh(rho)) / RhoInterval(rho, n).se)
