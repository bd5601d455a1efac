"""Whole runs that record in batches, against an imitation of OpenAI's API: nothing here ran at a provider."""

import json
import re

import pytest
from batch_server import IMPATIENT, BatchServer, planted
from fork_server import LIVE
from forty_entities import PARTNERS, N, write_forty
from planted import PlantedModel
from planted_server import SUITE
from simulated_recordings import ENTITIES

from pytest_llmpref.config.entities import load_entities

SIX = "\n".join(ENTITIES.splitlines()[:7])
SMALL = 6 * 5
"""Questions of a pair experiment over 6 entities: enough for a job, and a tenth of the calls that all 12 would take."""
BATCHED = ("--record-mode=new_episodes", "--llmpref-batch=wait")
UNDER_WAY = 75


@pytest.fixture
def server(recorded, monkeypatch):
    entities = load_entities(recorded / "twelve.csv")
    model = PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)})
    found = BatchServer(planted(model))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def llmpref(fork_server, run_module, pytester):
    """Run the command in a process of its own.

    In this one it would import litellm. pytester forgets the modules that a test imports, and litellm, imported twice,
    fails the calls of later tests.
    """

    def run(*words):
        server = fork_server(LIVE)
        return (server.run if server else run_module)("pytest_llmpref", words, pytester.path)

    return run


@pytest.fixture
def live(live, pytester):
    (pytester.path / "six.csv").write_text(SIX)
    pytester.makeconftest(IMPATIENT)
    return lambda *options, **source: live("--llmpref-entities=six.csv", *options, **source)


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["openai/served"]


def address(line):
    sent = line["http"]["request"]
    return f"{sent['method']} {sent['uri'].partition('/v1/')[2]}"


def without_asking(found):
    """What a study found, without how and when it asked."""
    for measure in found["measures"].values():
        for name in ("cost", "unpriced", "recorded", "batches"):
            measure["diagnostics"].pop(name, None)
    return found


def test_a_study_in_batches_finds_what_one_by_one_finds_and_replays_at_both_depths(live, pytester, server, monkeypatch):
    run = live("--record-mode=new_episodes", "--llmpref-cassettes=singly")
    assert run.ret == 0, run.stdout.str()
    assert len(server.chats) == 2 * SMALL
    singly = without_asking(results(pytester))

    run = live(*BATCHED)
    assert run.ret == 0, run.stdout.str() + run.stderr.str()
    run.stdout.fnmatch_lines([f"*recorded *, {2 * SMALL - 2} in batches*"])
    in_batches = results(pytester)
    # The first question of each measure was asked alone, as ever; all others in one job.
    assert len(server.chats) == 2 * SMALL + 2
    assert [len(job.requests) for job in server.jobs] == [2 * (SMALL - 1)]
    assert set(server.paid.values()) == {1}
    batches = in_batches["measures"]["preference"]["diagnostics"]["batches"]
    assert batches == {"replies": SMALL - 1, "jobs": ["batch_0"]}
    assert without_asking(json.loads(json.dumps(in_batches))) == singly
    for path in pytester.path.rglob("*"):
        assert path.is_dir() or b"sk-test-0123456789" not in path.read_bytes(), path
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {address(line) for line in lines if line["reply"].get("batch")} == {"GET files/out-batch_0/content"}
    assert {
        line["request"]["messages"][0]["content"]: address(line) for line in lines if "asked" in line["request"]
    } == {
        "upload": "POST files",
        "creation": "POST batches",
        "status": "GET batches/batch_0",
        "results 1": "GET files/out-batch_0/content",
    }
    assert [address(line) for line in lines].count("POST chat/completions") == 2

    monkeypatch.delenv("OPENAI_API_KEY")
    server.stop()
    server.stop = lambda: None
    for depth in ("reply", "wire"):
        replayed = live(f"--llmpref-replay={depth}")
        assert replayed.ret == 0, replayed.stdout.str() + replayed.stderr.str()
        assert results(pytester) == in_batches


