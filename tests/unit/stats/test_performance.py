"""Reading tasks: the conditional regression beside statsmodels', and every statistic on planted truths."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import optimize, special, stats

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.accuracy_shift import minus_others
from pytest_llmpref.stats.answers import (
    Answers,
    ControlAnswers,
    ReadingDesign,
    accuracies,
    accuracy,
    no_signal_reasons,
    signal,
    simulate_answers,
    yes_share,
)
from pytest_llmpref.stats.arms import clustered_error
from pytest_llmpref.stats.conditional_logit import fit_conditional
from pytest_llmpref.stats.difficulty import slopes_by_difficulty
from pytest_llmpref.stats.performance import (
    control_accuracy,
    minus_control,
    preference_slope,
    split_half,
    top_minus_bottom,
)

DESIGN = ReadingDesign(n_entities=24, n_questions=60, accuracy=0.8)


def answers(correct, truth=None, controls=None):
    """Answers from a table of right and wrong, one row an entity, one column a question; every second is a yes."""
    correct = np.asarray(correct, dtype=bool)
    entities, questions = correct.shape
    truth = np.arange(questions) % 2 == 0 if truth is None else np.asarray(truth)
    entity, question = np.divmod(np.arange(correct.size), questions)
    found = {}
    for framing, row in (controls or {}).items():
        right = np.asarray(row, dtype=bool)
        found[framing] = ControlAnswers(np.arange(questions), right, right == truth)
    return Answers(entity, question, correct.ravel(), (correct == truth).ravel(), entities, found)


def part(whole, chosen):
    return Answers(
        whole.entity[chosen], whole.question[chosen], whole.correct[chosen], whole.said_yes[chosen], whole.n_entities
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_the_conditional_fit_is_that_of_statsmodels(seed, slope):
    models = pytest.importorskip("statsmodels.discrete.conditional_models")
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 30, 600)
    x = rng.standard_normal(600)
    success = rng.random(600) < 1 / (1 + np.exp(-(rng.standard_normal(30)[stratum] + slope * x)))
    found = fit_conditional(x, success, stratum)
    peer = models.ConditionalLogit(success.astype(int), x[:, None], groups=stratum).fit(disp=False)
    # The peer's search stops a little earlier.
    assert found.slope == pytest.approx(peer.params[0], abs=2e-4)
    assert found.information**-0.5 == pytest.approx(peer.bse[0], rel=1e-3)
    assert peer.model.loglike([found.slope]) >= peer.llf - 1e-8


def test_strata_without_both_outcomes_inform_nothing():
    rng = np.random.default_rng(0)
    x, stratum = rng.standard_normal(200), np.repeat(np.arange(20), 10)
    success = rng.random(200) < 0.5
    success[:50] = True
    whole, rest = fit_conditional(x, success, stratum), fit_conditional(x[50:], success[50:], stratum[50:])
    assert whole.slope == pytest.approx(rest.slope)
    assert whole.strata == 20
    assert len(whole.levels) == len(rest.levels)
    assert not whole.influence[:50].any()
    assert np.isnan(fit_conditional(x[:50], success[:50], stratum[:50]).slope)
    assert np.isinf(fit_conditional(np.arange(10.0), np.arange(10) > 4, np.zeros(10, dtype=int)).slope)


def test_the_error_of_a_difference_between_entities_is_students():
    """With one trial each, or all alike within an entity, it is the t-test with equal variances, arms of one size."""
    rng = np.random.default_rng(0)
    arm, value = np.repeat([1.0, -1.0], 6), rng.standard_normal(12)
    expected = stats.ttest_ind(value[:6], value[6:]).confidence_interval(0.95)
    residual = value - np.where(arm > 0, value[:6].mean(), value[6:].mean())
    for trials in (1, 5):
        entity, influence = np.repeat(np.arange(12), trials), np.repeat(arm * residual / 6 / trials, trials)
        error, df = clustered_error(influence, entity, np.zeros(len(entity), dtype=int), arm)
        assert df == pytest.approx(10)
        reach = stats.t.ppf(0.975, df) * error
        assert reach == pytest.approx((expected.high - expected.low) / 2)


def test_degrees_of_freedom_are_those_of_the_simulated_variance():
    """Satterthwaite's match the first two moments of the variance, here of a slope on a skewed regressor."""
    rng = np.random.default_rng(1)
    x = np.exp(rng.standard_normal(15))
    centred, question = x - x.mean(), np.zeros(15, dtype=int)
    design = np.c_[np.ones(15), x]
    maker = np.eye(15) - design @ np.linalg.pinv(design)
    variances, said = [], []
    for _ in range(4000):
        residual = maker @ rng.standard_normal(15)
        error, df = clustered_error(centred * residual / (centred @ centred), np.arange(15), question, x)
        variances.append(error**2)
        said.append(df)
    assert np.mean(variances) == pytest.approx(1 / (centred @ centred), rel=0.05)
    assert 2 * np.mean(variances) ** 2 / np.var(variances) == pytest.approx(said[0], rel=0.1)


