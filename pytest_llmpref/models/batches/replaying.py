"""A model whose recorded batches are replayed at the wire: each job's own exchanges, and no others."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import NamedTuple

from pytest_llmpref.models.batches.api import BatchApi, Clock
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import Job, Question, Written
from pytest_llmpref.models.batches.model import api_of, carry
from pytest_llmpref.models.chat import CallFailedError, Reply, Request
from pytest_llmpref.models.live import LiveModel

AnsweringJob = Callable[[str], AbstractContextManager[Collection[str]]]
"""Of our own name of a job: answers what is sent inside from its recorded exchanges, and returns their steps."""


class Brought(NamedTuple):
    """What is recorded of a reply that a batch brought: the provider's id of the job, and the line of its results."""

    job: str
    line: str


_brought: ContextVar[Brought | None] = ContextVar("llmpref_brought", default=None)


@contextmanager
def brought_by(job: str, line: str) -> Iterator[None]:
    """Say that the question asked inside was answered by a batch; see `Brought`."""
    token = _brought.set(Brought(job, line))
    try:
        yield
    finally:
        _brought.reset(token)


class ReplayedBatches:
    """A `ChatModel` that replays the jobs that brought its recorded replies, and has all else answered by another.

    Each job is submitted, looked at and read once, as its first question is asked.

    Parameters
    ----------
    live
        The model, which a cassette answers. Closed with this one.
    answering
        Answers what is sent about a job.
    """

    def __init__(self, live: LiveModel, answering: AnsweringJob) -> None:
        self.name = live.name
        self._live, self._carrier, self._answering = live, live.carried(), answering
        self._api: BatchApi | None = None
        self._jobs: dict[str, asyncio.Task[Mapping[str, Answer]]] = {}

    async def ask(self, request: Request) -> Reply:
        """Answer one request; raises what the model does.

        Raises
        ------
        CallFailedError
            If the job's exchanges give no reply any more.
        """
        if (brought := _brought.get()) is None:
            return await self._live.ask(request)
        call = await carry(self._carrier, request, None)
        if isinstance(call, Reply):
            return call
        if self._api is None:
            self._api = api_of(self._carrier)(call, Clock())
        came = await carry(self._carrier, request, await self._answer(brought, self._api, call))
        if not isinstance(came, Reply):
            raise CallFailedError(f"{self.name}: what the batch {brought.job} brought gives no reply")
        return came

    async def close(self) -> None:
        """Close the model."""
        if self._api is not None:
            await self._api.close()
        await self._carrier.close()
        await self._live.close()

    async def _answer(self, brought: Brought, api: BatchApi, call: Call) -> Answer:
        """Return what the job brought for a question, its exchanges being replayed the first time."""
        found = api.read(brought.line)
        if found is None:
            raise CallFailedError(f"{self.name}: the recorded line is none of a batch's results")
        name, _ = found
        if brought.job not in self._jobs:
            replay = self._replayed(name, brought.job, api, call)
            self._jobs[brought.job] = asyncio.get_running_loop().create_task(replay)
        results = await asyncio.shield(self._jobs[brought.job])
        if name not in results:
            raise CallFailedError(f"{self.name}: the recorded results of the batch {brought.job} lack {name}")
        return results[name]

    async def _replayed(self, name: str, identity: str, api: BatchApi, call: Call) -> Mapping[str, Answer]:
        """Submit, look at and read a job, and return its results by their names."""
        token, _, key = name.partition("-")
        job = Job(Written(token, self.name, api.provider, datetime.now(UTC), "", [Question(key)]))
        with self._answering(token) as steps:
            try:
                # The answer to the creation is not recorded where it got lost.
                created = await api.create(job, {name: call}) if "creation" in steps else identity
                status = await api.status(identity)
                found = [result async for result in api.results(status)]
            except Exception as error:
                # vcrpy raises an error of its own where nothing recorded matches.
                raise CallFailedError(f"{self.name}: the batch {identity} cannot be replayed ({error})") from error
        if created != identity or status.state == "under way":
            raise CallFailedError(
                f"{self.name}: by what is recorded the batch {identity} was created as {created}, and is {status.state}"
            )
        # Of two answers to one question the first holds, as it did then.
        return {result.custom_id: result.answer for result in reversed(found)}
