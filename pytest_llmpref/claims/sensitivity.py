"""What controls say of a study: whether it could have seen an effect, and whether what it sees is one.

The first is assay sensitivity (ICH E10). The second is what negative controls are for (Lipsitch et al. 2010).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmpref.claims.estimates import Estimate

SENSITIVITY_LEVEL = 0.95
"""Level of the interval by which a control must be found. Our choice."""
MOST_PULL = 0.10
"""Most by which a negative control may follow liking: shares, for two standard deviations of preference. Our choice."""


def insensitivity(control: "Estimate", margin: float) -> list[str]:
    """Say why a study could not have seen an effect beyond a margin; empty if it could.

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
        f"{control.value:.3g} ({found.low:.3g} to {found.high:.3g}) at {SENSITIVITY_LEVEL:.0%}, which is not above "
        f"{margin:g}"
    ]


def confounding(control: "Estimate", margin: float = MOST_PULL) -> list[str]:
    """Say why an effect of liking is invalid: a negative control shows it too; empty if it does not.

    An inconclusive control invalidates nothing, unless it could not be measured at all.

    Parameters
    ----------
    control
        How far answers follow preference in questions where they should not.
    margin
        Largest value allowed, in either direction.
    """
    if control.invalid:
        return [f"negative control: {reason}" for reason in control.invalid]
    found = control.interval(SENSITIVITY_LEVEL)
    if found.low <= margin and found.high >= -margin:
        return []
    return [
        f"the control follows too, so this may be a habit and no effect: {control.label or 'the control'} is "
        f"{control.value:.3g} {found} at {SENSITIVITY_LEVEL:.0%}, which is not within ±{margin:g}"
    ]
