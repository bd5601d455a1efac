"""What went over the wire about a job of a batch is kept once, and answers for that job alone."""

import httpx
import pytest

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cassettes.jobs import answering, hand_over, is_about, keep
from pytest_llmpref.cassettes.wire import capture, replaying_wire
from pytest_llmpref.models.batches.api import Result
from pytest_llmpref.models.batches.carrying import Answer
from pytest_llmpref.models.chat import Message, Request

NAME = "openai/x"
URL = "https://api.test/v1/batches"


def received(said: str, url: str = URL, method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.Response(200, text=said, headers=headers, request=httpx.Request(method, url, content="sent"))


def recorded(folder) -> Cassette:
    """Two jobs, the first of which was looked at twice."""
    cassette = Cassette.open(folder, NAME)
    record = keep(cassette)
    record("one", "creation", received("created one", method="POST"))
    record("two", "status", received("how two is", f"{URL}/batch"))
    record("one", "status", received("how one is", f"{URL}/batch"))
    record("one", "status", received("how one is later", f"{URL}/batch"))
    return cassette


def test_each_step_of_each_job_is_kept_once(tmp_path):
    recorded(tmp_path)
    lines = Cassette.open(tmp_path, NAME).lines()
    kept = [(line.request.run, line.request.messages[0].content, line.exchange.response.body) for line in lines]
    assert kept == [
        ("one", "creation", "created one"),
        ("two", "status", "how two is"),
        ("one", "status", "how one is"),
    ]
    sent = lines[0].exchange.request
    assert (sent.method, sent.uri, sent.body) == ("POST", URL, "sent")
    assert [is_about(line.request, "one") for line in lines] == [True, False, True]
    assert not is_about(Request(NAME, (Message("user", "status"),), 0.0, 0, run="one"), "one"), "a question is no step"


@pytest.mark.parametrize(("job", "steps"), [("one", {"creation", "status"}), ("two", {"status"}), ("three", set())])
def test_a_job_is_answered_with_what_is_recorded_of_it(tmp_path, job, steps):
    cassette = recorded(tmp_path)
    with replaying_wire(), answering(cassette)(job) as found:
        assert set(found) == steps
        if steps:
            assert httpx.get(f"{URL}/batch").text == f"how {job} is"


def test_a_reply_is_kept_with_its_own_line_of_the_download_and_nothing_of_the_others():
    whole = received("mine\nof another\n", **{"x-id": "7", "content-encoding": "identity"})
    with capture() as captured:
        hand_over(Result("q", Answer(200, b"{}"), "mine", None))
        assert captured.exchange is None, "it came some other way"
        hand_over(Result("q", Answer(200, b"{}"), "mine", whole))
    response = captured.exchange.response
    assert response.body == "mine"
    assert response.headers["x-id"] == ["7"]
    assert not {"content-length", "content-encoding", "transfer-encoding"} & response.headers.keys()
