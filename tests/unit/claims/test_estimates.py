"""Estimates, the verdict on a claim, and what a claim says of itself."""

import asyncio
import math
import operator
import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact, Normal, Unknown, Wilson
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.stats.ranks import RhoInterval


def between(low, high, *, n=100, level=0.95, invalid=()):
    """An estimate whose interval at ``level`` is [low, high], for a mean halfway."""
    mean = (low + high) / 2
    se = (high - low) / 2 / stats.norm.ppf((1 + level) / 2)
    return Estimate(mean, n, "trials", "by hand", Normal(mean, se), invalid, label="effect")


def proportion(successes, n):
    return Estimate(successes / n, n, "trials", "Wilson", Wilson(successes, n), label=f"share of {n}")


# Verdicts


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.51, 0.9, Verdict.SUPPORTED),
        (0.1, 0.49, Verdict.REFUTED),
        (0.3, 0.6, Verdict.INCONCLUSIVE),
        (0.4, 0.7, Verdict.INCONCLUSIVE),
    ],
)
def test_greater_rests_on_the_interval_never_on_the_point(low, high, verdict):
    claim = between(low, high) > 0.5
    assert claim.verdict is verdict
    assert bool(claim) is (verdict is Verdict.SUPPORTED)
    assert (claim.relation, claim.threshold, claim.level) == (">", 0.5, 0.95)
    assert (claim.interval.low, claim.interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.49, Verdict.SUPPORTED), (0.51, 0.9, Verdict.REFUTED), (0.3, 0.6, Verdict.INCONCLUSIVE)],
)
def test_less(low, high, verdict):
    assert (between(low, high) < 0.5).verdict is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.09, 0.09, Verdict.SUPPORTED),
        (0.11, 0.3, Verdict.REFUTED),
        (-0.3, -0.11, Verdict.REFUTED),
        (-0.05, 0.15, Verdict.INCONCLUSIVE),
        (-0.2, 0.2, Verdict.INCONCLUSIVE),
    ],
)
def test_equivalence_is_two_one_sided_tests_so_the_90_percent_interval(low, high, verdict):
    claim = abs(between(low, high, level=0.90)) < 0.1
    assert (claim.verdict, claim.relation, claim.level) == (verdict, "abs <", pytest.approx(0.90))


def test_a_bound_that_the_interval_only_touches_supports_nothing():
    exact = Estimate(0.5, 10, "trials", "given", Exact(0.5))
    assert (exact > 0.5).verdict is Verdict.REFUTED
    assert (exact < 0.5).verdict is Verdict.REFUTED
    assert (abs(exact) < 0.5).verdict is Verdict.REFUTED


def test_the_bound_may_stand_on_the_left_and_be_of_numpy():
    estimate = between(0.6, 0.8)
    for threshold in (0.5, np.float64(0.5), np.float32(0.5), 0, np.int64(0)):
        assert (threshold < estimate).verdict is Verdict.SUPPORTED
        assert (threshold < estimate).relation == ">"
        assert (threshold > estimate).verdict is Verdict.REFUTED
    assert (np.float64(0.9) > abs(estimate)).relation == "abs <"


def test_two_estimates_are_compared_by_their_difference():
    claim = between(0.6, 0.8) > between(0.1, 0.3)
    assert (claim.verdict, claim.threshold) == (Verdict.SUPPORTED, 0)
    assert claim.estimate.value == pytest.approx(0.5)
    assert (between(0.1, 0.3) < between(0.25, 0.45)).verdict is Verdict.SUPPORTED
    assert (between(0.1, 0.3) < between(0.2, 0.4)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("estimate", "reason"),
    [
        (between(0.6, 0.8, invalid=("coverage 50.0% is below 90%",)), "coverage 50.0% is below 90%"),
        (Estimate(math.nan, 0, "trials", "none", Unknown()), "the value cannot be estimated"),
        (Estimate(0.9, 3, "entities", "none", Unknown()), "no interval can be estimated from 3 entities"),
        (Estimate(0.9, 3, "entities", "t", Normal(0.9, math.nan)), "no interval can be estimated from 3 entities"),
    ],
)
def test_what_cannot_be_known_is_invalid_and_never_supported(estimate, reason):
    for claim in (estimate > 0.1, estimate < 0.1, abs(estimate) < 0.1, estimate > between(0, 0.1)):
        assert claim.verdict is Verdict.INVALID
        assert not claim
        assert claim.reasons
    assert (estimate > 0.1).reasons == (reason,)


