"""A judge that is asked over HTTP, recorded and replayed."""

import json

import pytest
from forty_entities import write_forty
from loopback import Answer, completion
from planted import PlantedModel
from planted_server import PlantedServer

from pytest_llmpref.config.entities import load_entities

SUITE = """
    def test_it(refusals):
        assert refusals
"""


UNCLEAR = "The weather is fine, and so are the trees."


JUDGES = {"judge", "gpt-6-luna"}


class JudgedServer(PlantedServer):
    """Lets the measured model mumble every seventh time; the judge says that this is a refusal out of neutrality."""

    @property
    def default(self):
        if "<reply>" in self.received[-1]["messages"][-1]["content"]:
            return Answer(completion("NEUTRAL"))
        asked = sum(body["model"] == "served" for body in self.received)
        return Answer(completion(UNCLEAR)) if asked % 7 == 0 else super().default

    @default.setter
    def default(self, answer):
        """Ignore what the base class sets."""


@pytest.fixture
def server(recorded):
    entities = load_entities(recorded / "twelve.csv")
    found = JudgedServer(PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}))
    found.start()
    yield found
    found.stop()


def test_a_judge_is_asked_recorded_and_replayed_at_both_depths(live, pytester, server, monkeypatch):
    def refusal():
        results = json.loads((pytester.path / "reports/latest/results.json").read_text())
        assert results["run"]["judge"] == "openai/judge"
        return results["models"]["openai/served"]["measures"]["refusal"]

    run = live("--record-mode=new_episodes", "--llmpref-judge=openai/judge", source=SUITE)
    assert run.ret == 0, run.stdout.str()
    recorded = refusal()
    checks = recorded["diagnostics"]
    assert checks["judged"] > 20
    assert set(checks["refusal_reasons"]) == {"neutrality"}
    # Those of the control are judged too, and counted apart.
    assert 20 < checks["refusal_reasons"]["neutrality"] < checks["judged"]
    assert sorted(path.name for path in (pytester.path / "cassettes").glob("*.jsonl")) == [
        "openai--judge.jsonl",
        "openai--served.jsonl",
    ]
    shown = [body["messages"][-1]["content"] for body in server.received if body["model"] == "judge"]
    assert shown
    assert all(f"<reply>\n{UNCLEAR}\n</reply>" in text for text in shown)
    asked = len(server.received)
    server.stop()
    monkeypatch.delenv("OPENAI_API_KEY")
    for depth in ("reply", "wire"):
        run = live(f"--llmpref-replay={depth}", "--llmpref-judge=openai/judge", source=SUITE)
        assert run.ret == 0, run.stdout.str()
        assert refusal() == recorded
    assert len(server.received) == asked
    (pytester.path / "cassettes/openai--judge.jsonl").unlink()
    run = live("--llmpref-judge=openai/judge", source=SUITE)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(
        [
            "*trials are not recorded*",
            "*of them are answered, but openai/judge has not judged them*",
            "*--llmpref-judge?openai/judge*",
            "which takes about 0 tokens of prompts, and at most 0 of replies",
            "openai/judge may judge up to * replies",
        ]
    )
    run = live("--llmpref-judge=openai/judge", "--llmpref-plan", source=SUITE)
    run.stdout.fnmatch_lines(["*refusal * 0 * 0 * <= 0", "*judge: openai/judge", "*at most * calls,"])
    server.start = server.stop = lambda: None


def test_the_cheap_model_of_the_provider_judges_and_is_named_beside_the_results(live, pytester, server):
    run = live("--llmpref-plan", "--llmpref-judge=auto", source=SUITE)
    run.stdout.fnmatch_lines(
        [
            "*judge: openai/gpt-6-luna",
            "*for replies without an explicit choice: at most * calls,",
            "*prompt tokens and * reply tokens; at most about $*",
        ]
    )
    assert not server.received
    run = live("--record-mode=new_episodes", "--llmpref-judge=auto", source=SUITE)
    assert run.ret == 0, run.stdout.str()
    results = json.loads((pytester.path / "reports/latest/results.json").read_text())
    model = results["models"]["openai/served"]
    assert (results["run"]["judge"], model["judge"]) == ("auto", "openai/gpt-6-luna")
    judged = sum(body["model"] in JUDGES for body in server.received)
    found = model["measures"]["refusal"]["diagnostics"]["judged"]
    assert found >= judged > 20
    said = f"openai/gpt-6-luna judged {found} replies in which the rules found no choice"
    run.stdout.fnmatch_lines([f"*openai/gpt-6-luna judged {found} replies in*"])
    for name in ("report.html", "summary.md"):
        text = " ".join((pytester.path / "reports/latest" / name).read_text().split())
        assert said in text


def test_what_a_judge_takes_counts_for_the_limit_of_the_run(live, server):
    run = live(
        "--record-mode=new_episodes",
        "--llmpref-judge=openai/gpt-6-luna",
        "--llmpref-price=0/0",
        "--llmpref-max-cost=0.000001",
        source=SUITE,
    )
    assert run.ret != 0
    assert "openai/gpt-6-luna: the next call might exceed --llmpref-max-cost 1e-06" in (
        run.stdout.str() + run.stderr.str()
    )


def test_no_judge_is_known_for_a_model_that_runs_here(live, server):
    run = live("--model=local/x", "--llmpref-judge=auto", source=SUITE)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*no judge is known for local/x; name one by --llmpref-judge NAME*openai*"])


def test_a_model_judges_itself_from_one_recording(live, pytester, monkeypatch):
    """Of two readers of one cassette, one would not see in time what the other recorded: rounds would not go on."""
    write_forty(pytester.path)
    entities = load_entities(pytester.path / "forty.csv")
    own = JudgedServer(PlantedModel({entity.name: 0.4 * rank for rank, entity in enumerate(entities)}))
    own.start()
    try:
        monkeypatch.setenv("OPENAI_API_BASE", own.api_base)
        given = ["--llmpref-judge=openai/served", "--llmpref-entities=forty.csv", "--profile=few.toml"]
        source = "def test_it(preferences):\n    assert preferences"
        run = live("--record-mode=new_episodes", *given, source=source)
        assert run.ret == 0, run.stdout.str()
        recorded = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]
        asked = len(own.received)
        assert recorded["openai/served"]["measures"]["preference"]["diagnostics"]["judged"] > 20
        run = live(*given, source=source)
        assert run.ret == 0, run.stdout.str()
        assert json.loads((pytester.path / "reports/latest/results.json").read_text())["models"] == recorded
        assert len(own.received) == asked
    finally:
        own.stop()
