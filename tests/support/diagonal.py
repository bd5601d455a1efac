"""Tests that cross texts with names, labels and more: a diagonal of the crossing every day, all of it every night."""

from collections.abc import Iterable
from typing import TypeVar

import pytest

Case = TypeVar("Case")


def diagonal(cases: Iterable[Case], of: int) -> list[Case]:
    """Of each ``of`` cases that follow each other, take one: the first, then the second, and so on in turn.

    Where each text is crossed with ``of`` variants, every text is taken once, and every variant as often as any other.

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
    # Slow: of the diagonal, which the same test reads every day, what is read otherwise is in the whole too.
    "some",
    [pytest.param(diagonal, id="diagonal"), pytest.param(everything, id="all", marks=pytest.mark.slow)],
)
