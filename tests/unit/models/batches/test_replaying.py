"""Recorded jobs, each replayed once from its own exchanges, against an API that is a dictionary."""

import asyncio
from contextlib import contextmanager

import httpx
import pytest

from pytest_llmpref.models.batches.api import Result, Status
from pytest_llmpref.models.batches.carrying import Answer
from pytest_llmpref.models.batches.model import APIS
from pytest_llmpref.models.batches.replaying import ReplayedBatches, brought_by
from pytest_llmpref.models.chat import CallFailedError, Message, Reply, Request

REQUEST = Request("fake/x", (Message("user", "Which?"),), 1.0, 9)
STEPS = ("creation", "status", "results 1")


class Model:
    """Sends one call of httpx for each question, as litellm does."""

    name, provider = "fake/x", "fake"

    def __init__(self, said: str = "") -> None:
        self.said, self.closed = said, 0
        self.carrier = self

    def carried(self) -> "Model":
        self.carrier = Model()
        return self.carrier

    async def ask(self, _request: Request) -> Reply:
        if self.said:
            return Reply(self.said, "stop")
        async with httpx.AsyncClient() as client:
            return Reply((await client.post("https://api.test/v1/chat/completions", json={})).text, "stop")

    async def close(self) -> None:
        self.closed += 1


class FakeAPI:
    """What is recorded of jobs: lines ``name:answer`` by the provider's id of the job."""

    provider = "fake"

    def __init__(self) -> None:
        self.jobs = {"batch_0": ["one-a:A", "one-b:B", "one-a:again"], "batch_1": ["two-c:C"]}
        self.created, self.state = {"one": "batch_0", "two": "batch_1"}, "ended"
        self.inside: str | None = None
        self.sent: list[tuple[str | None, str, str]] = []
        self.closed = 0

    @contextmanager
    def answering(self, token: str, steps=STEPS):
        self.inside = token
        yield steps
        self.inside = None

    def read(self, line):
        name, found, said = line.partition(":")
        return (name, Answer(200, said.encode())) if found else None

    async def create(self, job, calls):
        self.sent.append((self.inside, "create", " ".join(calls)))
        return self.created[job.token]

    async def status(self, identity):
        self.sent.append((self.inside, "status", identity))
        return Status(self.state, "", (identity,))

    async def results(self, status):
        self.sent.append((self.inside, "results", status.results[0]))
        for line in self.jobs[status.results[0]]:
            yield Result(*self.read(line), line, None)

    async def close(self):
        self.closed += 1


@pytest.fixture
def api(monkeypatch):
    found = FakeAPI()
    monkeypatch.setitem(APIS, "fake", lambda _call, _clock: found)
    return found


async def one(model, job, line):
    if not job:
        return (await model.ask(REQUEST)).text
    with brought_by(job, line):
        return (await model.ask(REQUEST)).text


def replies(model, *brought):
    async def asked():
        try:
            return await asyncio.gather(*(one(model, job, line) for job, line in brought))
        finally:
            await model.close()

    return asyncio.run(asked())


def test_a_job_is_submitted_looked_at_and_read_once_for_all_its_questions(api):
    model = ReplayedBatches(Model("in a call"), api.answering)
    asked = [("batch_0", "one-a:A"), ("batch_0", "one-b:B"), ("batch_0", "one-a:A")]
    # Of two answers to one question the first.
    assert replies(model, *asked) == ["A", "B", "A"]
    assert api.sent == [("one", "create", "one-a"), ("one", "status", "batch_0"), ("one", "results", "batch_0")]


def test_each_job_is_answered_with_its_own_and_all_else_by_the_model(api):
    live = Model("in a call")
    model = ReplayedBatches(live, api.answering)

    async def in_turn():
        try:
            asked = [("batch_1", "two-c:C"), ("", ""), ("batch_0", "one-b:B")]
            return [await one(model, *brought) for brought in asked]
        finally:
            await model.close()

    assert asyncio.run(in_turn()) == ["C", "in a call", "B"]
    assert [(token, step) for token, step, _ in api.sent] == [
        (token, step) for token in ("two", "one") for step in ("create", "status", "results")
    ]
    assert (live.closed, live.carrier.closed, api.closed) == (1, 1, 1)


def test_what_a_batch_brought_is_what_the_download_says_and_not_what_the_line_of_the_reply_does(api):
    model = ReplayedBatches(Model("in a call"), api.answering)
    assert replies(model, ("batch_0", "one-b:changed since")) == ["B"]


def test_a_creation_that_was_not_answered_is_not_replayed(api):
    model = ReplayedBatches(Model("in a call"), lambda token: api.answering(token, STEPS[1:]))
    assert replies(model, ("batch_1", "two-c:C")) == ["C"]
    assert [step for _, step, _ in api.sent] == ["status", "results"]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ({}, "no line", "the recorded line is none of a batch's results"),
        ({}, "one-z:Z", "the recorded results of the batch batch_0 lack one-z"),
        ({"created": {"one": "batch_1"}}, "one-a:A", "the batch batch_0 was created as batch_1, and is ended"),
        ({"state": "under way"}, "one-a:A", "was created as batch_0, and is under way"),
        ({"jobs": {}}, "one-a:A", r"the batch batch_0 cannot be replayed \('batch_0'\)"),
    ],
)
def test_a_recording_that_says_something_else_since_is_an_error(api, change, line, message):
    for name, value in change.items():
        setattr(api, name, value)
    with pytest.raises(CallFailedError, match=f"fake/x: .*{message}"):
        replies(ReplayedBatches(Model("in a call"), api.answering), ("batch_0", line))
