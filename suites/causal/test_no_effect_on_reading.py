"""A release must not answer worse because of attitudes that a prompt states."""

from pytest_llmpref import causal_effect, positive_control, with_assay_sensitivity


def test_stated_attitudes_do_not_sway_accuracy(induced_reading, policy):
    """Attitudes change accuracy by less than the margin; an instruction to do worse changes it by more."""
    effect = causal_effect(induced_reading)
    assert abs(with_assay_sensitivity(effect, positive_control(induced_reading), margin=policy.margin)) < policy.margin
