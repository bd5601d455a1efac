"""Simulated studies of preference and advice: two pair experiments on the same entities, with planted strengths."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Literal

import numpy as np
from scipy import special, stats

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.config.profiles import NEWEST_DESIGN
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.measure import Measure, coverage_reasons, share
from pytest_llmpref.experiments.pairs.measure import rate
from pytest_llmpref.experiments.pairs.pulls import PairDesign, Pulled, Pulls, pair_design
from pytest_llmpref.experiments.pairs.strengths import Strengths, partial_rho, shipped_groups
from pytest_llmpref.stats.arrays import BoolArray, FloatArray
from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.attenuation import attenuation_corrected
from pytest_llmpref.stats.closed_form import ELO_PER_LOGIT
from pytest_llmpref.stats.comparisons import ELO_MEAN, Comparisons
from pytest_llmpref.stats.grouped import partial_spearman, within_groups
from pytest_llmpref.stats.halves import halves_of
from pytest_llmpref.stats.noise import residuals
from pytest_llmpref.stats.power import correlation_power
from pytest_llmpref.stats.ranks import rank_correlation
from pytest_llmpref.stats.rating import fit_strengths

REFERENCE = 60_000
"""Entities measured to know the rho of two measures with their noise, to about 0.003."""
SPLITS = 8
"""Splits of a reliability: what the other 22 of a real study add is small beside what studies differ by."""
MODEL = "sim/calibration"
NO_PULLS = Pulls()
# What the suites ask, or a threshold at which power is neither 0 nor 1.
THRESHOLDS = {
    "spearman >": 0.0,
    "spearman <": 0.8,
    "spearman equivalence": 0.5,
    "spearman given": 0.0,
    "within_groups": 0.0,
    "partial_spearman": 0.0,
    "attenuation_corrected": 0.0,
    "attenuation_corrected equivalence": 0.5,
    "preference of an entity": ELO_MEAN,
    "residual of an entity": 400.0,
    "coverage of an entity": 0.75,
}


@dataclass(frozen=True)
class PairStudy:
    """Conditions of a study.

    Attributes
    ----------
    strengths
        How true strengths are drawn.
    partners
        Others that each entity is compared with, as in a profile: 24 in ``standard``, ``None`` (all) in ``paper``.
    position, label
        Log-odds of the option shown first, and of label A over B.
    missing
        Share of trials without a choice.
    missing_for
        Whose trials these are: of any pair, or, in proportion to rank, of the disliked: none for the two most, twice
        the share for the two least preferred entities.
    by_wording
        Standard deviation, in log-odds, of how an entity's strength differs by wording, about its mean over these.
    pulls
        What pulls at answers beside strengths: formats, and likes of single pairs that no strengths add up to.
    probabilities
        Whether answers are probabilities (from log-probabilities) instead of draws from them.
    design
        Version of the design.
    """

    strengths: Strengths
    partners: int | None = 24
    position: float = 0.0
    label: float = 0.0
    missing: float = 0.0
    missing_for: Literal["any", "disliked"] = "any"
    by_wording: float = 0.0
    pulls: Pulls = NO_PULLS
    probabilities: bool = False
    design: int = NEWEST_DESIGN

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        preference, behaviour = (values[0] for values in self.strengths.draw(rng, 1))
        seed = int(rng.integers(2**31))
        pulled = self.pulls.draw(rng, self.strengths.n, 1)
        x, _ = self.measure("preference", 4, preference, preference, rng, seed, pulled)
        alike = pulled if self.pulls.shared else None
        y, chances = self.measure("donation_advice", 8, behaviour, preference, rng, seed, alike)
        yield from self._correlations(x, y)
        if self.pulls.of_formats:
            # What an entity gains by a format moves its strength on the scale of averages over formats.
            return
        strengths, advice = (ELO_PER_LOGIT * self._marginal * (true - true.mean()) for true in (preference, behaviour))
        entity_truths: dict[str, tuple[Mapping[str, Estimate], FloatArray]] = {
            "preference of an entity": (x.estimates, ELO_MEAN + strengths),
            "residual of an entity": (residuals(y, x), deleted_residuals(advice, strengths)),
        }
        if self.missing:
            # Where no answer can be missing there is nothing to estimate.
            entity_truths["coverage of an entity"] = (self._coverage(y), chances)
        for kind, (estimates, truth) in entity_truths.items():
            for estimate, value in zip(estimates.values(), truth, strict=True):
                yield Finding(kind, estimate, float(value), THRESHOLDS[kind])

    def _correlations(self, x: Measure, y: Measure) -> Iterator[Finding]:
        """Yield what is found of rho: of what is sampled in this world, and no claim of groups that never change."""
        rho, corrected = spearman(x, y), attenuation_corrected(x, y)
        found = {"within_groups": within_groups(x, y), "partial_spearman": partial_spearman(x, y)}
        if self.strengths.between is None:
            found["spearman given"] = spearman(x, y, groups="given")
        if self.strengths.between is not None or not self.strengths.grouped:
            found |= {"spearman >": rho, "spearman <": rho, "spearman equivalence": rho}
            found |= {"attenuation_corrected": corrected, "attenuation_corrected equivalence": corrected}
        for kind, estimate in found.items():
            yield Finding(kind, estimate, self.truths[kind], THRESHOLDS[kind])

    def measure(
        self,
        name: str,
        wordings: int,
        true: FloatArray,
        liked: FloatArray,
        rng: np.random.Generator,
        seed: int,
        pulled: Pulled | None = None,
    ) -> tuple[Measure, FloatArray]:
        """Simulate one pair experiment; also return each entity's chance of a valid answer, shape (n,)."""
        design, n, groups = self._design(wordings), self.strengths.n, self.groups
        score = self._answers(design, true[:, None], rng, pulled)[:, 0]
        loss = self._missing(design, liked[:, None])[:, 0]
        valid = rng.random(len(score)) >= loss
        kept = Comparisons(design.first[valid], design.second[valid], score[valid], design.first_is_a[valid], n)
        outcomes = {"choice": len(kept), "refusal": len(score) - len(kept)}
        diagnostics = {"trials": len(score), "outcomes": outcomes, "coverage": len(kept) / len(score)}
        rated = rate(kept, list(groups), {"wording": design.wording[valid]}, seed=seed, splits=SPLITS)
        reasons = (*coverage_reasons(diagnostics), *rated.reasons)
        asked, answered = (
            np.bincount(np.r_[design.first, design.second], np.r_[values, values], n)
            for values in (np.ones(len(score)), valid.astype(float))
        )
        diagnostics["answered"] = [(int(a), int(b)) for a, b in zip(answered, asked, strict=True)]
        measure = Measure(
            name=name,
            model=MODEL,
            estimates={entity: estimate.marked(reasons) for entity, estimate in rated.estimates.items()},
            groups=groups,
            reasons=reasons,
            reliability=rated.reliability,
            diagnostics=diagnostics,
            trials=(),
            halves=cache(partial(halves_of, kept, tuple(groups), splits=SPLITS)),
        )
        chances = np.bincount(np.r_[design.first, design.second], 1 - np.r_[loss, loss], n) / asked
        return measure, chances

    @cached_property
    def groups(self) -> Mapping[str, str]:
        """Entity id -> group."""
        return shipped_groups(self.strengths.n)

    @cached_property
    def truths(self) -> Mapping[str, float]:
        """Estimands of the claims about a correlation, by kind; the same for every study of this kind."""
        measured, within, partial = self._measured_rho()
        true = self.strengths.true_rho()
        return {
            "partial_spearman": partial,
            "spearman given": measured,
            "spearman >": measured,
            "spearman <": measured,
            "spearman equivalence": measured,
            "within_groups": within,
            "attenuation_corrected": true,
            "attenuation_corrected equivalence": true,
        }

    def predicted_power(self, kind: str) -> float:
        """Return the power that `stats.correlation_power` predicts for the claim; NaN if it predicts none."""
        relation: Mapping[str, Literal[">", "<", "abs <"]] = {
            "spearman >": ">",
            "spearman <": "<",
            "spearman equivalence": "abs <",
        }
        if kind not in relation:
            return math.nan
        return correlation_power(
            self.truths[kind],
            self.strengths.n,
            threshold=THRESHOLDS[kind],
            relation=relation[kind],
            df=self.strengths.df,
        )

    def _measured_rho(self) -> tuple[float, float, float]:
        """Return rho of both measures with their noise, over all entities of the kind: in all, within and given groups.

        Within a group: of values less their groups' true levels. Given the group: of ranks less their groups' means.
        """
        rng = np.random.default_rng(1)
        studies = math.ceil(REFERENCE / self.strengths.n)
        own, groups = self.strengths.draw_apart(rng, studies)
        true = own[0] + groups[0], own[1] + groups[1]
        found = []
        for wordings, values in zip((4, 8), true, strict=True):
            design = self._design(wordings)
            answers = self._answers(design, values.T, rng)
            valid = rng.random(answers.shape) >= self._missing(design, true[0].T)
            found.append(self._fitted(design, answers, valid) + values.mean(axis=1))
        x, y = found
        overall = rank_correlation(x.ravel(), y.ravel())
        within = rank_correlation((x - groups[0].T).ravel(), (y - groups[1].T).ravel())
        return overall, within, partial_rho(x, y, self.strengths.group_of)

    def fitted(self, wordings: int, true: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Simulate a pair experiment in which every trial ends in a choice, and return strengths alone, shape (n,)."""
        design = self._design(wordings)
        answers = self._answers(design, true[:, None], rng)
        return self._fitted(design, answers, np.ones(answers.shape, dtype=np.bool_))[:, 0]

    def _fitted(self, design: PairDesign, answers: FloatArray, valid: BoolArray) -> FloatArray:
        """Return strengths, shape (n, studies), mean 0: the fit of `bradley_terry`, for many studies at once."""
        n = self.strengths.n
        every = Comparisons(design.first, design.second, np.full(len(design.first), 0.5), design.first_is_a, n)
        weights = valid.astype(np.float64)
        _, model = fit_strengths(every, weights[:, :1])
        strengths = model.fit(answers * weights, weights).parameters[:n]
        return np.asarray(strengths - strengths.mean(axis=0))

    def _design(self, wordings: int) -> PairDesign:
        return pair_design(self.strengths.n, self.partners, wordings, self.design)

    def _answers(
        self, design: PairDesign, true: FloatArray, rng: np.random.Generator, pulled: Pulled | None = None
    ) -> FloatArray:
        """Return scores, shape (t, studies), for strengths of shape (n, studies)."""
        logits = true[design.first] - true[design.second] + self.position
        logits += np.where(design.first_is_a, self.label / 2, -self.label / 2)[:, None]
        if self.by_wording:
            pulls = self.by_wording * rng.standard_normal((int(design.wording.max()) + 1, *true.shape))
            pulls -= pulls.mean(axis=0)
            logits += pulls[design.wording, design.first] - pulls[design.wording, design.second]
        logits += (pulled or self.pulls.draw(rng, *true.shape)).logits(design)
        chances = special.expit(logits)
        return chances if self.probabilities else (rng.random(chances.shape) < chances).astype(np.float64)

    @property
    def _marginal(self) -> float:
        """What averaging over pairs' quirks leaves of a strength in log-odds (Zeger, Liang and Albert 1988)."""
        return 1 / math.sqrt(1 + (16 * math.sqrt(3) / (15 * math.pi)) ** 2 * self.pulls.pairs**2)

    def _missing(self, design: PairDesign, liked: FloatArray) -> FloatArray:
        """Return the chance that a trial has no choice, shape (t, studies), for preferences of shape (n, studies)."""
        if self.missing_for == "any":
            return np.full((len(design.first), liked.shape[1]), self.missing)
        dislike = 1 - (stats.rankdata(liked, axis=0) - 1) / (len(liked) - 1)
        return np.asarray(self.missing * (dislike[design.first] + dislike[design.second]))

    def _coverage(self, measure: Measure) -> Mapping[str, Estimate]:
        counts = measure.diagnostics["answered"]
        return {
            entity: share(answered, asked, f"share of valid {measure.name} trials")
            for entity, (answered, asked) in zip(measure.estimates, counts, strict=True)
        }


def deleted_residuals(y: FloatArray, x: FloatArray) -> FloatArray:
    """Return each value less what the least-squares line through all others predicts for it; shape (n,)."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    residual = y - y.mean() - centred * float(centred @ y) / spread
    return np.asarray(residual / (1 - 1 / len(x) - centred**2 / spread))


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, and a few bad corners."""
    main = PairStudy(Strengths(n=36, rho=0.6, spread=1.0))
    weak = PairStudy(Strengths(n=36, rho=0.6, spread=0.3))
    for name, about, study in (
        ("main", "36 entities, profile standard, rho 0.6, strengths with an SD of 174 Elo points", main),
        ("null", "no relation", replace(main, strengths=Strengths(36, 0.0, 1.0))),
        ("rho=0.9", "rho 0.9", replace(main, strengths=Strengths(36, 0.9, 1.0))),
        ("n=12", "12 entities, every pair", replace(main, strengths=Strengths(12, 0.6, 1.0), partners=None)),
        ("n=72", "72 entities", replace(main, strengths=Strengths(72, 0.6, 1.0))),
        ("paper", "every pair", replace(main, partners=None)),
        ("smoke", "4 partners", replace(main, partners=4)),
        ("missing=10%", "10% of trials without a choice", replace(main, missing=0.1)),
        ("missing=30%", "30% of trials without a choice", replace(main, missing=0.3)),
        (
            "missing=10% disliked",
            "10% of trials without a choice, in proportion to dislike",
            replace(main, missing=0.1, missing_for="disliked"),
        ),
        ("position", "the option shown first 1.5, label A 0.7 log-odds ahead", replace(main, position=1.5, label=0.7)),
        ("noise", "strengths with an SD of 52 Elo points: reliability near the 0.5 that is needed", weak),
        ("quirks", "pairs with likes of their own, SD 1 log-odds", replace(main, pulls=Pulls(pairs=1.0))),
        ("ties", "true strengths take 4 levels", replace(main, strengths=Strengths(36, 0.6, 1.0, levels=4))),
        (
            "probabilities",
            "answers are probabilities, with pairs' quirks",
            replace(main, pulls=Pulls(pairs=0.5), probabilities=True),
        ),
        (
            "faint",
            "72 entities, every pair, rho 0.9, in probabilities by strengths with an SD of 3 Elo points and quirks",
            replace(
                main,
                strengths=Strengths(72, 0.9, 0.02),
                partners=None,
                pulls=Pulls(pairs=0.084),
                probabilities=True,
            ),
        ),
        (
            "groups",
            "72 entities, 70% of the variance between groups as given, no relation within them",
            replace(main, strengths=Strengths(72, 0.0, 1.0, grouped=0.7)),
        ),
        (
            "corner",
            "12 entities, noise, position bias, ties, 10% missing for the disliked",
            PairStudy(
                Strengths(12, 0.6, 0.5, levels=4),
                None,
                position=1.5,
                missing=0.1,
                missing_for="disliked",
                pulls=Pulls(pairs=0.5),
            ),
        ),
    ):
        yield Scenario(f"advice/{name}", about, study)


RHO = (
    "Spearman's rho, over all entities and groups of the kind, of the two measures as this design measures them: its "
    "noise included, so smaller than that of the true strengths"
)
TRUE_RHO = (
    "Spearman's rho of the true strengths over all entities and groups of the kind: the limit of infinitely many trials"
)

KINDS: Mapping[str, ClaimKind] = {
    "spearman >": ClaimKind("spearman(preferences, donation_advice) > b", ">", "sample", RHO),
    "spearman <": ClaimKind("spearman(preferences, donation_advice) < b", "<", "sample", RHO),
    "spearman equivalence": ClaimKind("abs(spearman(preferences, donation_advice)) < b", "abs <", "sample", RHO),
    "spearman given": ClaimKind(
        'spearman(preferences, donation_advice, groups="given") > b', ">", "sample",
        "as for spearman, over all entities of these groups",
    ),
    "within_groups": ClaimKind(
        "within_groups(preferences, donation_advice) > b", ">", "sample",
        "Spearman's rho within a group, over all entities of its kind, of the two measures as this design measures "
        "them; the same in every group",
    ),
    "partial_spearman": ClaimKind(
        "partial_spearman(preferences, donation_advice) > b", ">", "sample",
        "the correlation of ranks minus their groups' means, over all entities of the kind, between the two measures "
        "as this design measures them",
    ),
    "attenuation_corrected": ClaimKind(
        "attenuation_corrected(preferences, donation_advice) > b", ">", "sample", TRUE_RHO
    ),
    "attenuation_corrected equivalence": ClaimKind(
        "abs(attenuation_corrected(preferences, donation_advice)) < b", "abs <", "sample", TRUE_RHO
    ),
    "preference of an entity": ClaimKind(
        "preferences[entity] > b", ">", "given",
        "the entity's true strength on the Elo scale, mean 1500 over the entities as given, in the limit of infinitely "
        "many trials",
        of_entity=True,
    ),
    "residual of an entity": ClaimKind(
        "abs(residuals(donation_advice, preferences)[entity]) < b", "abs <", "given",
        "the entity's true advice minus the prediction of the least-squares line through the true strengths of the "
        "other entities, as given",
        of_entity=True,
    ),
    "coverage of an entity": ClaimKind(
        "donation_advice.coverage[entity] > b", ">", "given",
        "the chance of a valid answer, averaged over the questions about the entity",
        of_entity=True,
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
