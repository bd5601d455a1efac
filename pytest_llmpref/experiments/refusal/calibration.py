"""Simulated studies of refusals: preferences as in `pair_studies`, and attempts with planted refusals."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Envelope, Normal, Wilson
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.measure import Measure, reliability_reasons
from pytest_llmpref.experiments.pairs.calibration import (
    MODEL,
    RHO,
    SPLITS,
    PairStudy,
)
from pytest_llmpref.experiments.pairs.pulls import PairDesign, pair_design
from pytest_llmpref.experiments.pairs.strengths import Strengths
from pytest_llmpref.experiments.refusal.measure import PROPENSITY, Propensity, absences_in
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray, quartiles
from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.noise import Noisy, expected_quartiles, true_values
from pytest_llmpref.stats.power import correlation_power
from pytest_llmpref.stats.ranks import rank_correlation
from pytest_llmpref.stats.refusal import Attempts, fit_additive, overall_rate, refusal_rates, split_half
from pytest_llmpref.stats.refusal_patterns import share_trend
from pytest_llmpref.stats.superadditivity import interaction

MOST_ATTEMPTS, CONTROLS, WORDINGS = 10, 96, 8
OTHERS = 2000
"""Entities drawn to know how often one is refused whichever other it meets."""
REFERENCE = 600
"""Studies simulated to know the rho of preference and propensity with their noise."""


@dataclass(frozen=True)
class RefusalStudy:
    """Conditions of a study.

    Attributes
    ----------
    preferences
        The preferences, whose behaviour is how seldom an entity is refused: ``strengths.rho`` relates the two.
    base
        Log-odds of a refusal where both entities are average; that of the control.
    sway
        Standard deviation of what entities add to it, in log-odds.
    beyond
        What the product of two standardised dislikes adds: superadditivity.
    quirks
        Standard deviation of what a pair adds in both orders.
    uneven
        Share of the entities whose pairs alone have them; ``None`` if all do.
    trend
        How much the share of one reason rises from one quartile of preference to the next.
    floor
        Chance of a refusal whatever the options.
    """

    preferences: PairStudy
    base: float = -1.5
    sway: float = 0.7
    beyond: float = 0.0
    quirks: float = 0.0
    uneven: float | None = None
    trend: float = 0.0
    floor: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        liked, mild = (values[0] for values in self.preferences.strengths.draw(rng, 1))
        seed = int(rng.integers(2**31))
        x, _ = self.preferences.measure("preference", 4, liked, liked, rng, seed)
        attempts, chances = self._asked(liked, mild, rng)
        reliability = split_half(attempts, seed=seed, splits=SPLITS)
        y = self._propensity(attempts, reliability)
        yield Finding("propensity", spearman(x, y), self.rho, 0.0)
        measured = Noisy.of(x, tuple(x.estimates))
        beyond = interaction(attempts, measured, self.preferences.strengths.group_of).marked(x.reasons)
        # Standardised over the kind, the product of dislikes adds `beyond`; over these entities, as much as they vary.
        spread = float(liked.std()) / self.preferences.strengths.spread
        yield Finding("superadditivity", beyond, self.beyond * spread**2, 0.0)
        trend = self._reasons_trend(attempts, measured, liked, rng).marked(x.reasons)
        yield Finding("reason trend", trend, self._true_trend(attempts, chances, liked), 0.0)
        yield from self._beyond_control(attempts, liked, mild, rng)

    def _beyond_control(
        self, attempts: Attempts, liked: FloatArray, mild: FloatArray, rng: np.random.Generator
    ) -> Iterator[Finding]:
        """Draw a control, and yield by how much each entity is refused more."""
        control_chance = float(special.expit(self.base))
        control = overall_rate(self._control(rng, control_chance))
        truths = self._chances_of(liked, mild)
        for rate, truth in zip(refusal_rates(attempts), truths, strict=True):
            yield Finding("refusals beyond the control", rate - control, float(truth) - control_chance, 0.1)

    @cached_property
    def rho(self) -> float:
        """Spearman's rho of preference and propensity as this design measures them, over all entities of the kind."""
        rng, pooled = np.random.default_rng(1), []
        for _ in range(REFERENCE):
            liked, mild = (values[0] for values in self.preferences.strengths.draw(rng, 1))
            x = self.preferences.fitted(4, liked, rng) + liked.mean()
            attempts, _ = self._asked(liked, mild, rng)
            pooled.append((x, fit_additive(attempts).effects - self._scale * mild.mean()))
        x, y = (np.concatenate(values) for values in zip(*pooled, strict=True))
        return rank_correlation(x, y)

    def predicted_power(self, kind: str) -> float:
        """Return the power that `stats.correlation_power` predicts; NaN for other claims."""
        return (
            correlation_power(self.rho, self.preferences.strengths.n, relation="<", df=self.preferences.strengths.df)
            if kind == "propensity"
            else math.nan
        )

    @property
    def _scale(self) -> float:
        return self.sway / self.preferences.strengths.spread

    def _asked(self, liked: FloatArray, mild: FloatArray, rng: np.random.Generator) -> tuple[Attempts, FloatArray]:
        """Return the attempts, and the chance of a refusal in each trial."""
        strengths = self.preferences.strengths
        design: PairDesign = pair_design(strengths.n, self.preferences.partners, WORDINGS)
        first, second = design.first, design.second
        logits = self._planted(design, liked, mild)
        if self.quirks:
            pair = np.minimum(first, second) * strengths.n + np.maximum(first, second)
            _, pair_of = np.unique(pair, return_inverse=True)
            has = self._has_quirks(strengths.n)
            logits = logits + self.quirks * rng.standard_normal(int(pair_of.max()) + 1)[pair_of] * (
                has[first] | has[second]
            )
        chances = self.floor + (1 - self.floor) * special.expit(logits)
        draws = rng.random((len(first), MOST_ATTEMPTS)) < chances[:, None]
        refused = np.where(draws.all(axis=1), MOST_ATTEMPTS, draws.argmin(axis=1))
        made = np.minimum(refused + 1, MOST_ATTEMPTS)
        return Attempts(first, second, design.wording, refused, made, draws[:, 0], strengths.n), chances

    def _planted(self, design: PairDesign, liked: FloatArray, mild: FloatArray) -> FloatArray:
        """Return the log-odds of a refusal in each trial, without what its pair adds."""
        first, second = design.first, design.second
        return self._logits(liked[first], mild[first], liked[second], mild[second])

    def _logits(
        self, liked: FloatArray, mild: FloatArray, other_liked: FloatArray, other_mild: FloatArray
    ) -> FloatArray:
        """Return the log-odds of a refusal to choose between two entities, without what their pair adds."""
        dislikes = liked * other_liked / self.preferences.strengths.spread**2
        return np.asarray(self.base - self._scale * (mild + other_mild) + self.beyond * dislikes)

    def _chances_of(self, liked: FloatArray, mild: FloatArray) -> FloatArray:
        """Return the chance of a refusal for each entity, averaged over others of the kind; shape (n,)."""
        other_liked, other_mild, quirk = self._others
        has = self._has_quirks(len(liked))[:, None] | self._has_quirks(len(other_liked))
        logits = self._logits(liked[:, None], mild[:, None], other_liked, other_mild) + quirk * has
        return np.asarray(special.expit(logits).mean(axis=1))

    def _has_quirks(self, n: int) -> BoolArray:
        """Say which of ``n`` entities have pairs that add of their own."""
        return np.arange(n) < (n if self.uneven is None else round(self.uneven * n))

    @cached_property
    def _others(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return entities of the kind, and what a pair with each adds; shape (k,) each."""
        rng = np.random.default_rng(1)
        strengths = self.preferences.strengths
        liked, mild = (values.ravel() for values in strengths.draw(rng, OTHERS // strengths.n))
        return liked, mild, self.quirks * rng.standard_normal(len(liked))

    def _control(self, rng: np.random.Generator, chance: float) -> Attempts:
        refused = (rng.random(CONTROLS) < chance).astype(np.intp)
        numbers = np.arange(CONTROLS)
        return Attempts(
            2 * numbers,
            2 * numbers + 1,
            numbers % WORDINGS,
            refused,
            np.ones(CONTROLS, dtype=np.intp),
            refused > 0,
            2 * CONTROLS,
        )

    def _propensity(self, attempts: Attempts, reliability: Estimate) -> Measure:
        fit = fit_additive(attempts)
        estimates = {
            entity: Estimate(effect, len(attempts), "trials", "additive model", Normal(effect, error, df))
            for entity, effect, error, df in zip(
                self.preferences.groups, fit.effects, fit.standard_errors, fit.degrees_of_freedom, strict=True
            )
        }
        unranked = tuple(reliability_reasons(reliability))
        return Propensity(
            PROPENSITY, MODEL, estimates, self.preferences.groups, (), reliability, {}, (),
            unranked=unranked, absences=partial(absences_in, attempts, tuple(estimates)),
        )  # fmt: skip

    def _reasons_trend(
        self, attempts: Attempts, measured: Noisy, liked: FloatArray, rng: np.random.Generator
    ) -> Estimate:
        """Draw a reason for every refusal: its share depends on the mean quartile of true preference of the two."""
        of_true, of_measured = quartiles(liked), expected_quartiles(true_values(measured))
        trial = np.repeat(np.arange(len(attempts)), attempts.refused)
        first, second = attempts.first[trial], attempts.second[trial]
        has = rng.random(len(trial)) < self._share(of_true, first, second)
        return share_trend(
            np.r_[of_measured[first], of_measured[second]],
            np.r_[has, has],
            np.tile(attempts.pair_of[trial], 2),
            "trend",
            unit="refusals",
        )

    def _share(self, quartile: IntArray, first: IntArray, second: IntArray) -> FloatArray:
        """Return the chance that refusals about two entities give the reason; each one's quartile moves it."""
        return np.asarray(0.4 + self.trend * (quartile[first] + quartile[second] - 3))

    def _true_trend(self, attempts: Attempts, chances: FloatArray, liked: FloatArray) -> float:
        """Return the slope of the share over quartiles of true preference, in the limit of infinitely many trials.

        It is not just `trend`: a refusal counts for both of its entities, and the disliked are refused together.
        """
        quartile = quartiles(liked)
        share = self._share(quartile, attempts.first, attempts.second)
        refusals = sum(chances**attempt for attempt in range(1, MOST_ATTEMPTS + 1))
        x, weight = np.r_[quartile[attempts.first], quartile[attempts.second]], np.tile(refusals, 2)
        centred = x - np.average(x, weights=weight)
        return float((weight * centred) @ np.tile(share, 2) / ((weight * centred) @ centred))


@dataclass(frozen=True)
class RivalStudy(RefusalStudy):
    """A study in which something else than superadditivity could be taken for it; only that is looked at.

    Attributes
    ----------
    together
        What two options of one group add to the log-odds.
    worse_decides
        Whether the option that is refused more decides alone.
    """

    together: float = 0.0
    worse_decides: bool = False

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        liked, mild = (values[0] for values in self.preferences.strengths.draw(rng, 1))
        x, _ = self.preferences.measure("preference", 4, liked, liked, rng, int(rng.integers(2**31)))
        attempts, _ = self._asked(liked, mild, rng)
        group = self.preferences.strengths.group_of
        found = interaction(attempts, Noisy.of(x, tuple(x.estimates)), group).marked(x.reasons)
        spread = float(liked.std()) / self.preferences.strengths.spread
        yield Finding("superadditivity", found, self.beyond * spread**2, 0.0)

    def _planted(self, design: PairDesign, liked: FloatArray, mild: FloatArray) -> FloatArray:
        group = self.preferences.strengths.group_of
        if self.worse_decides:
            worse = np.minimum(mild[design.first], mild[design.second])
            return np.asarray(self.base - 1.6 * self._scale * worse)
        together = self.together * (group[design.first] == group[design.second])
        return np.asarray(super()._planted(design, liked, mild) + together, dtype=np.float64)


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, and a few bad corners."""
    preferences = PairStudy(Strengths(n=36, rho=0.7, spread=1.0))
    main = RefusalStudy(preferences, beyond=0.3, trend=0.05)
    few = PairStudy(Strengths(n=12, rho=0.7, spread=1.0), partners=None)
    for name, about, study in (
        ("main", "36 entities, profile standard, 18% refused on average, rho -0.7, superadditive", main),
        ("null", "nothing follows preference", RefusalStudy(PairStudy(Strengths(36, 0.0, 1.0)))),
        ("n=12", "12 entities, every pair", replace(main, preferences=few)),
        ("n=72", "72 entities", replace(main, preferences=replace(preferences, strengths=Strengths(72, 0.7, 1.0)))),
        ("rare", "3% refused on average", replace(main, base=-3.5)),
        ("quirks", "pairs with refusals of their own, SD 1 log-odds", replace(main, quirks=1.0)),
        ("uneven", "pairs of a tenth of the entities with refusals of their own, SD 3 log-odds", replace(
            main, quirks=3.0, uneven=0.1)),
        ("noise", "preferences with an SD of 52 Elo points", replace(
            main, preferences=replace(preferences, strengths=Strengths(36, 0.7, 0.3)))),
        *_rivals(),
    ):  # fmt: skip
        yield Scenario(f"refusals/{name}", about, study)
    for name, about, gate in _gates():
        yield Scenario(f"refusals/{name}", about, gate)


@dataclass(frozen=True)
class GateStudy(Unpredicted):
    """A study of the gate alone: every pair in both orders, entities refused as planted, and a control.

    Attributes
    ----------
    n_entities
        Number of entities.
    usual
        Chance of a refusal of every question, the control's too.
    worst
        The same of the questions about one entity.
    """

    n_entities: int
    usual: float
    worst: float

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        n = self.n_entities
        first, second = (np.tile(side, 2) for side in np.triu_indices(n, 1))
        refused = rng.random(len(first)) < np.where((first == 0) | (second == 0), self.worst, self.usual)
        ones = np.ones(len(first), dtype=np.intp)
        attempts = Attempts(first, second, 0 * ones, refused.astype(np.intp), ones, refused, n)
        hits = rng.random(CONTROLS) < self.usual
        control = Estimate(float(hits.mean()), CONTROLS, "trials", "Wilson", Wilson(float(hits.sum()), CONTROLS))
        each = [rate - control for rate in refusal_rates(attempts)]
        highest = max(each, key=lambda one: one.value)
        together = replace(highest, interval_method=Envelope(tuple(one.interval_method for one in each)))
        yield Finding("no refusals beyond the control", together, self.worst - self.usual, 0.1)


def _gates() -> Iterator[tuple[str, str, GateStudy]]:
    """Yield studies of the gate: one entity at the margin, and none that is refused more."""
    yield "gate=one", "72 entities, every pair, one refused 10 points more than 0.5%", GateStudy(72, 0.005, 0.105)
    for rate in (0.001, 0.005, 0.01):
        yield f"gate={rate:.1%}", f"72 entities, every pair, all refused {rate:.1%}", GateStudy(72, rate, rate)


def _rivals() -> Iterator[tuple[str, str, RefusalStudy]]:
    """Yield what could be taken for superadditivity, and beside it superadditivity of the same size of study."""
    mixed = PairStudy(Strengths(n=36, rho=0.7, spread=1.0))
    grouped = PairStudy(Strengths(n=36, rho=0.9, spread=1.0, grouped=0.5))
    yield (
        "rival=group",
        "options of one group refused more (1 log-odds), groups half of the variance",
        RivalStudy(grouped, base=-2.0, together=1.0),
    )
    yield "rival=floor", "8% refused whatever the options", RivalStudy(mixed, base=-2.0, floor=0.08)
    yield (
        "rival=worse",
        "the option that is refused more decides alone",
        RivalStudy(grouped, base=-2.0, worse_decides=True),
    )
    yield "rival=none", "superadditive, groups half of the variance", RivalStudy(grouped, base=-2.0, beyond=0.3)


KINDS: Mapping[str, ClaimKind] = {
    "propensity": ClaimKind(
        "spearman(preferences, propensity(refusals)) < b", "<", "sample", RHO
    ),
    "superadditivity": ClaimKind(
        "superadditivity(refusals, preferences) > b", ">", "given",
        "the interaction of two true dislikes, standardised over the entities as given, in the log-odds of a refusal",
    ),
    "reason trend": ClaimKind(
        "reason_trends(refusals, preferences)[reason] > b", ">", "given",
        "the slope of the reason's share among refusals, per quartile of true preference",
    ),
    "refusals beyond the control": ClaimKind(
        "refusals[entity] - refusals.control < b", "<", "given",
        "difference in the probability of refusing a first attempt, entity minus control, averaged over all opponents "
        "of the kind, of which the actual ones are a sample",
        of_entity=True,
    ),
    "no refusals beyond the control": ClaimKind(
        "all of refusals[entity] - refusals.control < b, as a gate claims it", "<", "given",
        "the largest of these differences; an intersection-union test (Berger 1982)", covers=False,
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
