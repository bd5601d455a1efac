"""How much of a finding belongs to the format: the same questions, open and with a letter as the answer."""

from pytest_llmpref import attenuation_corrected, change_in_rho, spearman


def test_open_preference_is_the_same_preference(preferences, open_preference):
    """Corrected for noise, the entities have much the same order if no letter is asked for."""
    assert attenuation_corrected(preferences, open_preference) > 0.5


def test_open_advice_follows_open_preference(open_preference, open_advice):
    """Advice follows preference if neither question asks for a letter."""
    assert spearman(open_preference, open_advice) > 0


def test_the_format_leaves_the_link_as_it_is(preferences, donation_advice, open_preference, open_advice):
    """Advice follows preference in open answers as it does in letters, within 0.3."""
    assert abs(change_in_rho((open_preference, open_advice), (preferences, donation_advice))) < 0.3