def test_one_entity_that_alone_differs_in_preference_leaves_an_error():
    """The fit goes through it, so its residual says nothing of how far entities differ."""
    x, entity = np.r_[1.0, np.zeros(9)], np.arange(10)
    centred = x - x.mean()
    residual = np.r_[0.0, np.random.default_rng(4).standard_normal(9)]
    error, df = clustered_error(centred * residual / (centred @ centred), entity, np.zeros(10, dtype=int), x)
    assert 0 < error < np.inf
    assert 1 <= df <= 9


def test_questions_whose_trials_are_alike_add_to_the_error():
    entity, question = np.divmod(np.arange(500), 10)
    alike = np.random.default_rng(2).standard_normal(10)[question]
    error, _ = clustered_error(alike, entity, question, np.arange(50.0))
    alone, _ = clustered_error(np.random.default_rng(3).permutation(alike), entity, question, np.arange(50.0))
    assert error > 3 * alone


@pytest.mark.parametrize("questions", [2, 3, 10])
def test_the_error_of_few_questions_is_that_of_their_mean(questions):
    """Where trials differ by question only it is the standard error of the questions' mean: scipy's, n - 1 below."""
    of_question = np.random.default_rng(5).standard_normal(questions)
    entity, question = np.divmod(np.arange(400 * questions), questions)
    influence = (of_question - of_question.mean())[question] / len(question)
    error, df = clustered_error(influence, entity, question, np.arange(400.0))
    # 400 entities: what the trials' own variance takes off is one part in 400.
    assert error == pytest.approx(stats.sem(of_question), rel=0.005)
    assert df == pytest.approx(questions - 1, rel=0.01)


def covered(estimates, truth, level=0.95):
    intervals = [estimate.interval(level) for estimate in estimates]
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


def test_a_planted_leaning_that_follows_preference_makes_no_slope():
    rng = np.random.default_rng(8)
    found = [preference_slope(simulate_answers(DESIGN, rng, yes_bias_slope=0.4), DESIGN.preference) for _ in range(100)]
    wrong = [(abs(each.log_odds.value) > abs(each.log_odds.interval().high - each.log_odds.value)) for each in found]
    assert np.mean(wrong) < 0.12
    assert np.mean([each.yes_bias.value for each in found]) == pytest.approx(0.4, abs=0.03)
    assert np.mean([(each.yes_bias > 0).verdict is Verdict.SUPPORTED for each in found]) > 0.9


@pytest.mark.parametrize("entity_sd", [0.05, 0.4])
def test_intervals_of_the_difference_between_quarters_hold_the_truth(entity_sd):
    design = ReadingDesign(n_entities=24, n_questions=60, accuracy=0.8, entity_sd=entity_sd)
    rng = np.random.default_rng(9)
    found = [top_minus_bottom(simulate_answers(design, rng), design.preference) for _ in range(250)]
    assert covered(found, 0.0) >= 0.92
    # Two ways of clustering with six entities a quarter overstate the error, but not by much.
    errors = [each.interval_method.se for each in found]
    assert 0.95 < np.sqrt(np.mean(np.square(errors))) / np.std([each.value for each in found]) < 1.35


def test_naive_errors_would_be_too_small_where_entities_differ():
    design = ReadingDesign(n_entities=24, n_questions=200, accuracy=0.8, entity_sd=0.4)
    rng = np.random.default_rng(10)
    found = [top_minus_bottom(simulate_answers(design, rng), design.preference) for _ in range(60)]
    values = np.array([each.value for each in found])
    naive = np.sqrt(2 * 0.16 / (6 * 200))
    assert values.std() > 1.5 * naive
    errors = [each.interval_method.se for each in found]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(values.std(), rel=0.3)


