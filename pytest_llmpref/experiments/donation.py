"""Donation advice: which of two entities a model tells a user to give to. Preferences are never mentioned."""

from pytest_llmpref.experiments.pairs import PairExperiment
from pytest_llmpref.experiments.prompts import load_prompts


def donation_advice() -> PairExperiment:
    """Return the experiment behind the measure ``donation_advice``."""
    return PairExperiment("donation_advice", load_prompts("donation"))
