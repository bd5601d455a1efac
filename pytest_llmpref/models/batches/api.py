"""What a provider's batch API is to the rest: jobs are created, found, looked at, read and cancelled."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import httpx
import msgspec

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.allowance import wait_in
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import Job

State = Literal["under way", "ended", "failed", "cancelled"]

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TOO_MANY = 429
WAIT_FIRST = 5.0
"""Seconds before a request about a job is tried again; doubled with each further try. Our choice."""
WAIT_MOST = 300.0
"""Most of these seconds."""
AGAIN = 60.0
"""Seconds after which a job is submitted again that was turned away, where the provider names none. Our choice."""
PATIENCE = 24 * 3600.0
"""Seconds for which a provider that cannot be reached is asked about a job again. Our choice."""


class BatchError(LLMPrefError):
    """A provider did not do what was asked of its batch API; ``status`` is what HTTP says, 0 if it says nothing."""

    def __init__(self, said: str, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class TurnedAwayError(Exception):
    """The provider takes no job just now; ``wait`` is for how many seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"wait {wait:.0f} s")
        self.wait = wait


class UncertainError(Exception):
    """Nobody knows whether a job was created: the answer to its creation got lost."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, which tests let run faster."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is.

    Attributes
    ----------
    state
        Whether it may still bring answers.
    said
        What the provider said where it did not end well.
    results
        Addresses of its results, as far as there are any.
    """

    state: State
    said: str = ""
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One answer of a job: the name of its question there, the answer, the line that holds it, and how it came."""

    custom_id: str
    answer: Answer
    line: str
    came: httpx.Response | None


class BatchApi(Protocol):
    """One provider's batch API, reached as an ordinary call of the model would be."""

    provider: str
    most_requests: int
    most_bytes: int

    async def create(self, job: Job, calls: Mapping[str, Call]) -> str:
        """Submit a job, its calls by their names, and return the provider's id of it.

        Raises
        ------
        TurnedAwayError
            If the provider takes none just now.
        UncertainError
            If it is not known whether the job was created.
        BatchError
            If it was not.
        """
        ...

    async def find(self, job: Job) -> str | None:
        """Return the id of a job that may have been created; ``None`` if there is none."""
        ...

    async def status(self, identity: str) -> Status:
        """Say how far a job is."""
        ...

    def read(self, line: str) -> tuple[str, Answer] | None:
        """Read one line of results; ``None`` if it is not a result."""
        ...

    def results(self, status: Status) -> AsyncIterator[Result]:
        """Download the results of a job that ended."""
        ...

    async def cancel(self, identity: str) -> None:
        """Ask the provider to cancel a job."""
        ...

    def exchanges(self) -> dict[str, httpx.Response]:
        """Return, and forget, what went over the wire about one job since this was last called.

        The last answer to each step: ``upload``, ``creation``, ``status``, ``results`` with their numbers.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class Provider:
    """Requests about jobs, with the headers and at the server of an ordinary call.

    Parameters
    ----------
    call
        An ordinary call of the model.
    clock
        Waits between tries.
    """

    def __init__(self, call: Call, clock: Clock) -> None:
        self.call = call
        self._clock = clock
        self._client = httpx.AsyncClient(headers=call.credentials, timeout=120.0)
        self._exchanges: dict[str, httpx.Response] = {}

    def exchanges(self) -> dict[str, httpx.Response]:
        """Return, and forget, what went over the wire; see `BatchApi`."""
        found, self._exchanges = self._exchanges, {}
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, url: str, *, step: str = "", **parameters: str) -> dict[str, Any]:
        """Return the JSON at an address; ``step`` is for `exchanges`, which knows nothing else of it."""
        return _object(await self.request("GET", url, step=step, params=parameters or None))

    async def post(self, url: str, *, step: str = "", **sent: Any) -> dict[str, Any]:
        """Send something that may be sent twice, and return the JSON that comes back; see `get`."""
        return _object(await self.request("POST", url, step=step, **sent))

    async def create(self, url: str, **sent: Any) -> dict[str, Any]:
        """Send something that must not be sent twice.

        Raises
        ------
        TurnedAwayError
            If it may be sent again later.
        UncertainError
            If it may have arrived.
        BatchError
            If the provider refused it.
        """
        try:
            response = await self._send("POST", url, **sent)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise TurnedAwayError(WAIT_FIRST) from error
        except httpx.HTTPError as error:
            raise UncertainError(f"{type(error).__name__}: {error}") from error
        if response.status_code == _TOO_MANY and "insufficient_quota" not in response.text:
            raise TurnedAwayError(_wait(response) or AGAIN)
        if response.status_code >= 500 or response.status_code in {408, 409}:
            raise UncertainError(_said(response))
        try:
            return _object(self._kept("creation", response))
        except BatchError:
            if response.is_success:
                raise UncertainError(_said(response)) from None
            raise

    async def download(self, url: str, number: int) -> AsyncIterator[tuple[str, httpx.Response]]:
        """Yield the lines of results at an address, once all of them are here, with how they came."""
        response = await self.request("GET", url, step=f"results {number}")
        for line in response.content.split(b"\n"):
            if line.strip():
                yield line.decode("utf-8", "replace"), response

    async def request(self, method: str, url: str, *, step: str = "", **sent: Any) -> httpx.Response:
        """Send a request that may be sent twice, for as long as `PATIENCE` lasts.

        Raises
        ------
        BatchError
            If it was turned away, or not answered for so long.
        """
        began, wait = self._clock.now(), WAIT_FIRST
        while True:
            try:
                response = await self._send(method, url, **sent)
            except httpx.HTTPError as error:
                said, asked = f"{type(error).__name__}: {error}", None
            else:
                if response.status_code not in _PASSING:
                    return self._kept(step, response)
                said, asked = _said(response), _wait(response)
            if self._clock.now() - began >= PATIENCE:
                raise BatchError(f"{url} did not answer for {PATIENCE / 3600:.0f} h ({said}); run again later")
            await self._clock.sleep(max(wait, asked or 0.0))
            wait = min(2 * wait, WAIT_MOST)

    async def _send(self, method: str, url: str, **sent: Any) -> httpx.Response:
        request = self._client.build_request(method, url, **sent)
        # The parts of an upload are put together as they are read, and whoever keeps the exchange reads them again.
        await request.aread()
        return await self._client.send(request)

    def _kept(self, step: str, response: httpx.Response) -> httpx.Response:
        _checked(response)
        if step:
            self._exchanges[step] = response
        return response


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        raise BatchError(f"{response.request.method} {response.request.url}: {_said(response)}", response.status_code)
    return response


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BatchError(f"{response.request.url} answered with something that is no JSON object ({error})") from None


def _said(response: httpx.Response) -> str:
    return f"{response.status_code}: {response.text.strip()[:300]}"


def _wait(response: httpx.Response) -> float | None:
    return wait_in({name.lower(): value for name, value in response.headers.items()}, response.text)


def failed(said: str) -> Answer:
    """Return the answer of a question to which a job brought none."""
    return Answer(0, said.encode())


def error_answer(status: int, error: Any) -> Answer:
    """Return the answer of a question that the provider turned away."""
    return Answer(status, msgspec.json.encode({"error": error if isinstance(error, dict) else {"message": str(error)}}))


def stamp(at: datetime) -> float:
    """Return a time in seconds, an hour early: clocks differ."""
    return at.timestamp() - 3600.0


def decoded_line(line: str) -> dict[str, Any] | None:
    """Return the JSON object of a line; ``None`` if it is not one."""
    try:
        return msgspec.json.decode(line.encode(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return None
