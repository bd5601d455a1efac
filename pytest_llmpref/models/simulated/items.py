"""The right answers to the bundled yes-or-no questions: what a simulated model may know about the world."""

from collections.abc import Mapping
from functools import cache


@cache
def gold_answers() -> Mapping[str, bool]:
    """Return question -> whether the right answer is yes; empty as long as no questions are bundled."""
    return {}
