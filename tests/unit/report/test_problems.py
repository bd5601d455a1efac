"""Root causes: each once, with the claims that it spoils and what to do."""

import copy

import pytest
from results_record import RECORD

from pytest_llmpref.report.claims import ClaimGroup
from pytest_llmpref.report.problems import causes_of, problems_of
from pytest_llmpref.results.loading import parse_results

COUNTS = dict.fromkeys(["choice", "refusal", "abstention", "unparseable", "truncated", "error"], 0)


def model_of(*claims, reasons=(), simulated=False, trials=None, **counts):
    """A model with these claims, and a preference that fails its checks for these reasons, with these outcomes."""
    record = copy.deepcopy(RECORD)
    model = record["models"]["sim/plain"]
    model["simulated"] = simulated
    (shown,) = model["claims"]
    model["claims"] = [
        copy.deepcopy(shown) | {"verdict": "invalid", "measures": ["preference"]} | one for one in claims
    ]
    measure = model["measures"]["preference"]
    measure |= {"valid": not reasons, "reasons": list(reasons)}
    measure["diagnostics"]["outcomes"] = COUNTS | counts
    measure["trials"] |= trials or {}
    return parse_results(record, "it").models["sim/plain"]


def problems(model):
    return problems_of(model, [ClaimGroup(tuple(model.claims))])


def test_a_measure_that_failed_is_one_cause_however_many_claims_it_spoils():
    model = model_of({}, {"reasons": ["preference: coverage 20%"]}, reasons=["one-sided: A in 98%"])
    (found,) = problems(model).values()
    assert found.title == "preference failed its checks: 2 claims invalid"
    assert found.details == ("one-sided: A in 98%",)
    assert found.to_do.startswith("the model answers by position or label")


def test_claims_that_are_decided_are_no_problem():
    assert not problems(model_of({"verdict": "refuted", "bound": 0.95}, reasons=["one-sided"]))


@pytest.mark.parametrize(
    ("reason", "counts", "said"),
    [
        ("coverage 20%", {"choice": 90, "truncated": 5, "unparseable": 4}, "raise max_tokens"),
        ("coverage 20%", {"refusal": 5, "error": 4}, "the model declines to choose"),
        ("coverage 20%", {"error": 1}, "the provider failed"),
        # Where refusals are answers, the commonest of what is none counts.
        ("only 3 attempts choose, refuse or abstain", {"refusal": 50, "unparseable": 2}, "read the replies"),
        ("0 of 40 replies answer or decline, fewer than 90%: 40 error", {"error": 40}, "the provider failed"),
        ("reliability 0.1", {"refusal": 50}, "the answers are mostly noise"),
        ("something new", {"refusal": 50}, ""),
    ],
)
def test_what_to_do_follows_from_the_reason_and_the_commonest_missing_outcome(reason, counts, said):
    (found,) = problems(model_of({}, reasons=[reason], **counts)).values()
    assert found.to_do.startswith(said)
    assert bool(found.to_do) == bool(said)


def test_reasons_that_differ_only_in_figures_are_one_cause():
    model = model_of(*({"reasons": [f"its reliability of 0.{n} is too low for {n},000"]} for n in (1, 1, 2)))
    assert causes_of(model.claims[0], model.measures) == ["its reliability of # is too low for #"]
    (found,) = problems(model).values()
    assert found.title == "3 claims invalid: its reliability of 0.1 is too low for 1,000"
    assert found.details == ("the commonest figures; others differ",)


def test_a_claim_without_a_reason_says_so():
    (found,) = problems(model_of({})).values()
    assert found.title == "1 claim invalid: it gives no reason"


def failed_by_errors(text, *, simulated):
    trials = {"outcome": ["refusal", "error"], "text": ["I'd rather not.", text]}
    model = model_of({}, reasons=["coverage 0%"], simulated=simulated, trials=trials, error=2)
    (found,) = problems(model).values()
    return found


def test_the_first_error_is_shown_whatever_the_model():
    found = failed_by_errors("401: no such key", simulated=False)
    assert found.details == ("coverage 0%", "first error: 401: no such key")
    assert found.to_do.startswith("the provider failed: run again")


def test_a_simulated_model_that_does_not_understand_is_not_asked_again():
    said = "sim/plain: a simulated model does not understand this question."
    found = failed_by_errors(said, simulated=True)
    assert found.details[-1] == f"first error: {said}"
    assert found.to_do == ""
