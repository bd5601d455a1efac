"""Refusals asked until the gate's verdict is decided: intervals that hold at every look, and what is asked and said."""

import math

import numpy as np
import pytest
from scipy import special, stats

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact, Wilson
from pytest_llmpref.cli import main
from pytest_llmpref.experiments.pairs.questions import PairQuestion, in_order_of_asking, pair_questions
from pytest_llmpref.experiments.refusal.stopping import Looks, follow, looks_of
from pytest_llmpref.stats.sequential import INTERIM_SHARE, PRIOR, SequentialShare

NOTHING = Estimate(0.0, 96, "trials", "known", Exact(0.0))


@pytest.mark.parametrize(("hits", "n"), [(0, 40), (1, 90), (7.5, 40.5), (30, 142), (142, 142)])
@pytest.mark.parametrize("level", [0.95, 1 - 0.05 / 72])
def test_the_sequence_ends_where_the_mixture_is_so_many_times_likelier(hits, n, level):
    def times_likelier(share: float) -> float:
        # Of the mixture, by its density at the observed number: scipy's, with the binomial coefficients that cancel.
        a, b = PRIOR
        mixture = math.exp(special.betaln(hits + a, n - hits + b) - special.betaln(a, b))
        return mixture / (share**hits * (1 - share) ** (n - hits))

    low, high = SequentialShare(hits, n, complete=False).limits(level)
    needed = 1 / ((1 - level) * INTERIM_SHARE)
    assert low <= hits / n <= high
    assert (low == 0) if hits == 0 else times_likelier(low) == pytest.approx(needed, rel=1e-6)
    assert (high == 1) if hits == n else times_likelier(high) == pytest.approx(needed, rel=1e-6)
    if hits == int(hits):
        share = 0.2
        expected = stats.betabinom.pmf(hits, n, *PRIOR) / stats.binom.pmf(hits, n, share)
        assert times_likelier(share) == pytest.approx(expected)


@pytest.mark.parametrize(("hits", "n"), [(0, 142), (3, 142), (142, 142)])
def test_at_the_end_clopper_and_pearsons_interval_holds_too(hits, n):
    exact = stats.binomtest(hits, n).proportion_ci(1 - 0.05 * (1 - INTERIM_SHARE), method="exact")
    looking = SequentialShare(hits, n, complete=False).limits(0.95)
    both = SequentialShare(hits, n, complete=True).limits(0.95)
    assert both == pytest.approx((max(exact.low, looking[0]), min(exact.high, looking[1])))


def test_39_answered_questions_clear_an_entity_of_a_tenth_and_38_do_not():
    """As is said of the prior that the sequence bets on; it may spend half of the error rate before the end."""
    ends = {n: SequentialShare(0, n, complete=False).limits(0.95)[1] for n in (38, 39)}
    assert ends[39] < 0.10 < ends[38]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_all_looks_together_exclude_the_truth_no_more_often_than_the_level_says(share):
    """8,000 studies of 142 trials, a look after each eight; Wilson's interval at each look does not keep the level."""
    answers = np.random.default_rng(3).random((8000, 142)) < share
    hits = np.cumsum(answers, axis=1)
    wrong = {way: np.zeros(len(hits), dtype=bool) for way in ("ours", "wilson")}
    for n in (*range(8, 142, 8), 142):
        for way, at in (
            ("ours", lambda s, n=n: SequentialShare(s, n, n == 142)),
            ("wilson", lambda s, n=n: Wilson(s, n)),
        ):
            ends = np.array([at(s).limits(0.95) for s in range(n + 1)])[hits[:, n - 1]]
            wrong[way] |= (ends[:, 0] > share) | (ends[:, 1] < share)
    assert wrong["ours"].mean() < 0.05
    assert wrong["wilson"].mean() > 0.10


def design(n: int, partners: int | None = None, **given) -> list[PairQuestion]:
    """The questions about pairs of n entities, all of them unless given otherwise, in the order of the plan."""
    ids = [str(number) for number in range(n)]
    given = {"orders": 2, "repetitions": 1, "wordings": 4, "seed": 1} | given
    return in_order_of_asking(pair_questions(ids, partners=partners, **given))


def looks_about(n: int, **given) -> Looks:
    """The same by the look before which each is asked."""
    return looks_of(design(n, **given), {str(number): number for number in range(n)})


def asked_out(looks: Looks, refused, *thresholds: Threshold):
    """Ask until it is over; return the course and which questions were asked."""
    asked = np.zeros(len(refused), dtype=bool)
    course = follow(looks, refused, asked, NOTHING, thresholds)
    while len(course.pending):
        assert not asked[course.pending].all()
        asked[course.pending] = True
        course = follow(looks, np.where(asked, refused, np.nan), asked, NOTHING, thresholds)
    return course, asked


@pytest.mark.parametrize("n", [12, 13, 40, 72])
def test_every_look_brings_each_entity_opponents_that_it_has_not_met_until_it_has_met_all(n):
    looks = looks_about(n)
    turn = looks.count // 2
    for look in range(turn - 1):
        assert set(looks.tally((looks.look == look).astype(float))) == {8.0}
    pair = np.minimum(looks.first, looks.second) * n + np.maximum(looks.first, looks.second)
    for once in (looks.look < turn, looks.look >= turn):
        assert len(np.unique(pair[once])) == once.sum() == n * (n - 1) / 2


