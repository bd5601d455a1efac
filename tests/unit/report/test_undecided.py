"""What would decide inconclusive claims, and which entity ended a run."""

import copy

import pytest
from results_record import RECORD

from pytest_llmpref.report.claims import ClaimGroup
from pytest_llmpref.report.terminal import last_lines
from pytest_llmpref.report.undecided import early_ends, said_of, to_decide, undecided
from pytest_llmpref.results.loading import parse_results


def results_of(*claims, stopping=None):
    """Results with these claims about entities, each given by what differs."""
    record = copy.deepcopy(RECORD)
    model = record["models"]["sim/plain"]
    (shown,) = model["claims"]
    model["claims"] = []
    for number, one in enumerate(claims):
        claim = copy.deepcopy(shown) | {"entity": f"e{number}", "verdict": "inconclusive", "relation": "<"}
        claim |= {"nodeid": f"suites/test_it.py::test_it[sim/plain-e{number}]", "gate": True, **one}
        claim["estimate"] = shown["estimate"] | {"unit": "trials"} | one.get("estimate", {})
        model["claims"].append(claim)
    if stopping:
        model["measures"]["preference"]["diagnostics"]["stopping"] = {
            "look": 3, "looks": 18, "asked": 956, "planned": 5208, "decided": {}, "bounds": [], "said": "ended",
            **stopping,
        }  # fmt: skip
    return parse_results(record, "it")


def group_of(*claims):
    return ClaimGroup(tuple(results_of(*claims).models["sim/plain"].claims))


def at(value, n=24, needed=None, **more):
    return {"estimate": {"value": value, "low": value - 1, "high": value + 1, "n": n}, "needed": needed, **more}


SUPPORTED = {"verdict": "supported", "estimate": {"value": 0.2, "low": 0.1, "high": 0.3, "n": 24}}


def test_entities_on_the_wrong_side_are_told_from_those_that_need_more_trials():
    group = group_of(at(0.1, needed=6100, n=40), at(0.66), at(0.3, needed=30), at(0.6), SUPPORTED)
    assert to_decide(group) == (
        "2 are on the wrong side (furthest: e1 at 0.66), so more trials would probably refute them; the other 2 need "
        "about 30 to 6,100 trials (now 24 to 40), if the values measured were the true ones"
    )


@pytest.mark.parametrize(
    ("relation", "values", "furthest"),
    [("<", (0.6, 0.9, 0.4), "e1 at 0.9"), (">", (0.3, 0.1, 0.7), "e1 at 0.1"), ("abs <", (0.6, -0.9, 0.7), "e1 at")],
)
def test_the_furthest_is_that_of_the_claimed_relation(relation, values, furthest):
    assert f"(furthest: {furthest}" in to_decide(group_of(*(at(value, relation=relation) for value in values)))


def test_one_entity_each_is_said_in_the_singular():
    assert to_decide(group_of(at(0.6, needed=90), at(0.2, needed=50))) == (
        "1 is on the wrong side (e0 at 0.6), so more trials would probably refute it; the other 1 needs "
        "about 50 trials (now 24), if the value measured were the true one"
    )


def test_where_no_number_is_known_none_is_given():
    equal = at(0.5, to_decide="nothing at the present value")
    assert to_decide(group_of(equal)) == "1: nothing at the present value"
    said = to_decide(group_of(equal, at(0.2, needed=50)))
    assert said.startswith("1 needs about 50 trials")
    assert said.endswith("; of 1 more, no number is known")


def test_a_claim_about_the_model_says_its_own():
    (group,) = undecided(
        [group_of(at(0.2, entity=None, nodeid="suites/test_it.py::test_it[sim/plain]", to_decide="about 90 questions"))]
    )
    assert to_decide(group) == "about 90 questions"
    assert undecided([group_of(SUPPORTED)]) == []
    assert to_decide(group_of(SUPPORTED)) == ""


def test_a_study_of_contexts_is_made_larger_by_asking_more_and_not_by_more_entities():
    claim = {"entity": None, "nodeid": "suites/test_it.py::test_it[sim/plain]", "to_decide": "about 190 entities"}
    said = to_decide(group_of(at(0.2, measures=["induced_advice"], needed=190, **claim)))
    assert said.startswith("about 190 entities; or more questions about the same: a larger --profile, or context_squ")
    assert to_decide(group_of(at(0.2, measures=["induced_advice"], **claim))) == "about 190 entities"
    assert to_decide(group_of(at(0.2, measures=["preference"], needed=190, **claim))) == "about 190 entities"


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ("hopeless", "the claim about labour cannot be supported any more, which closes the gate"),
        ("refuted", "the claim about labour is refuted"),
    ],
)
def test_the_last_lines_name_the_entity_that_ended_the_run(ended, said, tmp_path):
    results = results_of(at(0.2, needed=50), stopping={"ended": ended, "because": ["labour"]})
    text = " ".join(" ".join(line for line, _ in last_lines(results, tmp_path, "", 0)).split())
    assert f"preference ended early: {said}. The other ? were not asked to the end, as --profile paper does" in text


@pytest.mark.parametrize("stopping", [{"ended": "open", "because": []}, {"ended": "supported", "because": []}, None])
def test_a_run_that_ended_otherwise_names_nobody(stopping):
    assert early_ends(results_of(at(0.2), stopping=stopping).models["sim/plain"].measures) == []


def test_several_entities_are_named_in_the_plural():
    measures = results_of(at(0.2), stopping={"ended": "refuted", "because": ["a", "b"]}).models["sim/plain"].measures
    (end,) = early_ends(measures)
    assert "the claims about a, b are refuted." in said_of(end)