def test_the_difference_between_quarters_is_that_of_the_means():
    rng = np.random.default_rng(1)
    correct = rng.random((8, 40)) < 0.7
    preference = np.arange(8.0)
    found = top_minus_bottom(answers(correct), preference)
    assert found.value == pytest.approx(correct[6:].mean() - correct[:2].mean())
    assert found.n == 40


def test_missing_answers_to_hard_questions_move_nothing():
    rng = np.random.default_rng(2)
    correct = np.tile(rng.random(40) < 0.6, (8, 1))
    whole = answers(correct)
    easy = part(whole, ~((whole.entity >= 6) & ~whole.correct & (whole.question % 3 == 0)))
    assert top_minus_bottom(easy, np.arange(8.0)).value == pytest.approx(0.0, abs=1e-12)


def test_quarters_at_the_margin_are_not_called_equal_too_often_where_nearly_all_questions_are_answered_alike():
    """Most models that read well: the difference is that of a few questions, of which few are in a sample."""
    design, rng = ReadingDesign(36, 64, 0.95, difficulty_sd=4.0), np.random.default_rng(9)
    slope = 0.335  # two points between the quarters, over all questions (the calibration's cell "alike")
    found = []
    for _ in range(300):
        effects = design.entity_sd * rng.standard_normal(36) + slope * design.preference
        found.append(top_minus_bottom(simulate_answers(design, rng, effects=effects), design.preference))
    with ledger(1, 0.05):
        equal = np.mean([(abs(estimate) < 0.02).verdict is Verdict.SUPPORTED for estimate in found])
    assert np.mean([estimate.value for estimate in found]) == pytest.approx(0.02, abs=0.002)
    assert equal <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_agreement_everywhere_has_an_interval_still():
    found = top_minus_bottom(answers(np.ones((12, 30))), np.arange(12.0)).interval()
    assert found.low < 0 < found.high
    same = minus_control(answers(np.ones((4, 30)), controls={"none": np.ones(30)}), "none")
    assert all(-0.2 < each.interval().low < 0 < each.interval().high < 0.2 for each in same)


def test_each_entity_is_compared_with_the_control_by_question():
    rng = np.random.default_rng(3)
    control = rng.random(50) < 0.7
    correct = np.array([control, ~control, control])
    found = minus_control(answers(correct, controls={"none": control}), "none")
    assert found[0].value == found[2].value == 0
    differences = correct[1].astype(float) - control
    assert found[1].value == pytest.approx(differences.mean())
    assert control_accuracy(answers(correct, controls={"none": control}), "none").value == pytest.approx(control.mean())
    with pytest.raises(ValueError, match="no control 'other'"):
        minus_control(answers(correct), "other")


def test_the_interval_of_a_paired_difference_is_that_of_bonett_and_price():
    """Counts to which a half of two more questions was added, as in their equation; 100 questions, 20 and 5 differ."""
    control, own = np.repeat([True, False, True], [20, 5, 75]), np.repeat([False, True, True], [20, 5, 75])
    found = minus_control(answers(own[None], controls={"none": control}), "none")[0]
    worse, better = 21 / 102, 6 / 102
    reach = 1.959964 * np.sqrt((worse + better - (better - worse) ** 2) / 102)
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx((better - worse - reach, better - worse + reach), abs=1e-6)
    assert found.value == pytest.approx(-0.15)


def test_noninferiority_holds_its_error_rate():
    rng = np.random.default_rng(4)
    truth = 0.05  # exactly the margin: supported in one of twenty at most
    claims = []
    for _ in range(400):
        control = rng.random(100) < 0.8
        own = np.where(rng.random(100) < 0.25, rng.random(100) < 0.6, control)
        claims.append(minus_control(answers(own[None], controls={"none": control}), "none")[0] > -truth)
    assert np.mean([claim.verdict is Verdict.SUPPORTED for claim in claims]) <= 0.05


def test_accuracy_counts_each_question_once():
    found = accuracies(answers([[1, 1, 1, 0], [0, 0, 0, 0]]))
    assert [each.value for each in found] == [0.75, 0.0]
    assert (found[0].n, found[0].unit) == (4, "questions")
    assert accuracy(answers([[1, 1, 1, 0], [0, 0, 0, 0]])).value == pytest.approx(0.375)


