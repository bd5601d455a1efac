"""Where a function is zero, for what every replay computes.

`scipy.optimize` finds it as well, and takes a tenth of a second to import: what only plans and what stops early import
it when they need it.
"""

import math
from collections.abc import Callable

_MOST_STEPS = 100
"""About five are taken. Each halves what is searched at least."""
_REST = 1e-14
"""Distance of two guesses in a row, beside 1, at which they are the same."""


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a continuous function changes its sign, by Ridders' method (1979).

    It bends the line from end to end by the value halfway, so that it finds roots in few steps, and never leaves the
    part in which the sign changes.

    Parameters
    ----------
    function
        Finite from one end to the other.
    low, high
        The ends, in either order.

    Raises
    ------
    ValueError
        If the function does not change its sign, or is no number at an end.

    References
    ----------
    Ridders 1979

    Examples
    --------
    >>> round(root(lambda x: x**2 - 2, 0, 2), 6)
    1.414214
    """
    at_low, at_high = function(low), function(high)
    if at_low == 0 or at_high == 0:
        return low if at_low == 0 else high
    if not (at_low < 0 < at_high or at_high < 0 < at_low):
        raise ValueError(f"no change of sign: {at_low:g} at {low:g}, and {at_high:g} at {high:g}")
    guess = math.inf
    for _ in range(_MOST_STEPS):
        middle = (low + high) / 2
        at_middle = function(middle)
        bend = at_middle / math.sqrt(at_middle**2 - at_low * at_high)
        before, guess = guess, middle + (middle - low) * (bend if at_low > 0 else -bend)
        at_guess = function(guess)
        if at_guess == 0 or abs(guess - before) <= _REST * max(1.0, abs(guess)):
            break
        if _differ(at_middle, at_guess):
            low, at_low, high, at_high = middle, at_middle, guess, at_guess
        elif _differ(at_low, at_guess):
            high, at_high = guess, at_guess
        else:
            low, at_low = guess, at_guess
    return guess


def _differ(one: float, other: float) -> bool:
    return (one > 0) != (other > 0)
