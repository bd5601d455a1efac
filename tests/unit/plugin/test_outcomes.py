"""From claims to the outcome that pytest reports: each rule on a report of its own."""

import pytest

from pytest_llmpref.claims.claim import Ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.plugin.outcomes import (
    Measured,
    Rules,
    properties_of,
    settle,
    settle_around,
    settle_exception,
    settle_without_claim,
    status_of,
    verdict_of,
    without_traceback,
)
from pytest_llmpref.results.parts import TestClaims
from pytest_llmpref.results.schema import ClaimedEstimate, ClaimRecord

PLAIN = Rules(gate=False, exploratory=False, strict=False, nature="")
GATE = Rules(gate=True, exploratory=False, strict=False, nature="")
STRICT = Rules(gate=False, exploratory=False, strict=True, nature="")
EXPLORATORY = Rules(gate=True, exploratory=True, strict=True, nature="")
SIMULATED = Rules(gate=False, exploratory=False, strict=False, nature="simulated model")


def claim(verdict):
    value, error = {"supported": (0.9, 0.01), "refuted": (0.1, 0.01), "inconclusive": (0.6, 0.2)}.get(
        verdict, (0.9, 0.01)
    )
    invalid = ("the check failed",) if verdict == "invalid" else ()
    return Estimate(value, 100, "trials", "by hand", Normal(value, error), invalid, "effect") > 0.5


SUPPORTED, REFUTED, INCONCLUSIVE, INVALID = (
    claim(verdict) for verdict in ("supported", "refuted", "inconclusive", "invalid")
)


def report(outcome="failed", longrepr="a traceback", line=6, when="call"):
    return pytest.TestReport("t.py::test_it", ("t.py", line, "test_it"), {}, outcome, longrepr, when)


def of_call(error, when="call"):
    def fail():
        raise error

    return pytest.CallInfo.from_call(fail, when)


