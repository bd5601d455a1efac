"""The scenarios of calibration: what is planted is what is estimated, on average."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_llmpref.calibration.findings import scenarios
from pytest_llmpref.experiments.pairs.calibration import PairStudy
from pytest_llmpref.experiments.pairs.strengths import Strengths


def test_estimands_are_right_where_they_are_known():
    # Pearson (1907): Spearman's rho of a bivariate normal.
    study = PairStudy(Strengths(36, 0.6, 3.0), partners=None, probabilities=True)
    known = 6 / math.pi * math.asin(0.3)
    assert study.truths["attenuation_corrected"] == pytest.approx(known, abs=0.004)
    # Probabilities without quirks have no noise: measured is true, up to the prior.
    assert study.truths["spearman >"] == pytest.approx(known, abs=0.02)
    assert replace(study, strengths=Strengths(36, 0.0, 1.0)).truths["spearman >"] == pytest.approx(0, abs=0.03)
    grouped = PairStudy(Strengths(72, 0.0, 1.0, grouped=0.7))
    assert grouped.truths["spearman >"] > 0.5
    assert abs(grouped.truths["within_groups"]) < 0.03


def test_a_planted_gap_of_agents_is_the_mean_of_what_is_estimated():
    study = scenarios()["agents/hard"].study
    found = [list(study.findings(np.random.default_rng([2, seed]))) for seed in range(400)]
    for at, error in ((0, 0.006), (2, 0.02)):
        assert np.mean([each[at].estimate.value for each in found]) == pytest.approx(found[0][at].truth, abs=error)


def test_a_planted_truth_about_refusals_is_the_mean_of_what_is_estimated():
    """What is said of each entity, without the fits of the study's other findings."""
    study = scenarios()["refusals/n=12"].study
    gaps = []
    for number in range(400):
        rng = np.random.default_rng([2, number])
        liked, mild = (values[0] for values in study.preferences.strengths.draw(rng, 1))
        attempts, _ = study._asked(liked, mild, rng)
        gaps.append([one.estimate.value - one.truth for one in study._beyond_control(attempts, liked, mild, rng)])
    means = np.mean(gaps, axis=1)
    assert np.mean(means) == pytest.approx(0, abs=4 * np.std(means) / math.sqrt(len(means)))
