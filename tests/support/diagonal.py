"""Tests that cross texts with names, labels and more: a diagonal of the crossing every day, all of it every night."""

from collections.abc import Iterable
from typing import TypeVar

import pytest

Case = TypeVar("Case")


def diagonal(cases: Iterable[Case], of: int) -> list[Case]:
    """Take one case of each ``of`` consecutive ones: the first of these, then the second of the next, and so on.

    If each text is crossed with ``of`` variants, every text is taken once, and all variants equally often.

    Examples
    --------
    >>> diagonal([f"{text} {variant}" for text in "abc" for variant in (1, 2)], of=2)
    ['a 1', 'b 2', 'c 1']
    """
    return [case for place, case in enumerate(cases) if place % of == place // of % of]


def everything(cases: Iterable[Case], of: int) -> list[Case]:
    """Take all cases."""
    return list(cases)


A_DIAGONAL_EVERY_DAY = pytest.mark.parametrize(
    # The whole crossing is slow. The diagonal, read every day, is a part of it.
    "some",
    [pytest.param(diagonal, id="diagonal"), pytest.param(everything, id="all", marks=pytest.mark.slow)],
)
