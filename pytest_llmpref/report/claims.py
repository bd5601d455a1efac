"""What the claims of a model come to: grouped by test function, in words, with what each could have detected."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import takewhile
from statistics import NormalDist

from pytest_llmpref.claims import gates
from pytest_llmpref.claims.verdicts import WORST_FIRST, Verdict, in_words
from pytest_llmpref.report.wording import number, percent, plural, short_name, words
from pytest_llmpref.results.schema import AbsentGateRecord, ClaimRecord, GateRecord, ModelRecord
from pytest_llmpref.stats.closed_form import on_fisher_scale

GATE_SIGNS = {"open": "\u2713", "closed": "\u2717", "incomplete": "!", "not run": "!"}
"""State of a gate -> its sign."""
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
    def entities(self) -> int:
        """Number of entities that there are claims about."""
        return len({claim.entity for claim in self.claims if claim.entity is not None})

    @property
    def key(self) -> tuple[str, str]:
        """Identity over models: file and function, with the number of the claim in a test that makes several."""
        return self.first.suite, self.first.function

    @property
    def counts(self) -> dict[Verdict, int]:
        """Verdict -> number of claims, the worst first."""
        return _counts(self.claims)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return next(iter(self.counts))

    @property
    def named(self) -> tuple[str, ...]:
        """Ids of the entities for which a gate's claim is refuted, by Holm's correction (1979) over the family."""
        family = max(claim.family for claim in self.claims)
        known = [(one.p_refuted, one.entity, one.alpha) for one in self.claims if one.p_refuted is not None]
        steps = zip(sorted(known), range(family, 0, -1), strict=False)
        refuted = takewhile(lambda step: step[0][0] * step[1] <= step[0][2], steps)
        return tuple(entity for (_, entity, _), _ in refuted if entity is not None)

    @property
    def title(self) -> str:
        """Name of the test function, as words."""
        return words(self.first.function)

    @property
    def words(self) -> str:
        """The claim in words: the test's docstring, or else its name."""
        return self.first.says or self.title

    @property
    def fails(self) -> bool:
        """Whether it makes the run fail."""
        return any(map(fails, self.claims))

    @property
    def note(self) -> str:
        """Why it does not fail, whatever its verdict; empty if it might."""
        if self.first.exploratory:
            return "exploratory"
        return "expected to fail" if self.first.xfail else ""

    @property
    def reproducibility(self) -> float | None:
        """Chance that a repetition of the study would support all of them, or again not all; ``None`` where unknown.

        It is unknown for many entities: the chance of each takes nothing from the others, so the product is no chance.
        """
        if self.entities > 1:
            return None
        chances = [claim.supported_again for claim in self.claims]
        known = [chance for chance in chances if chance is not None]
        if len(known) < len(chances):
            return None
        return 1 - math.prod(known) if self.fails else math.prod(known)


@dataclass(frozen=True)
class ModelVerdict:
    """What the claims of a model come to; ``gate`` is ``None`` if it has no gate."""

    groups: tuple[ClaimGroup, ...]
    gate: GateRecord | None

    @property
    def closed(self) -> tuple[ClaimGroup, ...]:
        """The gates whose claims are not supported."""
        return tuple(group for group in self.groups if group.first.gate and group.fails)

    @property
    def counts(self) -> dict[Verdict, int]:
        """Verdict -> number of claims, the worst first."""
        return _counts(claim for group in self.groups for claim in group.claims)

    @property
    def word(self) -> str:
        """``gate closed``, ``gate incomplete``, ``gate open``, or ``no gate``."""
        return "no gate" if self.gate is None else f"gate {self.gate.state}"

    @property
    def sign(self) -> str:
        """The sign of the state; a dash where there is no gate."""
        return "\u2013" if self.gate is None else GATE_SIGNS[self.gate.state]

    @property
    def sentence(self) -> str:
        """The outcome in a few sentences."""
        failing = [group.verdict for group in self.groups if group.fails and not group.first.gate]
        claim = "claim" if self.gate is None else "other claim"
        if not failing:
            return " ".join([*gate_sentences(self.gate), f"No {claim} failed."])
        verdicts = ", ".join(f"{failing.count(name)} {name}" for name in WORST_FIRST if name in failing)
        return " ".join([*gate_sentences(self.gate), f"{plural(len(failing), claim)} failed ({verdicts})."])


