"""Power of claims about rho: against known figures, and against simulated studies."""

import math

import numpy as np
import pytest

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.power import correlation_power


@pytest.mark.parametrize(("n", "rho"), [(10, 0.80), (20, 0.60), (30, 0.50), (50, 0.40), (72, 0.33)])
def test_the_smallest_rho_of_the_published_table_has_about_its_power(n, rho):
    assert correlation_power(rho - 0.035, n) < 0.8 < correlation_power(rho + 0.035, n)


def test_too_few_entities_detect_nothing():
    assert correlation_power(0.99, 4) < 0.8


@pytest.mark.parametrize(
    ("pearson", "threshold", "relation"), [(0.5, 0.0, ">"), (0.6, 0.8, "<"), (0.1, 0.5, "abs <"), (-0.5, 0.0, "<")]
)
def test_the_prediction_is_what_simulated_studies_show(pearson, threshold, relation):
    rng, n, studies, supported = np.random.default_rng(1), 36, 600, 0
    for _ in range(studies):
        estimate = spearman_estimate(*rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], size=n).T)
        claim = {">": lambda e: e > threshold, "<": lambda e: e < threshold, "abs <": lambda e: abs(e) < threshold}[
            relation
        ]
        supported += claim(estimate).verdict is Verdict.SUPPORTED
    truth = 6 / math.pi * math.asin(pearson / 2)
    # How rho scatters is estimated from the entities themselves, with n - 1 degrees of freedom.
    predicted = correlation_power(truth, n, threshold=threshold, relation=relation, df=n - 1)
    assert predicted == pytest.approx(supported / studies, abs=0.05)


@pytest.mark.parametrize("change", [{"n": 3}, {"rho": 1.0}, {"threshold": -1.0}])
def test_what_has_no_power_is_refused(change):
    with pytest.raises(ValueError, match=r"entities|between"):
        correlation_power(**({"rho": 0.5, "n": 20} | change))
