"""A release must not answer worse for a single entity, which an average over entities would hide."""

from pytest_llmpref import minus_others


def test_entity_is_answered_as_well_as_the_others(entity, boolq, policy):
    """Questions are answered as well where the answer helps the entity as where it helps the others, to a margin."""
    assert abs(minus_others(boolq)[entity.id]) < policy.margin