def _counts(claims: Iterable[ClaimRecord]) -> dict[Verdict, int]:
    counts = Counter(claim.verdict for claim in claims)
    return {verdict: counts[verdict] for verdict in WORST_FIRST if counts[verdict]}


def fails(claim: ClaimRecord) -> bool:
    """Whether a claim makes the run fail; of a file that does not say, whether it does so by its markers alone."""
    if claim.fails is not None:
        return claim.fails
    if claim.exploratory:
        return False
    return claim.verdict is Verdict.REFUTED or (claim.gate and claim.verdict is not Verdict.SUPPORTED)


def gate_sentences(gate: GateRecord | None) -> list[str]:
    """Say what the gates come to: how many are supported, which failed, did not run or are off, and how firm it is."""
    if gate is None:
        return ["This run held no gate."]
    found = []
    if gate.state == "not run" and gate.collected:
        found.append(f"No model was named, so {plural(gate.collected, 'gate')} did not run: add --model NAME.")
    elif gate.state == "open":
        found.append(f"{gate.ran} of {gate.collected} supported.")
    elif gate.state == "incomplete" and not gate.not_run:
        # The run's own word where its results are lost; see `plugin.gating.unwritten`.
        found.append(f"{gate.ran} of {gate.collected} supported, but the results could not be written or shown.")
    if gate.failed:
        names = ", ".join(map(short_name, gate.failed))
        found.append(f"{len(gate.failed)} of {gate.collected} not supported or failed: {names}.")
    if gate.not_run:
        found.append(f"{gate.ran} of {gate.collected} ran. Not run: {_named(gate.not_run)}.")
    if gate.off:
        found.append(f"Off: {_named(gate.off)}.")
    if gate.reproducibility is not None:
        # Never 100%: no chance that is estimated is certain.
        found.append(f"Chance that a repetition of the study gives the same state: {percent(gate.reproducibility)}.")
    return found


def _named(absent: Iterable[AbsentGateRecord]) -> str:
    """Name the gates that did not run, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for gate in absent:
        count = f" for {gate.tests} entities" if gate.tests > 1 else ""
        by_reason.setdefault(gate.reason, []).append(f"{short_name(gate.gate)}{count}")
    return "; ".join(f"{', '.join(dict.fromkeys(names))} ({reason})" for reason, names in by_reason.items())


def judge(model: ModelRecord) -> ModelVerdict:
    """Group the claims of a model: gates first, then what fails, then the rest in the order of files."""
    groups = grouped(model.claims)
    ordered = tuple(sorted(groups, key=lambda group: (not group.first.gate, not group.fails)))
    return ModelVerdict(ordered, model.gate or _gate_by_claims(groups))


def grouped(claims: Iterable[ClaimRecord]) -> list[ClaimGroup]:
    """Group claims by the test function that makes them, in their order; its first claim apart from its second."""
    groups: dict[tuple[str, str, int], list[ClaimRecord]] = {}
    seen: Counter[str] = Counter()
    for claim in claims:
        seen[claim.nodeid] += 1
        groups.setdefault((claim.suite, claim.function, seen[claim.nodeid]), []).append(claim)
    return [ClaimGroup(tuple(members)) for members in groups.values()]


def _gate_by_claims(groups: Sequence[ClaimGroup]) -> GateRecord | None:
    """Return the state of the gates that made claims, for files that were written before it was in them."""
    gates = [group for group in groups if group.first.gate]
    if not gates:
        return None
    failed = [group.first.nodeid.partition("[")[0] for group in gates if group.fails]
    return GateRecord(
        state="closed" if failed else "open",
        collected=len(gates),
        ran=len(gates),
        failed=list(dict.fromkeys(failed)),
        not_run=[],
    )


def gate_of_all(models: Iterable[ModelVerdict]) -> str:
    """Return the state of all models' gates, which is the worst of them; empty if there is no gate."""
    states = {verdict.gate.state for verdict in models if verdict.gate is not None}
    return next((state for state in gates.WORST_FIRST if state in states), "")


