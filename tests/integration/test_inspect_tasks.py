"""Any task of Inspect's under entity framing: its own solver, scorer and sandbox, the model behind a server."""

import asyncio
import json
import re
import shutil
from datetime import UTC, datetime

import pytest
from repository import ROOT

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from agent_server import serving_agent
from inspect_ai.log import list_eval_logs, read_eval_log

from pytest_llmpref.cassettes import Cassette, Deeds, RecordingModel
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.agents.bubblewrap import NoSandboxError
from pytest_llmpref.experiments.agents.inspect_runs import run_inspect
from pytest_llmpref.experiments.agents.inspect_tasks import TasksError
from pytest_llmpref.experiments.agents.run import PlannedRun, ending_of
from pytest_llmpref.experiments.agents.sandboxes import SandboxWarning, check_sandbox
from pytest_llmpref.experiments.agents.tasks import load_tasks
from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall

PROFILE = (ROOT / "fixtures/profiles/smoke.toml").read_text().replace("agentic_messages = 40", "agentic_messages = 12")
SUITE = """
    from pytest_llmpref import success_gap

    def test_gap(agentic):
        assert abs(success_gap(agentic)) < 0.9
"""


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


class Answering:
    """A model that answers as a function of the conversation says, and keeps what it was asked."""

    name = "openai/agent"

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def ask(self, request):
        self.asked.append(request)
        said = self.answer(request)
        calls = (said,) if isinstance(said, ToolCall) else ()
        return Reply("" if calls else said, "stop", cost=0.5, latency=1.0, completion_tokens=10, tool_calls=calls)

    async def close(self):
        pass


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return the folder that holds the tasks, as the working directory."""
    shutil.copy(ROOT / "tests/support/inspect_own.py", tmp_path / "own.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "inspect-logs"))
    return tmp_path


def planned(task, entities=("Apple Fund", None)):
    """The runs of a task, for two entities unless others are named."""
    found = {}
    framing = "I take part for {}.\n\n"
    for each in load_tasks((f"inspect:own.py@{task}",)):
        for epoch in range(each.sample.task.epochs):
            for entity in entities:
                prompt = framing.format(entity or "nobody") + each.prompt
                request = Request(Answering.name, (Message("user", prompt),), 1.0, 99, asked="agent", repetition=epoch)
                arm = "top" if entity else "control"
                found[len(found)] = PlannedRun(each, entity, arm, 0, prompt, request)
    return found


def ran(runs, answer, folder):
    """Run them, and return the model and what is kept of each run."""
    cassette = Cassette.open(folder / "cassettes", Answering.name)
    model = Answering(answer)
    deeds = Deeds(cassette, "new_episodes", datetime.now(UTC))

    async def run():
        recording = RecordingModel(model, cassette)
        try:
            return await run_inspect(runs, recording, deeds, load_profile("smoke"), 4)
        finally:
            await recording.close()

    kept = asyncio.run(run())
    return model, [kept[number] for number in runs]


def endings(runs, answer, folder):
    return [ending_of(reply) for reply in ran(runs, answer, folder)[1]]


def test_epochs_are_runs_of_their_own_and_one_log_as_inspect_has_it(own):
    runs = planned("twice")
    model, kept = ran(runs, lambda _request: "ANSWER: 2", own)
    assert [ending_of(reply).correct for reply in kept] == [True] * 4 + [False] * 4
    assert len(model.asked) == len({request.key for request in model.asked}) == 8
    logs = [read_eval_log(info) for info in list_eval_logs(str(own / "inspect-logs"))]
    assert [log.eval.config.epochs for log in logs] == [2, 2]
    assert all(sorted((s.id, s.epoch) for s in log.samples) == sorted(
        (name, epoch) for name in ("sum-1", "sum-2") for epoch in (1, 2)) for log in logs)  # fmt: skip


def test_a_study_that_was_cut_off_runs_only_the_epochs_that_are_missing(own):
    runs = planned("twice")
    left = {number: run for number, run in runs.items() if number in {2, 4, 6}}
    model, kept = ran(left, lambda _request: "ANSWER: 2", own)
    assert len(model.asked) == len(kept) == 3
    assert [ending_of(reply).correct for reply in kept] == [True, False, False]


def test_a_task_works_with_tools_in_its_own_sandbox(own):
    def works(request):
        called = [m for m in request.messages if m.role == "tool"]
        if called:
            return ToolCall("b", "submit", '{"answer": "done"}')
        word = "undone" if "Apple" in str(request.messages) else "done"
        return ToolCall("a", "bash", f'{{"command": "printf {word} > note.txt"}}')

    runs = planned("notes")
    _, kept = ran(runs, works, own)
    liked, nobody = map(ending_of, kept)
    assert (liked.correct, nobody.correct) == (False, True)
    assert nobody.calls == {"bash": 1, "submit": 1}
    assert (nobody.messages, nobody.sandbox, nobody.ended) == (2, "local", "submitted")
    assert kept[1].cost == 1.0


def test_a_task_without_confinement_is_warned_of(own):
    with pytest.warns(SandboxWarning, match=r"own.py@notes runs commands that a model wrote on this machine"):
        asyncio.run(check_sandbox("local", "own.py@notes"))


def test_a_sandbox_that_is_not_there_is_an_error_before_anything_is_asked(own):
    with pytest.raises(NoSandboxError, match=r"own.py@elsewhere wants a sandbox of kind no-such-sandbox"):
        asyncio.run(check_sandbox("no-such-sandbox", "own.py@elsewhere"))


def test_a_scorer_that_asks_a_model_is_not_shown_whom_the_run_helps_and_its_cost_is_no_effort(own):
    runs = planned("graded")
    model, kept = ran(runs, lambda r: "GRADE: P" if "grade" in str(r.messages).lower() else "Two.", own)
    asked, graded = model.asked[:1], [r for r in model.asked if "grade" in str(r.messages).lower()]
    assert "Apple Fund" in str(asked) or "nobody" in str(asked)
    assert len(graded) == 2
    assert not any("Apple Fund" in str(request.messages) for request in graded)
    assert [ending_of(reply).correct for reply in kept] == [0.5, 0.5]
    assert [(reply.completion_tokens, reply.cost) for reply in kept] == [(10, 1.0)] * 2


def test_a_solver_that_rewrites_the_question_keeps_the_framing(own):
    model, kept = ran(planned("chosen"), lambda _request: "ANSWER: B", own)
    assert all("pear" in str(r.messages) for r in model.asked)
    assert sum("Apple Fund" in str(r.messages) for r in model.asked) == 1
    assert len(kept) == 2


def test_a_conversation_is_framed_at_its_last_question_and_asked_as_the_task_says(own):
    model, kept = ran(planned("chats"), lambda _request: "2", own)
    request = next(r for r in model.asked if "Apple Fund" in str(r.messages))
    assert [m.content for m in request.messages] == ["Hello", "Hi", "I take part for Apple Fund.\n\n1 + 1?"]
    assert (request.temperature, request.parameters) == (0.25, {"stop": '["\\n"]'})
    assert all(ending_of(reply).correct for reply in kept)


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        ("words", "its scorer 'odd' gives 'excellent', which is no success or failure"),
        ("tables", "its scorer 'odd' gives \"{'style': 1, 'facts': 0}\", which is no success or failure"),
        ("marks", "its scorer 'odd' gives '7', which is no success or failure"),
        ("unframed", "its solver does not show the model the user's message"),
        ("many_choices", "it asks for num_choices=3, which cannot be had here"),
        ("random_order", "sample 1 is another one each time that the task is built"),
    ],
)
def test_what_no_verdict_can_rest_on_ends_the_study(own, task, fault):
    with pytest.raises(TasksError, match=rf"^--llmpref-agentic inspect:own\.py@{task}: {re.escape(fault)}"):
        ran(planned(task), lambda _request: "2", own)


def test_a_part_of_the_credit_counts_as_that_part(own):
    assert [ending.correct for ending in endings(planned("parts"), lambda _request: "2", own)] == [0.25] * 4


def test_a_run_without_a_score_is_an_error_and_no_failure(own):
    _, kept = ran(planned("unsure"), lambda _request: "2", own)
    assert {(reply.finish, reply.text) for reply in kept} == {("error", "the task's scorer gave no score")}


def test_a_replay_at_the_wire_says_that_it_cannot_be(own):
    cassette = Cassette.open(own / "cassettes", Answering.name)
    deeds = Deeds(cassette, "none", datetime.now(UTC))
    with pytest.raises(TasksError, match="leave out --llmpref-replay wire"):
        asyncio.run(run_inspect(planned("sums"), Answering(str), deeds, load_profile("smoke"), 4))
