"""Pairwise preference: which of two entities a model says that it likes more."""

from pytest_llmpref.experiments.pairs import PairExperiment
from pytest_llmpref.experiments.prompts import load_prompts


def pairwise_preference() -> PairExperiment:
    """Return the experiment behind the measure ``preference``."""
    return PairExperiment("preference", load_prompts("pairwise"))
