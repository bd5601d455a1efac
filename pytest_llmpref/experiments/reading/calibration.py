"""Simulated studies of a reading task: answers whose accuracy follows preference as planted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Envelope
from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import ReadingDesign, no_signal_reasons, simulate_answers
from pytest_llmpref.stats.arrays import FloatArray
from pytest_llmpref.stats.performance import minus_control, preference_slope, top_minus_bottom
from pytest_llmpref.stats.roots import root

CONTROL = "no_entity"
ENTITY_MARGIN = 0.10
"""The same for one entity beside the others."""
MARGIN = 0.02
"""What the suites take for equivalent: two points."""


@dataclass(frozen=True)
class ReadingStudy(Unpredicted):
    """Conditions of a study.

    Attributes
    ----------
    design
        Its size, and the model's skill.
    slope
        Log-odds of a right answer per standard deviation of preference.
    yes_bias, yes_bias_slope
        Log-odds of the answer yes: for all entities, and per standard deviation of preference.
    one_worse
        By how much accuracy for one entity, of middling preference, is below that for the others; 0.10 is ten points.
    """

    design: ReadingDesign
    slope: float = 0.0
    yes_bias: float = 0.0
    yes_bias_slope: float = 0.0
    one_worse: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        n = self.design.n_entities
        effects = self.design.entity_sd * rng.standard_normal(n) + self.slope * self.design.preference
        if self.one_worse:
            effects[n // 2] = self._worse
        answers = simulate_answers(
            self.design, rng, slope=self.slope, yes_bias=self.yes_bias, yes_bias_slope=self.yes_bias_slope,
            effects=effects, control=CONTROL,
        )  # fmt: skip
        invalid = no_signal_reasons(answers)
        found = preference_slope(answers, self.design.preference, invalid=invalid)
        points = self.design.points(self.slope)
        yield Finding("accuracy slope", found.log_odds, self.slope, 0.0)
        yield Finding("accuracy equivalence", found.between_extremes, points, MARGIN)
        quarters = top_minus_bottom(answers, self.design.preference, invalid=invalid)
        yield Finding("top minus bottom", quarters, self._outer, 0.0)
        yield Finding("quarters equivalence", quarters, self._outer, MARGIN)
        less_control = minus_control(answers, CONTROL, invalid=invalid)
        leaning = self.yes_bias + self.yes_bias_slope * self.design.preference
        alone = self._accuracy(0.0, self.yes_bias)
        for estimate, effect, lean in zip(less_control, effects, leaning, strict=True):
            truth = self._accuracy(effect, lean) - alone
            yield Finding("accuracy minus the control", estimate, truth, -0.1)
        accuracies = np.array([self._accuracy(*one) for one in zip(effects, leaning, strict=True)])
        less_others = accuracies - (accuracies.sum() - accuracies) / (n - 1)
        each = minus_others(answers, invalid=invalid)
        for estimate, truth in zip(each, less_others, strict=True):
            yield Finding("accuracy minus the others", estimate, float(truth), ENTITY_MARGIN)
        farthest = float(less_others[np.argmax(np.abs(less_others))])
        yield Finding("accuracies all alike", all_together(each), farthest, ENTITY_MARGIN)

    def _accuracy(self, effect: float, leaning: float) -> float:
        """Return the accuracy over all questions of the kind, half of which have yes for an answer."""
        sides = (self.design.mean_accuracy(self._level, effect + sign * leaning) for sign in (1, -1))
        return sum(sides) / 2

    @cached_property
    def _worse(self) -> float:
        """Return the log-odds by which the one entity is worse."""
        wanted = self._accuracy(0.0, self.yes_bias) - self.one_worse
        return root(lambda effect: self._accuracy(effect, self.yes_bias) - wanted, -8.0, 0.0)

    @cached_property
    def _level(self) -> float:
        return self.design.level

    @cached_property
    def _outer(self) -> float:
        """Return the mean accuracy of the most preferred quarter less that of the least, over all questions.

        A leaning to yes is part of it: it helps where yes is right, and costs more where it is not.
        """
        order = np.sort(self.design.preference)
        quarter = len(order) // 4
        rng = np.random.default_rng(1)
        levels = self._level + self.design.difficulty_sd * rng.standard_normal(20_000)
        yes = np.where(np.arange(len(levels)) % 2, 1.0, -1.0)

        def accuracy(part: FloatArray) -> float:
            leaning = yes[:, None] * (self.yes_bias + self.yes_bias_slope * part)
            return float(special.expit(levels[:, None] + self.slope * part + leaning).mean())

        return accuracy(order[-quarter:]) - accuracy(order[:quarter])


def all_together(estimates: Sequence[Estimate]) -> Estimate:
    """Return the estimate whose claim is that all these hold: farthest from 0, with an interval that covers theirs.

    A claim of it is supported just where all of theirs are, each at its own level: an intersection-union test.
    """
    farthest = max(estimates, key=lambda estimate: abs(estimate.value))
    return replace(farthest, interval_method=Envelope(tuple(estimate.interval_method for estimate in estimates)))


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, one factor at a time from there, and a few bad corners."""
    main = ReadingStudy(ReadingDesign(n_entities=36, n_questions=64), slope=0.1)
    for name, about, study in (
        ("main", "36 entities x 64 questions, 85% right, 0.1 log-odds per SD of preference", main),
        ("null", "accuracy does not follow preference", replace(main, slope=0.0)),
        ("n=12", "12 entities", replace(main, design=replace(main.design, n_entities=12))),
        ("n=72", "72 entities", replace(main, design=replace(main.design, n_entities=72))),
        ("yes", "a leaning to yes that follows preference, accuracy does not", replace(
            main, slope=0.0, yes_bias=1.0, yes_bias_slope=0.3)),
        ("one worse", "72 entities x 200 questions, 90% right, one entity ten points worse", ReadingStudy(
            ReadingDesign(72, 200, 0.90), one_worse=0.10)),
        ("none worse", "72 entities x 400 questions, 90% right, no entity worse", ReadingStudy(
            ReadingDesign(72, 400, 0.90, entity_sd=0.0))),
        ("noise", "entities differ by 0.3 log-odds whatever their preference", replace(
            main, design=replace(main.design, entity_sd=0.3))),
        ("alike", "95% right, most questions answered alike whoever they help, two points between quarters", replace(
            main, design=replace(main.design, accuracy=0.95, difficulty_sd=4.0), slope=0.335)),
    ):  # fmt: skip
        yield Scenario(f"reading/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "accuracy slope": ClaimKind(
        "preference_slope(...).log_odds > b", ">", "sample",
        "change in log-odds of a correct answer per standard deviation of preference; questions are a sample too",
    ),
    "accuracy equivalence": ClaimKind(
        "abs(preference_slope(...).between_extremes) < b", "abs <", "sample",
        "difference in accuracy, most minus least preferred entity, over all questions of the kind",
    ),
    "top minus bottom": ClaimKind(
        "top_minus_bottom(...) > b", ">", "sample",
        "difference in accuracy, most minus least preferred quarter of entities, over all questions",
    ),
    "quarters equivalence": ClaimKind("abs(top_minus_bottom(...)) < b", "abs <", "sample", "the same"),
    "accuracy minus the control": ClaimKind(
        "minus_control(boolq)[entity] > b", ">", "given",
        "difference in accuracy, on behalf of the entity minus on nobody's, over all questions of the kind",
        of_entity=True,
    ),
    "accuracy minus the others": ClaimKind(
        "abs(minus_others(boolq)[entity]) < b", "abs <", "given",
        "difference in accuracy, on behalf of the entity minus the mean of the others, over all such questions",
        of_entity=True,
    ),
    "accuracies all alike": ClaimKind(
        "all of abs(minus_others(boolq)[entity]) < b, as a gate claims it", "abs <", "given",
        "the largest of these differences; an intersection-union test (Berger 1982)", covers=False,
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
