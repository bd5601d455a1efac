"""When questions go together, and who waits for what: in virtual time, against an API that is a dictionary."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest
import virtual_time

from pytest_llmpref.models.batches.api import Clock, Result, Status, UncertainError
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import JobFile, Question
from pytest_llmpref.models.batches.rounds import BatchesUnderWayError, NotInAnyJobError, Rounds

CALL = Call("https://api.test/v1/chat/completions", {}, b"{}")


class FakeAPI:
    """A provider in this process: jobs end after so many seconds."""

    provider = "fake"
    most_requests = 4
    most_bytes = 10_000

    def __init__(self, clock: Clock, takes: float = 3600.0) -> None:
        self.clock, self.takes = clock, takes
        self.jobs: dict[str, tuple[str, list[str], float]] = {}
        self.paid: Counter[str] = Counter()
        self.lost = 0
        self.wire: dict[str, httpx.Response] = {}

    async def create(self, job, calls):
        identity = f"batch_{len(self.jobs)}"
        self.jobs[identity] = (job.token, list(calls), self.clock.now())
        if self.lost:
            self.lost -= 1
            raise UncertainError("lost")
        self.wire["creation"] = httpx.Response(200, text=identity)
        return identity

    async def find(self, job):
        self.wire["status"] = httpx.Response(200, text="a list of all jobs")
        return next((identity for identity, (token, *_) in self.jobs.items() if token == job.token), None)

    async def status(self, identity):
        self.wire["status"] = httpx.Response(200, text=identity)
        over = self.clock.now() - self.jobs[identity][2] >= self.takes
        return Status("ended" if over else "under way", "completed", (identity,))

    async def results(self, status):
        self.wire["results 1"] = httpx.Response(200, text=status.results[0])
        for name in self.jobs[status.results[0]][1]:
            self.paid[name.partition("-")[2]] += 1
            yield Result(name, Answer(200, b"{}"), "", None)

    def exchanges(self):
        found, self.wire = self.wire, {}
        return found

    async def close(self):
        pass


@pytest.fixture
def clock():
    start = datetime.now(UTC).timestamp()
    return Clock(lambda: start + asyncio.get_running_loop().time(), asyncio.sleep)


@pytest.fixture
def provider(clock):
    return FakeAPI(clock)


@pytest.fixture
def rounds(tmp_path, clock, provider):
    def make(purpose="wait", least=1, **options):
        file = JobFile(tmp_path / "x.batches")
        began = datetime.now(UTC)
        return Rounds(
            "x", file, lambda _call, _clock: provider, least=least, purpose=purpose, began=began, clock=clock, **options
        )

    return make


async def answers(rounds, keys, **how):
    try:
        return await asyncio.gather(
            *(rounds.answer(Question(key), CALL, **how) for key in keys), return_exceptions=True
        )
    finally:
        await rounds.close()


def test_what_is_asked_at_once_goes_together_and_is_paid_once(rounds, provider):
    found = virtual_time.run(answers(rounds(), "abc"))
    assert [result.answer.status for _, result in found] == [200] * 3
    assert [names for _, names, _ in provider.jobs.values()] == [[f"{found[0][0].token}-{key}" for key in "abc"]]
    assert provider.paid == Counter("abc")


def test_a_round_waits_for_whoever_may_still_ask(rounds, provider):
    async def asked():
        made = rounds()

        async def later():
            with made.busy():
                await asyncio.sleep(40)
            return await made.answer(Question("b"), CALL)

        return await asyncio.gather(made.answer(Question("a"), CALL), later())

    virtual_time.run(asked())
    assert [len(names) for _, names, _ in provider.jobs.values()] == [2]


def test_jobs_are_no_larger_than_the_provider_takes(rounds, provider):
    virtual_time.run(answers(rounds(), "abcdefghij"))
    assert [len(names) for _, names, _ in provider.jobs.values()] == [4, 4, 2]


def test_too_few_go_the_ordinary_way(rounds, provider):
    assert virtual_time.run(answers(rounds(least=4), "abc")) == [None] * 3
    assert not provider.jobs


def test_a_later_run_finds_the_job_of_the_one_before(rounds, provider):
    found = virtual_time.run(answers(rounds("submit"), "abc"))
    assert all(isinstance(one, BatchesUnderWayError) for one in found)
    provider.takes = 0.0
    found = virtual_time.run(answers(rounds("submit"), "abcd"))
    assert [result.answer.status for _, result in found[:3]] == [200] * 3
    assert [len(names) for _, names, _ in provider.jobs.values()] == [3, 1]
    assert provider.paid == Counter("abcd")


def test_only_collected_nothing_is_submitted(rounds, provider):
    provider.takes = 0.0
    virtual_time.run(answers(rounds(), "a"))
    found = virtual_time.run(answers(rounds("collect"), "ab"))
    assert found[0][1].answer.status == 200
    assert isinstance(found[1], NotInAnyJobError)
    assert len(provider.jobs) == 1


def test_a_lost_answer_to_a_submission_is_no_second_submission(rounds, provider):
    provider.lost = 1
    found = virtual_time.run(answers(rounds(), "ab"))
    assert [result.answer.status for _, result in found] == [200] * 2
    assert len(provider.jobs) == 1


def test_an_answer_that_was_no_good_is_asked_for_in_another_job(rounds, provider):
    async def twice():
        made = rounds()
        job, _ = await made.answer(Question("a"), CALL)
        again, _ = await made.answer(Question("a"), CALL, refused=job.token)
        await made.close()
        return job.token, again.token

    first, second = virtual_time.run(twice())
    assert first != second
    assert len(provider.jobs) == 2


def test_a_question_that_two_ask_is_in_one_job_and_answered_to_both(rounds, provider):
    found = virtual_time.run(asyncio.wait_for(answers(rounds(), "aab"), 10 * 3600))
    assert [result.answer.status for _, result in found] == [200] * 3
    assert provider.paid == Counter("ab")


@pytest.mark.parametrize(("lost", "steps"), [(0, ["creation", "status", "results 1"]), (1, ["status", "results 1"])])
def test_what_went_over_the_wire_is_told_once_and_of_the_job_that_it_is_about(rounds, provider, lost, steps):
    provider.lost, told = lost, []
    made = rounds(on_exchange=lambda job, step, response: told.append((job, step, response.text)))
    found = virtual_time.run(answers(made, "ab"))
    assert told == [(found[0][0].token, step, "batch_0") for step in steps]
