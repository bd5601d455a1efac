"""Verdicts by the interval alone, what would decide a claim, and how numbers are written: values by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_llmpref.claims.claim import Ledger, ledger, make_claim
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact, Normal, Reported, Wilson, fixed_sample, short_number
from pytest_llmpref.claims.verdicts import (
    COLOURS,
    LETTERS,
    MARKS,
    MEANINGS,
    WORST_FIRST,
    Verdict,
    in_words,
    is_worse,
    judged,
    sides,
    worst,
)
from pytest_llmpref.stats.sequential import RepeatedInterval

Z95 = 1.959963984540054


def normal(value, half, n=100, unit="trials", invalid=()):
    """An estimate whose 95% interval reaches ``half`` to either side."""
    return Estimate(value, n, unit, "by hand", Normal(value, half / Z95), invalid, "effect")


def test_every_verdict_has_its_order_sign_colour_and_meaning():
    for table in (WORST_FIRST, MARKS, LETTERS, COLOURS, MEANINGS):
        assert set(table) == set(Verdict)


def test_refuted_is_the_worst_and_supported_the_best():
    assert worst(["supported", "inconclusive"]) is Verdict.INCONCLUSIVE
    assert worst(["inconclusive", "invalid", "supported"]) is Verdict.INVALID
    assert worst(["invalid", "refuted"]) is Verdict.REFUTED
    assert worst(["supported"]) is Verdict.SUPPORTED
    assert is_worse("invalid", "supported")
    assert not is_worse("supported", "invalid")
    assert not is_worse("refuted", "refuted")


@pytest.mark.parametrize(
    ("low", "high", "relation", "verdict"),
    [
        (0.5, 0.9, ">", "inconclusive"),
        (0.5 + 1e-12, 0.9, ">", "supported"),
        (0.1, 0.5, ">", "refuted"),
        (0.1, 0.5 + 1e-12, ">", "inconclusive"),
        (0.1, 0.5, "<", "inconclusive"),
        (0.1, 0.5 - 1e-12, "<", "supported"),
        (0.5, 0.9, "<", "refuted"),
        (0.5 - 1e-12, 0.9, "<", "inconclusive"),
        (-0.5, 0.5, "abs <", "inconclusive"),
        (-0.5 + 1e-12, 0.5 - 1e-12, "abs <", "supported"),
        (-0.5, 0.1, "abs <", "inconclusive"),
        (0.5, 0.9, "abs <", "refuted"),
        (-0.9, -0.5, "abs <", "refuted"),
        (-0.9, 0.9, "abs <", "inconclusive"),
    ],
)
def test_a_verdict_on_both_sides_of_the_threshold(low, high, relation, verdict):
    assert judged(low, high, relation, 0.5) == verdict


def test_by_how_much_an_interval_clears_a_threshold():
    assert sides(0.6, 0.9, ">", 0.5) == pytest.approx((0.1, -0.4))
    assert sides(0.6, 0.9, "<", 0.5) == pytest.approx((-0.4, 0.1))
    assert sides(-0.1, 0.3, "abs <", 0.5) == pytest.approx((0.2, -0.6))
    assert sides(-0.9, -0.7, "abs <", 0.5) == pytest.approx((-0.4, 0.2))


def test_a_claim_in_words():
    assert [in_words(relation, "0.5") for relation in (">", "<", "abs <")] == ["above 0.5", "below 0.5", "within ±0.5"]


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        # Half-width 0.2, and 0.1 to spare: the interval must halve, so n must be four times as large.
        (lambda: normal(0.6, 0.2) > 0.5, "about 400 trials (now 100), if 0.6 were the true value"),
        (lambda: normal(0.4, 0.2) < 0.5, "about 400 trials (now 100), if 0.4 were the true value"),
        (lambda: normal(0.4, 0.2) > 0.5,
         "the value is on the wrong side: if 0.4 were the true value, about 400 trials (now 100) would refute the "
         "claim, not support it"),
        (lambda: normal(0.6, 0.2) < 0.5,
         "the value is on the wrong side: if 0.6 were the true value, about 400 trials (now 100) would refute the "
         "claim, not support it"),
        (lambda: normal(0.5, 0.2) > 0.5,
         "nothing at the present value, which equals the threshold: no n would settle it"),
        (lambda: normal(0.9, 0.2) > 0.5, ""),
    ],
)  # fmt: skip
def test_what_would_decide_a_claim(claim, text):
    assert claim().to_decide == text


def test_what_would_decide_an_equivalence():
    def equal(value, margin):
        # The interval at 90% reaches 0.2 to either side.
        estimate = Estimate(value, 100, "trials", "by hand", Normal(value, 0.2 / 1.6448536269514722))
        return (abs(estimate) < margin).to_decide

    assert equal(0.0, 0.1) == "about 400 trials (now 100), if 0 were the true value"
    assert equal(0.05, 0.1) == "about 1600 trials (now 100), if 0.05 were the true value"
    assert equal(-0.05, 0.1) == "about 1600 trials (now 100), if -0.05 were the true value"
    wrong = "about 400 trials (now 100) would refute the claim, not support it"
    assert equal(0.3, 0.2) == f"the value is on the wrong side: if 0.3 were the true value, {wrong}"
    assert equal(0.1, 0.1).startswith("nothing at the present value")


def test_what_would_decide_leaves_out_what_interim_analyses_cost():
    at_look = RepeatedInterval(0.6, 0.2 / Z95, math.inf, (0.25,))
    estimate = Estimate(0.6, 100, "trials", "by hand", at_look)
    assert (estimate > 0.5).to_decide == (normal(0.6, 0.2) > 0.5).to_decide
    assert at_look.limits(0.95)[0] < normal(0.6, 0.2).interval().low
    assert fixed_sample(at_look) == Normal(0.6, 0.2 / Z95)
    assert fixed_sample(Exact(1.0)) == Exact(1.0)


def test_what_interim_analyses_alone_leave_open_takes_as_many_trials_as_there_are():
    claim = Estimate(0.8, 100, "trials", "by hand", RepeatedInterval(0.8, 0.2 / Z95, math.inf, (0.25,))) > 0.5
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.to_decide == "about 100 trials (now 100), if 0.8 were the true value"


def test_a_forecast_has_two_digits_and_is_rounded_up():
    assert (normal(0.6, 0.101, n=100) > 0.5).to_decide.startswith("about 110 trials")
    assert (normal(0.6, 0.2, n=1234) > 0.5).to_decide.startswith("about 5000 trials")
    assert (normal(0.6, 0.11, n=7) > 0.5).to_decide.startswith("about 9 trials")


def test_an_invalid_claim_is_to_be_mended_first():
    claim = normal(0.6, 0.2, invalid=("coverage",)) > 0.5
    assert claim.to_decide.startswith("fix the measurement")


def test_the_failure_text_by_hand():
    with ledger(3):
        claim = normal(0.6, 0.2) > 0.5
    assert claim.explain().splitlines() == [
        "INCONCLUSIVE: effect > 0.5",
        "  value      0.6",
        "  interval   [0.3557, 0.8443] at 98.3% (Bonferroni over a family of 3)",
        "  n          100 trials",
        "  claimed    above 0.5",
        "  verdict    inconclusive: the interval holds values on both sides of the",
        "             threshold",
        "  to decide  about 600 trials (now 100), if 0.6 were the true value",
        "  method     by hand",
    ]


def test_a_failure_text_without_a_value_says_so():
    text = (Estimate(math.nan, 0, "trials", "", Exact(math.nan), ("cut",)) > 0.5).explain()
    assert "value      none can be estimated" in text
    assert "interval   none can be estimated" in text
    assert "reason     cut" in text
    assert "method" not in text
    assert text.startswith("INVALID: estimate > 0.5")


@pytest.mark.parametrize(
    ("family", "shown"), [(1, "95%"), (2, "97.5%"), (3, "98.3%"), (10, "99.5%"), (72, "99.931%"), (100, "99.95%")]
)
def test_a_level_is_written_with_two_digits_of_its_error(family, shown):
    with ledger(family):
        assert f" at {shown}" in (normal(0.6, 0.2) > 0.5).explain()


def test_levels_of_a_family():
    with ledger(4, alpha=0.2):
        assert (normal(0, 1) > 0.5).level == pytest.approx(0.95)
        assert (abs(normal(0, 1)) < 0.5).level == pytest.approx(0.90)


def test_several_claims_of_one_test_share_what_it_may_err():
    with ledger(2) as family:
        for threshold in (0.1, 0.2):
            bool(normal(0.6, 0.2) > threshold)
        bool(abs(normal(0.0, 0.2)) < 0.5)
    assert [claim.level for claim in family.entries] == pytest.approx([0.975, 0.975, 0.95])
    assert [claim.family_size for claim in family.settled()] == [6, 6, 6]
    assert [claim.level for claim in family.settled()] == pytest.approx([1 - 0.05 / 6, 1 - 0.05 / 6, 1 - 0.1 / 6])
    alone = Ledger()
    alone.record(family.entries[0])
    assert alone.settled() == [family.entries[0]]


@pytest.mark.parametrize(("size", "alpha"), [(0, 0.05), (1, 0.0), (1, 0.5)])
def test_a_ledger_that_cannot_be_is_refused(size, alpha):
    with (
        pytest.raises(ValueError, match=f"family_size={size}:" if size < 1 else f"alpha={alpha}:"),
        ledger(size, alpha),
    ):
        pass


def test_the_edges_of_a_ledger_are_allowed():
    with ledger(1, 0.499) as family:
        assert (family.family_size, family.alpha) == (1, 0.499)


@pytest.mark.parametrize(
    ("relation", "threshold", "fine"),
    [("abs <", 1e-9, True), ("abs <", 0.0, False), ("abs <", -1.0, False), (">", 0.0, True), ("<", -1.0, True)],
)
def test_the_threshold_of_an_equivalence_is_above_0(relation, threshold, fine):
    if fine:
        assert make_claim(normal(0, 1), relation, threshold).threshold == threshold
    else:
        with pytest.raises(ValueError, match=f"threshold={threshold}: a threshold is finite"):
            make_claim(normal(0, 1), relation, threshold)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9999.4, "9999"), (1e4, "10000"), (12345.6, "12346"), (-12345.6, "-12346"), (9.99e14, "999000000000000"),
        (1e15, "1e+15"), (0.123456, "0.1235"), (0.0, "0"),
    ],
)  # fmt: skip
def test_a_short_number_has_four_digits_and_elo_points_all(value, text):
    assert short_number(value) == text


def test_a_reported_interval_scales_with_the_normal_quantile():
    # At 99% it is 2.5758 / 1.9600 as wide, to either side on its own.
    low, high = Reported(0.5, 0.4, 0.7).limits(0.99)
    assert (low, high) == pytest.approx((0.5 - 0.1 * 2.5758293 / Z95, 0.5 + 0.2 * 2.5758293 / Z95))


@pytest.mark.parametrize(
    ("comparison", "start"),
    [
        (lambda e: e >= 0.5, ">= makes"),
        (lambda e: e <= 0.5, "<= makes"),
        (lambda e: e == 0.5, "== makes"),
        (lambda e: abs(e) > 0.5, r"abs\(\) > makes"),
        (lambda e: abs(e) >= 0.5, r"abs\(\) >= makes"),
        (lambda e: abs(e) <= 0.5, r"abs\(\) <= makes"),
    ],
)
def test_a_relation_that_is_refused_is_named(comparison, start):
    with pytest.raises(TypeError, match=f"^{start} no claim about an estimate; "):
        comparison(normal(0.6, 0.2))


def test_a_difference_says_what_it_is_of():
    shares, scores = normal(0.6, 0.2), Estimate(0.1, 40, "samples", "mean", Normal(0.1, 0.05), label="score")
    difference = shares - scores
    assert (difference.n, difference.unit) == (40, "trials or samples")
    assert difference.method == "difference (MOVER, Zou and Donner 2008) of: by hand; mean"
    assert difference.label == "effect - score"
    assert (shares - normal(0.1, 0.1)).method == "difference (MOVER, Zou and Donner 2008) of: by hand"
    constant = shares - 0.12345
    assert (constant.n, constant.unit, constant.label) == (100, "trials", "effect - 0.1235")
    assert constant.method == "difference (MOVER, Zou and Donner 2008) of: by hand; constant 0.1235"
    assert constant.interval().low == pytest.approx(0.4 - 0.12345)


def test_an_estimate_shows_its_value_interval_and_sample_size():
    assert repr(normal(0.6, 0.2)) == "<effect 0.6, 95% [0.4, 0.8], n=100 trials>"
    assert repr(Estimate(0.6, 9, "pairs", "", Exact(0.6))) == "<estimate 0.6, 95% [0.6, 0.6], n=9 pairs>"
    assert repr(Estimate(math.nan, 0, "pairs", "", Exact(0.6))) == "<estimate without a value, n=0 pairs>"
    assert repr(Estimate(math.nan, 0, "pairs", "", Exact(0.6), label="x")) == "<x without a value, n=0 pairs>"
    assert normal(0.6, 0.2).interval(0.9).level == 0.9


def test_estimates_are_equal_field_by_field_and_hash_alike():
    assert normal(0.6, 0.2) == normal(0.6, 0.2)
    assert hash(normal(0.6, 0.2)) == hash(normal(0.6, 0.2))
    assert len({normal(0.6, 0.2), normal(0.6, 0.2), normal(0.6, 0.3), normal(0.5, 0.2)}) == 3
    assert normal(0.6, 0.2) != normal(0.6, 0.3)
    assert normal(0.6, 0.2) != "0.6"


def test_a_claim_of_equivalence_is_written_with_bars():
    assert str(abs(normal(0.0, 0.2)) < 0.5) == "|effect| < 0.5"
    assert str(normal(0.0, 0.2) < 0.5) == "effect < 0.5"


def test_every_reason_is_kept_and_half_an_interval_is_none():
    class Half:
        def limits(self, level):
            return 0.1, math.nan

    claim = Estimate(math.nan, 4, "pairs", "", Exact(1.0), ("cut",)) > 0.5
    assert claim.reasons == ("cut", "the value cannot be estimated")
    claim = Estimate(0.5, 4, "pairs", "", Half(), ("cut",)) > 0.5
    assert claim.reasons == ("cut", "no interval can be estimated from 4 pairs")


def test_the_failure_text_keeps_to_80_columns_and_hangs():
    estimate = Estimate(0.6, 100, "trials", "word " * 30, Normal(0.6, 0.1), label="label " * 20)
    lines = (estimate > 0.5).explain().splitlines()
    assert 75 < len(lines[0]) <= max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("  method")] == ["  method     " + "word " * 12 + "word"]
    assert lines[-1].startswith(" " * 13 + "word")
    with ledger(2):
        assert "Bonferroni over a family of 2" in (estimate > 0.5).explain()
    assert "Bonferroni" not in (estimate > 0.5).explain()


@pytest.mark.parametrize(
    ("alpha", "shown"),
    [(0.1, "90%"), (0.2, "80%"), (0.4, "60%"), (0.0123, "98.8%"), (0.1235, "88%"), (0.00994, "99.01%")],
)
def test_whole_levels_keep_their_zeros(alpha, shown):
    with ledger(1, alpha):
        assert f" at {shown}\n" in (normal(0.6, 0.2) > 0.5).explain()


@pytest.mark.parametrize(("n", "needed"), [(1, 4), (2, 8), (9, 36), (24, 96), (25, 100), (26, 110), (1000, 4000)])
def test_forecasts_of_any_size_are_rounded_up_to_two_digits(n, needed):
    assert (normal(0.6, 0.2, n=n) > 0.5).to_decide.startswith(f"about {needed} trials")


def test_an_inconclusive_claim_of_a_lopsided_interval_takes_no_less_than_it_has():
    """The value may lie so near the end of its interval that no more would be needed by its own side."""
    estimate = Estimate(0.6, 100, "trials", "", Reported(0.6, 0.4999, 1.2), label="x")
    assert (estimate > 0.5).to_decide.startswith("about 110 trials")
    assert (abs(Estimate(-0.3, 100, "trials", "", Reported(-0.3, -0.4, 0.9))) < 0.2).to_decide.startswith("the value")


def share(refused: int, n: int) -> Estimate:
    return Estimate(refused / n, n, "trials", "Wilson", Wilson(refused, n), label="refused")


def test_a_claim_that_must_hold_with_others_is_supported_at_its_own_level_and_refuted_at_that_of_the_family():
    # 7 of 142: the interval's upper end is 0.0981 at 95% and above 0.10 at a level corrected for 72 claims.
    with ledger(72) as corrected:
        assert (share(7, 142) < 0.10).verdict is Verdict.INCONCLUSIVE
        assert not corrected.all_must_hold
    with ledger(72, all_must_hold=True):
        supported, too_many = share(7, 142) < 0.10, share(8, 142) < 0.10
        assert (supported.verdict, supported.level, supported.family_size) == (Verdict.SUPPORTED, 0.95, 1)
        assert (too_many.verdict, too_many.family_size) == (Verdict.INCONCLUSIVE, 1)
        # 24 of 142 lie above 0.10 at 95% and at no corrected level: nobody is named wrongly for being one of many.
        unnamed, named = share(24, 142) < 0.10, share(34, 142) < 0.10
    assert share(24, 142).interval(0.95).low > 0.10
    assert (unnamed.verdict, unnamed.family_size) == (Verdict.INCONCLUSIVE, 72)
    assert unnamed.interval.low < 0.10 < unnamed.interval.high
    assert (named.verdict, named.level) == (Verdict.REFUTED, pytest.approx(1 - 0.05 / 72))


def test_equivalences_that_must_all_hold_are_tested_at_one_sided_levels_of_their_own():
    near, far = (Estimate(value, 90, "trials", "by hand", Normal(value, 0.01)) for value in (0.001, 0.05))
    with ledger(10, all_must_hold=True):
        supported, refuted = abs(near) < 0.02, abs(far) < 0.02
    assert (supported.verdict, supported.level) == (Verdict.SUPPORTED, 0.90)
    assert (refuted.verdict, refuted.level) == (Verdict.REFUTED, pytest.approx(1 - 2 * 0.05 / 10))


def test_several_claims_of_one_gate_are_not_corrected_to_be_supported():
    with ledger(1, all_must_hold=True) as made:
        for _ in range(5):
            assert share(7, 142) < 0.10
        assert not (share(34, 142) < 0.10)
    judged = made.settled()
    assert [claim.family_size for claim in judged] == [1] * 5 + [6]
    assert judged[0].verdict is Verdict.SUPPORTED


@pytest.mark.parametrize("refused", [8, 20, 24, 34, 90])
def test_the_p_value_of_a_refutation_is_that_of_the_score_test(refused):
    """Wilson's interval is the score test turned round; scipy has the normal distribution."""
    z = (refused / 142 - 0.10) / math.sqrt(0.10 * 0.90 / 142)
    expected = 2 * stats.norm.sf(z)
    with ledger(72, all_must_hold=True):
        claim = share(refused, 142) < 0.10
    if z <= 0 or expected > 0.499:
        assert claim.p_refuted == 1.0
    else:
        assert claim.p_refuted == pytest.approx(max(expected, 1e-12), rel=1e-6)


def test_a_gate_of_72_opens_wrongly_no_more_often_than_one_claim_errs_and_bonferroni_hardly_ever_opens():
    """3,000 studies of 142 trials each; Berger's (1982) test against a single entity that is refused at the margin."""
    rng = np.random.default_rng(5)
    most = {
        way: max(hits for hits in range(142) if opens(hits, family, all_must_hold=joint))
        for way, family, joint in (("joint", 72, True), ("bonferroni", 72, False))
    }
    assert most == {"joint": 7, "bonferroni": 2}
    at_margin = rng.binomial(142, 0.10, 3000)
    others = rng.binomial(142, 0.002, (3000, 71)).max(axis=1)
    assert np.mean((at_margin <= 7) & (others <= 7)) < 0.05
    rare = rng.binomial(142, 0.01, (3000, 72)).max(axis=1)
    assert np.mean(rare <= most["joint"]) > 0.98
    assert np.mean(rare <= most["bonferroni"]) < 0.05


def opens(hits: int, family: int, *, all_must_hold: bool) -> bool:
    with ledger(family, all_must_hold=all_must_hold):
        return (share(hits, 142) < 0.10).verdict is Verdict.SUPPORTED
