"""What simulated studies share of whose claims nothing predicts the power."""

import math


class Unpredicted:
    """Base of kinds of simulated study of whose claims nothing predicts the power at one alternative.

    `stats.power` and `stats.opening` predict the smallest effect of a design, or how often a gate opens.

    Examples
    --------
    >>> Unpredicted().predicted_power("spearman >")
    nan
    """

    __slots__ = ()

    def predicted_power(self, kind: str) -> float:  # noqa: ARG002 - that of a simulated study
        """Return NaN."""
        return math.nan
