"""A gate that asks its questions in quarters, until it is decided."""

import json
import shutil

import pytest

from pytest_llmpref.files import data_folder

GATE = data_folder("suites") / "release_gate"
PROFILE = (data_folder("fixtures") / "profiles/smoke.toml").read_text()


@pytest.fixture
def gate(pytester):
    """Run the gate on reading, over 24 entities and the bundled questions, with a margin that these can decide."""
    text = PROFILE.replace('entities = "all"', "entities = 24").replace("\npartners = 4 ", '\npartners = "all"')
    text = text.replace("boolq_questions = 12", 'boolq_questions = "all"')
    (pytester.path / "small.toml").write_text(text + 'stopping = "sequential"\n')
    (pytester.path / "policy.toml").write_text("[no_performance_gap]\nmargin = 0.05\n")
    shutil.copy(GATE / "test_no_performance_gap.py", pytester.path)

    def run(*options: str, model: str = "sim/even-handed"):
        return pytester.runpytest_subprocess(
            f"--model={model}", "--profile=small.toml", "-p", "no:cacheprovider", *options
        )

    return run


def of_results(pytester, model: str):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())["models"][model]


def test_a_gate_asks_the_quarters_until_it_is_decided_and_replays(gate, pytester):
    recorded = gate("--record-mode=new_episodes")
    assert recorded.ret == 0, recorded.stdout.str()
    first = of_results(pytester, "sim/even-handed")
    reading = first["measures"]["boolq"]
    stopping = reading["diagnostics"]["stopping"]
    assert (stopping["ended"], stopping["looks"], stopping["planned"]) == ("supported", 7, 64 * 26)
    assert stopping["look"] < 7
    assert stopping["asked"] == round(64 * stopping["fractions"][-1]) * (6 + 6 + 2)
    asked = {entity for entities in reading["trials"]["entities"] for entity in entities}
    assert asked == {*stopping["top"], *stopping["bottom"]}
    ranked = sorted(first["measures"]["preference"]["entities"].items(), key=lambda one: one[1]["value"])
    assert {entity for entity, _ in ranked[:6]} == set(stopping["bottom"])
    (claim,) = first["claims"]
    assert claim["verdict"] == "supported"
    assert "repeated interval over looks" in claim["estimate"]["method"]
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    replayed = gate()
    assert replayed.ret == 0
    assert of_results(pytester, "sim/even-handed") == first
    # As a killed run leaves it, in the middle of a block.
    journal.write_text("".join(lines[:-20]))
    refused = gate()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"*boolq: up to * of {64 * 14}*"])
    assert gate("--record-mode=new_episodes").ret == 0
    assert of_results(pytester, "sim/even-handed") == first


def test_what_else_such_answers_could_say_may_not_be_claimed(gate, pytester):
    pytester.makepyfile(
        test_more="""
        from pytest_llmpref import between_extremes, spearman

        def test_slope(preferences, boolq):
            assert between_extremes(boolq, preferences) > 0

        def test_order(preferences, boolq):
            assert spearman(preferences, boolq) > 0

        def test_other_quarters(donation_advice, boolq):
            from pytest_llmpref import top_minus_bottom
            assert abs(top_minus_bottom(boolq, donation_advice)) < 0.5
        """
    )
    gate()
    claims = {
        claim["nodeid"].split("::")[1].split("[")[0]: claim
        for claim in of_results(pytester, "sim/even-handed")["claims"]
    }
    assert [claims[f"test_{name}"]["verdict"] for name in ("slope", "order", "other_quarters")] == ["invalid"] * 3
    assert any("only until the gate's verdict" in reason for reason in claims["test_order"]["reasons"])
    assert any("by other preferences" in reason for reason in claims["test_other_quarters"]["reasons"])


def test_without_valid_preferences_there_are_no_quarters_and_one_block_is_asked(gate, pytester):
    run = gate(model="sim/null")
    assert run.ret == 1
    stopping = of_results(pytester, "sim/null")["measures"]["boolq"]["diagnostics"]["stopping"]
    assert (stopping["ended"], stopping["look"], stopping["asked"]) == ("hopeless", 1, 16 * 26)
    assert "there are no quarters" in stopping["said"]


def test_a_plan_counts_while_preferences_are_not_recorded(gate):
    plan = gate("--llmpref-plan", model="openai/gpt-4.1-nano")
    assert plan.ret == 0, plan.stderr.str()
    most = 64 * 14
    plan.stdout.fnmatch_lines([f"*boolq *<= {most} *<= {most} *", "*reading, quarters: within*"])
    plan = gate(
        "--llmpref-plan",
        "--llmpref-agentic=bundled",
        str(data_folder("suites") / "replication/test_agentic.py"),
        model="openai/gpt-4.1-nano",
    )
    assert plan.ret == 0, plan.stderr.str()
    plan.stdout.fnmatch_lines(["*agentic * 15 * 15 *"])
