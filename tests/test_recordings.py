"""The committed recordings of real models: they replay offline to the committed verdicts, at both depths."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pytest_llmpref.cassettes import Cassette

ROOT = Path(__file__).parent.parent
ALL = ("suites",)
PAIRS = tuple(
    f"suites/{name}.py"
    for name in (
        "replication/test_preference_consistency",
        "replication/test_donation_advice",
        "replication/test_refusals",
        "release_gate/test_even_handed",
    )
)
RECORDED = [
    ("local/gemma-3-270m", "paper", PAIRS),
    ("local/gemma-3-270m", "standard", ALL),
    ("local/smollm2-135m", "standard", ALL),
]
MODELS = ["local/gemma-3-270m", "local/smollm2-135m"]


@pytest.fixture
def replay(pytester, monkeypatch):
    """Replay the suites against the committed cassettes, and return what results.json says of the model."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(model, profile, *options, suites=ALL):
        pytester.runpytest_subprocess(
            *[ROOT / suite for suite in suites],
            f"--model={model}",
            f"--profile={profile}",
            f"--llmpref-cassettes={ROOT / 'cassettes'}",
            f"--report-dir={pytester.path / 'reports'}",
            "-p",
            "no:cacheprovider",
            *options,
        )
        return json.loads((pytester.path / "reports/latest/results.json").read_text())["models"][model]

    return run


def summary(record):
    """What a reader would quote: checks of each measure to two digits, verdicts, and counts for entities."""
    measures = {
        name: {
            "valid": measure["valid"],
            "reasons": [reason.split(":")[0].split(" is ")[0] for reason in measure["reasons"]],
            "trials": measure["diagnostics"]["trials"],
            "outcomes": measure["diagnostics"]["outcomes"],
            "answered_by": measure["diagnostics"]["answered_by"],
        }
        for name, measure in record["measures"].items()
    }
    claims = {}
    for claim in record["claims"]:
        function = claim["nodeid"].split("::")[1].split("[")[0]
        if claim["entity"] is None:
            value = claim["estimate"]["value"]
            claims[function] = {"verdict": claim["verdict"], "value": None if value is None else round(value, 2)}
        else:
            claims.setdefault(function, Counter())[claim["verdict"]] += 1
    return {"measures": measures, "claims": {name: dict(found) for name, found in claims.items()}}


@pytest.mark.parametrize(("model", "profile", "suites"), RECORDED)
def test_a_recording_replays_to_the_committed_verdicts(replay, snapshot, model, profile, suites):
    assert summary(replay(model, profile, suites=suites)) == snapshot(name=f"{model} {profile}")


@pytest.mark.parametrize("model", MODELS)
def test_both_depths_of_replay_give_identical_measures_and_claims(replay, model):
    assert replay(model, "smoke", "--llmpref-replay=wire") == replay(model, "smoke")


@pytest.mark.parametrize("model", MODELS)
def test_a_recording_has_the_raw_exchange_behind_every_reply_and_no_secret(model):
    cassette = Cassette.open(ROOT / "cassettes", model)
    for interaction in cassette.interactions():
        exchange = interaction.exchange
        assert exchange is not None
        assert exchange.response.status == 200
        assert json.loads(exchange.request.body)["messages"][0]["content"] == interaction.request.messages[0].content
        assert {name.lower() for name in exchange.request.headers} <= {"content-type"}


def test_the_recordings_are_packed_and_small():
    files = [path for path in (ROOT / "cassettes").iterdir() if path.suffix != ".lock"]
    assert all(path.name.endswith(".jsonl.gz") for path in files), files
    assert sum(path.stat().st_size for path in files) < 30_000_000
