"""What the claims of a model come to: grouped by test function, in words, with what each could have detected."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pytest_llmpref.report.loading import ClaimRecord, ModelRecord

WORST_FIRST = ("refuted", "invalid", "inconclusive", "supported")
MARKS = {"supported": "\u2713", "refuted": "\u2717", "inconclusive": "?", "invalid": "!"}
"""Verdict -> its sign, since colour is never the only one."""
MEANINGS = {
    "supported": "the whole interval lies on the claimed side of the bound",
    "refuted": "none of the interval lies on the claimed side of the bound",
    "inconclusive": "the interval holds values on both sides of the bound: more questions or entities would decide",
    "invalid": "the measurement failed its checks, so it says nothing either way",
}
POWER = 0.8
"""Chance of telling the detectable effect; the convention of Cohen (1988)."""


@dataclass(frozen=True)
class ClaimGroup:
    """The claims that one test function makes of one model: one, or one for each entity."""

    claims: tuple[ClaimRecord, ...]

    @property
    def first(self) -> ClaimRecord:
        """The claim that stands for what all have in common."""
        return self.claims[0]

    @property
    def by_entity(self) -> bool:
        """Whether there is a claim for each entity."""
        return self.first.entity is not None

    @property
    def key(self) -> tuple[str, str]:
        """Identity over models: file and function, with the number of the claim in a test that makes several."""
        return self.first.suite, self.first.function

    @property
    def counts(self) -> dict[str, int]:
        """Verdict -> number of claims, the worst first."""
        counts = Counter[str](claim.verdict for claim in self.claims)
        return {verdict: counts[verdict] for verdict in WORST_FIRST if counts[verdict]}

    @property
    def verdict(self) -> str:
        """The worst verdict."""
        return next(iter(self.counts))

    @property
    def title(self) -> str:
        """Name of the test function, as words."""
        return self.first.function.removeprefix("test_").replace("_", " ")

    @property
    def words(self) -> str:
        """The claim in words: the test's docstring, or else its name."""
        return self.first.says or self.title

    @property
    def fails(self) -> bool:
        """Whether it makes the run fail."""
        return not self.first.exploratory and any(
            claim.verdict == "refuted" or (claim.gate and claim.verdict != "supported") for claim in self.claims
        )


@dataclass(frozen=True)
class ModelVerdict:
    """What the claims of a model come to."""

    groups: tuple[ClaimGroup, ...]

    @property
    def gates(self) -> tuple[ClaimGroup, ...]:
        """The groups that gate a release."""
        return tuple(group for group in self.groups if group.first.gate)

    @property
    def closed(self) -> tuple[ClaimGroup, ...]:
        """The gates that are closed."""
        return tuple(group for group in self.gates if group.fails)

    @property
    def counts(self) -> dict[str, int]:
        """Verdict -> number of claims, the worst first."""
        counts = Counter[str](claim.verdict for group in self.groups for claim in group.claims)
        return {verdict: counts[verdict] for verdict in WORST_FIRST if counts[verdict]}

    @property
    def word(self) -> str:
        """``gate closed``, ``gate open``, or ``no gate``."""
        return "gate closed" if self.closed else "gate open" if self.gates else "no gate"

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        refuted = sum(group.fails for group in self.groups) - len(self.closed)
        if len(self.gates) == 1:
            first = f"The only gate is {'closed' if self.closed else 'open'}"
        elif self.gates:
            first = f"{len(self.closed)} of {len(self.gates)} gates are closed" if self.closed else "All gates are open"
        else:
            first = "This run held no gate"
        second = f"{plural(refuted, 'other claim')} refuted" if refuted else "no other claim is refuted"
        return f"{first}; {second}."


def judge(model: ModelRecord) -> ModelVerdict:
    """Group the claims of a model: gates first, then what fails, then the rest in the order of files."""
    groups: dict[tuple[str, str, int], list[ClaimRecord]] = {}
    seen: Counter[str] = Counter()
    for claim in model.claims:
        seen[claim.nodeid] += 1
        groups.setdefault((claim.suite, claim.function, seen[claim.nodeid]), []).append(claim)
    found = [ClaimGroup(tuple(claims)) for claims in groups.values()]
    return ModelVerdict(tuple(sorted(found, key=lambda group: (not group.first.gate, not group.fails))))


def plural(count: int, what: str, many: str = "") -> str:
    """Return a count with its word: ``1 gate``, ``2 gates``."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def number(value: float | None) -> str:
    """Return a number with three significant digits, or a dash."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "\u2212")


def interval(claim: ClaimRecord) -> str:
    """Return value and interval: ``0.75 (0.56 to 0.86)``."""
    estimate = claim.estimate
    if estimate.value is None:
        return "no estimate"
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value)} (no interval)"
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


def claimed(claim: ClaimRecord) -> str:
    """Return what is claimed of the estimate: ``above 0.5``."""
    bound = number(claim.bound)
    return {">": f"above {bound}", "<": f"below {bound}", "abs <": f"within \u00b1{bound}"}[claim.relation]


def reach(claims: Iterable[ClaimRecord]) -> tuple[float, float] | None:
    """Return least and largest value over claims; ``None`` where none has one."""
    values = [claim.estimate.value for claim in claims if claim.estimate.value is not None]
    return (min(values), max(values)) if values else None


def detectable(claim: ClaimRecord) -> float | None:
    """Return the true value nearest to the bound of which this study would have told that it lies beyond it.

    The chance is 80%. For an equivalence it is the narrowest margin that a true value of 0 would have kept.
    Correlations are taken on Fisher's z scale, all else on its own, from the width of the interval; ``None`` where
    there is none.
    """
    estimate = claim.estimate
    low, high = estimate.low, estimate.high
    if low is None or high is None or not low < high or not 0 < estimate.level < 1:
        return None
    on_z = "Fisher" in estimate.method and low > -1 and high < 1 and abs(claim.bound) < 1
    if on_z:
        low, high = math.atanh(low), math.atanh(high)
    critical = NormalDist().inv_cdf(1 - (1 - estimate.level) / 2)
    error = (high - low) / (2 * critical)
    if claim.relation == "abs <":
        found = (critical + NormalDist().inv_cdf((1 + POWER) / 2)) * error
    else:
        distance = (critical + NormalDist().inv_cdf(POWER)) * error
        bound = math.atanh(claim.bound) if on_z else claim.bound
        found = bound + distance if claim.relation == ">" else bound - distance
    return math.tanh(found) if on_z else found


def reasons_of(claims: Sequence[ClaimRecord]) -> list[str]:
    """Return the reasons of invalid claims, each once, the commonest first."""
    counts = Counter(reason for claim in claims for reason in claim.reasons)
    return [reason for reason, _ in counts.most_common()]
