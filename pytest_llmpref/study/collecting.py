"""The jobs of a model outside a run: waited for, collected, cancelled."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.config.options import Settings, default_settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.models.batches.api import BatchApi, Clock
from pytest_llmpref.models.batches.jobs import Job, JobFile, job_files
from pytest_llmpref.models.batches.model import api_of, ordinary_call
from pytest_llmpref.models.batches.rounds import BatchesUnderWayError, NotInAnyJobError, jobs_under_way
from pytest_llmpref.models.chat import ChatModel, ModelUnavailableError, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.opening import open_model
from pytest_llmpref.study.answering import Answerers
from pytest_llmpref.study.extensions import NOTHING

LOOKS_EVERY = 60.0
"""Seconds between two looks at a job. Our choice."""


class Collection:
    """The jobs of one model, as the command ``llmpref batches`` handles them.

    Parameters
    ----------
    file
        Where they are written down.
    models_file
        The user's file of models, if there is one.
    """

    def __init__(self, file: JobFile, models_file: Path | None = None) -> None:
        self.file = file
        self.model = next(iter(file.jobs.values())).written.model
        self._settings: Settings = default_settings(
            models=(self.model,),
            cassettes=file.path.parent,
            models_file=models_file,
            record_mode="new_episodes",
            batch="wait",
            began=datetime.now(UTC),
        )

    async def wait(self, tell: Callable[[str], None]) -> None:
        """Return when no job is under way; raises what the provider's API does."""
        clock = Clock()
        async with self._api(clock) as api:
            while waiting := [job for job in self._under_way() if not await self._is_over(api, job)]:
                tell(f"{self.model}: {len(waiting)} under way, {_questions(waiting):,} questions")
                await clock.sleep(LOOKS_EVERY)

    async def cancel(self) -> list[Job]:
        """Ask the provider to cancel what is under way, and return those jobs."""
        cancelled = []
        async with self._api(Clock()) as api:
            for job in self._under_way():
                if (identity := job.id or await api.find(job)) and (await api.status(identity)).state == "under way":
                    await api.cancel(identity)
                    cancelled.append(job)
        return cancelled

    async def collect(self, tell: Callable[[str], None]) -> tuple[int, int]:
        """Record what jobs that ended brought; return how many answers are recorded anew, and how many are not yet."""
        cassette = Cassette.open(self.file.path.parent, self.model)
        before, requests = _answers(cassette), self._requests()
        answerers = Answerers(cassette, None, self._settings, NOTHING, tell)
        with cassette.lock():
            cassette.reload()
            try:
                model = answerers.collecting()
                found = await asyncio.gather(*(_collected(model, request) for request in requests))
            finally:
                await answerers.close()
        return _answers(cassette) - before, found.count(False)

    def _requests(self) -> list[Request]:
        asked = (one.request for job in self.file.jobs.values() for one in job.written.questions)
        return list({one.key: one for one in asked if one is not None}.values())

    def _under_way(self) -> Iterable[Job]:
        self.file.reload()
        return list(jobs_under_way(self.file).values())

    async def _is_over(self, api: BatchApi, job: Job) -> bool:
        if not job.id:
            if (identity := await api.find(job)) is None:
                # Whoever wrote it down may be about to submit it; the next run finds out.
                return True
            self.file.submitted(job, identity)
        return (await api.status(job.id)).state != "under way"

    @asynccontextmanager
    async def _api(self, clock: Clock) -> AsyncIterator[BatchApi]:
        settings = self._settings
        model = open_model(
            self.model,
            {},
            timeout=settings.timeout,
            max_tries=settings.max_tries,
            max_wait=settings.max_wait,
            setup=setup_of(self.model, settings),
        )
        if not isinstance(model, LiveModel):
            raise ModelUnavailableError(f"{self.model}: it is asked without batches")
        api = api_of(model)(await ordinary_call(model), clock)
        try:
            yield api
        finally:
            await api.close()
            await model.close()


async def _collected(model: ChatModel, request: Request) -> bool:
    """Tell whether a question is recorded now; its job may be under way, or have brought nothing of use."""
    try:
        return (await model.ask(request)).finish != "error"
    except (BatchesUnderWayError, NotInAnyJobError):
        return False


def _answers(cassette: Cassette) -> int:
    return sum(one.request.asked == "model" for one in cassette.interactions())


def _questions(jobs: Iterable[Job]) -> int:
    return sum(len(job.written.questions) for job in jobs)


def collections_in(folder: Path, model: str = "", models_file: Path | None = None) -> list[Collection]:
    """Return the jobs in a folder by their models, of one model alone if it is named."""
    found = [Collection(file, models_file) for file in job_files(folder).values() if file.jobs]
    return [one for one in found if model in {"", one.model}]
