"""The suite of causal studies on simulated models: cause, mere correlation, a study that could not have seen any."""

import json

import pytest
from confinement import confined
from planted_server import PlantedServer
from studies_in_contexts import profile_of

from pytest_llmpref import causal_effect
from pytest_llmpref.comparison.baseline import measures_of
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.results.loading import load_results

SUITE = data_folder("suites") / "causal"


@pytest.fixture
def run(pytester):
    def run(world, *arguments, **changes):
        profile = profile_of(pytester.path, context_partners=8, partners=8, **changes)
        found = pytester.runpytest_subprocess(
            *arguments,
            "--llmpref-contexts",
            f"--model={world}",
            f"--profile={profile}",
            f"--report-dir={pytester.path / 'reports'}",
        )
        path = pytester.path / "reports" / "latest" / "results.json"
        results = json.loads(path.read_text(encoding="utf-8"))["models"][world]
        verdicts = {claim["nodeid"].split("::")[1].split("[")[0]: claim["verdict"] for claim in results["claims"]}
        return found, results, verdicts

    return run


def test_a_planted_cause_is_supported_and_that_there_is_none_is_refuted(run, pytester):
    found, results, verdicts = run("sim/induced", SUITE)
    assert found.ret == 1
    assert verdicts["test_a_stated_attitude_moves_stated_preference"] == "supported"
    assert verdicts["test_a_stated_attitude_moves_advice"] == "supported"
    assert verdicts["test_a_stated_attitude_moves_refusals"] == "supported"
    assert verdicts["test_stronger_attitudes_move_advice_further"] == "supported"
    assert verdicts["test_stated_attitudes_do_not_sway_advice"] == "refuted"
    assert verdicts["test_a_stated_attitude_moves_accuracy"] == "supported"
    assert set(results["measures"]["induced_advice"]["trials"]["context"]) == {"stated", "filler", "instructed"}
    # The effect is had from the results file, too.
    loaded = load_results(pytester.path / "reports" / "latest" / "results.json")
    groups = {entity: record.group for entity, record in loaded.entities.items()}
    effect = causal_effect(measures_of(loaded, "sim/induced", groups)["induced_advice"])
    (claim,) = (one for one in results["claims"] if "test_stated_attitudes_do_not_sway_advice" in one["nodeid"])
    assert effect.value == pytest.approx(claim["estimate"]["value"], abs=1e-6)


def test_mere_correlation_supports_no_cause(run):
    found, _, verdicts = run("sim/correlated", SUITE / "test_cause.py", SUITE / "test_no_effect_on_advice.py")
    assert found.ret == 0
    assert verdicts["test_a_stated_attitude_moves_stated_preference"] == "supported"
    assert verdicts["test_a_stated_attitude_moves_advice"] == "inconclusive"
    assert verdicts["test_stated_attitudes_do_not_sway_advice"] in {"supported", "inconclusive"}


@pytest.mark.parametrize("world", ["sim/test-aware", "sim/primed"])
def test_what_contexts_do_is_told_apart_at_smoke(world, pytester):
    found = pytester.runpytest_subprocess(
        SUITE / "test_contexts.py",
        "--llmpref-contexts",
        f"--model={world}",
        "--profile=smoke",
        f"--report-dir={pytester.path / 'reports'}",
    )
    assert found.ret == 0, found.stdout.str()
    path = pytester.path / "reports" / "latest" / "results.json"
    claims = json.loads(path.read_text(encoding="utf-8"))["models"][world]["claims"]
    verdicts = {claim["nodeid"].split("::")[1].split("[")[0]: claim["verdict"] for claim in claims}
    aware = world == "sim/test-aware"
    assert verdicts["test_asked_for_neutrality_advice_follows_preference_less"] == (
        "supported" if aware else "inconclusive"
    )
    # The other world heeds no request, so that it would have changed under none.
    assert verdicts["test_pressure_leaves_the_link_as_it_is"] == ("supported" if aware else "invalid")
    assert verdicts["test_a_test_gets_the_advice_that_a_user_gets"] == ("inconclusive" if aware else "invalid")
    assert verdicts["test_a_test_is_answered_as_rightly_as_a_user"] == ("supported" if aware else "invalid")
    assert verdicts["test_a_test_is_seen_as_one"] == ("supported" if aware else "inconclusive")
    assert verdicts["test_saying_a_preference_moves_advice"] == ("inconclusive" if aware else "supported")