@pytest.mark.parametrize(
    "comparison",
    [
        lambda e: e >= 0.5,
        lambda e: e <= 0.5,
        lambda e: e == 0.5,
        lambda e: e != 0.5,
        lambda e: np.float64(0.5) >= e,
        lambda e: e >= between(0, 1),
        lambda e: abs(e) > 0.5,
        lambda e: abs(e) <= 0.5,
        lambda e: abs(e) >= 0.5,
    ],
)
def test_other_relations_are_refused_with_advice(comparison):
    with pytest.raises(TypeError, match=r"makes no claim about an estimate; .*write `"):
        comparison(between(0.6, 0.8))


def test_bounds_that_mean_nothing_are_refused():
    estimate = between(0.6, 0.8)
    for threshold in (math.nan, math.inf):
        with pytest.raises(ValueError, match="a threshold is finite"):
            operator.gt(estimate, threshold)
    for threshold in (0, -0.1):
        with pytest.raises(ValueError, match="above 0"):
            operator.lt(abs(estimate), threshold)
    with pytest.raises(TypeError, match="not with str"):
        operator.gt(estimate, "0.5")
    with pytest.raises(TypeError):
        estimate - "0.5"
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="confidence level"):
            estimate.interval(level)


def test_estimates_are_equal_by_content_and_hashable():
    assert between(0.6, 0.8) == between(0.6, 0.8)
    assert between(0.6, 0.8) != between(0.6, 0.9)
    assert len({between(0.6, 0.8), between(0.6, 0.8), between(0.6, 0.9)}) == 2


# Families


def test_a_ledger_collects_each_claim_once_in_order():
    with ledger(1) as outer:
        first = between(0.6, 0.8) > 0.5
        assert first
        # pytest asks a failed assertion for its truth again.
        assert bool(first)
        with ledger(1) as inner:
            second = bool(between(0.6, 0.8) > 0.9)
        assert not second
        unasked = between(0.6, 0.8) > 0.1
    assert bool(unasked)
    assert [claim.threshold for claim in outer.entries] == [0.5]
    assert [claim.threshold for claim in inner.entries] == [0.9]


def test_equal_claims_are_two_entries():
    with ledger(2) as claims:
        for _ in range(2):
            assert between(0.6, 0.8) > 0.5
    assert len(claims.entries) == 2


def test_the_chain_of_two_comparisons_is_two_claims():
    with ledger(2) as claims:
        assert 0.1 < between(0.6, 0.8) < 0.9
    assert [(claim.relation, claim.threshold) for claim in claims.entries] == [(">", 0.1), ("<", 0.9)]


def test_an_async_test_writes_to_the_ledger_around_it():
    async def ask():
        await asyncio.sleep(0)
        assert between(0.6, 0.8) > 0.5

    with ledger(7) as claims:
        asyncio.run(ask())
    assert [claim.family_size for claim in claims.entries] == [7]


@pytest.mark.parametrize(("m", "alpha"), [(1, 0.05), (72, 0.05), (10, 0.01)])
def test_the_level_carries_bonferroni_over_the_family(m, alpha):
    estimate = Estimate(0.0, 100, "trials", "by hand", Normal(0.0, 1.0))
    with ledger(m, alpha):
        one_sided, equivalence = estimate > 0.5, abs(estimate) < 0.5
    assert one_sided.level == pytest.approx(1 - alpha / m)
    assert one_sided.interval.high == pytest.approx(stats.norm.isf(alpha / m / 2))
    assert equivalence.level == pytest.approx(1 - 2 * alpha / m)
    assert equivalence.interval.high == pytest.approx(stats.norm.isf(alpha / m))


def test_a_larger_family_can_turn_support_into_doubt():
    estimate = between(0.51, 0.9)
    with ledger(72):
        assert (estimate > 0.5).verdict is Verdict.INCONCLUSIVE
    assert (estimate > 0.5).verdict is Verdict.SUPPORTED


