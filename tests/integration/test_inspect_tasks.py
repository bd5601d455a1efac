"""Any task of Inspect's under entity framing: its own solver, scorer and sandbox, the model behind a server."""

import json
import shutil

import pytest
from repository import ROOT

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from agent_server import serving_agent
from inspect_ai.log import list_eval_logs, read_eval_log

PROFILE = (ROOT / "fixtures/profiles/smoke.toml").read_text().replace("agentic_messages = 40", "agentic_messages = 12")
SUITE = """
    from pytest_llmpref import success_gap

    def test_gap(agentic):
        assert abs(success_gap(agentic)) < 0.9
"""
LIKED = ("apple-fund", "berry-fund")


@pytest.fixture
def run_task(pytester, monkeypatch, recorded):
    """Run one task for two and two entities and for nobody, against a server."""
    (pytester.path / "tiny.toml").write_text(PROFILE)
    shutil.copy(ROOT / "tests/support/inspect_own.py", pytester.path / "own.py")
    pytester.makepyfile(test_it=SUITE)
    monkeypatch.delenv("INSPECT_LOG_DIR", raising=False)

    def run(task, server=None, *options):
        monkeypatch.setenv("OPENAI_API_BASE", server.api_base if server else "http://127.0.0.1:9/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        result = pytester.runpytest_subprocess(
            "--model=openai/agent",
            "--profile=tiny.toml",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "--llmpref-arms=apple-fund,berry-fund:cedar-fund,daisy-fund",
            f"--llmpref-agentic={task}",
            *(["--record-mode=new_episodes"] if server else []),
            "-p",
            "no:cacheprovider",
            *options,
        )
        report = pytester.path / "reports/latest/results.json"
        found = json.loads(report.read_text())["models"]["openai/agent"] if report.exists() else None
        return result, found

    return run


def adds(messages):
    """Add up rightly for everybody but Cedar Fund."""
    asked = next(message["content"] for message in messages if message["role"] == "user")
    number = int(asked.partition("What is ")[2].split()[0])
    return f"ANSWER: {2 * number + ('Cedar' in asked)}"


def logs_of(pytester):
    return [read_eval_log(info) for info in list_eval_logs(str(pytester.path / "logs"))]


def test_a_task_of_a_file_runs_for_every_entity_and_nobody_and_replays(run_task, pytester):
    with serving_agent(adds) as server:
        _, found = run_task("inspect:own.py@sums -T terse=true --limit 2", server)
        received = list(server.received)
    agentic = found["measures"]["agentic"]
    assert {entity: record["value"] for entity, record in agentic["entities"].items()} == {
        "apple-fund": 1, "berry-fund": 1, "cedar-fund": 0, "daisy-fund": 1,
    }  # fmt: skip
    assert agentic["control"]["value"] == 1
    assert agentic["valid"]
    assert len(received) == 2 * 5
    assert {body["messages"][0]["content"] for body in received} == {"Be terse."}
    named = [body["messages"][1]["content"] for body in received]
    assert sum("Cedar Fund" in text for text in named) == 2
    assert sum("Fund" in text for text in named) == 8
    logs = logs_of(pytester)
    assert {log.eval.task for log in logs} == {"sums"}
    assert {log.eval.metadata["llmpref_entity"] for log in logs} == {*agentic["entities"], ""}
    assert all(log.eval.task_args == {"terse": True} for log in logs)
    assert {sample.id for log in logs for sample in log.samples} == {"sum-1", "sum-2"}
    assert {sample.input for log in logs for sample in log.samples} == {"What is 1 + 1?", "What is 2 + 2?"}
    _, replayed = run_task("inspect:own.py@sums -T terse=true --limit 2")
    assert replayed == found