def test_a_null_that_could_not_have_been_otherwise_is_invalid_and_a_gate_on_it_closed(run, pytester):
    policy = (SUITE / "policy.toml").read_text(encoding="utf-8").replace('role = "claim"', 'role = "gate"')
    (pytester.path / "mine.toml").write_text(policy, encoding="utf-8")
    found, _, verdicts = run(
        "sim/hides-from-control", SUITE / "test_no_effect_on_advice.py", "--llmpref-policy", pytester.path / "mine.toml"
    )
    assert verdicts == {"test_stated_attitudes_do_not_sway_advice": "invalid"}
    found.stdout.fnmatch_lines(["*no assay sensitivity, so this study could not have seen*"])
    assert found.ret == 1


def test_an_unbounded_interval_is_reported_as_one(run, pytester):
    found, results, verdicts = run("sim/unmoved", SUITE / "test_cause.py")
    assert verdicts["test_advice_moves_with_stated_preference"] == "inconclusive"
    (claim,) = [one for one in results["claims"] if "test_advice_moves_with" in one["nodeid"]]
    assert (claim["estimate"]["low"], claim["estimate"]["high"]) == (None, None)
    assert "unbounded" in claim["to_decide"]
    assert found.ret == 0
    summary = (pytester.path / "reports" / "latest" / "summary.md").read_text(encoding="utf-8")
    assert "(\u2212\u221e to \u221e)" in summary


def test_what_was_recorded_through_litellm_is_replayed_the_same(pytester, monkeypatch):
    server = PlantedServer(SimulatedModel("sim/induced"))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    asked = [
        "--llmpref-contexts",
        f"--profile={profile_of(pytester.path, entities=8, context_partners=2)}",
        f"--llmpref-cassettes={pytester.path / 'cassettes'}",
        f"--report-dir={pytester.path / 'reports'}",
    ]
    suite = SUITE / "test_no_effect_on_advice.py"
    found = []
    for mode in ("new_episodes", "none"):
        run = pytester.runpytest_subprocess(suite, "--model=openai/tiny", f"--record-mode={mode}", *asked)
        assert run.ret in {0, 1}, run.stdout.str()
        path = pytester.path / "reports" / "latest" / "results.json"
        model = json.loads(path.read_text(encoding="utf-8"))["models"]["openai/tiny"]
        found.append((model["measures"]["induced_advice"]["entities"], model["claims"][0]["estimate"]))
        if mode == "new_episodes":
            assert {body["messages"][0]["role"] for body in server.received} == {"system"}
            server.stop()
    assert found[0] == found[1]


def test_conversations_of_two_turns_are_replayed_as_they_were_recorded(pytester, monkeypatch):
    server = PlantedServer(SimulatedModel("sim/primed"))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    asked = [
        "--llmpref-contexts",
        f"--profile={profile_of(pytester.path, entities=8, context_partners=2)}",
        f"--llmpref-cassettes={pytester.path / 'cassettes'}",
        f"--report-dir={pytester.path / 'reports'}",
        "-k=seen_as or saying_a_preference",
    ]
    found, bodies = [], []
    for mode in ("new_episodes", "none"):
        run = pytester.runpytest_subprocess(
            SUITE / "test_contexts.py", "--model=openai/tiny", f"--record-mode={mode}", *asked
        )
        assert run.ret in {0, 1}, run.stdout.str()
        path = pytester.path / "reports" / "latest" / "results.json"
        model = json.loads(path.read_text(encoding="utf-8"))["models"]["openai/tiny"]
        found.append([(model["measures"][name]["trials"], name) for name in ("seen_as_test", "primed_advice")])
        if mode == "new_episodes":
            bodies = [[message["role"] for message in body["messages"]] for body in server.received]
            server.stop()
    assert found[0] == found[1]
    # 8 entities with 2 others in both orders: 16 questions of advice by themselves, after the filler, after preference;
    # and in 3 contexts, each with the question whether it was a test.
    assert bodies.count(["user", "assistant", "user"]) == 32
    assert bodies.count(["system", "user", "assistant", "user"]) == 48
    assert len(bodies) == 2 * 32 + 2 * 48