def test_claims_have_the_verdicts_that_these_tests_suppose():
    assert [one.verdict for one in (SUPPORTED, REFUTED, INCONCLUSIVE, INVALID)] == list(Verdict)
    assert verdict_of([SUPPORTED, INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert verdict_of([SUPPORTED, REFUTED, INVALID]) is Verdict.REFUTED


@pytest.mark.parametrize(
    ("rules", "failing"),
    [
        (PLAIN, {"refuted"}),
        (GATE, {"refuted", "inconclusive", "invalid"}),
        (STRICT, {"refuted", "inconclusive", "invalid"}),
        (EXPLORATORY, set()),
    ],
)
def test_which_verdicts_fail(rules, failing):
    assert {verdict.value for verdict in Verdict if rules.fail(verdict)} == failing


def test_an_attempt_forgets_the_claims_of_the_one_before():
    measured = Measured(Ledger(entries=[SUPPORTED], compared=["effect > 0.5"]), from_setup=1, told=1)
    measured.restart()
    assert (measured.ledger.entries, measured.ledger.compared) == ([], [])
    assert (measured.from_setup, measured.told) == (0, 0)


def test_a_body_keeps_what_fixtures_claimed_and_counts_its_attempts():
    measured = Measured(Ledger(entries=[SUPPORTED, REFUTED]), from_setup=1)
    with measured.body():
        assert (measured.ledger.entries, measured.told, measured.under_way) == ([SUPPORTED], 1, True)
    assert (measured.under_way, measured.attempts, measured.error) == (False, 1, None)
    with pytest.raises(KeyError), measured.body():
        raise KeyError("mine")
    assert (measured.under_way, measured.attempts, type(measured.error)) == (False, 2, KeyError)
    with measured.body():
        assert measured.error is None


def test_the_report_of_a_subtest_is_about_the_claims_since_the_last():
    measured = Measured(Ledger(entries=[SUPPORTED]), under_way=True)
    assert measured.claims() == ([SUPPORTED], [SUPPORTED])
    measured.ledger.record(INCONCLUSIVE)
    made, judged = measured.claims()
    assert (made, [one.family_size for one in judged]) == ([INCONCLUSIVE], [2])
    assert measured.claims() == ([], [])
    measured.under_way = False
    made, judged = measured.claims()
    assert (made, len(judged)) == ([SUPPORTED, INCONCLUSIVE], 2)


def test_the_traceback_of_a_claim_is_not_drawn_and_comes_back():
    measured = Measured(Ledger(entries=[REFUTED]))
    call = of_call(AssertionError("assert it"))
    found = call.excinfo
    with without_traceback(call, measured):
        assert isinstance(call.excinfo.value, pytest.fail.Exception)
    assert call.excinfo is found


@pytest.mark.parametrize(
    ("error", "when", "entries", "under_way"),
    [
        (KeyError("mine"), "call", [REFUTED], False),
        (AssertionError("another"), "call", [SUPPORTED], False),
        (AssertionError("another"), "call", [], False),
        (AssertionError("in a fixture"), "setup", [REFUTED], False),
        (AssertionError("of a subtest"), "call", [REFUTED], True),
    ],
)
def test_any_other_traceback_is_drawn(error, when, entries, under_way):
    call = of_call(error, when)
    found = call.excinfo
    with without_traceback(call, Measured(Ledger(entries=entries), under_way=under_way)):
        assert call.excinfo is found


def test_a_supported_claim_passes_whatever_was_reported():
    made = report("passed", None)
    settle(made, None, [SUPPORTED], [SUPPORTED], GATE)
    assert (made.outcome, made.longrepr, made.llmpref_verdict) == ("passed", None, "supported")


@pytest.mark.parametrize(
    ("claimed", "rules", "outcome"),
    [
        (REFUTED, PLAIN, "failed"),
        (INCONCLUSIVE, PLAIN, "skipped"),
        (INVALID, PLAIN, "skipped"),
        (INCONCLUSIVE, GATE, "failed"),
        (INVALID, GATE, "failed"),
        (INCONCLUSIVE, STRICT, "failed"),
        (REFUTED, EXPLORATORY, "skipped"),
    ],
)
def test_a_claim_that_does_not_hold_fails_or_is_reported(claimed, rules, outcome):
    made = report()
    settle(made, AssertionError("assert it"), [claimed], [claimed], rules)
    assert (made.outcome, made.llmpref_verdict) == (outcome, claimed.verdict.value)
    if outcome == "failed":
        assert made.longrepr == claimed.explain() + ("\nGATE CLOSED" if rules.gate else "")
    else:
        assert made.longrepr == ("t.py", 7, claimed.explain())


def test_a_report_without_a_line_points_at_the_first():
    made = report(line=None)
    settle(made, AssertionError("assert it"), [INCONCLUSIVE], [INCONCLUSIVE], PLAIN)
    assert made.longrepr[:2] == ("t.py", 1)


@pytest.mark.parametrize(
    ("error", "made"), [(KeyError("mine"), REFUTED), (AssertionError("another"), SUPPORTED), (None, SUPPORTED)]
)
def test_a_test_that_fails_for_another_reason_stays_failed(error, made):
    ours = report()
    settle(ours, error, [made], [made], PLAIN)
    assert (ours.outcome, ours.longrepr, hasattr(ours, "llmpref_verdict")) == ("failed", "a traceback", False)
    assert ours.sections == []


def test_a_skip_after_claims_stays_unless_they_fail():
    skip = pytest.skip.Exception("no time")
    supported, refuted = report("skipped", "skip"), report("skipped", "skip")
    settle(supported, skip, [INCONCLUSIVE], [INCONCLUSIVE], PLAIN)
    assert (supported.outcome, supported.longrepr, hasattr(supported, "llmpref_verdict")) == ("skipped", "skip", False)
    settle(refuted, skip, [REFUTED], [REFUTED], PLAIN)
    assert (refuted.outcome, refuted.llmpref_verdict) == ("failed", "refuted")
    assert "no time" not in refuted.longrepr
    assert "The test went on after a claim that is not supported." in refuted.longrepr


def test_a_negated_claim_says_that_it_cannot_be():
    ours = report()
    settle(ours, AssertionError("assert not effect > 0.5"), [SUPPORTED], [SUPPORTED], PLAIN)
    assert ours.sections[0][0] == "llmpref"
    assert ours.sections[0][1].startswith("effect > 0.5 is supported. A claim cannot be negated:")
    other = report()
    settle(other, KeyError("assert not"), [SUPPORTED], [SUPPORTED], PLAIN)
    assert other.sections == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("assert effect > 0.5", ""),
        ("the release may not do this\nassert effect > 0.5", "the release may not do this"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_the_users_own_message_stands_first(message, shown):
    ours = report()
    settle(ours, AssertionError(message), [SUPPORTED, REFUTED], [SUPPORTED, REFUTED], SIMULATED)
    assert ours.longrepr == "\n\n".join(filter(None, [shown, REFUTED.explain()])) + "\nof a simulated model"


def test_claims_that_held_one_by_one_say_that_they_share_the_error_rate():
    ours = report("passed", None)
    settle(ours, None, [SUPPORTED, SUPPORTED], [SUPPORTED, INCONCLUSIVE], PLAIN)
    assert ours.outcome == "skipped"
    assert ours.longrepr[2] == (
        INCONCLUSIVE.explain() + "\n\nEach of the test's 2 claims is judged at its share of the error rate."
    )


def test_claims_of_fixtures_fail_a_test_that_passed():
    ours = report("passed", None)
    settle_around(ours, [REFUTED], [REFUTED], PLAIN)
    assert ours.outcome == "failed"
    assert ours.longrepr.startswith(REFUTED.explain())
    assert "GATE CLOSED" not in ours.longrepr
    assert "The test went on after a claim" in ours.longrepr
    gate = report("passed", None)
    settle_around(gate, [INCONCLUSIVE], [INCONCLUSIVE], GATE)
    assert (gate.outcome, gate.longrepr.endswith("\nGATE CLOSED")) == ("failed", True)


def test_claims_of_fixtures_change_no_report_that_says_so_itself():
    failed, fine, expected = report(), report("passed", None), report("skipped", "xfail")
    expected.wasxfail = "known"
    settle_around(failed, [REFUTED], [REFUTED], PLAIN)
    settle_around(fine, [INCONCLUSIVE], [INCONCLUSIVE], PLAIN)
    settle_around(expected, [REFUTED], [REFUTED], PLAIN)
    assert [one.longrepr for one in (failed, fine, expected)] == ["a traceback", None, "xfail"]
    assert [one.outcome for one in (failed, fine, expected)] == ["failed", "passed", "skipped"]


def test_a_gate_that_claims_nothing_fails():
    ours = report("passed", None)
    settle_without_claim(ours, ["effect > 0.5", "effect > 0.5", "effect < 1"])
    assert (ours.outcome, ours.longrepr.splitlines()) == (
        "failed",
        [
            "GATE CLOSED: the test made no claim",
            "  effect > 0.5 was compared, and not asserted",
            "  effect < 1 was compared, and not asserted",
            "  to do: end the test in a claim: `assert estimate > threshold`",
        ],
    )
    expected = report("skipped", "xfail")
    expected.wasxfail = "known"
    settle_without_claim(expected, [])
    assert expected.longrepr.startswith("GATE CLOSED: an expected failure opens no gate\n  to do:")
    assert (expected.outcome, hasattr(expected, "wasxfail")) == ("failed", False)


def test_the_exception_of_a_claim_that_fails_nothing_is_a_skip():
    call = of_call(AssertionError("assert it"))
    trace = call.excinfo.tb
    settle_exception(report("skipped", ("t.py", 7, "the text")), call)
    assert isinstance(call.excinfo.value, pytest.skip.Exception)
    assert (str(call.excinfo.value), call.excinfo.tb) == ("the text", trace)
    assert (call.excinfo.type, call.excinfo.value.__traceback__) == (pytest.skip.Exception, trace)
    bare = of_call(AssertionError("assert it"))
    settle_exception(report("skipped", "no place"), bare)
    assert (type(bare.excinfo.value), str(bare.excinfo.value)) == (pytest.skip.Exception, "")


def test_the_exception_of_a_failure_stays_and_none_is_made_of_none():
    failed, fine = of_call(AssertionError("assert it")), pytest.CallInfo.from_call(lambda: None, "call")
    settle_exception(report("failed"), failed)
    settle_exception(report("passed", None), fine)
    assert (type(failed.excinfo.value), fine.excinfo) == (AssertionError, None)


def test_properties_are_those_of_results_json_and_number_further_claims():
    record = ClaimRecord(
        nodeid="t.py::test_it",
        suite="t.py",
        entity="oxfam",
        relation=">",
        threshold=0.5,
        estimate=ClaimedEstimate(value=0.7, low=0.6, high=0.8, n=20, level=0.99),
        verdict=Verdict.SUPPORTED,
        gate=True,
        family=3,
    )
    alone = ClaimRecord(
        nodeid="t.py::test_it",
        suite="t.py",
        entity=None,
        relation="<",
        threshold=0.5,
        estimate=ClaimedEstimate(value=None, low=None, high=None, n=0),
        verdict=Verdict.INVALID,
        gate=False,
    )
    found = properties_of(TestClaims("sim/a", [record, alone]))
    assert found[:12] == [
        ("llmpref.value", 0.7),
        ("llmpref.low", 0.6),
        ("llmpref.high", 0.8),
        ("llmpref.level", 0.99),
        ("llmpref.n", 20),
        ("llmpref.relation", ">"),
        ("llmpref.bound", 0.5),
        ("llmpref.verdict", "supported"),
        ("llmpref.gate", True),
        ("llmpref.family", 3),
        ("llmpref.model", "sim/a"),
        ("llmpref.entity", "oxfam"),
    ]
    assert dict(found[12:]) == {
        "llmpref.2.level": 0.95,
        "llmpref.2.n": 0,
        "llmpref.2.relation": "<",
        "llmpref.2.bound": 0.5,
        "llmpref.2.verdict": "invalid",
        "llmpref.2.gate": False,
        "llmpref.2.family": 1,
        "llmpref.2.model": "sim/a",
    }


@pytest.mark.parametrize(
    ("verdict", "outcome", "category", "letter"),
    [
        ("supported", "passed", "passed", "+"),
        ("refuted", "failed", "failed", "-"),
        ("inconclusive", "skipped", "inconclusive", "?"),
        ("invalid", "skipped", "invalid", "!"),
    ],
)
def test_a_test_has_the_letter_and_colour_of_its_verdict(verdict, outcome, category, letter):
    colours = {"supported": "green", "refuted": "red", "inconclusive": "yellow", "invalid": "purple"}
    ours = report(outcome, None)
    ours.llmpref_verdict = verdict
    assert status_of(ours) == (category, letter, (verdict.upper(), {colours[verdict]: True}))


def test_reports_that_are_not_of_claims_have_pytests_own_status():
    plain, teardown, again = report("passed", None), report("passed", None, when="teardown"), report("rerun", None)
    teardown.llmpref_verdict = again.llmpref_verdict = "supported"
    assert [status_of(one) for one in (plain, teardown, again)] == [None, None, None]
