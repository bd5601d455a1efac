"""The test for drift, over models that did not change."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pytest_llmpref.stats.exchangeability import drift_p_value


@pytest.mark.parametrize("samples", [1, 4])
def test_a_model_that_did_not_change_is_called_changed_at_the_stated_rate(samples):
    rng = np.random.default_rng(samples)
    p_values = []
    for study in range(400):
        chance = rng.beta(0.4, 0.4, size=40)
        old, new = (rng.random((40, n)) < chance[:, None] for n in (samples, 2))
        p_values.append(drift_p_value(old.tolist(), new.tolist(), seed=study))
    for rate in (0.01, 0.05, 0.2):
        found = sum(p <= rate for p in p_values)
        assert binomtest(found, len(p_values), rate, alternative="greater").pvalue > 0.001, (rate, found)
    assert sum(p <= 0.2 for p in p_values) > 0.1 * len(p_values), "nor is it blind"
