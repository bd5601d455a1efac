"""What simulations of randomised studies share."""

import pytest

from pytest_llmpref.stats import randomisation


@pytest.fixture
def few_redrawn(monkeypatch):
    """Draw few assignments again, so that a test takes seconds."""
    monkeypatch.setattr(randomisation, "REDRAWN", 999)
    randomisation._sampled.cache_clear()
    randomisation._sampled_weights.cache_clear()
    yield
    randomisation._sampled.cache_clear()
    randomisation._sampled_weights.cache_clear()
