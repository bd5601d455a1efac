"""Slopes by difficulty: against fits by hand, on planted truths, and whose answers say what is hard."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_llmpref.experiments.reading.difficulty_calibration import DifficultyStudy
from pytest_llmpref.stats.answers import Answers, ControlAnswers, ReadingDesign
from pytest_llmpref.stats.conditional_logit import fit_conditional
from pytest_llmpref.stats.difficulty import _folds, slopes_by_difficulty

DESIGN = ReadingDesign(24, 80)
STUDY = DifficultyStudy(DESIGN)


def drawn(study, seed):
    return study._answers(np.random.default_rng(seed))


def found(study, seed=1):
    return slopes_by_difficulty(drawn(study, seed), study.design.preference)


def test_it_is_the_mean_of_fits_by_half_and_answer():
    answers = drawn(STUDY, 1)
    x = DESIGN.preference / DESIGN.preference.std(ddof=1)
    fold = np.array([0, 1, 1, 0] * 6)
    slopes = {0: [], 1: []}
    for side in answers.sides:
        rows = {0: [], 1: []}
        for own in (0, 1):
            numbers = np.unique(answers.question[side])
            others = (fold[answers.entity] != own) & side
            wrong = {
                q: np.r_[
                    ~answers.correct[others & (answers.question == q)],
                    *[~one.correct[one.question == q] for one in answers.controls.values()],
                ].mean()
                for q in numbers
            }
            middle = np.median(list(wrong.values()))
            for number in np.flatnonzero(side & (fold[answers.entity] == own)):
                rows[int(wrong[answers.question[number]] > middle)].append(number)
        for half, chosen in rows.items():
            at = np.array(chosen)
            stratum = 2 * answers.question[at] + fold[answers.entity[at]]
            slopes[half].append(fit_conditional(x[answers.entity[at]], answers.correct[at], stratum).slope)
    result = found(STUDY)
    assert result.easier.value == pytest.approx(np.mean(slopes[0]))
    assert result.harder.value == pytest.approx(np.mean(slopes[1]))
    assert result.difference.value == pytest.approx(np.mean(slopes[1]) - np.mean(slopes[0]))


def test_a_planted_interaction_is_found():
    strong = replace(STUDY, design=ReadingDesign(48, 120), slope=0.4, harder=0.5)
    result = found(strong)
    assert (result.difference > 0).verdict == "supported"
    assert (result.harder > 0.4).verdict == "supported"


def test_difficulty_told_by_the_same_answers_would_find_what_is_not_there():
    """Why it is cross-fitted: chance errors of a question under the liked entities would make it hard, and flat."""
    study, own, crossed = replace(STUDY, slope=0.0, harder=0.0, design=ReadingDesign(8, 80)), [], []
    for seed in range(40):
        answers = drawn(study, seed)
        crossed.append(slopes_by_difficulty(answers, DESIGN.preference[8:16]).difference.value)
        alone = answers.controls["no_entity"]
        # The control's answers, repeated under one more entity: its errors are on both sides.
        shared = Answers(
            np.r_[answers.entity, np.full(80, 8)],
            np.r_[answers.question, alone.question],
            np.r_[answers.correct, alone.correct],
            np.r_[answers.said_yes, alone.said_yes],
            9,
            {"no_entity": alone},
        )
        own.append(slopes_by_difficulty(shared, np.r_[DESIGN.preference[8:16], 3.0]).difference.value)
    error = np.nanstd(crossed) / np.sqrt(40)
    assert abs(np.nanmean(crossed)) < 3 * error
    assert np.nanmean(own) < -3 * error


def test_a_question_that_only_a_control_knows_is_divided_by_it():
    answers = drawn(STUDY, 2)
    easy = {"no_entity": ControlAnswers(np.arange(80), np.ones(80, dtype=bool), np.arange(80) % 2 == 0)}
    bare = Answers(answers.entity, answers.question, answers.correct, answers.said_yes, 24, easy)
    assert slopes_by_difficulty(bare, DESIGN.preference).difference.n == 80


@pytest.mark.parametrize(
    ("design", "reason"),
    [
        (ReadingDesign(6, 80), "6 entities are too few: a slope by difficulty needs at least 8"),
        (ReadingDesign(24, 8), "were answered both right and wrong in the easier half of questions"),
    ],
)
def test_what_tells_no_difference_is_invalid(design, reason):
    result = found(DifficultyStudy(design))
    assert any(reason in one for one in result.difference.invalid)


def test_an_entity_without_answers_and_the_order_of_entities_change_nothing():
    """Folds are made by rank among those asked: one in their middle who was not asked would move half of them."""
    answers, rng = drawn(STUDY, 3), np.random.default_rng(1)
    place = rng.permutation(25)[:24]
    other = Answers(place[answers.entity], answers.question, answers.correct, answers.said_yes, 25, answers.controls)
    preference = np.full(25, np.sort(DESIGN.preference)[11:13].mean())
    preference[place] = DESIGN.preference
    plain, moved = slopes_by_difficulty(answers, DESIGN.preference), slopes_by_difficulty(other, preference)
    for name in ("easier", "harder", "difference"):
        one, two = getattr(plain, name), getattr(moved, name)
        assert math.isfinite(one.value)
        assert two.value == pytest.approx(one.value)
        assert two.interval().low == pytest.approx(one.interval().low)


@pytest.mark.parametrize(("entities", "known"), [(7, False), (8, True)])
def test_eight_entities_are_enough(entities, known):
    result = found(replace(STUDY, design=ReadingDesign(entities, 80)))
    for one in (result.easier, result.harder, result.difference):
        assert math.isfinite(one.value) == known
        assert any("entities are too few" in reason for reason in one.invalid) != known


def test_the_difference_is_harder_less_easier_and_says_so():
    result = found(STUDY)
    assert [one.label for one in (result.easier, result.harder, result.difference)] == [
        "slope of accuracy in easier questions",
        "slope of accuracy in harder questions",
        "difference in slope of accuracy, harder minus easier questions",
    ]
    assert all((one.n, one.unit) == (80, "questions") for one in (result.easier, result.harder, result.difference))
    assert "cross-fitting: Chernozhukov et al. 2018" in result.difference.method


def test_a_control_may_know_the_first_questions_only_and_one_fold_others():
    answers = drawn(STUDY, 4)
    whole = answers.controls["no_entity"]
    some = whole.question < 40
    control = {"no_entity": ControlAnswers(whole.question[some], whole.correct[some], whole.said_yes[some])}
    one_fold = (np.arange(24) + 1) // 2 % 2 == 1
    kept = (answers.question < 79) | one_fold[np.argsort(np.argsort(DESIGN.preference))[answers.entity]]
    part = [of[kept] for of in (answers.entity, answers.question, answers.correct, answers.said_yes)]
    with np.errstate(invalid="raise", divide="raise"):
        result = slopes_by_difficulty(Answers(*part, 24, control), DESIGN.preference)
    assert math.isfinite(result.difference.value)


def test_folds_alternate_by_rank_also_with_an_entity_that_was_asked_once():
    entity = np.r_[np.repeat([0, 1, 2, 4, 5, 6, 7], 2), 3]
    true = np.ones(len(entity), dtype=bool)
    answers = Answers(entity, np.arange(len(entity)), true, true, 8)
    folds = _folds(np.arange(8.0), answers)
    assert len({*folds[[0, 3, 4, 7]]}) == len({*folds[[1, 2, 5, 6]]}) == 1
    assert folds[0] != folds[1]
