"""Agentic tasks from end to end: a scripted agent over HTTP, real tool calls in the real sandbox, the real scorers."""

import asyncio
import json
import textwrap

import pytest
from repository import ROOT

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_cyber")

from agent_server import PROGRAMS, serving_agent, solver
from confinement import confined
from loopback import Answer, completion, serving
from scripted_agents import BASH, SUBMIT, Scripted, made, run_all

from pytest_llmpref.cassettes import Cassette, MissingRecordingError
from pytest_llmpref.experiments.agents.bubblewrap import Confined, NoSandboxError
from pytest_llmpref.experiments.agents.run import ending_of
from pytest_llmpref.experiments.agents.tasks import load_tasks
from pytest_llmpref.models.addresses import NOWHERE
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError
from pytest_llmpref.models.live import LiveModel

PROFILE = (
    (ROOT / "fixtures/profiles/smoke.toml")
    .read_text()
    .replace("agentic_tasks = 3", "agentic_tasks = 2")
    .replace("agentic_messages = 40", "agentic_messages = 12")
)
SUITE = """
    from pytest_llmpref import effort_gap, success_gap

    def test_gap(agentic):
        assert abs(success_gap(agentic)) < 0.9

    def test_effort(agentic):
        assert abs(effort_gap(agentic, "messages")) < 0.9
"""


@pytest.fixture
def run_suite(pytester, monkeypatch, recorded):
    """Run a suite over two challenges for two and two entities and the control, against a server."""
    (pytester.path / "tiny.toml").write_text(PROFILE)
    pytester.makepyfile(test_it=textwrap.dedent(SUITE))

    def run(server, *options, model="openai/agent"):
        base = server.api_base if server else "http://127.0.0.1:9/v1"
        monkeypatch.setenv("OPENAI_API_BASE", base)
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        result = pytester.runpytest_subprocess(
            f"--model={model}",
            "--profile=tiny.toml",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "--llmpref-arms=apple-fund,berry-fund:cedar-fund,daisy-fund",
            "-p",
            "no:cacheprovider",
            "-rs",
            *options,
        )
        report = pytester.path / "reports/latest/results.json"
        return result, json.loads(report.read_text())["models"][model] if report.exists() else None

    return run


@confined
def test_an_agent_solves_is_cut_off_and_resumed_and_replays_without_server_or_sandbox(run_suite, pytester, monkeypatch):
    wheel = "--llmpref-agentic=cybench-wheel"
    live = (wheel, "--record-mode=new_episodes", "--llmpref-sandbox=bubblewrap")
    journal = pytester.path / "cassettes/openai--agent.jsonl"
    with serving_agent(solver) as server:
        _, found = run_suite(server, *live)
        # Two tasks say nothing about a gap, and a script that makes the same steps for everybody nothing about effort.
        assert [claim["verdict"] for claim in found["claims"]] == ["inconclusive", "invalid"]
        assert len(server.received) == 2 * 5 * 3
        cut = journal.read_text().splitlines(keepends=True)[: len(server.received)]
        journal.write_text("".join(cut))
        kept = sum('"asked"' not in line for line in cut)
        assert 0 < kept < len(server.received)
        _, resumed = run_suite(server, *live)
        assert len(server.received) == 2 * 5 * 3 * 2 - kept
    for measure in (found["measures"]["agentic"], resumed["measures"]["agentic"]):
        assert [entity["value"] for entity in measure["entities"].values()] == [1, 1, 1, 1]
        assert measure["control"]["value"] == 1
        assert measure["diagnostics"]["by_arm"]["top"]["mean"]["messages"] == 3
        assert measure["diagnostics"]["sandboxes"] == {"bubblewrap": 10}
        assert measure["diagnostics"]["success_gap"]["minimum_detectable"] > 0
    assert transcripts(found) == transcripts(resumed)
    monkeypatch.setenv("PATH", "/nowhere")
    _, by_key = run_suite(None, wheel)
    _, at_the_wire = run_suite(None, wheel, "--llmpref-replay=wire")
    assert by_key == resumed
    assert at_the_wire == resumed


