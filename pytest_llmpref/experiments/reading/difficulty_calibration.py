"""Simulated studies of a reading task in which preference matters more, or no more, where questions are hard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from pytest_llmpref.experiments.behaviour import ClaimKind, Finding, Scenario
from pytest_llmpref.experiments.unpredicted import Unpredicted
from pytest_llmpref.stats.answers import Answers, ControlAnswers, ReadingDesign, no_signal_reasons
from pytest_llmpref.stats.difficulty import slopes_by_difficulty

CONTROLS = ("no_entity", "high_stakes")
MARGIN = 0.5
"""What a study takes for no difference of slopes, in log-odds."""
REFERENCES = 100
"""Over how many studies a truth is averaged. Our choice."""


@dataclass(frozen=True)
class DifficultyStudy(Unpredicted):
    """Conditions of a study.

    Attributes
    ----------
    design
        Its size, and the model's skill.
    slope
        Log-odds of a right answer per standard deviation of preference, in a question of middling difficulty.
    harder
        What one standard deviation of difficulty adds to that slope.
    yes_bias
        Log-odds of the answer yes.
    """

    design: ReadingDesign
    slope: float = 0.2
    harder: float = 0.2
    yes_bias: float = 0.0

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        answers = self._answers(rng)
        found = slopes_by_difficulty(answers, self.design.preference, invalid=no_signal_reasons(answers)).difference
        yield Finding("slope by difficulty", found, self._truth, 0.0)
        yield Finding("slope by difficulty equivalence", found, self._truth, MARGIN)

    def _answers(self, rng: np.random.Generator) -> Answers:
        design = self.design
        entities, questions = design.n_entities, design.n_questions
        ease = rng.standard_normal(questions)
        levels = self._level + design.difficulty_sd * ease
        effects = design.entity_sd * rng.standard_normal(entities)
        slopes = self.slope - self.harder * ease
        truth = np.arange(questions) % 2 == 0
        leaning = self.yes_bias * np.where(truth, 1, -1)
        logits = levels + leaning + effects[:, None] + design.preference[:, None] * slopes
        correct = rng.random((entities, questions)) < special.expit(logits)
        alone = rng.random((len(CONTROLS), questions)) < special.expit(levels + leaning)
        entity, question = np.divmod(np.arange(entities * questions), questions)
        controls = {
            framing: ControlAnswers(np.arange(questions), right, right == truth)
            for framing, right in zip(CONTROLS, alone, strict=True)
        }
        return Answers(entity, question, correct.ravel(), (correct == truth).ravel(), entities, controls)

    @cached_property
    def _level(self) -> float:
        return self.design.level

    @cached_property
    def _truth(self) -> float:
        """Return the difference that such studies find on average; none where none is planted."""
        if not self.harder:
            return 0.0
        rng = np.random.default_rng(0)
        values = [
            slopes_by_difficulty(self._answers(rng), self.design.preference).difference.value for _ in range(REFERENCES)
        ]
        return float(np.nanmean(values))


def scenarios() -> Iterator[Scenario]:
    """Yield a main study, and one factor at a time from there."""
    main = DifficultyStudy(ReadingDesign(n_entities=36, n_questions=64))
    for name, about, study in (
        ("main", "36 entities x 64 questions, each SD of difficulty adds 0.2 log-odds to a slope of 0.2", main),
        ("alike", "the slope is 0.2 whatever the difficulty", replace(main, harder=0.0)),
        ("steep alike", "the slope is 0.6 whatever the difficulty", replace(main, slope=0.6, harder=0.0)),
        ("no slope", "accuracy does not follow preference", replace(main, slope=0.0, harder=0.0)),
        ("yes alike", "the slope is 0.2 whatever the difficulty, with a leaning to yes", replace(
            main, harder=0.0, yes_bias=1.0)),
        ("n=72", "72 entities x 64 questions", replace(main, design=ReadingDesign(72, 64))),
        ("n=72, q=200", "72 entities x 200 questions", replace(main, design=ReadingDesign(72, 200))),
    ):  # fmt: skip
        yield Scenario(f"difficulty/{name}", about, study)


KINDS: Mapping[str, ClaimKind] = {
    "slope by difficulty": ClaimKind(
        "harder_minus_easier(boolq, preferences) > b", ">", "sample",
        "difference in log-odds of a correct answer per standard deviation of preference, harder minus easier half of "
        "questions, as controls and the other entities divide them; the mean over such studies",
    ),
    "slope by difficulty equivalence": ClaimKind(
        "abs(harder_minus_easier(boolq, preferences)) < b", "abs <", "sample", "the same",
    ),
}  # fmt: skip
"""The kinds of claim, and what each estimates: stated before anything is calibrated."""
