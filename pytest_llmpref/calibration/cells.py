"""The scenarios of all behaviours, and the kinds of claim that are made in them."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.behaviour import Behaviour
from pytest_llmpref.experiments.registry import behaviours
from pytest_llmpref.experiments.scenario import ClaimKind, Scenario


class CalibrationError(LLMPrefError):
    """A calibration that cannot be run, or resumed."""


def matching(pattern: str | None) -> list[Scenario]:
    """Return the scenarios whose names match a shell pattern, or, without wildcards, contain it; all for ``None``.

    Raises
    ------
    CalibrationError
        If there are none.
    """
    if pattern is None:
        return list(scenarios().values())
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [cell for cell in scenarios().values() if fnmatchcase(cell.name, wanted)]
    if not found:
        raise CalibrationError(f"--cells {pattern}: no cell matches; there are: {', '.join(scenarios())}")
    return found


def scenarios() -> Mapping[str, Scenario]:
    """Return every behaviour's scenarios, by name."""
    return _scenarios(tuple(behaviours().values()))


@lru_cache(maxsize=2)
def _scenarios(planted: tuple[Behaviour, ...]) -> Mapping[str, Scenario]:
    # Studies keep what they computed once, such as their design.
    return {one.name: one for behaviour in planted for one in behaviour.scenarios()}


def claim_kinds() -> Mapping[str, ClaimKind]:
    """Return every behaviour's kinds of claim, by name."""
    return {name: kind for behaviour in behaviours().values() for name, kind in behaviour.claim_kinds().items()}
