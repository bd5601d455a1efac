"""Asking through a cassette: what is recorded is not asked again, what failed is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pytest_llmpref.cassettes import Cassette, CassetteWarning, MissingRecordingError, RecordingModel, ReplayModel
from pytest_llmpref.models.chat import CallFailedError, Message, ModelUnavailableError, Reply, Request


class Oracle:
    """A model that answers with the number of its calls, or fails as told."""

    name = "m"

    def __init__(self, prefix: str = "", failure: Exception | None = None) -> None:
        self.prefix = prefix
        self.failure = failure
        self.asked: list[Request] = []
        self.closed = 0

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        number = len(self.asked)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return Reply(f"{self.prefix}{number}", "stop")

    async def close(self) -> None:
        self.closed += 1


def question(number: int, repetition: int = 0) -> Request:
    return Request("m", (Message("system", "Be brief."), Message("user", f"Q{number}")), 1.0, 8, repetition)


async def ask_all(model, requests):
    try:
        return [reply.text for reply in await asyncio.gather(*map(model.ask, requests))]
    finally:
        await model.close()


def test_what_was_recorded_is_not_asked_again(tmp_path):
    first, second = Oracle(), Oracle("again ")
    some, more = [question(n) for n in range(3)], [question(n) for n in range(5)]
    assert asyncio.run(ask_all(RecordingModel(first, Cassette.open(tmp_path, "m")), some)) == ["1", "2", "3"]
    answers = asyncio.run(ask_all(RecordingModel(second, Cassette.open(tmp_path, "m")), more))
    assert answers == ["1", "2", "3", "again 1", "again 2"]
    assert second.asked == more[3:]
    assert (first.closed, second.closed) == (1, 1)
    assert asyncio.run(ask_all(ReplayModel(Cassette.open(tmp_path, "m")), more)) == answers


def test_a_model_in_process_is_recorded_without_http(tmp_path):
    cassette = Cassette.open(tmp_path, "m")
    asyncio.run(ask_all(RecordingModel(Oracle(), cassette), [question(1)]))
    assert cassette.lines()[0].exchange is None


def test_mode_all_asks_everything_anew_but_only_once(tmp_path):
    questions = [question(n) for n in range(3)]
    asyncio.run(ask_all(RecordingModel(Oracle("old "), Cassette.open(tmp_path, "m")), questions))
    oracle = Oracle("new ")
    model = RecordingModel(oracle, Cassette.open(tmp_path, "m"), "all")
    assert asyncio.run(ask_all(model, [*questions, *questions])) == ["new 1", "new 2", "new 3"] * 2
    assert oracle.asked == questions


def test_workers_of_one_run_in_mode_all_share_what_one_of_them_asked(tmp_path):
    asyncio.run(ask_all(RecordingModel(Oracle("old "), Cassette.open(tmp_path, "m")), [question(1)]))
    began = datetime.now(UTC)
    for oracle, asked in ((Oracle("new "), 1), (Oracle("newer "), 0)):
        model = RecordingModel(oracle, Cassette.open(tmp_path, "m"), "all", began)
        assert asyncio.run(ask_all(model, [question(1)])) == ["new 1"]
        assert len(oracle.asked) == asked
    late = RecordingModel(Oracle("newest "), Cassette.open(tmp_path, "m"), "all", began + timedelta(days=1))
    assert asyncio.run(ask_all(late, [question(1)])) == ["newest 1"]


@pytest.mark.parametrize(
    ("later", "asked"),
    [
        (timedelta(0), False),  # at the very moment at which the run began
        (timedelta(microseconds=-1), True),  # by an earlier run
        (timedelta(seconds=5), False),  # by this one
        (timedelta(days=1), True),  # by a clock that was ahead
    ],
)
def test_a_recording_of_all_asks_what_was_recorded_before_it_began_or_in_the_future(tmp_path, later, asked):
    began = datetime.now(UTC) - timedelta(seconds=10)
    cassette = Cassette.open(tmp_path, "m")
    cassette.append(question(1), Reply("old", "stop"), at=began + later)
    oracle = Oracle("new ")
    model = RecordingModel(oracle, cassette, "all", began)
    assert asyncio.run(ask_all(model, [question(1)])) == ["new 1" if asked else "old"]


def test_a_clock_that_is_set_back_does_not_have_a_question_asked_twice(tmp_path):
    """What is recorded then carries the time at which the run began, also for the next worker."""
    began, first, second = datetime.now(UTC) + timedelta(hours=1), Oracle("first "), Oracle("second ")
    for oracle in (first, second):
        model = RecordingModel(oracle, Cassette.open(tmp_path, "m"), "all", began)
        assert asyncio.run(ask_all(model, [question(1)])) == ["first 1"]
    assert (len(first.asked), len(second.asked)) == (1, 0)
    assert Cassette.open(tmp_path, "m").interaction(question(1).key).at == began


def test_a_request_in_flight_is_not_sent_twice_and_repetitions_are(tmp_path):
    oracle = Oracle()
    model = RecordingModel(oracle, Cassette.open(tmp_path, "m"))
    answers = asyncio.run(ask_all(model, [question(1), question(1), question(1, 1), question(1)]))
    assert answers == ["1", "1", "2", "1"]
    assert oracle.asked == [question(1), question(1, 1)]


def test_a_failed_call_is_recorded_as_an_error_and_asked_again_by_the_next_run(tmp_path):
    failing = Oracle(failure=CallFailedError("HTTP 400: this prompt is not accepted"))
    first = RecordingModel(failing, Cassette.open(tmp_path, "m"))
    assert asyncio.run(ask_all(first, [question(1), question(1)])) == ["HTTP 400: this prompt is not accepted"] * 2
    assert len(failing.asked) == 1

    replayed = asyncio.run(ReplayModel(Cassette.open(tmp_path, "m")).ask(question(1)))
    assert (replayed.finish, replayed.text) == ("error", "HTTP 400: this prompt is not accepted")

    assert asyncio.run(ask_all(RecordingModel(Oracle(), Cassette.open(tmp_path, "m")), [question(1)])) == ["1"]
    assert asyncio.run(ReplayModel(Cassette.open(tmp_path, "m")).ask(question(1))).text == "1"


def test_an_unavailable_model_leaves_nothing_behind(tmp_path):
    model = RecordingModel(Oracle(failure=ModelUnavailableError("no such model")), Cassette.open(tmp_path, "m"))
    with pytest.raises(ModelUnavailableError, match="no such model"):
        asyncio.run(ask_all(model, [question(1)]))
    assert len(Cassette.open(tmp_path, "m")) == 0


def test_what_was_not_recorded_is_an_error_that_names_model_key_prompt_and_fix(tmp_path):
    asked = Request("m", (Message("user", "Which of " + "the two " * 50),), 1.0, 8, repetition=4)
    with pytest.raises(MissingRecordingError) as caught:
        asyncio.run(ReplayModel(Cassette.open(tmp_path, "m")).ask(asked))
    message = str(caught.value)
    assert caught.value.request is asked
    for part in (asked.key, "repetition 4", "'Which of the two", "...", "--model m --record-mode new_episodes"):
        assert part in message
    assert len(message) < 500 + len(str(tmp_path))


def test_a_failure_never_replaces_an_earlier_reply(tmp_path):
    asyncio.run(ask_all(RecordingModel(Oracle("old "), Cassette.open(tmp_path, "m")), [question(1)]))
    failing = RecordingModel(Oracle(failure=CallFailedError("timed out")), Cassette.open(tmp_path, "m"), "all")
    with pytest.warns(CassetteWarning, match=r"timed out.*its earlier reply was kept"):
        assert asyncio.run(ask_all(failing, [question(1)])) == ["old 1"]
    assert asyncio.run(ReplayModel(Cassette.open(tmp_path, "m")).ask(question(1))).text == "old 1"