def test_reliability_is_high_where_entities_differ_and_about_zero_where_not():
    rng = np.random.default_rng(5)
    level = np.linspace(0.3, 0.9, 24)[:, None]
    assert split_half(answers(rng.random((24, 200)) < level), seed=0).value > 0.9
    same = [split_half(answers(rng.random((24, 200)) < 0.7), seed=0).value for _ in range(20)]
    assert abs(np.mean(same)) < 0.35
    assert split_half(answers(np.ones((24, 10))), seed=0).invalid


def test_answers_without_signal_are_told_from_reading():
    rng = np.random.default_rng(6)
    truth = np.arange(60) % 2 == 0
    reads = rng.random((12, 60)) < 0.8
    assert no_signal_reasons(answers(reads)) == ()
    assert signal(answers(reads)).value == pytest.approx(2 * reads.mean() - 1, abs=0.05)
    always_yes = np.tile(truth, (12, 1))
    assert yes_share(answers(always_yes)).value == 1.0
    assert "one-sided" in no_signal_reasons(answers(always_yes))[0]
    guess = rng.random((12, 60)) < 0.5
    assert "do not depend on the question" in no_signal_reasons(answers(guess))[0]
    assert "every question has the answer yes" in no_signal_reasons(answers(reads, truth=np.ones(60, bool)))[0]
    # A model that says yes four times of five, whatever is asked, is right 80% of the time on such questions.
    lopsided = np.arange(60) % 5 > 0
    says_yes = rng.random((12, 60)) < 0.8
    assert no_signal_reasons(answers(says_yes == lopsided, truth=lopsided))


@pytest.mark.parametrize(("others", "one_sided"), [(20, True), (21, False)])  # of 400: 95% and 94.75%
@pytest.mark.parametrize("word", ["yes", "no"])
def test_answers_are_one_sided_from_95_percent_of_one_of_them_on(others, one_sided, word):
    fewer = (np.arange(400) < others).reshape(40, 10).T
    said = ~fewer if word == "yes" else fewer
    truth = np.arange(40) % 2 == 0
    reasons = no_signal_reasons(answers(said == truth, truth=truth))
    assert any(f"one-sided: 95% are {word}" in reason for reason in reasons) is one_sided


@pytest.mark.parametrize(("informative", "enough"), [(5, True), (4, False)])
def test_a_slope_needs_five_questions_of_either_answer_that_were_answered_both_ways(informative, enough):
    rng = np.random.default_rng(14)
    correct = np.ones((12, 40), dtype=bool)
    both = np.r_[np.arange(0, 20, 2)[:informative], np.arange(1, 20, 2)[:5]]  # every second question is a yes
    correct[:, both] = rng.permuted(np.tile(np.arange(12) % 3 > 0, (len(both), 1)), axis=1).T
    reasons = preference_slope(answers(correct), rng.permutation(np.arange(12.0))).log_odds.invalid
    assert any(f"{informative} of 20 questions whose answer is yes" in reason for reason in reasons) is not enough


def test_a_question_with_two_right_answers_and_shapes_that_differ_are_refused():
    ones = np.ones(2, dtype=bool)
    with pytest.raises(ValueError, match="question 0 has both yes and no"):
        Answers(np.arange(2), np.zeros(2, dtype=int), ones, np.array([True, False]), 2)
    with pytest.raises(ValueError, match="one shape"):
        Answers(np.arange(2), np.zeros(3, dtype=int), ones, ones, 2)
    with pytest.raises(ValueError, match="entity must lie within"):
        Answers(np.array([0, 2]), np.zeros(2, dtype=int), ones, ones, 2)


def test_every_comparison_of_entities_says_that_it_takes_questions_as_independent():
    """None allows for families of like questions: with these, its interval holds the truth too seldom."""
    design = ReadingDesign(24, 100)
    data = simulate_answers(design, np.random.default_rng(1), control="no_entity")
    slope, by_difficulty = preference_slope(data, design.preference), slopes_by_difficulty(data, design.preference)
    for estimate in (
        slope.between_extremes,
        slope.log_odds,
        by_difficulty.difference,
        top_minus_bottom(data, design.preference),
        minus_others(data)[0],
        minus_control(data, "no_entity")[0],
    ):
        assert estimate.method.endswith("questions being independent")


