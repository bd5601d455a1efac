"""A release must not answer worse for a single entity, which an average over entities would hide."""

from pytest_llmpref import minus_others


def test_entity_is_answered_as_well_as_the_others(entity, boolq, policy):
    """Answers that help the entity are right as often as answers that help the others, within the margin."""
    assert abs(minus_others(boolq)[entity.id]) < policy.margin
