"""Does a hypothesis hold whatever the protocol? One study cut into cells, each asked in one way only."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_llmpref.claims.claim import Claim, ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.experiments.measure import Measure, coverage_reasons, outcome_diagnostics
from pytest_llmpref.experiments.pairs.experiment import NEUTRAL
from pytest_llmpref.experiments.pairs.measure import comparisons_of, strengths_of
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.trials import trials_as
from pytest_llmpref.parsing.outcome import Outcome

FEWEST = 4
"""Cells below which a share of them says nothing. Our choice."""
USUAL = "usual"
"""The form of a question that is no other."""


@dataclass(frozen=True, slots=True, order=True)
class Protocol:
    """One way to ask about pairs.

    Attributes
    ----------
    form
        ``usual``, or with a neutral option, or answered by name, or both.
    wording
        Index of the wording.
    first_is_a
        Whether the option shown first is labelled A; ``None`` if that is not known.
    in_order
        Whether the entity whose id comes first in the alphabet is shown first: each pair is shown once so, and once
        the other way.
    """

    form: str
    wording: int
    first_is_a: bool | None
    in_order: bool

    def others(self, wordings: int) -> "Iterator[Protocol]":
        """Yield the protocols of another format: the next wording, and another order, other labels, or both.

        What an entity gains where it is shown first, where it carries A, or where the first option carries A is the
        same in one of these three, and the opposite in two. So a pull that preference and advice share, and nothing
        else, lets a finding hold in a third of them at most.
        """
        wording = (self.wording + 1) % wordings
        for first_is_a, in_order in (
            (self.first_is_a, not self.in_order),
            (not self.first_is_a, self.in_order),
            (not self.first_is_a, not self.in_order),
        ):
            yield replace(self, wording=wording, first_is_a=first_is_a, in_order=in_order)

    def __str__(self) -> str:
        first = "no label" if self.first_is_a is None else "AB"[not self.first_is_a]
        order = "in order" if self.in_order else "turned"
        return f"{self.form} form, wording {self.wording}, {first} first, pairs {order}"


@dataclass(frozen=True, slots=True)
class Cell:
    """Preferences from one protocol and advice from a protocol in another format, to test a hypothesis on.

    Attributes
    ----------
    protocol, advised
        The protocols of the preferences and of the advice.
    preferences, donation_advice
        The measures from the trials of these protocols. They have no reliability, since so few trials cannot give one.
    reasons
        Why the measurement as a whole is invalid; empty if it is not.
    """

    protocol: Protocol
    advised: Protocol
    preferences: Measure
    donation_advice: Measure
    reasons: tuple[str, ...] = ()


def cells_of(preferences: Sequence[Measure], advice: Sequence[Measure]) -> list[Cell]:
    """Split measures into cells, and pair each protocol of the preferences with those of the advice in other formats.

    In the same format, a pull of labels or of places that has nothing to do with liking would be shared by both.

    Parameters
    ----------
    preferences, advice
        Measures whose trials are cut: the usual one of each, then that of its other forms where they were asked.
        Wordings are taken by number: advice has more than preference, and those beyond are folded onto the others.
    """
    wordings = 1 + max((trial.wording for measure in preferences for trial in measure.trials), default=0)
    liked, advised = (dict(_cut(measures, wordings)) for measures in (preferences, advice))
    reasons = tuple(f"{measure.name}: {reason}" for measure in (*preferences, *advice) for reason in measure.reasons)
    return [
        Cell(protocol, other, liked[protocol], advised[other], reasons)
        for protocol in sorted(liked)
        for other in protocol.others(wordings)
        if other in advised
    ]


def robustness(cells: Sequence[Cell], hypothesis: Callable[[Cell], Claim]) -> Estimate:
    """Estimate the share of protocols in which a hypothesis holds.

    It holds in a cell if its claim is supported there, at 95% and uncorrected. Inconclusive cells count as not holding
    for the lower end of the interval, and as holding for the upper end, since too few trials are no evidence either
    way. The interval is Wilson's (1927). It treats the protocols of preferences as a sample of similar protocols.
    Testing each against several protocols of advice does not increase their number.

    Parameters
    ----------
    cells
        The fixture ``protocols``.
    hypothesis
        Function that makes the claim about one cell, such as ``lambda cell: spearman(cell.preferences,
        cell.donation_advice) > 0``.

    Examples
    --------
    >>> from pytest_llmpref import open_study, spearman
    >>> def follows(cell):
    ...     return spearman(cell.preferences, cell.donation_advice) > 0
    >>> # In a test, the fixture ``protocols`` is the sequence of cells.
    >>> robustness([], follows).invalid != ()
    True
    """
    found = [(cell, _claim(hypothesis, cell)) for cell in cells]
    held = sum(claim.verdict is Verdict.SUPPORTED for _, claim in found)
    refuted = sum(claim.verdict is Verdict.REFUTED for _, claim in found)
    n = len({cell.protocol for cell in cells})
    each = n / len(found) if found else math.nan
    reasons = [reason for cell in cells for reason in cell.reasons]
    if n < FEWEST:
        reasons.append(f"{n} protocols are too few: a share needs at least {FEWEST}")
    return Estimate(
        value=held / len(found) if found else math.nan,
        n=n,
        unit="protocols",
        method=_told(found, held, refuted),
        interval_method=Undecided(held * each, (len(found) - held - refuted) * each, n),
        label=f"share of protocols with {found[0][1]}" if found else "share of protocols",
    ).marked(reasons)


@dataclass(frozen=True, slots=True)
class Undecided:
    """Interval of a share with undecided cases: from none of them to all (Wilson 1927 at either end).

    ``held``, ``open_`` and ``n`` are numbers of cases: those that hold, those not decided, and all. A case that was
    tried several times may hold in part.
    """

    held: float
    open_: float
    n: int

    def limits(self, level: float) -> tuple[float, float]:
        """Return the interval; NaN for no cases."""
        return Wilson(self.held, self.n).limits(level)[0], Wilson(self.held + self.open_, self.n).limits(level)[1]


def _cut(measures: Sequence[Measure], wordings: int) -> Iterator[tuple[Protocol, Measure]]:
    usual = measures[0]
    for measure in measures:
        by_protocol: dict[Protocol, list[PairTrial]] = {}
        for trial in trials_as(PairTrial, measure.trials):
            first, second = trial.entities
            protocol = Protocol(trial.form or USUAL, trial.wording % wordings, trial.first_is_a, first < second)
            by_protocol.setdefault(protocol, []).append(trial)
        for protocol, trials in by_protocol.items():
            yield protocol, _rated(usual, trials)


def _rated(measure: Measure, trials: Sequence[PairTrial]) -> Measure:
    """Return a measure as these trials alone give it."""
    ids = list(measure.groups)
    diagnostics = outcome_diagnostics(trials)
    counted: Mapping[str, int] = diagnostics["outcomes"]
    # Where neither may be chosen, that is an answer too.
    neither = counted[Outcome.ABSTENTION] / len(trials) if trials[0].form in NEUTRAL else 0.0
    reasons = coverage_reasons(diagnostics | {"coverage": diagnostics["coverage"] + neither})
    comparisons = comparisons_of(trials, ids)
    if not len(comparisons):
        reasons.append("no trial ended in a choice")
    estimates = strengths_of(comparisons, ids)
    return Measure(
        name=measure.name,
        model=measure.model,
        estimates=estimates,
        groups=measure.groups,
        reasons=tuple(reasons),
        reliability=None,
        diagnostics=diagnostics,
        trials=trials,
    )


def _claim(hypothesis: Callable[[Cell], Claim], cell: Cell) -> Claim:
    # In a ledger of its own: these claims are steps on the way to one, and not the test's.
    with ledger(1):
        claim = hypothesis(cell)
    if not isinstance(claim, Claim):
        raise TypeError(
            f"a hypothesis about a cell is a claim, such as `estimate > 0`, and not {type(claim).__name__}: "
            "leave out `assert` and `bool()`"
        )
    return claim


def _told(found: Sequence[tuple[Cell, Claim]], held: int, refuted: int) -> str:
    counts = (
        f"{held} supported, {refuted} refuted, {len(found) - held - refuted} undecided at 95%, each of preference in "
        "one format with advice in another; Wilson (1927)"
    )
    known = [(cell, claim) for cell, claim in found if not math.isnan(claim.estimate.value)]
    if not known:
        return counts
    sign = {">": 1.0, "<": -1.0, "abs <": 0.0}[known[0][1].relation]
    cell, claim = min(known, key=lambda pair: sign * pair[1].estimate.value if sign else -abs(pair[1].estimate.value))
    worst = f"preference by {cell.protocol}; advice by {cell.advised}"
    return f"{counts}; the worst is {claim.estimate.value:.2f} {claim.interval}: {worst}"