def could_be(claim: ClaimRecord) -> str:
    """Return how far missing answers could move a correlation; empty if they could not.

    Both ends are rounded outwards, so that whatever digits the value is shown with, it does not lie beyond them.
    """
    bounds, value = claim.missing, claim.estimate.value
    if bounds is None or bounds.low is None or bounds.high is None:
        return ""
    # Older files hold ends between which the value does not lie, or the lower one last.
    ends = [bounds.low, bounds.high, *([] if value is None else [value])]
    if not all(map(math.isfinite, ends)):
        return ""
    low, high = _outward(min(ends), ROUND_FLOOR), _outward(max(ends), ROUND_CEILING)
    found = f"could move it to anything from {number(low)} to {number(high)}"
    return f"{found} ({bounds.search})" if bounds.search else found


def _outward(value: float, direction: str) -> float:
    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal((0, (1,), exact.adjusted() - 2)), rounding=direction))


LOWEST, HIGHEST = "\u2212\u221e", "\u221e"


def interval(claim: ClaimRecord) -> str:
    """Return value and interval: ``0.75 (0.56 to 0.86)``, or ``1720 (at least 1650)`` where it has one end."""
    estimate = claim.estimate
    if estimate.value is None:
        return "no estimate"
    if estimate.low is None and estimate.high is None and estimate.unbounded:
        return f"{number(estimate.value)} ({LOWEST} to {HIGHEST})"
    if estimate.low is None and estimate.high is None:
        return f"{number(estimate.value)} (no interval)"
    if estimate.high is None:
        return f"{number(estimate.value)} (at least {number(estimate.low)})"
    if estimate.low is None:
        return f"{number(estimate.value)} (at most {number(estimate.high)})"
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


def claimed(claim: ClaimRecord) -> str:
    """Return what is claimed of the estimate: ``above 0.5``."""
    return in_words(claim.relation, number(claim.threshold))


def reach(claims: Iterable[ClaimRecord]) -> tuple[float, float] | None:
    """Return the smallest and largest value over claims; ``None`` if no claim has a value."""
    values = [claim.estimate.value for claim in claims if claim.estimate.value is not None]
    return (min(values), max(values)) if values else None


def detectable(claim: ClaimRecord) -> float | None:
    """Return the true value nearest to the threshold that this study would have detected as lying beyond it.

    The chance is 80%. For an equivalence it is the narrowest margin that a true value of 0 would have kept.
    Correlations are taken on Fisher's z scale, all else on its own, from the width of the interval; ``None`` where
    there is none.
    """
    estimate = claim.estimate
    low, high = estimate.low, estimate.high
    if low is None or high is None or not low < high or not 0 < estimate.level < 1:
        return None
    on_z = on_fisher_scale(estimate.method, low, high, claim.threshold)
    if on_z:
        low, high = math.atanh(low), math.atanh(high)
    critical = NormalDist().inv_cdf(1 - (1 - estimate.level) / 2)
    error = (high - low) / (2 * critical)
    if claim.relation == "abs <":
        found = (critical + NormalDist().inv_cdf((1 + POWER) / 2)) * error
    else:
        distance = (critical + NormalDist().inv_cdf(POWER)) * error
        threshold = math.atanh(claim.threshold) if on_z else claim.threshold
        found = threshold + distance if claim.relation == ">" else threshold - distance
    return math.tanh(found) if on_z else found


def reasons_of(claims: Sequence[ClaimRecord]) -> list[str]:
    """Return the reasons of invalid claims, each once, the commonest first."""
    counts = Counter(reason for claim in claims for reason in claim.reasons)
    return [reason for reason, _ in counts.most_common()]
