"""Reading asked until the gate's verdict is decided: published boundaries, error rates by simulation, and a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Unknown
from pytest_llmpref.experiments.stopping import Blocks, decided
from pytest_llmpref.stats.answers import Answers, ReadingDesign, simulate_answers
from pytest_llmpref.stats.performance import quarters_difference
from pytest_llmpref.stats.sequential import (
    RepeatedInterval,
    boundaries,
    conditional_power,
    expected_course,
    spent,
    with_repeated_interval,
)

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
UNEVEN = (0.25, 0.375, 0.5, 0.7, 0.75, 1.0)


def test_boundaries_are_the_published_ones():
    """Lan and DeMets' boundaries of O'Brien and Fleming's kind, five looks, two-sided 5% (Reboussin et al. 2000)."""
    assert boundaries(FIFTHS, 0.05) == pytest.approx((4.8769, 3.3569, 2.6803, 2.2898, 2.0310), abs=3e-4)


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_all_looks_together_are_wrong_as_often_as_is_allowed(alpha):
    rng, studies = np.random.default_rng(1), 200_000
    steps = np.sqrt(np.diff(np.r_[0, UNEVEN]))
    z = np.cumsum(rng.standard_normal((studies, len(UNEVEN))) * steps, axis=1) / np.sqrt(UNEVEN)
    wrong = (np.abs(z) > boundaries(UNEVEN, alpha)).any(axis=1).mean()
    assert wrong == pytest.approx(alpha, abs=3 * math.sqrt(alpha / studies))
    assert [spent(fraction, alpha) for fraction in (1e-3, 1.0)] == pytest.approx([0.0, alpha])


@pytest.mark.parametrize("threshold", [1.5, 2.5, 4.0, 7.0])
def test_the_expected_course_is_that_of_simulated_studies(threshold):
    """Of the estimates and the rule that decide in a run, with an error that is all but known."""
    rng, studies = np.random.default_rng(2), 600
    steps = np.sqrt(np.diff(np.r_[0, FIFTHS]))
    asked, supported = [], 0
    for walk in np.cumsum(rng.standard_normal((studies, len(FIFTHS))) * steps, axis=1):
        for look, fraction in enumerate(FIFTHS, start=1):
            found = Normal(walk[look - 1] / fraction, 1 / math.sqrt(fraction), 1e6)
            estimate = with_repeated_interval(Estimate(0.0, 10, "questions", "difference", found), FIFTHS[:look])
            ended = decided(estimate, FIFTHS, [Threshold(threshold, 0.05)])
            if ended or look == len(FIFTHS):
                asked.append(fraction)
                supported += ended == "supported"
                break
    error = np.std(asked) / math.sqrt(studies)
    expected = expected_course(FIFTHS, threshold, 1.0, 0.05)
    assert expected.fraction == pytest.approx(np.mean(asked), abs=4 * error + 0.005)
    share_error = math.sqrt(expected.supported * (1 - expected.supported) / studies)
    assert supported / studies == pytest.approx(expected.supported, abs=4 * share_error + 0.005)


def test_one_look_is_students_interval_and_more_cost_little_at_the_end():
    once = RepeatedInterval(0.3, 0.1, 7.5, (1.0,)).limits(0.95)
    assert once == pytest.approx(stats.t.interval(0.95, 7.5, 0.3, 0.1))
    first, last = (RepeatedInterval(0.3, 0.1, 7.5, FIFTHS[:looks]).limits(0.95) for looks in (1, 5))
    assert last[1] - last[0] < 1.06 * (once[1] - once[0]) < 0.4 * (first[1] - first[0])


def test_fractions_that_do_not_rise_are_refused():
    for wrong in ((), (0.5, 0.5), (0.0, 1.0), (0.5, 1.1)):
        with pytest.raises(ValueError, match="rising up to 1"):
            boundaries(wrong, 0.05)


def test_how_many_trials_a_decision_takes_is_said_as_for_one_look():
    early = with_repeated_interval(Estimate(0.0, 10, "questions", "difference", Normal(0.0, 0.015, 30.0)), FIFTHS[:1])
    claim = abs(early) < 0.02
    assert claim.interval.high > 0.07
    reach = stats.t.ppf(0.95, 30) * 0.015
    assert f"about {math.ceil(10 * (reach / 0.02) ** 2)} questions (now 10)" in claim.explain()


def test_what_has_no_interval_gets_none_by_being_looked_at():
    unknown = Estimate(math.nan, 0, "questions", "difference", Unknown())
    assert with_repeated_interval(unknown, (0.5,)) is unknown


def test_the_chance_of_equivalence_is_that_of_simulated_studies_without_a_difference():
    rng, now, error_at_end, margin, df = np.random.default_rng(2), 0.5, 0.9, 2.0, 1e9
    for value in (0.0, 0.8, 2.2):
        found = RepeatedInterval(value, error_at_end / math.sqrt(now), df, (0.25, now))
        at_end = now * value + error_at_end * math.sqrt(1 - now) * rng.standard_normal(100_000)
        reach = boundaries((0.25, now, 1.0), 0.1)[-1] * error_at_end
        expected = np.mean(np.abs(at_end) + reach < margin)
        assert conditional_power(found, (0.25, now, 1.0), margin, 0.05) == pytest.approx(expected, abs=0.006)
    wide = RepeatedInterval(0.0, 3.0, 20.0, (0.25, now))
    assert conditional_power(wide, (0.25, now, 1.0), margin, 0.05) == 0.0


QUARTER, QUESTIONS, MARGIN = 9, 64, 0.06
TOP = np.arange(2 * QUARTER) < QUARTER
LOOKS = (0.25, 0.5, 0.75, 1.0)


