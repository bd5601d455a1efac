"""A judge that is asked over HTTP, recorded and replayed."""

import json

import pytest
from loopback import Answer, completion
from planted import PlantedModel
from planted_server import PlantedServer

from pytest_llmpref.config.entities import load_entities

SUITE = """
    def test_it(refusals):
        assert refusals
"""


UNCLEAR = "The weather is fine, and so are the trees."


class JudgedServer(PlantedServer):
    """Lets the measured model mumble every seventh time; the judge says that this is a refusal out of neutrality."""

    @property
    def default(self):
        if self.received[-1]["model"] == "judge":
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
    run.stderr.fnmatch_lines(["*trials are not recorded*", "*--llmpref-judge?openai/judge*"])
    server.start = server.stop = lambda: None
