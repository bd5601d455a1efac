"""Questions answered by batches, through the real litellm, against imitations of each provider's API.

Nothing here ran at a provider. The imitations have the forms of the APIs' documentation.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from batch_server import always_a, in_form_of, serving_batches
from batched import KEY, NAMES, FastClock, ask, asked_all, batched, live, questions

from pytest_llmpref.models.batches import rounds as rounds_module
from pytest_llmpref.models.batches.rounds import BatchesUnderWayError
from pytest_llmpref.models.chat import CallFailedError, Message, ModelUnavailableError, Reply, Request


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(rounds_module, "SETTLED", 0.05)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")


@pytest.fixture
def server():
    with serving_batches() as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_each_provider_is_sent_what_an_ordinary_call_sends_and_read_as_its_answer_is(server, tmp_path, name):
    requests = questions(3, name)
    ordinary = ask(live(server, name), requests)
    sent = server.chats.copy()
    assert len(sent) == 3
    replies = ask(batched(server, tmp_path, name), requests)
    assert len(server.chats) == 3
    (job,) = server.jobs
    assert sorted((body for _, body in job.requests), key=str) == sorted(sent, key=str)
    assert set(server.paid.values()) == {1}
    assert [reply.batch for reply in replies] == [job.id] * 3
    for one, other in zip(replies, ordinary, strict=True):
        assert one.text == "A"
        assert (one.finish, one.prompt_tokens, one.parameters) == (other.finish, other.prompt_tokens, other.parameters)
    about_jobs = server.headers[-1]
    assert KEY in str(about_jobs)


@pytest.mark.parametrize("name", ["openai/tested", "anthropic/tested"])
def test_litellm_is_handed_no_client_of_ours_and_others_send_meanwhile(server, tmp_path, name):
    import litellm

    async def together():
        model, other = batched(server, tmp_path, name), live(server, name)
        asked = asyncio.create_task(asked_all(model, questions(3, name)))
        (sent,) = await asked_all(other, questions(1, name))
        assert litellm.aclient_session is None
        replies = await asked
        # As whoever else uses litellm in this process may.
        await litellm.close_litellm_async_clients()
        return [sent, *replies]

    for number in range(2):
        (tmp_path / "tested.batches").unlink(missing_ok=True)
        replies = asyncio.run(together())
        assert [bool(reply.batch) for reply in replies] == [False, True, True, True]
        assert len(server.chats) == number + 1
        assert ask(live(server, name), questions(1, name))[0].text == "A"
        server.chats.pop()


def test_few_questions_go_the_ordinary_way(server, tmp_path):
    replies = ask(batched(server, tmp_path, least=4), questions(3))
    assert [reply.batch for reply in replies] == [""] * 3
    assert len(server.chats) == 3
    assert not server.jobs
    assert not (tmp_path / "tested.batches").exists()


def test_results_may_come_in_any_order_twice_malformed_or_not_at_all(server, tmp_path):
    def mangle(lines):
        server.mangle = list
        other = json.loads(lines[1])
        other["response"]["body"] = in_form_of({"messages": [{"content": ""}]}, "B")
        return ["no JSON", "[]", "{}", lines[3], lines[2][: len(lines[2]) // 2], lines[1], json.dumps(other)]

    server.mangle = mangle
    requests = questions(4)
    replies = ask(batched(server, tmp_path, least=1), requests)
    assert [reply.text for reply in replies] == ["A"] * 4
    assert len(server.jobs) == 2
    again = [name.partition("-")[2] for name, _ in server.jobs[1].requests]
    assert sorted(again) == sorted([requests[0].key, requests[2].key])


@pytest.mark.parametrize("name", ["openai/tested", "anthropic/tested", "gemini/tested", "mistral/tested", "xai/tested"])
def test_what_an_expired_job_left_goes_into_the_next(server, tmp_path, name):
    server.endings = ["expired"]
    replies = ask(batched(server, tmp_path, name), questions(4, name))
    assert [reply.text for reply in replies] == ["A"] * 4
    assert [len(job.requests) for job in server.jobs] == [4, 2]
    assert set(server.paid.values()) == {1}


def test_a_question_that_no_job_answers_fails_after_so_many(server, tmp_path):
    server.answering = lambda _body: (500, {"error": {"message": "broken", "type": "server_error"}})
    found = ask(batched(server, tmp_path), questions(2))
    assert all(isinstance(one, CallFailedError) and "3 batches brought no answer" in str(one) for one in found)
    assert len(server.jobs) == 3


def test_a_parameter_that_the_provider_refuses_is_left_out_of_the_next_job(server, tmp_path):
    def answering(body):
        if "temperature" in body:
            said = "Unsupported parameter: 'temperature' is not supported with this model."
            return 400, {"error": {"message": said, "type": "invalid_request_error", "param": "temperature"}}
        return always_a(body)

    server.answering = answering
    replies = ask(batched(server, tmp_path), questions(2))
    assert [reply.text for reply in replies] == ["A"] * 2
    assert [["temperature" in body for _, body in job.requests] for job in server.jobs] == [[True] * 2, [False] * 2]
    assert "temperature" not in replies[0].parameters


def test_what_failed_in_an_earlier_run_is_asked_again(server, tmp_path):
    server.answering = lambda _body: (400, {"error": {"message": "no", "type": "invalid_request_error"}})
    assert all(isinstance(one, CallFailedError) for one in ask(batched(server, tmp_path), questions(2)))
    server.answering = always_a
    replies = ask(batched(server, tmp_path), questions(2))
    assert [reply.batch for reply in replies] == ["batch_1"] * 2


def test_jobs_keep_to_the_providers_limits(server, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_llmpref.models.batches.openai.OpenAIBatches.most_requests", 3)
    server.most = 3
    assert all(reply.text == "A" for reply in ask(batched(server, tmp_path), questions(8)))
    assert [len(job.requests) for job in server.jobs] == [3, 3, 2]
    body = len(json.dumps(server.jobs[0].requests[0][1]))
    monkeypatch.setattr("pytest_llmpref.models.batches.openai.OpenAIBatches.most_bytes", 2 * (body + 165))
    del server.jobs[:]
    (tmp_path / "tested.batches").unlink()
    assert all(reply.text == "A" for reply in ask(batched(server, tmp_path), questions(5)))
    assert [len(job.requests) for job in server.jobs] == [2, 2, 1]


def test_a_provider_may_be_slow_for_a_day_turn_jobs_away_and_be_out_now_and_then(server, tmp_path):
    clock = FastClock()
    began = clock.time
    server.looks_needed = 700
    server.turn_away = [(429, {"error": {"message": "slow down"}}, {"retry-after": "7"})]
    server.unreachable = 3
    replies = ask(batched(server, tmp_path, clock=clock), questions(2))
    assert [reply.text for reply in replies] == ["A"] * 2
    assert 20 * 3600 < clock.time - began < 30 * 3600
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("name", ["openai/tested", "anthropic/tested", "gemini/tested", "mistral/tested", "xai/tested"])
def test_a_job_whose_creation_was_not_answered_is_found_and_not_paid_twice(server, tmp_path, name):
    server.lose = 1
    replies = ask(batched(server, tmp_path, name), questions(3, name))
    assert [reply.text for reply in replies] == ["A"] * 3
    assert len(server.jobs) == 1


def test_a_job_that_never_arrived_is_submitted_again(server, tmp_path):
    server.turn_away = [(503, {"error": {"message": "out"}}, {})]
    clock = FastClock()
    replies = ask(batched(server, tmp_path, clock=clock), questions(3))
    assert [reply.text for reply in replies] == ["A"] * 3
    assert len(server.jobs) == 1
    assert "never submitted" in (tmp_path / "tested.batches").read_text()


def test_a_job_that_the_provider_refuses_ends_the_study_and_says_why(server, tmp_path):
    server.turn_away = [(400, {"error": {"message": "this model has no batches"}}, {})]
    found = ask(batched(server, tmp_path), questions(2))
    assert all(isinstance(one, ModelUnavailableError) and "this model has no batches" in str(one) for one in found)
    server.endings = ["failed"]
    found = ask(batched(server, tmp_path), questions(2))
    assert all(isinstance(one, ModelUnavailableError) and "invalid: no good" in str(one) for one in found)
    # The next run submits again.
    assert all(reply.text == "A" for reply in ask(batched(server, tmp_path), questions(2)))


def test_a_cancelled_job_keeps_its_answers_and_the_next_run_asks_the_rest(server, tmp_path):
    server.endings = ["cancelled"]
    found = ask(batched(server, tmp_path), questions(4))
    assert sorted(isinstance(one, Reply) for one in found) == [False, False, True, True]
    assert all(isinstance(one, Reply) or "was cancelled" in str(one) for one in found)
    replies = ask(batched(server, tmp_path), questions(4))
    assert [reply.text for reply in replies] == ["A"] * 4
    assert set(server.paid.values()) == {1}


def test_an_account_that_may_have_little_under_way_gets_smaller_jobs_one_by_one(server, tmp_path):
    server.endings, server.said = ["failed", "failed"], "token_limit_exceeded"
    replies = ask(batched(server, tmp_path), questions(8))
    assert [reply.text for reply in replies] == ["A"] * 8
    assert [len(job.requests) for job in server.jobs] == [8, 4, 2, 2, 2, 2]
    assert server.most_under_way == 1


def test_results_that_are_gone_are_asked_for_again(server, tmp_path):
    ask(batched(server, tmp_path), questions(2))
    server.gone = {"batch_0"}
    replies = ask(batched(server, tmp_path), questions(2))
    assert [reply.batch for reply in replies] == ["batch_1"] * 2


def test_a_question_that_holds_a_secret_is_answered_and_not_written_down(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OUR_API_KEY", "shapeless credential 4711")
    secret = Request("openai/tested", (Message("user", "Is it shapeless credential 4711?"),), 0.5, 9)
    replies = ask(batched(server, tmp_path), [secret, *questions(2)])
    assert [reply.text for reply in replies] == ["A"] * 3
    written = (tmp_path / "tested.batches").read_text()
    assert "4711" not in written
    assert secret.key in written
    assert "Question 1?" in written


def test_a_run_that_only_submits_ends_and_a_later_one_collects(server, tmp_path):
    server.looks_needed = 2
    found = ask(batched(server, tmp_path, purpose="submit"), questions(3))
    assert all(isinstance(one, BatchesUnderWayError) for one in found)
    assert "batch_0: 3 questions" in str(found[0])
    found = ask(batched(server, tmp_path, purpose="submit"), questions(3))
    assert all(isinstance(one, BatchesUnderWayError) for one in found)
    replies = ask(batched(server, tmp_path, purpose="submit"), questions(3))
    assert [reply.text for reply in replies] == ["A"] * 3
    assert len(server.jobs) == 1
    assert set(server.paid.values()) == {1}


def test_asked_anew_jobs_of_before_have_no_say(server, tmp_path):
    ask(batched(server, tmp_path), questions(2))
    later = datetime.now(UTC) + timedelta(seconds=1)
    replies = ask(batched(server, tmp_path, began=later, anew=True, purpose="wait"), questions(2))
    assert [reply.batch for reply in replies] == ["batch_1"] * 2


def test_two_machines_on_one_file_pay_for_each_question_once(server, tmp_path):
    """Emulated: two models of one process, which share nothing but the file."""
    server.looks_needed = 3

    async def both():
        first, second = batched(server, tmp_path), batched(server, tmp_path)
        return await asyncio.gather(asked_all(first, questions(6)), asked_all(second, questions(6)[2:]))

    for replies in asyncio.run(both()):
        assert all(reply.text == "A" for reply in replies)
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == 6
