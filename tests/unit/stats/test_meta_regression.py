"""Estimates with errors of their own against a covariate: what metafor prints, what statsmodels computes, bad input."""

import numpy as np
import pytest
from statsmodels.regression.linear_model import WLS

from pytest_llmpref.stats.meta_regression import meta_regression

# Colditz et al. 1994: tuberculosis with and without vaccination in 13 trials, and their latitude.
CASES = np.array([4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27.0])
WELL = np.array([119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886.0])
CASES_CONTROL = np.array([11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29.0])
WELL_CONTROL = np.array([128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825.0])
LATITUDE = np.array([44, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33.0])
LOG_RISK = np.log(CASES / (CASES + WELL)) - np.log(CASES_CONTROL / (CASES_CONTROL + WELL_CONTROL))
ERROR = np.sqrt(1 / CASES - 1 / (CASES + WELL) + 1 / CASES_CONTROL - 1 / (CASES_CONTROL + WELL_CONTROL))


def test_the_vaccine_trials_come_out_as_metafor_prints_them():
    """Its README: rma(yi, vi, mods = ~ ablat, data=dat, test="knha").

    metafor ends its search when a step is below 1e-5, here at 0.076355, which it prints as 0.0764; the likelihood is
    largest at 0.076348. So that value, and the intercept's interval, may differ by that step as well as by rounding.
    """
    line = meta_regression(LOG_RISK, ERROR, LATITUDE)
    assert line.tau**2 == pytest.approx(0.0764, abs=6e-5)
    assert line.i2 == pytest.approx(0.6839, abs=5e-5)
    assert (line.slope, line.error) == pytest.approx((-0.0291, 0.0082), abs=5e-5)
    assert line.interval() == pytest.approx((-0.0472, -0.0111), abs=5e-5)
    assert (line.df, line.p_value) == (11, pytest.approx(0.0046, abs=5e-5))
    assert line.at(0) == pytest.approx((0.2515, -0.3735, 0.8764), abs=6e-5)


def test_with_the_variance_found_it_is_the_weighted_regression_of_statsmodels():
    line = meta_regression(LOG_RISK, ERROR, LATITUDE)
    design = np.column_stack([np.ones(13), LATITUDE])
    peer = WLS(LOG_RISK, design, weights=1 / (ERROR**2 + line.tau**2)).fit()
    assert (line.intercept, line.slope) == pytest.approx(tuple(peer.params))
    assert line.covariance == pytest.approx(peer.cov_params())


def test_estimates_closer_to_a_line_than_their_errors_allow_do_not_narrow_its_interval():
    x = np.arange(6.0)
    line = meta_regression(0.1 * x, np.full(6, 0.2), x)
    assert line.tau == 0
    assert line.error == pytest.approx(0.2 / np.sqrt(17.5))


def test_the_unit_and_the_origin_of_the_covariate_change_nothing_else():
    years = meta_regression(LOG_RISK, ERROR, LATITUDE / 40 + 2020)
    plain = meta_regression(LOG_RISK, ERROR, LATITUDE)
    assert years.slope == pytest.approx(plain.slope * 40)
    assert years.p_value == pytest.approx(plain.p_value)
    assert years.at(2021) == pytest.approx(plain.at(40), rel=1e-6)


@pytest.mark.parametrize(
    ("value", "error", "covariate", "said"),
    [
        ([1, 2, 3], [1, 1, 1], [1, 2, 3], "3 studies are too few"),
        ([1, 2, 3, 4], [1, 1, 1, 1], [2, 2, 2, 2], "the covariate is the same"),
        ([1, 2, 3, 4], [1, 0, 1, 1], [1, 2, 3, 4], "standard error above 0"),
        ([1, 2, 3, 4], [1, np.inf, 1, 1], [1, 2, 3, 4], "standard error above 0"),
    ],
)
def test_what_no_line_can_be_fitted_through_says_why(value, error, covariate, said):
    with pytest.raises(ValueError, match=said):
        meta_regression(*(np.array(each, dtype=float) for each in (value, error, covariate)))
