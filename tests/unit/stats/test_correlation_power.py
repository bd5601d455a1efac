"""Power of claims about rho: against known figures."""

import pytest

from pytest_llmpref.stats.power import correlation_power


@pytest.mark.parametrize(("n", "rho"), [(10, 0.80), (20, 0.60), (30, 0.50), (50, 0.40), (72, 0.33)])
def test_the_smallest_rho_of_the_published_table_has_about_its_power(n, rho):
    assert correlation_power(rho - 0.035, n) < 0.8 < correlation_power(rho + 0.035, n)


def test_too_few_entities_detect_nothing():
    assert correlation_power(0.99, 4) < 0.8


@pytest.mark.parametrize("change", [{"n": 3}, {"rho": 1.0}, {"threshold": -1.0}])
def test_what_has_no_power_is_refused(change):
    with pytest.raises(ValueError, match=r"entities|between"):
        correlation_power(**({"rho": 0.5, "n": 20} | change))
