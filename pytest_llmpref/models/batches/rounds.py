"""The questions of a model, taken together into jobs as they come, and their answers.

A round ends when every question that was asked waits for a job: then all that wait go together. Nobody has to say what
a round is, so whatever asks again after an answer makes the next one.
"""

import asyncio
import contextlib
import contextvars
import functools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pytest_llmpref.models.batches.api import BatchApi, BatchError, Clock, Result, failed
from pytest_llmpref.models.batches.carrying import Call
from pytest_llmpref.models.batches.following import POLL_FIRST, Following, OnExchange
from pytest_llmpref.models.batches.jobs import Job, JobFile, Question
from pytest_llmpref.models.chat import ModelUnavailableError

SETTLED = 0.5
"""Seconds without a further question after which a round is over. Our choice."""
Purpose = Literal["wait", "submit", "collect"]


class BatchesUnderWayError(ModelUnavailableError):
    """Jobs were submitted, and the run was not to wait for them. Nothing is wrong."""


class NotInAnyJobError(ModelUnavailableError):
    """A question is in no job, and none may be submitted."""


@dataclass(slots=True)
class _Waiting:
    """A question that waits for a job, or for its answer."""

    question: Question
    call: Call
    refused: str
    answered: "asyncio.Future[tuple[Job, Result] | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Rounds:
    """The jobs of one model, as one run makes and awaits them.

    Parameters
    ----------
    model
        The model's name.
    file
        Where its jobs are written down.
    api
        Makes the provider's API of an ordinary call.
    least
        Fewest questions that go as a job.
    purpose
        Whether to ``wait`` for jobs, to ``submit`` them and end, or only to ``collect`` what earlier ones brought.
    began
        When the run began.
    anew
        Whether jobs of earlier runs have no say.
    tell
        Told in words how far the jobs are.
    clock
        The time.
    on_exchange
        See `Following`.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        model: str,
        file: JobFile,
        api: Callable[[Call, Clock], BatchApi],
        *,
        least: int,
        purpose: Purpose,
        began: datetime,
        anew: bool = False,
        tell: Callable[[str], None] = lambda _said: None,
        clock: Clock | None = None,
        on_exchange: OnExchange = lambda _job, _step, _response: None,
    ) -> None:
        self._model, self._file, self._make_api = model, file, api
        self._least, self._purpose, self._began, self._anew = least, purpose, began, anew
        self._make_following = functools.partial(
            Following, model, file, tell=tell, clock=clock or Clock(), on_exchange=on_exchange
        )
        self._clock = clock or Clock()
        self._api: BatchApi | None = None
        self._asked: dict[str, _Waiting] = {}  # for no job yet
        self._in_job: dict[str, dict[str, _Waiting]] = {}  # by job and key
        self._following: Following | None = None
        self._one_at_a_time = False
        self._most: int | None = None  # questions of a job, where that was found out
        self._busy = 0
        self._last = 0.0
        self._driver: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Say that what is inside may lead to a question of this round."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._last = asyncio.get_running_loop().time()

    async def answer(self, question: Question, call: Call, *, refused: str = "") -> tuple[Job, Result] | None:
        """Return what a job brings for a question, and the job; ``None`` if it goes the ordinary way.

        Parameters
        ----------
        question, call
            What is asked, and how.
        refused
            Token of the job whose answer was no good; empty at the first try.

        Raises
        ------
        BatchesUnderWayError, NotInAnyJobError
            If the run may not wait, or not submit.
        ModelUnavailableError
            If the provider takes no jobs, or a job of this run failed or was cancelled.
        """
        if self._api is None:
            self._api = self._make_api(call, self._clock)
            self._following = self._make_following(self._api)
        if (waiting := self._waits(question.key)) is not None:
            return await asyncio.shield(waiting.answered)
        waiting = self._asked[question.key] = _Waiting(question, call, refused)
        self._last = asyncio.get_running_loop().time()
        if self._driver is None or self._driver.done():
            # In a context of its own: what jobs send and receive belongs to no question.
            self._driver = asyncio.get_running_loop().create_task(self._drive(), context=contextvars.Context())
        return await waiting.answered

    async def close(self) -> None:
        """Stop waiting; jobs go on at the provider."""
        if self._driver is not None:
            self._driver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._driver
        if self._api is not None:
            await self._api.close()

    async def _drive(self) -> None:
        try:
            while self._asked or self._in_job:
                held = self._one_at_a_time and bool(self._in_job)
                if self._asked and not held and self._is_settled():
                    await self._take()
                elif self._in_job and (held or not self._asked):
                    await self._look()
                await self._rest()
        except Exception as error:  # noqa: BLE001 - whoever waits must learn of it
            wrong = (
                error if isinstance(error, ModelUnavailableError) else ModelUnavailableError(f"{self._model}: {error}")
            )
            self._fail(self._waiting(), wrong)

    def _waits(self, key: str) -> _Waiting | None:
        """Return who waits for the answer to the same question already."""
        found = (those[key] for those in (self._asked, *self._in_job.values()) if key in those)
        return next((one for one in found if not one.answered.done()), None)

    def _is_settled(self) -> bool:
        return not self._busy and asyncio.get_running_loop().time() - self._last >= SETTLED

    async def _rest(self) -> None:
        """Wait until there is something to do."""
        if self._asked and not (self._one_at_a_time and self._in_job):
            await asyncio.sleep(SETTLED / 5)
        elif self._in_job:
            wait = min((self._jobs.due_in(job) for job in self._in_job), default=0.0)
            # Not all of it at once: questions may come meanwhile.
            await (self._clock.sleep(min(wait, POLL_FIRST)) if wait > 0 else asyncio.sleep(0))

    def _waiting(self) -> list[_Waiting]:
        return [*self._asked.values(), *(one for job in self._in_job.values() for one in job.values())]

    def _fail(self, those: Iterable[_Waiting], error: Exception) -> None:
        for one in those:
            if not one.answered.done():
                one.answered.set_exception(error)
        self._forget()

    def _forget(self) -> None:
        """Drop who was answered, or went away."""
        self._asked = {key: one for key, one in self._asked.items() if not one.answered.done()}
        for token, those in list(self._in_job.items()):
            self._in_job[token] = {key: one for key, one in those.items() if not one.answered.done()}
            if not self._in_job[token]:
                del self._in_job[token]

    async def _take(self) -> None:
        """Give each question to the job that has it, or into a new one, or back to go the ordinary way."""
        self._forget()
        asked, self._asked = self._asked, {}
        try:
            jobs = self._sorted_into_jobs(asked)
        except Exception:
            self._asked = asked
            raise
        for number, job in enumerate(jobs):
            try:
                calls = {f"{job.token}-{key}": one.call for key, one in self._in_job[job.token].items()}
                await self._jobs.submit(job, calls)
            except BatchError as error:
                for one in jobs[number:]:
                    self._file.ended(one, "never submitted", str(error))
                raise ModelUnavailableError(
                    f"{self._model}: the provider took no batch ({error}); leave out --llmpref-batch, or mend what it "
                    "says"
                ) from error

    def _sorted_into_jobs(self, asked: Mapping[str, _Waiting]) -> list[Job]:
        """Do so, and return the new jobs, which are written down."""
        with self._file.locked():
            new = {key: one for key, one in asked.items() if not self._joins(key, one)}
            if self._purpose == "collect":
                self._fail(new.values(), NotInAnyJobError(f"{self._model}: a question is in no job"))
                return []
            if len(new) < self._least:
                for one in new.values():
                    one.answered.set_result(None)
                return []
            parts = list(self._parts(list(new.values())))
            if self._one_at_a_time:
                self._asked |= {one.question.key: one for part in parts[1:] for one in part}
                del parts[1:]
            return [self._written(part) for part in parts]

    def _joins(self, key: str, one: _Waiting) -> bool:
        """Let a question wait for the latest job that has it, if that may have an answer of use."""
        job = self._file.latest(key)
        if job is None or job.token == one.refused or (self._anew and job.written.at < self._began):
            return False
        if job.how in {"never submitted", "failed"}:
            return False
        self._in_job.setdefault(job.token, {})[key] = one
        return True

    def _parts(self, those: Sequence[_Waiting]) -> Iterator[list[_Waiting]]:
        """Split questions into jobs that the provider takes."""
        part, size = list[_Waiting](), 0
        most = min(self._known_api.most_requests, self._most or self._known_api.most_requests)
        for one in those:
            more = len(one.call.body) + _AROUND
            if part and (len(part) >= most or size + more > self._known_api.most_bytes):
                yield part
                part, size = [], 0
            part.append(one)
            size += more
        yield part

    def _written(self, part: Sequence[_Waiting]) -> Job:
        questions = [one.question for one in part]
        job = self._file.write(secrets.token_hex(6), self._model, self._known_api.provider, questions)
        self._in_job[job.token] = {one.question.key: one for one in part}
        return job

    @property
    def _known_api(self) -> BatchApi:
        if self._api is None:
            raise AssertionError("a question tells the API")
        return self._api

    @property
    def _jobs(self) -> Following:
        if self._following is None:
            raise AssertionError("a question tells the API")
        return self._following

    async def _look(self) -> None:
        """Look at each job that is due, and answer who waits for those that ended."""
        under_way = list[Job]()
        for token in list(self._in_job):
            job, is_due = self._file.jobs[token], self._purpose != "wait" or self._jobs.due_in(token) <= 0
            ended = is_due and await self._jobs.look(job)
            if token in self._in_job:
                # Unless whoever waited for it went away meanwhile.
                (self._end if ended else under_way.append)(job)
        if self._purpose != "wait" and under_way and not self._busy and (self._one_at_a_time or not self._asked):
            self._fail(self._waiting(), BatchesUnderWayError(under_way_text(self._model, under_way)))

    def _end(self, job: Job) -> None:
        """Answer who waits for a job that ended, or have their questions asked again."""
        if job.how == "never submitted":
            self._asked |= self._in_job.pop(job.token)
        elif job.how == "failed":
            self._give_up(job, job.said)
        else:
            self._give(job)

    def _give(self, job: Job) -> None:
        """Answer who waits for a job that ended."""
        brought, cancelled = self._jobs.brought[job.token], job.how == "cancelled" and job.written.at >= self._began
        missing = dict[str, _Waiting]()
        earlier = job.written.at < self._began and self._purpose != "collect"
        for key, one in self._in_job[job.token].items():
            said = f"the batch {job.id} ended ({job.said}) without an answer"
            result = brought.get(key) or Result(key, failed(said), "", None)
            if earlier and result.answer.status != _ANSWERED:
                # A run records failures, and the next one asks again.
                one.refused = job.token
                self._asked[key] = one
            elif cancelled and not result.answer.status:
                missing[key] = one
            elif not one.answered.done():
                one.answered.set_result((job, result))
        self._last = asyncio.get_running_loop().time()
        self._in_job[job.token] = {key: one for key, one in self._in_job[job.token].items() if key not in self._asked}
        if missing:
            self._fail(
                missing.values(),
                ModelUnavailableError(
                    f"{self._model}: the batch {job.id} was cancelled; what it had answered is recorded; run the same "
                    "command again to ask the rest"
                ),
            )
        self._forget()

    def _give_up(self, job: Job, said: str) -> None:
        size = len(self._in_job[job.token])
        if said.startswith(_TOO_MUCH) and size > 1:
            # The account may have no more under way: one job after another, each half as large.
            self._one_at_a_time, self._most = True, max(1, size // 2)
            self._asked |= self._in_job.pop(job.token)
            return
        if job.written.at < self._began:
            # Of an earlier run, which has told.
            self._asked |= self._in_job.pop(job.token)
            return
        error = ModelUnavailableError(
            f"{self._model}: the provider says that the batch {job.id} failed ({said}); mend that, and run the same "
            "command again"
        )
        self._fail(self._in_job[job.token].values(), error)


_ANSWERED = 200
_TOO_MUCH = "token_limit_exceeded"
"""OpenAI's and Azure's word for more tokens under way than the account may have."""
_AROUND = 160
"""Bytes around the body of a request in a job, about."""


def under_way_text(model: str, jobs: Iterable[Job]) -> str:
    """Say which jobs are under way, and what to do next."""
    lines = [f"{model}: batches are under way at the provider:"]
    lines += [f"  {job.id or job.token}: {len(job.written.questions):,} questions" for job in jobs]
    return "\n".join([*lines, "run the same command again to collect them, or wait: llmpref batches wait"])


def jobs_under_way(file: JobFile) -> Mapping[str, Job]:
    """Return the jobs that may be under way, by our own names of them."""
    return {token: job for token, job in file.jobs.items() if job.how is None}
