"""Recorded batches, answered at the wire by what went over it about each job. The providers are imitations."""

import json

import pytest
from batch_server import serving_batches
from batched import KEY, NAMES, ask, batched, questions

from pytest_llmpref.cassettes import Cassette, CassetteError, RecordingModel, refuse_sockets
from pytest_llmpref.cassettes.jobs import answering, hand_over, keep
from pytest_llmpref.cassettes.wire import WireReplayModel
from pytest_llmpref.models.batches import rounds as rounds_module
from pytest_llmpref.models.batches.replaying import ReplayedBatches
from pytest_llmpref.models.opening import open_model


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(rounds_module, "SETTLED", 0.05)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")


@pytest.fixture
def server():
    with serving_batches() as running:
        yield running


def record(server, folder, name, requests):
    cassette = Cassette.open(folder, name)
    batches = batched(server, folder, name, on_result=hand_over, on_exchange=keep(cassette))
    return ask(RecordingModel(batches, cassette), requests)


def replay(folder, name, requests):
    cassette = Cassette.open(folder, name)
    live = open_model(name, {}, timeout=9.0, max_tries=1, max_wait=9.0, only_recorded=True)
    with refuse_sockets():
        return ask(WireReplayModel(ReplayedBatches(live, answering(cassette)), cassette), requests)


def steps(folder, name):
    lines = Cassette.open(folder, name).lines()
    return {line.request.messages[0].content: line.exchange for line in lines if line.request.asked == "batch"}


@pytest.mark.parametrize("name", NAMES)
def test_each_job_is_submitted_looked_at_and_read_again_from_its_own_exchanges(server, tmp_path, name):
    requests = questions(5, name)
    recorded = record(server, tmp_path, name, requests)
    assert [reply.batch for reply in recorded] == [server.jobs[0].id] * 5
    kept = steps(tmp_path, name)
    assert {"creation", "status", "results 1"} <= kept.keys()
    sent = json.dumps([exchange.request.body for exchange in kept.values()])
    assert all(request.messages[0].content in sent for request in requests)
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert replay(tmp_path, name, requests) == recorded


def test_a_job_whose_creation_was_not_answered_is_replayed_without_it(server, tmp_path):
    server.lose = 1
    requests = questions(3)
    recorded = record(server, tmp_path, "openai/tested", requests)
    assert steps(tmp_path, "openai/tested").keys() == {"upload", "status", "results 1"}
    assert replay(tmp_path, "openai/tested", requests) == recorded


@pytest.mark.parametrize("step", ["creation", "status", "results 1"])
def test_a_job_whose_exchanges_say_something_else_since_is_an_error(server, tmp_path, step):
    requests = questions(3)
    record(server, tmp_path, "openai/tested", requests)
    journal = Cassette.open(tmp_path, "openai/tested").journal
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    (changed,) = (line for line in lines if line["request"]["messages"][0]["content"] == step)
    received = changed["http"]["response"]
    for said, otherwise in (('"batch_0"', '"batch_1"'), ("completed", "no state"), ("-", "_")):
        received["body"] = received["body"].replace(said, otherwise)
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert all(isinstance(one, CassetteError) for one in replay(tmp_path, "openai/tested", requests))
