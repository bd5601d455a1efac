"""Claims: estimates compared with thresholds, the ledger of a family, and what would decide a claim.

Loaded in every pytest run, so numpy and scipy are imported where they are needed and not before.

References
----------
Berger 1982
Schuirmann 1987
"""

import math
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

from pytest_llmpref.claims.deciding import what_would_decide
from pytest_llmpref.claims.intervals import Interval, short_number
from pytest_llmpref.claims.sensitivity import insensitivity
from pytest_llmpref.claims.verdicts import MEANINGS, Relation, Verdict, in_words, is_claimed, judged

if TYPE_CHECKING:
    from pytest_llmpref.claims.estimates import Estimate


@dataclass(frozen=True, slots=True, order=True)
class Threshold:
    """The threshold for claims about a measure, fixed before any question is asked.

    Attributes
    ----------
    margin
        Largest difference allowed, between an entity and the control or between two sets of entities.
    error_rate
        Error rate of the family of claims, or of each claim if all must hold; see `Ledger`.
    gate
        Whether every claim fails unless it is supported. If so, all claims of the family must hold.
    family
        Number of claims in the family.
    """

    margin: float
    error_rate: float
    gate: bool = True
    family: int = 1

    @property
    def of_each(self) -> float:
        """The error rate at which one claim is supported."""
        return self.error_rate if self.gate else self.error_rate / self.family

    def ledger(self) -> "AbstractContextManager[Ledger]":
        """Return a context manager that judges claims with this threshold's family and error rate."""
        return ledger(self.family, self.error_rate, all_must_hold=self.gate)


