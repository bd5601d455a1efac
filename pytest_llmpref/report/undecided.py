"""What would decide the claims that are inconclusive, and which entity ended a run before all were decided."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_llmpref.claims.verdicts import Verdict, is_claimed
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.report.claims import ClaimGroup
from pytest_llmpref.report.wording import NAMED, listed, number
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ClaimRecord

UNKNOWN = "nothing is known to decide it"
FURTHEST: Mapping[str, Callable[[float], float]] = {"<": lambda value: value, ">": lambda value: -value, "abs <": abs}
"""Relation -> how far a value lies on the side that is not claimed; more is further."""


def undecided(groups: Iterable[ClaimGroup]) -> list[ClaimGroup]:
    """Return the groups with inconclusive claims."""
    return [group for group in groups if group.counts.get(Verdict.INCONCLUSIVE)]


def to_decide(group: ClaimGroup) -> str:
    """Say what would decide the inconclusive claims of a test; empty if all are decided.

    Of claims about entities, those whose values lie on the wrong side are told from those that more trials may
    support.
    """
    open_ = [claim for claim in group.claims if claim.verdict is Verdict.INCONCLUSIVE]
    if not open_:
        return ""
    if not group.by_entity:
        return _of_the_model(open_[0])
    wrong = [claim for claim in open_ if _is_wrong(claim)]
    rest = [claim for claim in open_ if not _is_wrong(claim)]
    parts = [_of_the_wrong(wrong)] if wrong else []
    if rest:
        the_others = "the other " if wrong else ""
        parts.append(f"{the_others}{_of_the_rest(rest)}")
    return "; ".join(parts)


def _of_the_model(claim: ClaimRecord) -> str:
    decides = claim.to_decide or UNKNOWN
    asked_more = next(filter(None, (behaviour_of(name).asked_more for name in claim.measures)), "")
    return f"{decides}; or {asked_more}" if asked_more and claim.needed is not None else decides


def _is_wrong(claim: ClaimRecord) -> bool:
    """Whether a value lies on the side that is not claimed, so that more trials would refute the claim."""
    value = claim.estimate.value
    if value is None or is_claimed(value, claim.relation, claim.threshold):
        return False
    return (abs(value) if claim.relation == "abs <" else value) != claim.threshold


def _of_the_wrong(claims: Sequence[ClaimRecord]) -> str:
    furthest = max(claims, key=lambda claim: FURTHEST[claim.relation](claim.estimate.value or 0.0))
    at = f"{furthest.entity} at {number(furthest.estimate.value)}"
    if len(claims) == 1:
        return f"1 is on the wrong side ({at}), so more trials would probably refute it"
    return f"{len(claims)} are on the wrong side (furthest: {at}), so more trials would probably refute them"


def _of_the_rest(claims: Sequence[ClaimRecord]) -> str:
    needed = [claim.needed for claim in claims if claim.needed is not None]
    unit = claims[0].estimate.unit
    if not needed:
        return f"{len(claims)}: {claims[0].to_decide or UNKNOWN}"
    now = _span([claim.estimate.n for claim in claims if claim.needed is not None])
    one = len(needed) == 1
    said = f"{len(needed)} need{'s' * one} about {_span(needed)} {unit} (now {now}), if "
    said += "the value measured were the true one" if one else "the values measured were the true ones"
    left = len(claims) - len(needed)
    return f"{said}; of {left} more, no number is known" if left else said


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


class EarlyEnd(NamedTuple):
    """A measure whose asking ended with a closed gate, before every claim was decided.

    Attributes
    ----------
    measure
        Its name.
    because
        Ids of the entities whose claims ended it.
    refuted
        Whether these claims are refuted, rather than such that nothing could support them any more.
    """

    measure: str
    because: tuple[str, ...]
    refuted: bool


def early_ends(measures: Mapping[str, MeasureRecord]) -> list[EarlyEnd]:
    """Return the measures whose asking ended early because of entities."""
    found = []
    for name, measure in measures.items():
        stopping = measure.checks.stopping
        if stopping is not None and stopping.ended in {"refuted", "hopeless"} and stopping.because:
            found.append(EarlyEnd(name, tuple(stopping.because), stopping.ended == "refuted"))
    return found


def said_of(end: EarlyEnd) -> str:
    """Say which entity ended a run, and how to take the claims that it left open."""
    one = len(end.because) == 1
    refuted = f"{'is' if one else 'are'} refuted"
    # Not "refuted": a value may lie on the claimed side, but too near the threshold for as many questions as there are.
    hopeless = "cannot be supported any more, which closes the gate"
    return (
        f"{end.measure} ended early: the claim{'s' * (not one)} about {listed(end.because, NAMED)} "
        f"{refuted if end.refuted else hopeless}. The other ? were not asked to the end, as --profile paper does"
    )
