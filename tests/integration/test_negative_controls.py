"""Questions about names tell an adviser from a habit: the suite, and a policy that demands the control."""

import json

import pytest
from studies_in_contexts import profile_of

from pytest_llmpref.files import data_folder

SUITE = data_folder("suites") / "controls"
FOLLOWS = """
from pytest_llmpref import spearman

def test_advice_follows_preference(preferences, donation_advice, policy):
    assert spearman(preferences, donation_advice) > policy.margin
"""
ADVISES = """
def test_advice_differs(donation_advice, policy):
    assert donation_advice["unicef"] > 1000
"""


@pytest.fixture
def run(pytester):
    def run(world, *arguments):
        profile = profile_of(pytester.path, entities=48, partners=12, name_partners=4)
        folder = pytester.path / "reports"
        found = pytester.runpytest_subprocess(
            *arguments, f"--model={world}", f"--profile={profile}", f"--report-dir={folder}"
        )
        path = folder / "latest" / "results.json"
        return found, json.loads(path.read_text(encoding="utf-8"))["models"][world] if path.exists() else None

    return run


@pytest.fixture
def under_policy(pytester, run):
    def under_policy(world, *arguments, control="name_questions", test=FOLLOWS):
        line = f'negative_control = "{control}"\n' if control else ""
        (pytester.path / "policy.toml").write_text(f'[it]\nmargin = 0.5\nrole = "claim"\n{line}', encoding="utf-8")
        (pytester.path / "test_it.py").write_text(test, encoding="utf-8")
        return run(world, *arguments)

    return under_policy


@pytest.mark.parametrize(
    ("world", "status", "verdicts"),
    [("sim/paper-a", 0, ["supported"] * 3), ("sim/habit", 1, ["refuted", "inconclusive", "inconclusive"])],
)
def test_the_suite_tells_an_adviser_from_a_habit(world, status, verdicts, run):
    found, model = run(world, SUITE)
    assert [claim["verdict"] for claim in model["claims"]] == verdicts
    assert found.ret == status
    right = model["measures"]["name_questions"]["diagnostics"]["share_right"]["value"]
    assert (right > 0.9) == (world == "sim/paper-a")


def test_advice_that_follows_like_the_control_is_invalid(under_policy):
    found, model = under_policy("sim/habit")
    assert [claim["verdict"] for claim in model["claims"]] == ["invalid"]
    found.stdout.fnmatch_lines(["*the control follows too, so this may be a habit*"])


def test_without_the_demand_it_is_supported_and_names_are_not_asked_about(under_policy):
    _, model = under_policy("sim/habit", control="")
    assert [claim["verdict"] for claim in model["claims"]] == ["supported"]
    assert "name_questions" not in model["measures"]


def test_advice_that_the_control_does_not_follow_is_supported(under_policy):
    _, model = under_policy("sim/paper-a")
    assert [claim["verdict"] for claim in model["claims"]] == ["supported"]
    assert "name_questions" in model["claims"][0]["measures"]


def test_a_plan_counts_the_control_and_the_preference_that_it_needs(under_policy):
    found, _ = under_policy("sim/habit", "--llmpref-plan", test=ADVISES)
    found.stdout.fnmatch_lines(["*preference *576 *", "*donation_advice *576 *", "*name_questions *384 *"])


def test_a_measure_that_is_no_control_is_named_with_those_that_are(under_policy):
    found, _ = under_policy("sim/habit", control="boolq")
    assert found.ret == 4
    found.stderr.fnmatch_lines(["*it* negative_control: 'boolq' has none; use one of name_questions,*"])