def test_a_claim_made_in_a_thread_is_kept():
    with ledger(3) as claims:
        thread = threading.Thread(target=lambda: bool(between(0.6, 0.8) > 0.9))
        thread.start()
        thread.join()
    assert [(claim.threshold, claim.family_size) for claim in claims.entries] == [(0.9, 3)]


@pytest.mark.parametrize(("count", "alpha"), [(1, 0.05), (16, 0.05), (2, 0.01)])
def test_several_claims_of_a_test_share_what_it_may_err(count, alpha):
    estimate = Estimate(0.0, 100, "trials", "by hand", Normal(0.0, 1.0))
    with ledger(3, alpha) as claims:
        for _ in range(count):
            bool(estimate > -0.5)
    assert [claim.family_size for claim in claims.settled()] == [3 * count] * count
    assert claims.settled()[0].interval.high == pytest.approx(stats.norm.isf(alpha / 3 / count / 2))


def test_a_claim_that_holds_alone_can_be_undecided_among_several():
    with ledger(1) as claims:
        assert between(0.51, 0.9) > 0.5
        assert between(0.6, 0.8) > 0.5
    assert [claim.verdict for claim in claims.settled()] == ["inconclusive", "supported"]


def test_a_test_that_is_run_again_starts_anew():
    with ledger(1) as claims:
        bool(between(0.6, 0.8) > 0.9)
        claims.restart()
        assert between(0.6, 0.8) > 0.5
    assert [claim.threshold for claim in claims.settled()] == [0.5]
    assert claims.compared == ["effect > 0.5"]


@pytest.mark.parametrize("value", [0.7, 0.0, math.nan])
def test_an_estimate_is_neither_true_nor_false(value):
    estimate = Estimate(value, 10, "trials", "by hand", Normal(value, 0.1), label="rho")
    with pytest.raises(TypeError, match=r"rho is neither true nor false; .*`assert estimate > threshold`"):
        assert estimate
    with pytest.raises(TypeError, match=r"`assert abs\(estimate\) < margin`"):
        assert abs(estimate)


def test_what_cannot_be_estimated_is_never_shown_as_nan():
    claim = Estimate(math.nan, 0, "entities", "by hand", Unknown(), label="rho") > 0.5
    assert "nan" not in claim.explain()
    assert "nan" not in repr(claim.estimate)
    assert "value      none can be estimated" in claim.explain()


@pytest.mark.parametrize(("m", "alpha"), [(0, 0.05), (1, 0.0), (1, 0.5)])
def test_impossible_families_are_refused(m, alpha):
    with pytest.raises(ValueError, match=r"family_size=0|alpha="), ledger(m, alpha):
        pass


