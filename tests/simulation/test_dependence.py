"""What entities do to each other, beside the formula."""

import numpy as np
from scipy import stats
from swaying import study


def test_what_entities_do_to_each_other_makes_up_for_what_the_formula_lacks():
    """With dislikes that count for more than their sum, Fisher's z varies more than independent values' would."""
    rng, n, studies = np.random.default_rng(2), 16, 250
    found = np.array([study(rng, n, 0.6) for _ in range(studies)])
    z, formula = np.arctanh(found[:, 0]), (1 + found[:, 0] ** 2 / 2) / (n - 3)
    # Between these lies the true variance, given the one found.
    least, most = z.var(ddof=1) * (studies - 1) / stats.chi2.ppf([0.975, 0.025], studies - 1)
    assert formula.mean() < least, "or nothing is missing"
    assert least < np.mean(formula + found[:, 1]) < most