def transcripts(model):
    return {run["key"]: run["transcript"] for run in model["measures"]["agentic"]["diagnostics"]["runs"]}


@confined
def test_a_simulated_model_works_in_process_is_labelled_and_records_nothing(run_suite, pytester):
    result, found = run_suite(None, "--llmpref-agentic=bundled", "--llmpref-sandbox=bubblewrap", model="sim/sandbagger")
    result.stdout.fnmatch_lines(["*llmpref: sim/sandbagger (simulated)*"])
    assert found["simulated"]
    diagnostics = found["measures"]["agentic"]["diagnostics"]
    assert diagnostics["sandboxes"] == {"bubblewrap": 10}
    assert diagnostics["ended"] == {"submitted": 10}
    assert diagnostics["by_arm"]["top"]["mean"]["calls"] > 1
    assert not list((pytester.path / "cassettes").glob("*.jsonl"))


def test_without_the_option_the_suite_is_skipped_and_says_how_to_turn_it_on(run_suite):
    result, _ = run_suite(None)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*add --llmpref-agentic bundled*"])


def test_missing_runs_are_an_error_before_the_first_question(run_suite):
    result, _ = run_suite(None, "--llmpref-agentic=bundled")
    result.stderr.fnmatch_lines(["*agentic: 10 of 10*", "*--llmpref-agentic?bundled*"])


SOLVED = {
    "cybench/dynastic", "cybench/primary_knowledge", "cybench/slcg", "cybench/partial_tenacity",
    "bundled/painted_note", "bundled/single_byte", "bundled/neighbours",
    "bundled/dry-warm-days", "bundled/digit-sums", "bundled/closed-roads",
}  # fmt: skip


@confined
def test_a_script_solves_tasks_by_programs_that_it_runs_and_both_depths_replay_to_the_same(tmp_path):
    tasks = load_tasks(("bundled", "cybench-wheel"))
    programs = "".join(path.read_text() for path in PROGRAMS.glob("*.py"))
    assert not [task.id for task in tasks if task.target in programs and not task.target.isdigit()]
    with serving_agent(solver) as server:
        live = run_all(tmp_path, tasks, LiveModel("openai/scripted", api_base=server.api_base, api_key="none"))
    endings = {task.id: ending_of(reply) for task, reply in zip(tasks, live, strict=True)}
    assert {task for task, ending in endings.items() if ending.correct} == SOLVED
    assert endings["cybench/slcg"].calls == {"bash": 1, "python": 1, "submit": 1}
    assert {ending.ended for ending in endings.values()} == {"submitted"}
    assert not any(ending.faults for ending in endings.values())
    nowhere = LiveModel("openai/scripted", api_base=NOWHERE, api_key="none")
    assert run_all(tmp_path, tasks, nowhere, replay="reply") == live
    assert run_all(tmp_path, tasks, nowhere, replay="wire") == live


DEADLY = "sleep 5 # and the sandbox is killed from outside, as nothing inside can kill it"


@pytest.fixture
def mortal(monkeypatch):
    """Have a sandbox killed while a certain command runs in it."""
    execute = Confined.execute

    async def killed(self, cmd, *arguments, **options):
        if DEADLY in cmd[-1]:
            asyncio.get_running_loop().call_later(0.5, self._process.kill)
        return await execute(self, cmd, *arguments, **options)

    monkeypatch.setattr(Confined, "execute", killed)


@confined
@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([("bash", '{"command": '), SUBMIT], "parsing"),
        ([("no_such_tool", "{}"), SUBMIT], "parsing"),
        ([("bash", BASH % "head -c 50M /dev/zero"), SUBMIT], "limit"),
        ([("bash", BASH % DEADLY), ("bash", BASH % "cat /root/note.txt"), SUBMIT], "sandbox"),
    ],
    ids=["broken JSON", "unknown tool", "50 MB of output", "a dead sandbox"],
)
def test_a_call_that_comes_to_nothing_is_counted_and_the_run_goes_on(tmp_path, steps, fault):
    reply = made(tmp_path, Scripted(*steps))
    ending = ending_of(reply)
    assert ending.faults == {fault: 1}
    assert ending.correct
    assert ending.ended == "submitted"
    assert made(tmp_path, Scripted(), replay=True) == reply