def run(truth: float, seed: int):
    """Return how a study ended whose quarters differ by about so many points, and the difference that it ended with."""
    design, rng = ReadingDesign(2 * QUARTER, QUESTIONS, 0.85), np.random.default_rng([4, seed])
    effects = design.slope(truth) * np.where(TOP, 0.5, -0.5) * (design.preference[-1] - design.preference[0])
    answers = simulate_answers(design, rng, effects=effects)
    for look, part in enumerate(LOOKS, start=1):
        kept = answers.question < part * QUESTIONS
        some = Answers(
            *(column[kept] for column in (answers.entity, answers.question, answers.correct, answers.said_yes)),
            answers.n_entities,
        )
        found = with_repeated_interval(quarters_difference(some, TOP, ~TOP), LOOKS[:look])
        ended = decided(found, LOOKS, [Threshold(MARGIN, 0.05)])
        if ended is not None:
            return ended, look, found
    return "open", len(LOOKS), found


def test_a_difference_at_the_margin_is_called_smaller_no_more_often_than_allowed_and_none_ends_early():
    studies = 200
    at_margin = [run(MARGIN, seed) for seed in range(studies)]
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)
    assert np.mean([ended == "supported" for ended, _, _ in at_margin]) <= allowed
    missed = [not (i := found.interval(0.95)).low <= MARGIN <= i.high for _, _, found in at_margin]
    assert np.mean(missed) <= allowed
    none = [run(0.0, seed) for seed in range(100)]
    assert np.mean([ended == "supported" for ended, _, _ in none]) > 0.6
    assert np.mean([look for ended, look, _ in none if ended == "supported"]) < len(LOOKS)
    large = [run(0.25, seed) for seed in range(20)]
    assert {ended for ended, _, _ in large} == {"refuted", "hopeless"}
    assert np.mean([look for _, look, _ in large]) < len(LOOKS) / 2


def test_a_claim_is_decided_by_the_interval_and_given_up_only_by_a_gate():
    def at(value: float, error: float, looks: int = 2):
        return with_repeated_interval(
            Estimate(value, 10, "questions", "difference", Normal(value, error, 30.0)), LOOKS[:looks]
        )

    gate, claim = Threshold(0.02, 0.05), Threshold(0.02, 0.05, gate=False)
    assert decided(at(0.0, 0.002), LOOKS, [gate]) == "supported"
    assert decided(at(0.1, 0.002), LOOKS, [gate]) == "refuted"
    assert decided(at(0.0, 0.015), LOOKS, [gate]) is None
    assert decided(at(0.0, 0.08), LOOKS, [gate]) == "hopeless"
    assert decided(at(0.0, 0.08), LOOKS, [claim]) is None
    assert decided(at(0.0, 0.08, len(LOOKS)), LOOKS, [gate]) is None
    assert decided(at(0.0, 0.002), LOOKS, [gate, replace(gate, margin=0.002)]) != "supported"


@pytest.mark.parametrize(
    ("value", "least", "most", "ended"), [(0.041, 0.003, 0.008, "hopeless"), (0.037, 0.012, 0.02, None)]
)
def test_a_gate_is_given_up_below_a_chance_of_one_percent(value, least, most, ended):
    """The chance is that of 400,000 simulated ends of the study without a difference: its standard error is 0.02%."""
    error, margin, level = 0.012, 0.02, 0.05
    found = Estimate(value, 10, "questions", "difference", Normal(value, error, 1e9))
    at_end, now = error * math.sqrt(LOOKS[1]), LOOKS[1]
    rest = np.random.default_rng(3).standard_normal(400_000)
    ends = now * value + at_end * math.sqrt(1 - now) * rest
    supported = np.mean(np.abs(ends) + boundaries(LOOKS, 2 * level)[-1] * at_end < margin)
    assert least < supported < most
    assert decided(with_repeated_interval(found, LOOKS[:2]), LOOKS, [Threshold(margin, level)]) == ended


def test_a_claim_is_given_up_only_if_the_error_at_the_end_is_too_large_for_it_at_99_percent():
    """The margin at which all hope ends tells the error that is expected: 99% of the time it is below the true one."""
    df, now = 12.0, LOOKS[1]
    reach = -stats.t.ppf(stats.norm.sf(boundaries(LOOKS, 0.1)[-1]), df)
    found = RepeatedInterval(0.0, 1.0, df, LOOKS[:2])
    lost, kept = 0.0, 10.0
    for _ in range(60):
        middle = (lost + kept) / 2
        lost, kept = (middle, kept) if conditional_power(found, LOOKS, middle, 0.05) == 0 else (lost, middle)
    expected_of_one = kept / reach  # of a standard error of 1 at this look, so in proportion of any
    estimated = np.sqrt(np.random.default_rng(4).chisquare(df, 200_000) / df)
    below = np.mean(estimated * expected_of_one <= math.sqrt(now))
    assert below == pytest.approx(0.99, abs=4 * math.sqrt(0.99 * 0.01 / 200_000))


@pytest.mark.parametrize(
    ("tasks", "parts"),
    [
        (15, [15]),  # too few to look at before the end
        (16, [4, 2, 2, 2, 2, 2, 2]),
        (64, [16, 8, 8, 8, 8, 8, 8]),
    ],
)
def test_tasks_are_asked_in_eighths_after_a_quarter_of_them(tasks, parts):
    ids = [str(number) for number in range(tasks)]
    blocks = Blocks(ids, ids, [True] * tasks, lambda *_: None)
    assert np.bincount(blocks.look).tolist() == parts
    assert blocks.fractions == pytest.approx(np.cumsum(parts) / tasks)
