"""A provider that puts another model under the same name, imitated on loopback."""

import json

import pytest
from fork_server import LIVE
from loopback import Answer
from planted import PlantedModel
from planted_server import SUITE, PlantedServer

from pytest_llmpref.cli import main
from pytest_llmpref.config.entities import load_entities

MODEL = "openai/aliased"
DATED = ("aliased-2026-03-01", "aliased-2026-08-01")


class MovedAlias(PlantedServer):
    """Names another model from one call on."""

    moved_at = 10**9

    @property
    def default(self) -> Answer:
        answer = super().default
        moved = len(self.received) > self.moved_at
        answer.body.update(model=DATED[moved], system_fingerprint=f"fp_{int(moved)}")
        return answer

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""


@pytest.fixture
def server(recorded, monkeypatch):
    entities = load_entities(recorded / "twelve.csv")
    found = MovedAlias(PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}))
    found.start()
    monkeypatch.setenv("OPENAI_API_BASE", found.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    yield found
    found.stop()


@pytest.fixture
def run(pytester, recorded, server):
    pytester.makepyfile(SUITE)
    pytester.imported = LIVE

    def run(*options: str):
        return pytester.runpytest_subprocess(
            f"--model={MODEL}", f"--llmpref-entities={recorded / 'twelve.csv'}", *options
        )

    return run


def results(pytester, folder="reports") -> dict:
    return json.loads((pytester.path / folder / "latest/results.json").read_text())["models"][MODEL]["measures"]


def served(measure: dict) -> dict[str, int]:
    return {one["model"]: one["replies"] for one in measure["diagnostics"]["served"]}


def test_an_alias_that_moves_during_a_recording_makes_what_it_answered_invalid_and_replays_so(run, pytester, server):
    server.moved_at = 200
    outcome = run("--record-mode=new_episodes")
    outcome.stdout.no_fnmatch_line("*nothing was asked*")
    found = results(pytester)
    assert served(found["preference"]) == {DATED[0]: 132}
    assert served(found["donation_advice"]) == {DATED[0]: 68, DATED[1]: 64}
    assert not found["donation_advice"]["valid"]
    outcome.stdout.fnmatch_lines(["answers: served by aliased-2026-03-01, aliased-2026-08-01, 2 fingerprints,*"])
    assert outcome.parseoutcomes() == {"invalid": 1}
    for depth in ("reply", "wire"):
        assert run(f"--llmpref-replay={depth}").parseoutcomes() == {"invalid": 1}
        assert results(pytester)["donation_advice"]["reasons"] == found["donation_advice"]["reasons"]
    assert run("--llmpref-served=any").ret == 0
    assert results(pytester)["donation_advice"]["valid"]


def test_an_alias_that_moves_between_two_measures_spoils_their_comparison(run, pytester, server):
    server.moved_at = 132
    assert run("--record-mode=new_episodes").parseoutcomes() == {"invalid": 1}
    (reason,) = results(pytester)["donation_advice"]["reasons"]
    assert "aliased-2026-08-01 (132 of 132 replies) answered here" in reason


def test_a_new_release_under_the_old_name_is_told_that_nothing_was_asked(run, pytester, server):
    run("--record-mode=new_episodes", "-n2").stdout.no_fnmatch_line("*nothing was asked*")
    asked = len(server.received)
    again = run("--record-mode=new_episodes", "-n2")
    assert len(server.received) == asked
    again.stdout.fnmatch_lines(["nothing was asked: all answers were recorded on 20??-??-??; a new release needs*"])
    for name in ("report.html", "summary.md"):
        text = (pytester.path / "reports/latest" / name).read_text()
        assert "Nothing was asked: all answers were recorded on 20" in text
    run().stdout.no_fnmatch_line("*nothing was asked*")


def test_diff_names_who_answered_on_either_side(run, pytester, server, capsys):
    run("--record-mode=new_episodes", "--report-dir=old")
    server.moved_at = 0
    run("--record-mode=all", "--report-dir=new")
    assert results(pytester, "new")["preference"]["valid"]
    capsys.readouterr()
    main(["diff", *(str(pytester.path / side / "latest/results.json") for side in ("old", "new"))])
    said = capsys.readouterr().out
    assert "  old answers: served by aliased-2026-03-01, fingerprint fp_0," in said
    assert "  new answers: served by aliased-2026-08-01, fingerprint fp_1," in said


def test_a_canary_finds_the_recorded_model_unchanged_and_another_stale(run, pytester, server, recorded):
    run("--record-mode=new_episodes")
    before = len(server.received)
    same = run("--llmpref-canary=40", "-n2")
    assert same.parseoutcomes() == {"passed": 1}
    assert len(server.received) - before == 40, "workers ask it once"
    same.stdout.fnmatch_lines(["answers: *, 20", "questions asked again (p = 1)"])
    assert results(pytester)["preference"]["diagnostics"]["canary"] == {"questions": 20, "differing": 0, "p": 1.0}
    names = [entity.name for entity in load_entities(recorded / "twelve.csv")]
    server._model.utilities = {name: 4.4 - 0.8 * rank for rank, name in enumerate(names)}
    stale = run("--llmpref-canary=40")
    assert stale.parseoutcomes() == {"invalid": 1}
    assert "the recording is stale: 20 recorded questions" in results(pytester)["preference"]["reasons"][0]
    assert run().parseoutcomes() == {"passed": 1}, "a replay without the canary says what it said"
    canary = pytester.path / "cassettes/canary/openai--aliased.jsonl"
    assert len(canary.read_text().splitlines()) == 80, "each answer can be read"
