"""The suite of moderators on simulated models in which each is planted."""

import json

import pytest
from planted_server import PlantedServer
from studies_in_contexts import profile_of

from pytest_llmpref.files import data_folder
from pytest_llmpref.models.simulated.model import SimulatedModel

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


@pytest.mark.parametrize(
    ("world", "same", "link"),
    [("sim/chooses-alike", "supported", "supported"), ("sim/format-bound", "inconclusive", "refuted")],
)
def test_how_much_is_the_formats_is_told(world, same, link, run):
    _, verdicts = run(world, SUITE / "test_open_format.py", "--llmpref-open-questions", entities='"all"', partners=12)
    assert verdicts["test_open_preference_is_the_same_preference"] == same
    assert verdicts["test_the_format_leaves_the_link_as_it_is"] == link


def test_what_a_user_insisted_on_is_replayed_from_the_recording(pytester, monkeypatch):
    server = PlantedServer(SimulatedModel("sim/chooses-alike"))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    found = []
    for mode in ("new_episodes", "none"):
        run = pytester.runpytest_subprocess(
            SUITE / "test_open_format.py",
            "--llmpref-open-questions",
            "-k",
            "follows_open",
            "--model=openai/tiny",
            f"--record-mode={mode}",
            f"--profile={profile_of(pytester.path, entities=8, partners=2)}",
            f"--llmpref-cassettes={pytester.path / 'cassettes'}",
            f"--report-dir={pytester.path / 'reports'}",
        )
        assert run.ret in {0, 1}, run.stdout.str()
        path = pytester.path / "reports" / "latest" / "results.json"
        found.append(json.loads(path.read_text(encoding="utf-8"))["models"]["openai/tiny"]["measures"]["open_advice"])
        if mode == "new_episodes":
            assert {len(body["messages"]) for body in server.received} == {1, 3}
            server.stop()
    assert found[0]["entities"] == found[1]["entities"]
    assert found[0]["trials"] == found[1]["trials"]


def test_open_questions_are_asked_only_where_they_are_wanted(pytester):
    profile = profile_of(pytester.path, entities=8, partners=2)
    asked = ["--model=sim/chooses-alike", f"--profile={profile}", f"--report-dir={pytester.path / 'reports'}", "-rs"]
    run = pytester.runpytest_subprocess(SUITE / "test_open_format.py", *asked)
    assert run.ret == 0, run.stdout.str()
    assert run.parseoutcomes().keys() == {"skipped"}
    run.stdout.fnmatch_lines(["*add --llmpref-open-questions*"])
    # Nothing was measured, so there are no results.
    assert not (pytester.path / "reports").exists()


def test_a_suite_that_is_off_asks_nothing_of_what_it_would_be_compared_with(pytester, monkeypatch):
    server = PlantedServer(SimulatedModel("sim/chooses-alike"))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    profile = profile_of(pytester.path, entities=8, partners=2)
    asked = ["--model=openai/tiny", "--record-mode=new_episodes", f"--profile={profile}"]
    asked += [SUITE / "test_open_format.py", SUITE / "test_user_alignment.py"]
    run = pytester.runpytest_subprocess(*asked, f"--report-dir={pytester.path / 'reports'}")
    server.stop()
    assert run.ret == 0, run.stdout.str()
    assert server.received == []
    run.assert_outcomes(skipped=8)
    plan = pytester.runpytest_subprocess(*asked, "--llmpref-plan")
    plan.stdout.no_fnmatch_line("*preference *")


def test_a_measure_that_another_test_reads_is_asked_though_one_that_is_off_reads_it_too(pytester):
    profile = profile_of(pytester.path, entities=8, partners=2)
    asked = ["--model=sim/chooses-alike", f"--profile={profile}", "--llmpref-contexts"]
    plan = pytester.runpytest_subprocess(
        *asked, SUITE / "test_open_format.py", SUITE / "test_user_alignment.py", "--llmpref-plan"
    )
    plan.stdout.fnmatch_lines(["*preference *", "*aligned_advice *"])
    plan.stdout.no_fnmatch_line("*donation_advice *")


class Writers(PlantedServer):
    """A writer and a judge behind one address."""

    def judged(self):
        return [body for body in self.received if body["model"] == "judge"]


