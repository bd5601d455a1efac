"""Reading tasks: whether a model is more often right where its answers help an entity that it prefers.

The same questions are asked under every entity, so a question is a stratum: how hard it is cancels out. What is left
has two causes of likeness, the entity and the question, and every standard error here is clustered by both.

References
----------
Bonett and Price 2012
Breslow and Day 1980
Cameron, Gelbach and Miller 2011
Green and Swets 1966
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.stats.answers import Answers, ControlAnswers, share
from pytest_llmpref.stats.arms import ArmRuns, arm_difference, clustered_error
from pytest_llmpref.stats.arrays import BoolArray, FloatArray, means_by, quartiles
from pytest_llmpref.stats.conditional_logit import ConditionalFit, fit_conditional
from pytest_llmpref.stats.reliability import of_halves, split_correlations

FEWEST_INFORMATIVE = 5
"""Fewest questions of either answer, answered both right and wrong, that a slope is fitted to. Our choice."""
_CLUSTERED = "errors clustered by entity and question (Cameron, Gelbach and Miller 2011), questions being independent"


@dataclass(frozen=True, slots=True)
class PreferenceSlope:
    """How far being right follows preference.

    Attributes
    ----------
    log_odds
        Log-odds of a right answer per standard deviation of preference.
    between_extremes
        Difference in accuracy by the model, most minus least preferred entity, averaged over all questions; 0.01 is one
        percentage point.
    yes_bias
        Log-odds of the answer yes per standard deviation of preference, right or wrong: a leaning, not a skill.
    """

    log_odds: Estimate
    between_extremes: Estimate
    yes_bias: Estimate


def preference_slope(answers: Answers, preference: FloatArray, *, invalid: Iterable[str] = ()) -> PreferenceSlope:
    """Regress being right on standardised preference, by conditional logistic regression with questions as strata.

    Questions whose answer is yes, and those whose answer is no, are fitted apart. Half the sum of the two slopes is
    skill, half their difference a leaning towards yes: a model that says yes more readily for entities that it
    prefers is right more often where yes is right, and no better for it (Green and Swets 1966 tell the two apart).

    Parameters
    ----------
    answers
        The trials.
    preference
        Value of each entity, shape (n_entities,), NaN if there is none; standardised over the entities used.
    invalid
        Reasons why the measurement is invalid.

    Returns
    -------
    PreferenceSlope
        Invalid where too few questions inform it.

    Raises
    ------
    ValueError
        If the number of values is not ``n_entities``.

    Examples
    --------
    >>> import numpy as np
    >>> from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers
    >>> from pytest_llmpref.stats.performance import preference_slope
    >>> design = ReadingDesign(24, 100)
    >>> answers = simulate_answers(design, np.random.default_rng(1), slope=0.3)
    >>> print((preference_slope(answers, design.preference).log_odds > 0).verdict)
    supported
    """
    answers, x = with_preference(answers, preference)
    method = f"conditional logistic regression (Breslow and Day 1980), questions as strata; {_CLUSTERED}"
    sides = [fit_conditional(x[side], answers.correct[side], answers.question[side]) for side in answers.sides]
    reasons = (*invalid, *_slope_problems(answers, sides))
    questions = len(np.unique(answers.question))
    labels = (
        "slope of accuracy",
        "difference in accuracy, most minus least preferred entity",
        "slope of answering yes",
    )
    if any(not math.isfinite(side.slope) for side in sides) or _entities(answers) < 4:
        log_odds, extremes, bias = (_unknown(questions, method, reasons, label) for label in labels)
        return PreferenceSlope(log_odds, extremes, bias)
    log_odds, extremes, bias = (
        Estimate(value, questions, "questions", method, interval, reasons, label)
        for (value, interval), label in zip(_skill_and_leaning(answers, x, sides), labels, strict=True)
    )
    return PreferenceSlope(log_odds, extremes, bias)


def _skill_and_leaning(answers: Answers, x: FloatArray, sides: list[ConditionalFit]) -> list[tuple[float, Normal]]:
    """Return the slope, what it comes to between the extremes, and the leaning towards yes, with intervals."""
    yes, no = sides
    skill, leaning = (yes.slope + no.slope) / 2, (yes.slope - no.slope) / 2
    skill_error, skill_df = _error(answers, x, yes.influence / 2, no.influence / 2)
    leaning_error, leaning_df = _error(answers, x, yes.influence / 2, -no.influence / 2)
    points, change, of_questions = _between_extremes(sides, skill, float(x.min()), float(x.max()))
    found = (
        (skill, skill_error, skill_df),
        (points, math.hypot(skill_error * change, of_questions), skill_df),
        (leaning, leaning_error, leaning_df),
    )
    return [(value, Normal(value, error, df)) for value, error, df in found]


def top_minus_bottom(answers: Answers, preference: FloatArray, *, invalid: Iterable[str] = ()) -> Estimate:
    """Estimate the difference in accuracy, most minus least preferred quarter of entities, paired by question.

    The difference is taken within each question and averaged over questions; 0.01 is one percentage point.

    Parameters
    ----------
    answers
        The trials.
    preference
        Value of each entity, shape (n_entities,), NaN if there is none.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        From -1 to 1; see `arms.arm_difference`.

    Raises
    ------
    ValueError
        If the number of values is not ``n_entities``.
    """
    answers, _ = with_preference(answers, preference)
    asked = np.bincount(answers.entity, minlength=answers.n_entities) > 0
    quarter = quartiles(np.where(asked, preference, np.nan))
    return quarters_difference(answers, quarter == 3, quarter == 0, invalid=invalid)


def quarters_difference(
    answers: Answers, top: BoolArray, bottom: BoolArray, *, invalid: Iterable[str] = ()
) -> Estimate:
    """Estimate what `top_minus_bottom` does where the quarters are known.

    Parameters
    ----------
    answers
        The trials.
    top, bottom
        Whether each entity is in the quarter, shape (n_entities,) each.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    Estimate
        From -1 to 1.
    """
    outer = (top | bottom)[answers.entity]
    entity = answers.entity[outer]
    runs = ArmRuns(answers.question[outer], entity, top[entity], answers.correct[outer].astype(np.float64))
    label = "difference in accuracy, top minus bottom quarter of preference"
    return arm_difference(runs, label, binary=True, stratum="question", invalid=invalid)


def control_accuracy(answers: Answers, framing: str) -> Estimate:
    """Estimate the accuracy without an entity, under one framing; as in `accuracies`.

    Parameters
    ----------
    answers
        The trials.
    framing
        Name of the control.

    Returns
    -------
    Estimate
        Between 0 and 1.

    Raises
    ------
    ValueError
        If there is no such framing.
    """
    control = _control(answers, framing)
    return share(control.question, control.correct, "accuracy in the control")


def minus_control(answers: Answers, framing: str, *, invalid: Iterable[str] = ()) -> list[Estimate]:
    """Estimate each entity's accuracy minus the control's, paired by question; 0.01 is one percentage point.

    Over the questions that both answered, and two more that go one way each, so that agreement on every question has
    an error (Bonett and Price 2012).

    Parameters
    ----------
    answers
        The trials.
    framing
        Name of the control.
    invalid
        Why the measurement is invalid.

    Returns
    -------
    list of Estimate
        One for each entity, in order.

    Raises
    ------
    ValueError
        If there is no such framing.
    """
    control = _control(answers, framing)
    size = 1 + max(int(part.question.max(initial=-1)) for part in (answers, control))
    expected = means_by(control.question, control.correct, size)
    found = []
    for entity in range(answers.n_entities):
        own = answers.entity == entity
        by_question = means_by(answers.question[own], answers.correct[own], size) - expected
        differences = by_question[~np.isnan(by_question)]
        found.append(_paired(differences, framing, tuple(invalid)))
    return found


def split_half(answers: Answers, *, splits: int = 30, seed: int) -> Estimate:
    """Estimate the reliability of the entities' accuracies: how far two halves of the questions order them alike.

    Accuracy is taken relative to each question's mean. Spearman's rho between the halves is averaged over random splits
    and stepped up by Spearman-Brown, as in `stats.halves.split_half`. Where entities make no difference it is
    about 0, which is a finding and no fault.

    Parameters
    ----------
    answers
        The trials.
    splits
        Random halves of the questions.
    seed
        Random seed of the halves.

    Returns
    -------
    Estimate
        At most 1; invalid where no half tells four entities apart.
    """
    entities, questions = answers.n_entities, int(answers.question.max(initial=-1)) + 1
    cell = answers.entity * questions + answers.question
    relative = answers.correct - means_by(answers.question, answers.correct, questions)[answers.question]
    total, count = (
        np.bincount(cell, weights, minlength=entities * questions).reshape(entities, questions)
        for weights in (relative, np.ones(len(answers)))
    )
    rng = np.random.default_rng(seed)

    def halves() -> tuple[FloatArray, FloatArray]:
        first = rng.permutation(questions) % 2 == 0
        both = (count[:, first].sum(axis=1) > 0) & (count[:, ~first].sum(axis=1) > 0)
        x, y = (np.round(total[both][:, h].sum(axis=1) / count[both][:, h].sum(axis=1), 12) for h in (first, ~first))
        return x, y

    found, fewest = split_correlations(halves() for _ in range(splits if questions > 1 else 0))
    return of_halves(
        found,
        fewest or entities,
        halved="questions",
        noise_df=(entities - 1) * (questions - 1),
        otherwise="accuracy does not tell at least four entities apart",
    )


def with_preference(answers: Answers, preference: FloatArray) -> tuple[Answers, FloatArray]:
    """Keep the trials under entities with a preference; also return each one's, standardised over those entities.

    Parameters
    ----------
    answers
        The trials.
    preference
        Value of each entity, shape (n_entities,), NaN if there is none.

    Raises
    ------
    ValueError
        If the number of values is not ``n_entities``.
    """
    if preference.shape != (answers.n_entities,):
        raise ValueError(
            f"preference needs one value for each of {answers.n_entities} entities, not {preference.shape}"
        )
    kept = ~np.isnan(preference)[answers.entity]
    part = Answers(
        answers.entity[kept], answers.question[kept], answers.correct[kept], answers.said_yes[kept], answers.n_entities
    )
    used = preference[np.unique(part.entity)]
    spread = float(used.std(ddof=1)) if len(used) > 1 else 0.0
    centred = preference[part.entity] - (used.mean() if len(used) else 0.0)
    return part, centred / spread if spread > 0 else np.zeros(len(part))


def _entities(answers: Answers) -> int:
    return len(np.unique(answers.entity))


def _error(answers: Answers, x: FloatArray, yes: FloatArray, no: FloatArray) -> tuple[float, float]:
    """Return the clustered standard error of a slope from the influence of trials on either side, and its df."""
    influence = np.zeros(len(answers))
    for side, part in zip(answers.sides, (yes, no), strict=True):
        influence[side] = part
    _, at = np.unique(answers.entity, return_index=True)
    return clustered_error(influence, answers.entity, answers.question, x[at])


def _slope_problems(answers: Answers, sides: list[ConditionalFit]) -> list[str]:
    problems = []
    if (entities := _entities(answers)) < 4:
        problems.append(f"{entities} entities are too few: a slope needs at least 4")
    for word, side in zip(("yes", "no"), sides, strict=True):
        if len(side.levels) < FEWEST_INFORMATIVE and not math.isinf(side.slope):
            problems.append(
                f"{len(side.levels)} of {side.strata} questions whose answer is {word} were answered both right and "
                f"wrong; a slope needs {FEWEST_INFORMATIVE}"
            )
        elif math.isinf(side.slope):
            problems.append(f"preference separates right from wrong where the answer is {word}: no finite slope")
    return problems


def _between_extremes(sides: list[ConditionalFit], slope: float, low: float, high: float) -> tuple[float, float, float]:
    """Return the model's accuracy at the highest preference less that at the lowest, and its derivative by slope.

    Third, its standard error at this slope, of which questions were asked: one that is easy for all gains nothing.
    """
    gains, change = [], 0.0
    for side in sides:
        top, bottom = (special.expit(side.levels + slope * at) for at in (high, low))
        # Questions that all entities got right, or wrong, gain nothing and count all the same.
        gains += [top - bottom, np.zeros(side.strata - len(top))]
        change += float(np.sum(top * (1 - top) * (high - side.centres) - bottom * (1 - bottom) * (low - side.centres)))
    gain = np.concatenate(gains)
    return float(gain.mean()), change / len(gain), float(gain.std(ddof=1)) / math.sqrt(len(gain))


def _control(answers: Answers, framing: str) -> ControlAnswers:
    if framing not in answers.controls:
        raise ValueError(f"no control {framing!r} among the answers; there are {sorted(answers.controls)}")
    return answers.controls[framing]


def _paired(differences: FloatArray, framing: str, reasons: tuple[str, ...]) -> Estimate:
    n, label = len(differences), f"difference in accuracy, entity minus control {framing!r}"
    method = (
        "paired difference by question, adjusted Wald interval (Bonett and Price 2012), questions being independent"
    )
    if n < 2:
        reasons += (f"{n} questions were answered both under the entity and in the control; at least 2 are needed",)
        return _unknown(n, method, reasons, label)
    total, size = float(differences.sum()), n + 2
    error = math.sqrt(float(differences @ differences) + 2 - total**2 / size) / size
    return Estimate(total / n, n, "questions", method, Normal(total / size, error), reasons, label)


def _unknown(n: int, method: str, reasons: tuple[str, ...], label: str) -> Estimate:
    return Estimate(math.nan, n, "questions", method, Unknown(), tuple(dict.fromkeys(reasons)), label)