def test_a_run_that_does_not_ask_for_contexts_leaves_them_out(pytester):
    suites = [SUITE, SUITE.parent / "replication" / "test_preference_consistency.py"]
    asked = ["--model=sim/paper-a", f"--profile={profile_of(pytester.path)}", f"--report-dir={pytester.path / 'r'}"]
    run = pytester.runpytest_subprocess(*suites, *asked, "-rs")
    run.stdout.fnmatch_lines(["*studies in contexts ask about ten times the questions: add --llmpref-contexts*"])
    results = json.loads((pytester.path / "r" / "latest" / "results.json").read_text(encoding="utf-8"))
    assert not any("induced" in name for name in results["models"]["sim/paper-a"]["measures"])
    plan = pytester.runpytest_subprocess(*suites, *asked, "--llmpref-plan")
    plan.stdout.no_fnmatch_line("*induced_advice*")


def test_without_contexts_a_replay_misses_none_of_their_answers(pytester):
    asked = ["--model=openai/nothing-recorded", f"--report-dir={pytester.path / 'r'}", "-rs"]
    run = pytester.runpytest_subprocess(SUITE / "test_cause.py", *asked)
    assert run.ret == 0, run.stdout.str()
    run.assert_outcomes(skipped=7)
    run.stdout.fnmatch_lines(["*add --llmpref-contexts*"])


@pytest.mark.slow
@confined
def test_agents_in_the_sandbox_are_reported_with_their_contexts(pytester):
    """36 runs of simulated agents: half a minute."""
    pytest.importorskip("inspect_cyber")
    run = pytester.runpytest_subprocess(
        SUITE / "test_no_effect_on_agents.py",
        "--model=sim/induced",
        f"--profile={profile_of(pytester.path, entities=4, agentic_entities=2, agentic_tasks=1)}",
        "--llmpref-contexts",
        "--llmpref-agentic=bundled",
        "--llmpref-sandbox=bubblewrap",
        f"--report-dir={pytester.path / 'reports'}",
    )
    assert run.ret in {0, 1}, run.stdout.str()
    results = load_results(pytester.path / "reports" / "latest" / "results.json").models["sim/induced"]
    measure = results.measures["induced_agentic"]
    assert set(measure.trials["context"]) == {"stated", "filler", "instructed"}
    assert len(measure.trials["task"]) == 36
    assert len(measure.entities) == 4
    assert [claim.measures for claim in results.claims] == [["induced_agentic"]]


def test_runs_of_agents_are_priced_by_the_plan_and_off_unless_tasks_are_named(pytester):
    pytest.importorskip("inspect_cyber")
    asked = [SUITE / "test_no_effect_on_agents.py", "--model=sim/induced", "--profile=smoke", "--llmpref-contexts"]
    plan = pytester.runpytest_subprocess(*asked, "--llmpref-agentic=bundled", "--llmpref-plan")
    # Three contexts, three drawings, six entities, three tasks; and nothing else is asked.
    plan.stdout.fnmatch_lines(["*induced_agentic *162 *", "*induced_agentic, effect relative to the filler: *"])
    plan.stdout.no_fnmatch_line("*preference *")
    run = pytester.runpytest_subprocess(*asked, f"--report-dir={pytester.path / 'reports'}", "-rs")
    run.stdout.fnmatch_lines(["*agents in contexts are our own: add --llmpref-agentic bundled*"])
