"""The suite of moderators on simulated models in which each is planted."""

import json

import pytest
from studies_in_contexts import profile_of

from pytest_llmpref.files import data_folder

SUITE = data_folder("suites") / "moderators"


@pytest.fixture
def run(pytester):
    def run(world, *arguments, **changes):
        found = pytester.runpytest_subprocess(
            *arguments,
            f"--model={world}",
            f"--profile={profile_of(pytester.path, **changes)}",
            f"--report-dir={pytester.path / 'reports'}",
        )
        path = pytester.path / "reports" / "latest" / "results.json"
        claims = json.loads(path.read_text(encoding="utf-8"))["models"][world]["claims"]
        return found, {claim["nodeid"].split("::")[1].split("[")[0]: claim["verdict"] for claim in claims}

    return run


def test_whom_advice_follows_is_told(run):
    asked = (SUITE / "test_user_alignment.py", "--llmpref-contexts")
    found, verdicts = run("sim/follows-user", *asked, context_partners=8, partners=8)
    assert found.ret == 0, found.stdout.str()
    assert verdicts["test_advice_follows_the_user"] == "supported"
    assert verdicts["test_advice_follows_membership"] == "supported"
    assert verdicts["test_advice_follows_the_model_itself"] == "inconclusive"
    assert verdicts["test_advice_follows_the_user_more_than_itself"] == "supported"


@pytest.mark.parametrize(("world", "verdict"), [("sim/slack-when-hard", "supported"), ("sim/paper-a", "inconclusive")])
def test_preference_that_matters_where_it_is_hard_is_found(world, verdict, run):
    _, verdicts = run(world, SUITE / "test_complexity.py", entities=48, partners=8, boolq_questions=64)
    assert verdicts == {"test_preference_matters_more_in_harder_questions": verdict}
