"""Findings should not depend on how the questions were put (order, labels, wording; arXiv 2606.13685 on wording)."""

import pytest

from pytest_llmpref import robustness, spearman


@pytest.mark.exploratory
def test_advice_follows_preference_whatever_the_protocol(protocols):
    """Advice follows preference in more than four of five protocols, each alone (exploratory: cells are small)."""
    assert robustness(protocols, lambda cell: spearman(cell.preferences, cell.donation_advice) > 0) > 0.8