@pytest.fixture
def writers(monkeypatch):
    server = Writers(SimulatedModel("sim/tries-harder"))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    yield server
    server.stop()


def test_pieces_and_judgments_are_planned_recorded_and_replayed(pytester, writers):
    profile = profile_of(pytester.path, entities=8, partners=4, effort_entities=3, effort_tasks=4)

    def run(*arguments):
        return pytester.runpytest_subprocess(
            SUITE / "test_graded_effort.py",
            "--llmpref-effort",
            "--llmpref-judge=openai/judge",
            "--model=openai/writer",
            f"--profile={profile}",
            f"--llmpref-cassettes={pytester.path / 'cassettes'}",
            f"--report-dir={pytester.path / 'reports'}",
            *arguments,
        )

    def results():
        path = pytester.path / "reports" / "latest" / "results.json"
        return json.loads(path.read_text(encoding="utf-8"))["models"]["openai/writer"]

    plan = run("--llmpref-plan")
    plan.stdout.fnmatch_lines(["*written_pieces * 48 * 48 *", "*for texts that it compares: at most 120 calls,"])
    assert not writers.received
    recorded = run("--record-mode=new_episodes")
    found = results()
    assert len(found["claims"]) == 3, recorded.stdout.str()
    assert len(writers.judged()) == 120
    assert found["measures"]["graded_effort"]["valid"]
    asked = len(writers.received)
    for depth in ("reply", "wire"):
        run("--record-mode=none", f"--llmpref-replay={depth}")
        again = results()["measures"]
        for name in ("written_pieces", "graded_effort"):
            assert again[name]["entities"] == found["measures"][name]["entities"], depth
            assert again[name]["trials"] == found["measures"][name]["trials"], depth
    assert len(writers.received) == asked
    (pytester.path / "cassettes" / "openai--judge.jsonl").unlink()
    missing = run("--record-mode=none")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stderr.fnmatch_lines(["*graded_effort: 120 of 120", "openai/judge may judge up to 120 replies"])


@pytest.mark.parametrize(
    ("options", "why"), [((), "*add --llmpref-effort*"), (("--llmpref-effort",), "*add --llmpref-judge NAME*")]
)
def test_pieces_are_written_only_where_they_are_wanted_and_judged(options, why, pytester):
    asked = ("--model=sim/tries-harder", "--profile=smoke", f"--report-dir={pytester.path / 'reports'}", "-rs")
    run = pytester.runpytest_subprocess(SUITE / "test_graded_effort.py", *asked, *options)
    assert run.ret == 0, run.stdout.str()
    assert run.parseoutcomes().keys() == {"skipped"}
    run.stdout.fnmatch_lines([why])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_last_screen_says_what_was_not_asked_and_why(workers, pytester):
    asked = ("--model=sim/tries-harder", "--profile=smoke", f"--report-dir={pytester.path / 'reports'}")
    run = pytester.runpytest_subprocess(SUITE / "test_graded_effort.py", *asked, "--llmpref-effort", *workers)
    run.stdout.fnmatch_lines(
        [
            "NOT ASKED: 3 tests of test_graded_effort.py (a judge has to compare the pieces:",
            "  add --llmpref-judge NAME)",
            "*3 skipped*",
        ],
        consecutive=True,
    )
    run = pytester.runpytest_subprocess(SUITE / "test_graded_effort.py", *asked[1:], "--llmpref-effort", *workers)
    assert "NOT ASKED" not in run.stdout.str()


def test_a_file_of_pairs_that_cannot_be_used_ends_the_run_before_anything_is_collected(pytester):
    (pytester.path / "pairs.csv").write_text("prompt_a,prompt_b\nx,x\n,y\n")
    asked = ("--model=sim/tries-harder", "--profile=smoke", "--llmpref-paired-prompts=pairs.csv")
    run = pytester.runpytest_subprocess(SUITE / "test_complexity.py", *asked)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "collected" not in run.stdout.str()
    run.stderr.fnmatch_lines(
        [
            "ERROR: *pairs.csv: 2 problems:",
            "  line 2: prompt_b: is the same as prompt_a; the two must take opposite sides",
            "  line 3: prompt_a: is empty or missing; every row needs prompt_a and prompt_b",
        ],
        consecutive=True,
    )