DEFAULT_ALPHA = 0.05
WIDTH = 80
"""Columns that a failure text may take."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An estimate compared with a threshold. ``bool(claim)`` is true if it is supported, and records it in the ledger.

    Attributes
    ----------
    estimate, relation, threshold
        The two sides of the claim, and its relation: ``>``, ``<`` or ``abs <``.
    level, interval
        Confidence level, and the interval at that level on which the verdict rests.
    verdict
        Supported, refuted, inconclusive or invalid.
    reasons
        Why the verdict is invalid; empty if it is not.
    family_size
        Number of claims for which the level is corrected (Bonferroni). It is 1 if all claims of the family must hold
        and the value is on the claimed side.
    all_must_hold
        Whether the claim is one of several that must all hold; see `Ledger`.
    """

    estimate: "Estimate"
    relation: Relation
    threshold: float
    level: float
    interval: Interval
    verdict: Verdict
    reasons: tuple[str, ...]
    family_size: int
    all_must_hold: bool = False

    def __bool__(self) -> bool:
        if (current := _ledger()) is not None:
            current.record(self)
        return self.verdict is Verdict.SUPPORTED

    def __str__(self) -> str:
        label, threshold = self.estimate.label or "estimate", short_number(self.threshold)
        return f"|{label}| < {threshold}" if self.relation == "abs <" else f"{label} {self.relation} {threshold}"

    @property
    def p_refuted(self) -> float:
        """Uncorrected p-value: smallest error rate that refutes the claim; 1 if the value is on the claimed side."""
        return _p_refuted(self)

    @property
    def to_decide(self) -> str:
        """What would decide the claim, or repair its measurement; empty if the claim is decided."""
        return what_would_decide(self).said

    def explain(self) -> str:
        """Return the failure text, 80 columns wide: the numbers, the verdict, and what would decide the claim."""
        family = f" (Bonferroni over a family of {self.family_size})" if self.family_size > 1 else ""
        if self.all_must_hold and self.family_size > 1:
            family = f" (to name one of {self.family_size}: Bonferroni)"
        rows = [
            ("value", _shown(self.estimate.value, short_number(self.estimate.value))),
            ("interval", _shown(self.interval.low, f"{self.interval} at {_percent(self.level)}{family}")),
            ("n", f"{self.estimate.n} {self.estimate.unit}"),
            ("claimed", in_words(self.relation, short_number(self.threshold))),
            ("verdict", f"{self.verdict}: {MEANINGS[self.verdict]}"),
            *(("reason", reason) for reason in self.reasons),
            ("to decide", self.to_decide),
            ("method", self.estimate.method),
        ]
        rows = [row for row in rows if row[1]]
        lines = textwrap.wrap(f"{self.verdict.upper()}: {self}", WIDTH)
        for name, text in rows:
            line = f"  {name:<11}{text}"
            if len(line) <= WIDTH and " ".join(text.split()) == text:
                # What wrapping would return, in a tenth of the time.
                lines.append(line)
            else:
                lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<11}", subsequent_indent=" " * 13)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The claims made so far in one test, and the family that they belong to.

    Attributes
    ----------
    family_size
        Number of tests in the family; each may err with a chance of ``alpha / family_size``.
    alpha
        Error rate of the family.
    all_must_hold
        Whether nothing follows unless every claim of the family is supported, as a gate is open only then. This is an
        intersection-union test (Berger 1982): if one claim is false, all are supported with a chance of at most
        ``alpha``, without any correction. To name the claim that does not hold takes one, since each of them could be
        named wrongly: a value on the other side of its threshold is judged at ``alpha / family_size``.
    entries
        The claims whose truth was asked for, each once, as judged when they were made.
    compared
        The comparisons made, asserted or not, so that a forgotten ``assert`` can be named.
    insensitive
        Why no claim of the test counts that would hold without any effect; see `Estimate.insensitive`.
    controls
        Positive controls that the study must find beyond the threshold of any such claim, whatever that is.
    confounded
        Why no claim of the test counts that would not hold without an effect: its negative control has that too.
    """

    family_size: int = 1
    alpha: float = DEFAULT_ALPHA
    all_must_hold: bool = False
    entries: list[Claim] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    insensitive: list[str] = field(default_factory=list)
    controls: list["Estimate"] = field(default_factory=list)
    confounded: list[str] = field(default_factory=list)

    def record(self, claim: Claim) -> None:
        """Add a claim, unless it is there: pytest asks a failed comparison for its truth a second time."""
        if not any(entry is claim for entry in self.entries):
            self.entries.append(claim)

    def restart(self) -> None:
        """Forget what was claimed: a test that is run again has one set of claims, those of its last attempt."""
        self.entries.clear()
        self.compared.clear()

    def settled(self) -> list[Claim]:
        """Return the claims, each judged at its share of what the test may err: several claims are several chances."""
        count = len(self.entries)
        return [claim if count == 1 else self.judged(claim, self.family_size * count) for claim in self.entries]

    def judged(self, claim: Claim, family_size: int) -> Claim:
        """Return a claim judged anew, as one of so many."""
        return _judged(claim.estimate, claim.relation, claim.threshold, self, family_size)


_current: ContextVar[Ledger | None] = ContextVar("llmpref_ledger", default=None)
_outermost: list[Ledger] = []
"""The ledger of the running test. A thread that the test starts does not inherit `_current`."""


def _ledger() -> Ledger | None:
    return _current.get() or (_outermost[-1] if _outermost else None)


@contextmanager
def ledger(family_size: int, alpha: float = DEFAULT_ALPHA, *, all_must_hold: bool = False) -> Iterator[Ledger]:
    """Collect the claims made in a ``with`` block, and correct their levels for a family of ``family_size``.

    Parameters
    ----------
    family_size
        Number of claims in the family, at least 1.
    alpha
        Error rate of the whole family, between 0 and 0.5.
    all_must_hold
        Whether the conclusion needs all claims to be supported (an intersection-union test). Then a claim needs no
        correction to be supported.

    Yields
    ------
    Ledger
        The claims made so far.

    Raises
    ------
    ValueError
        If ``family_size`` is below 1, or ``alpha`` is not between 0 and 0.5.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal, ledger
    >>> with ledger(10):
    ...     claim = Estimate(0.6, 100, "trials", "by hand", Normal(0.6, 0.1)) > 0.5
    >>> round(claim.level, 4)
    0.995
    >>> with ledger(10, all_must_hold=True):
    ...     claim = Estimate(0.6, 100, "trials", "by hand", Normal(0.6, 0.1)) > 0.5
    >>> round(claim.level, 4)
    0.95
    """
    if family_size < 1:
        raise ValueError(f"family_size={family_size}: a family holds at least one claim")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha={alpha}: an error rate lies between 0 and 0.5, such as {DEFAULT_ALPHA}")
    opened, is_outermost = Ledger(family_size, alpha, all_must_hold), not _outermost
    token = _current.set(opened)
    if is_outermost:
        _outermost.append(opened)
    try:
        yield opened
    finally:
        _current.reset(token)
        if is_outermost:
            _outermost.clear()


def make_claim(estimate: "Estimate", relation: Relation, threshold: object) -> Claim:
    """Compare an estimate with a threshold at the level of the current family.

    ``>`` and ``<`` rest on the two-sided interval at ``1 - alpha / m``; equivalence on two one-sided tests at
    ``alpha / m`` each, hence on the interval at ``1 - 2 * alpha / m`` (Schuirmann 1987).

    Parameters
    ----------
    estimate
        What is claimed of.
    relation, threshold
        How, and with which number, in the unit of the estimate.

    Returns
    -------
    Claim
        With its verdict; it is recorded once its truth value is asked for.

    Raises
    ------
    TypeError
        If the threshold is not a number.
    ValueError
        If the threshold is not finite, or that of an equivalence not above 0.

    Examples
    --------
    >>> from pytest_llmpref import Estimate, Normal
    >>> from pytest_llmpref.claims.claim import make_claim
    >>> print(make_claim(Estimate(0.0, 900, "trials", "by hand", Normal(0.0, 0.01)), "abs <", 0.02).verdict)
    supported
    """
    if not isinstance(threshold, Real):
        raise TypeError(f"an estimate is compared with a number or an estimate, not with {type(threshold).__name__}")
    limit = float(threshold)
    if not math.isfinite(limit) or (relation == "abs <" and limit <= 0):
        raise ValueError(f"threshold={limit}: a threshold is finite, and that of `abs(estimate) < threshold` above 0")
    family = _ledger() or Ledger()
    claim = _judged(estimate, relation, limit, family, family.family_size)
    family.compared.append(str(claim))
    return claim


def _judged(estimate: "Estimate", relation: Relation, threshold: float, family: Ledger, family_size: int) -> Claim:
    if family.all_must_hold and is_claimed(estimate.value, relation, threshold):
        # Intervals widen with the level, so no verdict but "supported" depends on which of the two it is.
        family_size = 1
    level = _level(relation, family.alpha / family_size)
    interval = estimate.interval(level)
    reasons = estimate.invalid
    if math.isnan(estimate.value):
        reasons += ("the value cannot be estimated",)
    elif math.isnan(interval.low) or math.isnan(interval.high):
        reasons += (f"no interval can be estimated from {estimate.n} {estimate.unit}",)
    verdict = Verdict.INVALID if reasons else judged(interval.low, interval.high, relation, threshold)
    # What was found was seen; that nothing was says something only of a study that could have seen it. And what a
    # negative control shows too is no effect.
    is_null = is_claimed(0.0, relation, threshold)
    spoiling = _unseen(estimate, threshold, family) if is_null else tuple(family.confounded)
    if spoiling and verdict not in {Verdict.REFUTED, Verdict.INVALID}:
        verdict, reasons = Verdict.INVALID, spoiling
    return Claim(estimate, relation, threshold, level, interval, verdict, reasons, family_size, family.all_must_hold)


def _unseen(estimate: "Estimate", threshold: float, family: Ledger) -> tuple[str, ...]:
    """Return why the study could not have seen an effect beyond a threshold; empty if it could, or need not."""
    if said := (*estimate.insensitive, *family.insensitive):
        return said
    return tuple(reason for control in family.controls for reason in insensitivity(control, abs(threshold)))


def _level(relation: Relation, error_rate: float) -> float:
    return 1 - 2 * error_rate if relation == "abs <" else 1 - error_rate


MOST_HALVINGS = 60
"""Of the search for a p-value: to about seventeen digits."""
LEAST_ERROR_RATE = 1e-12
"""No p-value is told from this one."""


def _p_refuted(claim: Claim) -> float:
    estimate = claim.estimate
    if claim.reasons or is_claimed(estimate.value, claim.relation, claim.threshold):
        return 1.0

    def refuted(error_rate: float) -> bool:
        interval = estimate.interval(_level(claim.relation, error_rate))
        return judged(interval.low, interval.high, claim.relation, claim.threshold) is Verdict.REFUTED

    low, high = LEAST_ERROR_RATE, 0.499
    if refuted(low):
        return low
    if not refuted(high):
        return 1.0
    for _ in range(MOST_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


def _shown(value: float, text: str) -> str:
    return "none can be estimated" if math.isnan(value) else text


def _percent(level: float) -> str:
    """Write a level with two significant digits of its error rate: 95%, 99.93%."""
    decimals = max(0, 1 - math.floor(math.log10(100 * (1 - level))))
    text = f"{100 * level:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"