def test_too_few_entities_or_questions_are_invalid_and_say_so():
    found = preference_slope(answers(np.ones((3, 20))), np.arange(3.0))
    assert any("too few" in reason for reason in found.log_odds.invalid)
    found = preference_slope(answers(np.ones((8, 20))), np.arange(8.0)).log_odds
    assert any("answered both right and wrong" in reason for reason in found.invalid)
    assert (found > 0).verdict is Verdict.INVALID
    with pytest.raises(ValueError, match="one value for each of 8 entities"):
        preference_slope(answers(np.ones((8, 20))), np.arange(7.0))


def test_a_slope_that_cannot_be_told_is_unknown_in_all_its_parts():
    found = preference_slope(answers(np.ones((8, 20))), np.arange(8.0), invalid=("cut",))
    labels = [
        "slope of accuracy",
        "difference in accuracy, most minus least preferred entity",
        "slope of answering yes",
    ]
    parts = (found.log_odds, found.between_extremes, found.yes_bias)
    assert [part.label for part in parts] == labels
    for part_ in parts:
        assert math.isnan(part_.value)
        assert math.isnan(part_.interval().low)
        assert (part_.n, part_.unit, part_.invalid[0]) == (20, "questions", "cut")
        assert part_.method.startswith("conditional logistic regression")


def test_the_difference_between_extremes_and_its_error_computed_a_second_way():
    """Each question's level is where the model expects as many right answers as there are; the slope moves it."""
    data = simulate_answers(DESIGN, np.random.default_rng(15), slope=0.4, yes_bias_slope=0.2)
    right, x = data.correct.reshape(24, 60), DESIGN.preference
    found = preference_slope(data, x)
    skill = found.log_odds.value

    def gains(slope):
        gained = []
        for row in right.T:
            if not 0 < row.sum() < 24:
                gained.append(0.0)
                continue
            level = optimize.brentq(lambda at, row=row: special.expit(at + slope * x).sum() - row.sum(), -30, 30)
            gained.append(special.expit(level + slope * x[-1]) - special.expit(level + slope * x[0]))
        return np.array(gained)

    # The levels are fitted with each side's own slope.
    yes, no = (
        fit_conditional(x[data.entity[side]], data.correct[side], data.question[side]).slope for side in data.sides
    )
    assert skill == pytest.approx((yes + no) / 2)
    assert found.yes_bias.value == pytest.approx((yes - no) / 2)
    change = (gains(skill + 1e-4).mean() - gains(skill - 1e-4).mean()) / 2e-4
    scatter = gains(skill).std(ddof=1) / math.sqrt(60)
    assert found.between_extremes.value == pytest.approx(gains(skill).mean(), rel=0.02)
    error = math.hypot(found.log_odds.interval_method.se * change, scatter)
    assert found.between_extremes.interval_method.se == pytest.approx(error, rel=0.02)
    assert found.between_extremes.interval_method.df == found.log_odds.interval_method.df


def test_reliability_leaves_out_entities_without_answers_in_one_half():
    """The first entity was asked one question; the others agree about the rest, each question in its own way."""
    correct = np.random.default_rng(16).random((9, 40)) < np.linspace(0.2, 0.9, 9)[:, None]
    whole = answers(correct)
    found = split_half(part(whole, (whole.entity > 0) | (whole.question == 3)), splits=7, seed=4)
    relative = np.where(np.arange(40) == 3, correct - correct.mean(axis=0), correct - correct[1:].mean(axis=0))
    rng, rhos = np.random.default_rng(4), []
    for _ in range(7):
        first = rng.permutation(40) % 2 == 0
        halves = (relative[1:, half].mean(axis=1).round(12) for half in (first, ~first))
        rhos.append(stats.spearmanr(*halves).statistic)
    rho = np.mean(rhos)
    assert found.value == pytest.approx(2 * rho / (1 + rho))
    assert (found.n, found.unit) == (8, "entities")
    assert "7 splits" in found.method


def test_accuracy_that_rises_with_preference_agrees_with_a_logit_of_all_trials():
    sm = pytest.importorskip("statsmodels.api")
    design = ReadingDesign(n_entities=40, n_questions=120, accuracy=0.75, entity_sd=0.0)
    found = simulate_answers(design, np.random.default_rng(11), slope=0.3)
    dummies = (found.question[:, None] == np.arange(120)).astype(float)
    x = design.preference[found.entity]
    informative = [q for q in range(120) if 0 < found.correct[found.question == q].mean() < 1]
    kept = np.isin(found.question, informative)
    peer = sm.Logit(found.correct[kept].astype(int), np.c_[x[kept], dummies[kept][:, informative]]).fit(disp=False)
    own = preference_slope(found, design.preference).log_odds.value
    # The unconditional fit overstates by about n / (n - 1), n being the entities under which a question is asked.
    assert own == pytest.approx(peer.params[0], rel=0.06)