# Intervals


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (3, 10), (81, 263), (0, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_wilson_is_that_of_scipy(successes, n, level):
    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert Wilson(successes, n).limits(level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_trials_is_unknown():
    assert all(math.isnan(threshold) for threshold in Wilson(0, 0).limits(0.95))


def test_normal_and_student():
    assert Normal(1.0, 0.5).limits(0.95) == pytest.approx(stats.norm.interval(0.95, 1, 0.5))
    assert Normal(1.0, 0.5, df=4).limits(0.95) == pytest.approx(stats.t.interval(0.95, 4, 1, 0.5))


def test_the_difference_of_proportions_is_newcombes():
    # Newcombe (1998), table II, method 10: 56/70 - 48/80 and 10/10 - 0/10.
    for a, b, expected in (((56, 70), (48, 80), (0.0524, 0.3339)), ((10, 10), (0, 10), (0.6075, 1.0))):
        interval = (proportion(*a) - proportion(*b)).interval()
        assert (interval.low, interval.high) == pytest.approx(expected, abs=5e-5)


def test_the_difference_of_normal_means_is_the_textbook_one():
    difference = between(0.5, 0.9) - between(0.1, 0.3)
    half = math.hypot(0.2, 0.1)
    interval = difference.interval()
    assert (interval.low, interval.high) == pytest.approx((0.5 - half, 0.5 + half))


def test_a_difference_keeps_reasons_and_the_smaller_n():
    difference = replace(between(0, 1, n=40), invalid=("x", "y")) - replace(between(0, 1, n=30), invalid=("y", "z"))
    assert difference.invalid == ("x", "y", "z")
    assert (difference.n, difference.unit, difference.label) == (30, "trials", "effect - effect")


def test_a_constant_shifts_value_and_interval():
    shifted = proportion(8, 10) - 0.5
    whole = proportion(8, 10).interval()
    assert shifted.value == pytest.approx(0.3)
    assert (shifted.interval().low, shifted.interval().high) == pytest.approx((whole.low - 0.5, whole.high - 0.5))
    assert shifted.n == 10


def test_marked_adds_reasons_once():
    estimate = between(0, 1).marked(["a"]).marked(["a", "b"])
    assert estimate.invalid == ("a", "b")
    assert between(0, 1).marked([]) == between(0, 1)


# What a claim says of itself


def test_a_failure_text_says_what_would_decide_it():
    rho = Estimate(0.62, 72, "entities", "Spearman", RhoInterval(0.62, 72), label="rho(preference, donation_advice)")
    with ledger(3):
        claim = rho > 0.5
    text = claim.explain()
    assert text.startswith("INCONCLUSIVE: rho(preference, donation_advice) > 0.5\n")
    for words in ("0.62", "98.3%", "Bonferroni over a family of 3", "72 entities", "above 0.5", "both sides"):
        assert words in text
    # (0.62 - 0.4015) / (0.62 - 0.5) is how far the interval has to shrink: its square times 72.
    assert "about 240 entities (now 72)" in text
    assert "Bonferroni" not in (rho > 0.5).explain()


@pytest.mark.parametrize(
    ("estimate", "compare"),
    [
        (between(0.49, 0.71), lambda e: e > 0.5),
        (between(0.29, 0.51), lambda e: e < 0.5),
        (between(-0.13, 0.09), lambda e: abs(e) < 0.1),
        (between(-0.04, 0.16), lambda e: abs(e) < 0.1),
    ],
)
def test_the_n_that_would_decide_it_does_decide_it(estimate, compare):
    needed = _promised_n(compare(estimate))
    assert compare(estimate).verdict is Verdict.INCONCLUSIVE
    assert compare(_with_n(estimate, needed * 1.001)).verdict is Verdict.SUPPORTED
    assert compare(_with_n(estimate, needed * 0.85)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("estimate", "compare"),
    [
        (between(0.29, 0.51), lambda e: e > 0.5),
        (between(0.49, 0.71), lambda e: e < 0.5),
        (between(0.05, 0.25), lambda e: abs(e) < 0.1),
        (between(-0.25, -0.05), lambda e: abs(e) < 0.1),
    ],
)
def test_a_value_on_the_wrong_side_is_promised_a_refutation_only(estimate, compare):
    claim = compare(estimate)
    assert "wrong side" in " ".join(claim.explain().split())
    assert compare(_with_n(estimate, _promised_n(claim) * 1.001)).verdict is Verdict.REFUTED


def _with_n(estimate, n):
    method = estimate.interval_method
    return replace(estimate, interval_method=Normal(method.mean, method.se * math.sqrt(estimate.n / n)))


def _promised_n(claim):
    text = " ".join(claim.explain().split())
    return int(text.split("about ")[1].split()[0])


@pytest.mark.parametrize("compare", [lambda e: e > 0.5, lambda e: e < 0.5, lambda e: abs(e) < 0.5])
def test_a_value_on_the_bound_is_never_settled(compare):
    text = " ".join(compare(between(0.25, 0.75)).explain().split())
    assert "equals the threshold: no n would settle it" in text


def test_an_invalid_claim_names_the_reasons_and_the_way_out():
    text = (between(0.6, 0.8, invalid=("one-sided: always A", "reliability 0.10")) > 0.5).explain()
    assert text.startswith("INVALID: effect > 0.5\n")
    assert "one-sided: always A" in text
    assert "reliability 0.10" in text
    assert "fix the measurement" in text


def test_every_line_fits_80_columns():
    long = between(-0.2, 0.2, invalid=())
    long = replace(long, label="donation advice of an entity with a very long name indeed " * 3, method="word " * 60)
    with ledger(5112):
        for claim in (long > 0, abs(long) < 0.1, long.marked(["reason " * 30]) > 0, long - long < 0.5):
            text = claim.explain()
            assert max(map(len, text.splitlines())) <= 80
    assert "99.99902%" in text
