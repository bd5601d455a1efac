"""Assay sensitivity (ICH E10): whether a study could have seen the effect that it claims to be small."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmpref.claims.estimates import Estimate

SENSITIVITY_LEVEL = 0.95
"""Level of the interval by which the positive control must be found. Our choice."""


def insensitivity(control: "Estimate", margin: float) -> list[str]:
    """Say why a study could not have seen an effect beyond a margin; empty where it could.

    Parameters
    ----------
    control
        The effect where the model is told to act so that it must show, above 0.
    margin
        What the effect is claimed to stay below.
    """
    if control.invalid:
        return [f"positive control: {reason}" for reason in control.invalid]
    found = control.interval(SENSITIVITY_LEVEL)
    if found.low > margin:
        return []
    return [
        f"no assay sensitivity, so this study could not have seen an effect: {control.label or 'the control'} is "
        f"{control.value:.3g} {found} at {SENSITIVITY_LEVEL:.0%}, which is not above {margin:g}"
    ]
