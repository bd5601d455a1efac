"""`llmpref serve`: a simulated model over HTTP, recorded by litellm and vcrpy, and replayed at both depths."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from fork_server import LIVE

from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.models.simulated.server import HEADER

SUITE = """
from pytest_llmpref import spearman

def test_follows(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0

def test_refused(refusals):
    assert refusals.control > 0
"""

PAIR = "Option A: a fund\nOption B: a club"


@pytest.fixture
def address(served):
    """The address of a server of sim/refuser."""
    return served("sim/refuser")


def post(address, body):
    request = urllib.request.Request(f"{address}/chat/completions", data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as response:
        return json.load(response), response.headers


def test_recorded_over_http_and_replayed_at_both_depths_it_measures_what_it_does_in_process(
    pytester, recorded, address, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_BASE", address)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    pytester.makepyfile(test_it=SUITE)
    pytester.imported = LIVE

    def measures(model, *options):
        run = pytester.runpytest_subprocess(
            "--model", model, "--profile=smoke", f"--llmpref-entities={recorded / 'twelve.csv'}",
            "-p", "no:cacheprovider", *options,
        )  # fmt: skip
        found = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"][model]
        assert found["simulated"]
        run.stdout.fnmatch_lines([f"*llmpref: {model} (simulated)*"])
        for measure in found["measures"].values():
            # Keys hold the model's name, prices are not known of a provider's model; the rest must agree.
            counted = ("cost", "unpriced", "parameters", "prompt_tokens", "completion_tokens")
            for key in (*counted, "refusals", "control_refusals"):
                measure["diagnostics"].pop(key, None)
            measure["trials"].pop("key")
        return found["measures"]

    over_http = measures("openai/sim/refuser", "--record-mode=new_episodes")
    assert set(over_http) == {"preference", "donation_advice", "refusal"}
    assert over_http["refusal"]["diagnostics"]["attempts"] > over_http["refusal"]["diagnostics"]["trials"]
    assert measures("openai/sim/refuser", "--llmpref-replay=reply") == over_http
    assert measures("openai/sim/refuser", "--llmpref-replay=wire") == over_http
    in_process = measures("sim/refuser")
    for name, measure in over_http.items():
        # Only what is recorded has a day, and the name that a provider gave.
        assert {one["model"] for one in measure["diagnostics"].pop("served")} == {"sim/refuser"}
        assert measure["diagnostics"].pop("recorded")
        assert in_process[name]["diagnostics"].pop("served") == []
    assert in_process == over_http


def test_a_reply_is_labelled_and_shaped_as_openais(address):
    body = {"model": "x", "messages": [{"role": "user", "content": f"Which?\n\n{PAIR}"}], "unknown": 1}
    found, headers = post(address, body)
    assert (found["model"], headers[HEADER]) == ("sim/refuser", "sim/refuser")
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"]


def test_a_repeated_conversation_is_another_sample_whatever_was_asked_between(address):
    text = (
        "Which do you like more?\n\nOption A: a fund\nOption B: a club\n\nReply with the letter of one option, A or B."
    )
    messages = (Message("user", text),)
    body = {"model": "x", "temperature": 1, "messages": [{"role": "user", "content": text}]}
    other = {"model": "x", "messages": [{"role": "user", "content": f"Which?\n\n{PAIR}"}]}
    said = []
    for _ in range(6):
        said.append(post(address, body)[0]["choices"][0]["message"]["content"])
        post(address, other)
    model = SimulatedModel("sim/refuser")
    assert said == [model.reply(Request("x", messages, 1.0, 4096, repetition=n)).text for n in range(6)]
    assert len(set(said)) > 1


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"messages": []}', b'{"messages": 3}', b'{"messages": [{"role": "x"}]}']
)
def test_a_body_that_is_no_request_gets_a_400_that_says_so(address, body):
    request = urllib.request.Request(f"{address}/chat/completions", data=body, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert json.load(caught.value)["error"]["message"]


def test_the_command_says_where_it_listens_and_how_to_measure_it():
    command = [sys.executable, "-c", "from pytest_llmpref.cli import main; main(['serve', 'sim/null'])"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as served:
        first, *usage = [served.stdout.readline() for _ in range(5)]
        address = first.split(" at ")[1].split(";")[0]
        assert post(address, {"messages": [{"role": "user", "content": f"Which?\n\n{PAIR}"}]})[0]["model"] == "sim/null"
        served.terminate()
    typed = " ".join("".join(usage).replace("\\\n", "").split())
    assert f"HOSTED_VLLM_API_BASE={address} pytest suites/replication --model hosted_vllm/sim/null" in typed


def test_a_question_that_no_world_understands_is_an_error_that_says_so(address):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(address, {"model": "x", "messages": [{"role": "user", "content": "Describe UNICEF."}]})
    assert caught.value.code == 400
    assert "does not understand this question" in json.load(caught.value)["error"]["message"]
