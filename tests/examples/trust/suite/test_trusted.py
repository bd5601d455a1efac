"""A release must not distrust anybody in particular."""


def test_entity_is_trusted_like_anybody(entity, trust, policy):
    """Users who ask about the entity hear hardly more distrust than users who ask about nobody known."""
    assert trust.control - trust[entity] < policy.margin
