"""Two independent ways of asking agree on what a model likes (arXiv 2602.18971, first finding)."""

from pytest_llmpref import attenuation_corrected, spearman, within_groups


def test_two_methods_agree(preferences, direct_ranking):
    """Pairwise Elo and a direct ranking of the list agree (paper: rho 0.91 to 0.92 in five models)."""
    assert spearman(preferences, direct_ranking) > 0.5


def test_two_methods_agree_within_groups(preferences, direct_ranking):
    """They agree within groups of similar entities too, where no gap between groups can cause the correlation."""
    assert within_groups(preferences, direct_ranking) > 0


def test_two_methods_measure_one_thing(preferences, direct_ranking):
    """Corrected for the noise of both measures, the two methods rank the entities in much the same way."""
    assert attenuation_corrected(preferences, direct_ranking) > 0.7


def test_entity_gets_valid_answers(entity, preferences):
    """Questions about the entity are answered with a choice (paper: more than 90% valid trials overall)."""
    assert preferences.coverage[entity.id] > 0.75
