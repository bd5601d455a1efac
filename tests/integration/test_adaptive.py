"""An adaptive study as a run: recorded, resumed, replayed."""

import json
import textwrap
from pathlib import Path

import pytest
from fork_server import LIVE
from forty_entities import ASKED, N, write_forty
from planted import PlantedModel
from planted_server import PlantedServer
from scipy import stats
from simulated_recordings import record

from pytest_llmpref.config.entities import load_entities

SUITE = "def test_it(preferences):\n    assert preferences.valid"


@pytest.fixture
def forty(tmp_path) -> Path:
    return write_forty(tmp_path)


def planted(folder: Path) -> PlantedModel:
    entities = load_entities(folder / "forty.csv")
    return PlantedModel({entity.name: 0.4 * rank for rank, entity in enumerate(entities)})


@pytest.fixture
def served(forty, pytester, monkeypatch):
    """Run a suite against a server, with the adaptive profile."""
    server = PlantedServer(planted(forty))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    pytester.makepyfile(test_it=SUITE)
    pytester.imported = LIVE

    def run(*options: str):
        given = [f"--llmpref-entities={forty / 'forty.csv'}", f"--profile={forty / 'few.toml'}"]
        return pytester.runpytest_subprocess("--model=openai/served", "-p", "no:cacheprovider", *given, *options)

    yield run, server
    server.stop()


def test_a_recording_asks_its_share_resumes_where_it_stopped_and_replays(served, pytester):
    run, server = served
    recorded = run("--record-mode=new_episodes")
    assert recorded.ret == 0, recorded.stdout.str()
    assert len(server.received) == ASKED
    latest = pytester.path / "reports/latest/results.json"
    first = json.loads(latest.read_text())["models"]
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    # As a killed run leaves it, in the middle of the second of three rounds.
    journal.write_text("".join(lines[:100]))
    refused = run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        [
            f"*up to {ASKED - 100} trials are not recorded*",
            f"*preference: up to {ASKED - 100} of {ASKED}*",
            f"*({2 * 80 - 100} now, and 80 that depend on the answers)*",
        ]
    )
    plan = run("--llmpref-plan")
    plan.stdout.fnmatch_lines([f"*preference * {ASKED} * {ASKED - 100} *"])
    resumed = run("--record-mode=new_episodes")
    assert resumed.ret == 0, resumed.stdout.str()
    assert len(server.received) == ASKED + ASKED - 100
    assert json.loads(latest.read_text())["models"] == first
    assert sorted(lines_without_times(journal)) == sorted(lines_without_times(lines))


def lines_without_times(lines) -> list[str]:
    text = lines if isinstance(lines, list) else lines.read_text().splitlines()
    return [json.loads(line)["key"] for line in text]


def test_a_recording_of_all_pairs_serves_an_adaptive_study_too(forty, pytester):
    entities = load_entities(forty / "forty.csv")
    record(forty / "cassettes", planted(forty), "sim/planted", entities, str(forty / "all.toml"), "preference")
    pytester.makepyfile(test_it=textwrap.dedent(SUITE))
    options = [f"--llmpref-entities={forty / 'forty.csv'}", f"--llmpref-cassettes={forty / 'cassettes'}"]
    found = {}
    for profile in ("all", "few"):
        run = pytester.runpytest_subprocess("--model=sim/planted", f"--profile={forty / profile}.toml", *options)
        assert run.ret == 0, run.stdout.str()
        measures = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["sim/planted"]
        found[profile] = measures["measures"]["preference"]
    assert (found["all"]["diagnostics"]["trials"], found["few"]["diagnostics"]["trials"]) == (N * (N - 1), ASKED)
    values = [[one["value"] for one in found[profile]["entities"].values()] for profile in ("all", "few")]
    # 0.965 in the mean of 20 such studies, 0.941 in the worst.
    assert stats.spearmanr(*values).statistic > 0.93


def test_too_few_entities_are_an_error_that_says_what_to_do(suite, forty):
    run = suite(SUITE, f"--profile={forty / 'few.toml'}")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(['*selection = "adaptive" needs at least 40 entities, and 12 take part*'])
