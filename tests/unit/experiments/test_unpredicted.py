"""A base that says of kinds of simulated study that nothing predicts their power."""

import math
from dataclasses import dataclass

from pytest_llmpref.experiments.effort.calibration import scenarios
from pytest_llmpref.experiments.unpredicted import Unpredicted


def test_a_study_that_has_it_predicts_nothing_and_keeps_its_fields():
    @dataclass(frozen=True, slots=True)
    class Mine(Unpredicted):
        n_entities: int = 3

    assert math.isnan(Mine().predicted_power("any"))
    assert Mine(5).n_entities == 5


def test_shipped_studies_of_that_kind_have_it():
    studies = [scenario.study for scenario in scenarios()]
    assert studies
    assert all(isinstance(study, Unpredicted) for study in studies)
    assert all(math.isnan(study.predicted_power("any")) for study in studies)