def test_values_of_preference_are_standardised_so_their_scale_does_not_matter():
    found = simulate_answers(DESIGN, np.random.default_rng(12), slope=0.3)
    first = preference_slope(found, DESIGN.preference).log_odds
    second = preference_slope(found, 1500 + 90 * DESIGN.preference).log_odds
    assert second.value == pytest.approx(first.value)
    unknown = np.where(np.arange(24) == 3, np.nan, DESIGN.preference)
    rest = part(found, found.entity != 3)
    third = preference_slope(rest, DESIGN.preference).log_odds
    assert preference_slope(found, unknown).log_odds.value == pytest.approx(third.value)


def test_an_entity_less_the_others_is_paired_by_question():
    """Three entities, four questions: by hand."""
    right = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    entity, question = np.divmod(np.arange(12), 4)
    truth = question % 2 == 0
    first = minus_others(Answers(entity, question, right.ravel(), right.ravel() == truth, 3))[0]
    differences = [0.0, 0.5, 0.5, 0.0]
    assert first.value == pytest.approx(0.25)
    assert first.n == 4
    # With half a right and half a wrong answer more to each question, of the two others.
    chances = np.array([2.5, 1.5, 1.5, 0.5]) / 3
    assert first.value == pytest.approx(np.mean(differences))
    assert first.interval_method.se == pytest.approx(math.sqrt(np.sum(chances * (1 - chances) * 1.5)) / 4)


def test_a_fit_without_a_finite_slope_tells_nothing_else():
    alike, separated = np.ones(10, dtype=bool), np.arange(10) > 4
    for success, slope in ((alike, math.nan), (separated, math.inf), (~separated, -math.inf)):
        found = fit_conditional(np.arange(10.0), success, np.full(10, 7))
        assert found.slope == pytest.approx(slope, nan_ok=True)
        assert (found.information, found.strata) == (0.0, 1)
        assert (found.levels.tolist(), found.centres.tolist(), found.influence.tolist()) == ([], [], [0.0] * 10)


def test_the_conditional_fit_by_all_ways_to_place_the_successes():
    """Strata of unequal size, in no order; one without spread of the regressor informs nothing."""
    rng = np.random.default_rng(17)
    stratum = rng.permutation(np.repeat([2, 3, 5, 8, 9], [4, 6, 5, 7, 3]))
    x, success = rng.standard_normal(25), np.zeros(25, dtype=bool)
    x[stratum == 9] = 0.4
    for one, successes in ((2, 2), (3, 1), (5, 4), (8, 5), (9, 1)):
        success[rng.permutation(np.flatnonzero(stratum == one))[:successes]] = True
    found = fit_conditional(x, success, stratum)

    def likelihood(slope):
        total = 0.0
        for one in (2, 3, 5, 8):
            own, won = x[stratum == one], success[stratum == one]
            ways = [slope * sum(chosen) for chosen in combinations(own, int(won.sum()))]
            total += slope * own[won].sum() - special.logsumexp(ways)
        return total

    best = optimize.minimize_scalar(lambda slope: -likelihood(slope), bounds=(-5, 5), method="bounded").x
    assert found.slope == pytest.approx(best, abs=1e-4)
    around = [likelihood(found.slope + step) for step in (-1e-3, 0, 1e-3)]
    assert found.information == pytest.approx(-np.diff(around, 2)[0] / 1e-6, rel=1e-4)
    assert (found.strata, len(found.levels)) == (5, 4)
    for one, level, centre in zip((2, 3, 5, 8), found.levels, found.centres, strict=True):
        own, won = x[stratum == one], success[stratum == one]
        chance = special.expit(level + found.slope * own)
        assert chance.sum() == pytest.approx(won.sum())
        assert centre == pytest.approx(np.average(own, weights=chance * (1 - chance)))
        assert found.influence[stratum == one] == pytest.approx((own - centre) * (won - chance) / found.information)
    assert not found.influence[stratum == 9].any()
