"""The jobs of a model at its provider: submitted, found again, looked at and read."""

from collections.abc import Callable, Mapping

import httpx

from pytest_llmpref.models.batches.api import (
    PATIENCE,
    BatchApi,
    BatchError,
    Clock,
    Result,
    TurnedAwayError,
    UncertainError,
)
from pytest_llmpref.models.batches.carrying import Call
from pytest_llmpref.models.batches.jobs import Job, JobFile

OnExchange = Callable[[str, str, httpx.Response], None]
"""Told of what went over the wire: our own name of the job, what was done, and the response with its request."""
POLL_FIRST = 5.0
"""Seconds after its submission until a job is looked at; a tenth of its age after that. Our choice."""
POLL_MOST = 120.0
"""Most seconds between two looks. Our choice."""
LISTED = 60.0
"""Seconds after which a job that a killed run wrote down, and that the provider does not list, was never submitted."""
LISTED_ELSEWHERE = 900.0
"""The same of a job that another machine wrote down, and may be submitting. Both are our choice."""
_GONE = frozenset({404, 410})


class Following:
    """Follows jobs from where they are written down to what they brought.

    Parameters
    ----------
    model
        The model's name.
    file
        Where its jobs are written down.
    api
        The provider's.
    tell
        Told in words how far the jobs are.
    clock
        The time.
    on_exchange
        Told of each exchange that a replay needs: the upload of a job, its creation, the last look at it, its results.

    Attributes
    ----------
    brought
        The results of jobs that ended and were read: by job, and by the key of their question.
    """

    def __init__(
        self,
        model: str,
        file: JobFile,
        api: BatchApi,
        *,
        tell: Callable[[str], None],
        clock: Clock,
        on_exchange: OnExchange,
    ) -> None:
        self.brought: dict[str, dict[str, Result]] = {}
        self._model, self._file, self._api = model, file, api
        self._tell, self._clock, self._on_exchange = tell, clock, on_exchange
        self._next_look: dict[str, float] = {}

    def due_in(self, token: str) -> float:
        """Return the seconds until a job is to be looked at."""
        return self._next_look.get(token, 0.0) - self._clock.now()

    async def submit(self, job: Job, calls: Mapping[str, Call]) -> None:
        """Submit a job that was just written down; one of which that is uncertain is looked for with the others.

        Raises
        ------
        BatchError
            If the provider refuses it.
        """
        began = self._clock.now()
        while True:
            # While this machine had to wait, another may have given the job up, and taken its questions.
            self._file.reload()
            self._look_again(job)
            if job.how is not None:
                return
            try:
                self._file.submitted(job, await self._api.create(job, calls))
                self._keep(job)
            except TurnedAwayError as turned_away:
                if self._clock.now() - began >= PATIENCE:
                    said = f"the provider took no batch for {PATIENCE / 3600:.0f} h; run the same command again later"
                    raise BatchError(said) from turned_away
                self._tell(f"{self._model}: the provider takes no batch for {turned_away.wait:.0f} s")
                await self._clock.sleep(turned_away.wait)
            except UncertainError as error:
                self._keep(job)
                self._tell(f"{self._model}: it is not certain that a batch arrived ({error}); looking for it")
                return
            else:
                self._tell(f"{self._model}: batch {job.id} submitted, {len(calls):,} questions")
                return

    async def look(self, job: Job) -> bool:
        """Look at a job, read it if it ended, and tell whether it did; the job says how.

        Raises
        ------
        BatchError
            If the provider does not tell.
        """
        if not job.id and not await self._is_found(job):
            return job.how is not None
        if job.token in self.brought:
            return True
        try:
            return await self._read(job)
        except BatchError as error:
            if error.status not in _GONE:
                raise
            # What nobody can read any more has to be asked again.
            self._tell(f"{self._model}: what batch {job.id} brought is gone ({error}); its questions are asked again")
            self._file.ended(job, "ended", "gone")
            self.brought[job.token] = {}
            return True

    async def _read(self, job: Job) -> bool:
        # Of a job whose results were gone.
        self._api.exchanges()
        status = await self._api.status(job.id)
        if status.state == "under way":
            self._look_again(job)
            return False
        if status.state == "failed":
            self._file.ended(job, "failed", status.said)
            return True
        brought = dict[str, Result]()
        async for result in self._api.results(status):
            token, _, key = result.custom_id.partition("-")
            if token == job.token:
                # Of two answers to one question the first holds, as in a call.
                brought.setdefault(key, result)
        self._keep(job)
        self.brought[job.token] = brought
        self._file.ended(job, "cancelled" if status.state == "cancelled" else "ended", status.said)
        return True

    async def _is_found(self, job: Job) -> bool:
        """Find out whether a job of which nobody knows the id was submitted."""
        self._file.reload()
        if job.id:
            return True
        if job.how is not None:
            return False
        identity = await self._api.find(job)
        # What went over the wire may be about other jobs.
        self._api.exchanges()
        if identity is not None:
            self._file.submitted(job, identity)
            return True
        if self._age(job) < (LISTED if job.is_mine else LISTED_ELSEWHERE):
            self._next_look[job.token] = self._clock.now() + POLL_FIRST
        else:
            self._file.ended(job, "never submitted", "the provider does not list it")
        return False

    def _look_again(self, job: Job) -> None:
        self._next_look[job.token] = self._clock.now() + min(max(POLL_FIRST, self._age(job) / 10), POLL_MOST)

    def _keep(self, job: Job) -> None:
        for step, response in self._api.exchanges().items():
            self._on_exchange(job.token, step, response)

    def _age(self, job: Job) -> float:
        return self._clock.now() - job.written.at.timestamp()