def test_a_run_submits_and_ends_and_the_same_command_collects(live, pytester, server):
    server.looks_needed = 2
    given = ("--record-mode=new_episodes", "--llmpref-batch=submit")
    for _ in range(2):
        run = live(*given)
        assert run.ret == UNDER_WAY, run.stdout.str() + run.stderr.str()
        run.stdout.fnmatch_lines(
            [
                "*batches under way; no test is run*",
                "*openai/served: batches are under way*",
                f"*batch_0: {2 * SMALL - 2} questions*",
                "*run the same command again*",
            ]
        )
        assert not (pytester.path / "reports").exists()
    run = live(*given)
    assert run.ret == 0, run.stdout.str() + run.stderr.str()
    assert len(server.jobs) == 1
    assert set(server.paid.values()) == {1}


def test_what_answers_choose_goes_into_further_jobs(live, pytester, server):
    """Pairs that an adaptive profile selects by the answers until then."""
    folder = write_forty(pytester.path)
    entities = load_entities(folder / "forty.csv")
    server.answering = planted(PlantedModel({entity.name: 0.4 * rank for rank, entity in enumerate(entities)}))
    # Two rounds, of 4 partners in all; `few.toml` has three.
    fewer = (folder / "few.toml").read_text().replace(f"\npartners = {PARTNERS}", "\npartners = 4")
    (folder / "fewer.toml").write_text(fewer)
    asked = N * 4
    given = ("--record-mode=new_episodes", f"--llmpref-entities={folder}/forty.csv", f"--profile={folder}/fewer.toml")
    source = "def test_it(preferences):\n    assert preferences.valid"
    assert live(*given, "--llmpref-cassettes=singly", source=source).ret == 0
    singly = without_asking(results(pytester))
    assert len(server.chats) == asked
    run = live(*given, "--llmpref-batch=wait", "--llmpref-batch-least=1", source=source)
    assert run.ret == 0, run.stdout.str() + run.stderr.str()
    # One for each round.
    assert len(server.jobs) == 2
    assert sum(server.paid.values()) == asked
    assert set(server.paid.values()) == {1}
    assert without_asking(results(pytester)) == singly


def test_the_jobs_of_several_models_are_waited_for_at_once(live, pytester, server):
    server.looks_needed = 2
    run = live(*BATCHED, "--model=openai/other")
    assert run.ret == 0, run.stdout.str() + run.stderr.str()
    assert len(server.jobs) == server.most_under_way == 2
    assert set(server.paid.values()) == {1}
    models = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]
    assert set(models) == {"openai/served", "openai/other"}


def test_the_command_waits_for_collects_lists_and_cancels_jobs(live, pytester, server, llmpref):
    server.looks_needed = 2
    assert live("--record-mode=new_episodes", "--llmpref-batch=submit").ret == UNDER_WAY
    listed = llmpref("batches", "list")
    assert listed.returncode == 0
    assert re.search(rf"openai/served +batch_0 +{2 * SMALL - 2} .* submitted", listed.stdout)
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    early = llmpref("batches", "collect", "openai/served")
    assert early.returncode == UNDER_WAY
    assert f"0 answers recorded, {2 * SMALL - 2} questions" in early.stdout
    assert llmpref("batches", "wait").returncode == 0
    collected = llmpref("batches", "collect")
    assert collected.returncode == 0
    assert f"{2 * SMALL - 2} answers recorded, 0 questions" in collected.stdout
    # And the four exchanges about the job.
    assert len(journal.read_text().splitlines()) == 2 * SMALL + 4
    assert llmpref("cassettes", "check").returncode == 0
    assert llmpref("cassettes", "scan").returncode == 0
    assert live().ret == 0
    assert set(server.paid.values()) == {1}
    assert llmpref("batches", "cancel").returncode == 0
    assert not server.jobs[0].cancelled
    of_none = llmpref("batches", "list", "openai/other")
    assert of_none.returncode == 1
    assert "no batch of openai/other was written down here" in of_none.stderr


def test_all_questions_go_as_batches_where_that_is_wished(live, server):
    run = live(*BATCHED, "--llmpref-batch-least=1", source=SUITE)
    assert run.ret == 0, run.stdout.str() + run.stderr.str()
    assert not server.chats
    assert sum(len(job.requests) for job in server.jobs) == 2 * SMALL


def test_what_cannot_go_together_is_a_usage_error(live, server):
    run = live("--record-mode=all", "--llmpref-batch=submit")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*--record-mode all would ask anew*"])
    run = live("--record-mode=new_episodes", "--llmpref-batch=submit", "-n", "2")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "leave out -n" in run.stdout.str() + run.stderr.str()
    assert not server.jobs