def test_at_every_look_an_entity_was_first_about_as_often_as_second():
    looks = looks_about(72)
    for look in range(looks.count // 2):
        seen = looks.look <= look
        lean = np.bincount(looks.first[seen], minlength=72) - np.bincount(looks.second[seen], minlength=72)
        assert np.abs(lean).max() <= 2


def test_a_question_is_asked_again_once_all_were_asked_in_both_orders():
    questions = design(12, repetitions=2)
    looks = looks_of(questions, {str(number): number for number in range(12)})
    turn = looks.look // (looks.count // 4)
    assert [question.repetition for question in questions] == (turn // 2).tolist()
    for one, other in ((0, 1), (2, 3)):
        orders = [{(q.first, q.second) for q, at in zip(questions, turn, strict=True) if at == t} for t in (one, other)]
        assert {(second, first) for first, second in orders[0]} == orders[1]
    in_one_order = looks_of(design(12, orders=1), {str(number): number for number in range(12)})
    assert in_one_order.count == 2


def test_the_asking_ends_as_soon_as_every_claim_is_supported():
    looks = looks_about(40)
    course, asked = asked_out(looks, np.zeros(len(looks.look)), Threshold(0.2, 0.05 / 40))
    assert course.decided.tolist() == [course.looks] * 40
    assert not course.refuted.any()
    assert asked.sum() == (looks.look < course.looks).sum() < 0.6 * len(asked)
    # One look before, no interval lay below the margin.
    fewer = SequentialShare(0, 8 * (course.looks - 1), complete=False).limits(1 - 0.05 / 40)
    assert fewer[1] > 0.2 > course.rates[0].interval(1 - 0.05 / 40).high


def test_it_ends_with_the_first_that_is_refused_too_often_and_sooner_where_it_could_not_be_supported_any_more():
    looks = looks_about(40)
    refused = (looks.first == 7).astype(float)  # half of the questions about it
    refuted, of_refuted = asked_out(looks, refused, Threshold(0.18, 0.05 / 40, gate=False))
    assert np.flatnonzero(refuted.refuted).tolist() == [7]
    futile, of_futile = asked_out(looks, refused, Threshold(0.18, 0.05 / 40))
    assert np.flatnonzero(futile.futile).tolist() == [7]
    assert not futile.refuted.any()
    assert of_futile.sum() < of_refuted.sum() < len(refused)
    # Of 39 opponents, the one more or less that it was first about.
    assert futile.rates[7].value == 0.5
    assert abs(refuted.rates[7].value - 0.5) < 1 / 39


def test_a_decided_entity_rests_and_what_it_is_still_asked_about_does_not_count():
    """Entity 0 is refused just often enough to stay open, so that others meet it after they were decided."""
    looks = looks_about(40)
    refused = np.zeros(len(looks.look))
    about = np.flatnonzero((looks.first == 0) | (looks.second == 0))
    refused[about[[2, 13, 22]]] = 1
    course, asked = asked_out(looks, refused, Threshold(0.25, 0.05 / 40))
    late = [entity for entity in range(1, 40) if 0 < course.decided[entity] < course.looks]
    rested = 0
    assert asked[(looks.first == 0) | (looks.second == 0)].sum() == course.rates[0].n
    for entity in late:
        own = (looks.first == entity) | (looks.second == entity)
        counted = own & (looks.look < course.decided[entity])
        assert asked[counted].all()
        assert course.rates[entity].n == counted.sum()
        rested += asked[own].sum() - counted.sum()
        assert course.rates[entity].value == pytest.approx(refused[counted].mean())
    assert rested > 0


@pytest.mark.parametrize(("alike", "trials"), [(False, 78.0), (True, 39.0)])
def test_trials_never_count_for_more_than_there_are_and_for_less_where_those_of_a_pair_are_alike(alike, trials):
    """Either one order of a pair is refused and the other not, or both orders of every other pair are."""
    looks = looks_about(40)
    refused = (looks.first < looks.second) if not alike else (looks.first + looks.second) % 2 == 0
    course, _ = asked_out(looks, refused.astype(float), Threshold(0.5, 1e-9, gate=False))
    assert course.looks == looks.count
    for rate in course.rates:
        assert rate.n == 78
        assert rate.interval_method.n == pytest.approx(trials, rel=0.03)
        assert rate.interval_method.successes == pytest.approx(rate.interval_method.n * rate.value)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_pairs_count_once_where_nothing_tells_how_alike_their_trials_are(chance):
    looks = looks_about(40)
    refused = np.full(len(looks.look), chance)
    course, asked = asked_out(looks, refused, Threshold(0.999 if chance else 0.001, 1e-9, gate=False))
    assert asked.all()
    for rate in course.rates:
        assert (rate.n, rate.interval_method.n) == (78, 39)


def test_nobody_can_be_cleared_by_a_design_that_is_too_small():
    looks = looks_about(12)
    course, asked = asked_out(looks, np.zeros(len(looks.look)), Threshold(0.1, 0.05 / 12))
    assert course.futile.all()
    assert asked.sum() == (looks.look == 0).sum()


def test_calls_that_failed_are_no_answers():
    looks = looks_about(40)
    refused = np.where(np.arange(len(looks.look)) % 2, np.nan, 0.0)
    course, asked = asked_out(looks, refused, Threshold(0.2, 0.05 / 40))
    assert course.rates[0].n == (asked & ~np.isnan(refused) & ((looks.first == 0) | (looks.second == 0))).sum()


def test_the_command_plans_as_many_as_may_be_asked(tmp_path, capsys):
    given = ["plan", "--model=openai/gpt-4.1-nano", "--profile=gate", "--measure=refusal", f"--cassettes={tmp_path}"]
    main(given)
    assert "refusal              <= 5,208 <= 5,208" in capsys.readouterr().out
    # A claim that never fails decides nothing.
    (tmp_path / "policy.toml").write_text('[even_handed]\nmargin = 0.1\nrole = "exploratory"\n')
    main([*given, f"--policy={tmp_path / 'policy.toml'}"])
    assert "refusal                 5,208    5,208" in capsys.readouterr().out