class ByTask(Scripted):
    """A model whose steps depend on a file that the task names."""

    def __init__(self, steps):
        super().__init__()
        self.by_file = steps

    async def ask(self, request):
        self.steps = next(steps for file, steps in self.by_file.items() if file in request.messages[1].content)
        return await super().ask(request)


@confined
@pytest.mark.usefixtures("mortal")
def test_faults_of_every_kind_are_counted_and_the_study_goes_on(tmp_path, monkeypatch):
    """One run each: broken JSON, an unknown tool, no end, a flood, a dead sandbox, a failed call, none, no sandbox."""
    started = []
    start = Confined.start

    async def one_that_does_not_start(limits=None):
        started.append(1)
        if len(started) == 9:  # the dead one was replaced
            raise NoSandboxError("no more sandboxes")
        return await start(limits)

    monkeypatch.setattr(Confined, "start", one_that_does_not_start)
    give_up = ("submit", '{"answer": "no"}')
    steps = {
        "disk.img": [("bash", '{"command": '), give_up],
        "message.hex": [("no_such_tool", "{}"), give_up],
        "first.txt": [("bash", BASH % "true")],
        "encrypt.py": [("bash", BASH % "head -c 50M /dev/zero"), give_up],
        "stock-shortfall": [("bash", BASH % DEADLY), give_up],
        "connections.csv": [CallFailedError("the provider failed for good")],
        "note.txt": [SUBMIT],
        "closed-roads": [give_up],
    }
    tasks = [t for t in load_tasks(("bundled",)) if any(file in f"{t.prompt} {t.files}" for file in steps)]
    assert len(tasks) == len(steps)
    # In the order of the steps, the one whose sandbox does not start as the last.
    tasks.sort(key=lambda task: next(n for n, file in enumerate(steps) if file in f"{task.prompt} {task.files}"))
    replies = run_all(tmp_path, tasks, ByTask(steps), in_flight=1)
    endings = [ending_of(reply) for reply in replies]
    faults = [None if ending is None else ending.faults for ending in endings]
    assert faults == [{"parsing": 1}, {"parsing": 1}, {}, {"limit": 1}, {"sandbox": 1}, None, {}, None]
    assert [ending.ended for ending in endings if ending] == [
        "submitted", "submitted", "message", "submitted", "submitted", "submitted",
    ]  # fmt: skip
    assert endings[6].correct
    assert "failed for good" in replies[5].text
    assert "no more sandboxes" in replies[7].text


@confined
@pytest.mark.parametrize(
    ("steps", "limits", "ended"),
    [
        ([("bash", BASH % "true")], {}, "message"),
        (["I would rather talk."], {}, "message"),
        ([("bash", BASH % "true")], {"seconds": 3}, "time"),
    ],
    ids=["endless loop", "never calls a tool", "out of time"],
)
def test_a_run_without_end_is_ended_and_counted(tmp_path, steps, limits, ended):
    reply = made(tmp_path, Scripted(*steps), **limits)
    assert ending_of(reply).ended == ended
    assert not ending_of(reply).correct
    assert made(tmp_path, Scripted(), replay=True, **limits) == reply


def test_a_replay_that_lacks_a_result_says_so(tmp_path):
    Cassette.open(tmp_path, "sim/scripted")
    with pytest.raises(MissingRecordingError):
        made(tmp_path, Scripted(), replay=True)


@confined
def test_an_unavailable_model_ends_the_study(tmp_path):
    with pytest.raises(ModelUnavailableError, match="no such key"):
        made(tmp_path, Scripted(ModelUnavailableError("no such key")))


@confined
def test_a_study_of_agents_whose_first_replies_are_all_cut_off_ends(run_suite):
    with serving() as server:
        server.default = Answer(completion("Let me think about what the task", finish="length"))
        result, _ = run_suite(server, "--record-mode=new_episodes", "--llmpref-agentic=bundled")
        asked = len(server.received)
    assert result.ret != 0
    assert "the first 5 replies were all cut off before they answered" in result.stdout.str() + result.stderr.str()
    # Of ten runs of twelve messages each.
    assert asked < 30
