"""The Message Batches API of Anthropic.

A job has no name of our own there, only the names of its requests, which hold one. So whether a job was created is
found among those of its size and time, by the first of its results.

Notes
-----
Anthropic, "Message Batches", platform.claude.com/docs/en/api/messages/batches.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import msgspec

from pytest_llmpref.models.batches.api import (
    BatchError,
    Clock,
    Provider,
    Result,
    Status,
    decoded_line,
    failed,
    stamp,
)
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import Job

LOOKS_AGAIN = 60.0
"""Seconds before a job that may be ours, and has not ended, is looked at again. Our choice."""
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP status by the kind of an error, as the API's documentation lists them."""


class AnthropicBatches:
    """Anthropic's."""

    provider = "anthropic"
    most_requests = 100_000
    most_bytes = 240_000_000

    def __init__(self, call: Call, clock: Clock) -> None:
        self._http = Provider(call, clock)
        self._clock = clock
        base, _, _ = call.url.partition("?")
        if not base.endswith("/messages"):
            raise BatchError(f"{base} is no address of which a batch can ask; leave out --llmpref-batch")
        self._jobs = f"{base}/batches"

    async def create(self, job: Job, calls: Mapping[str, Call]) -> str:  # noqa: ARG002 - the names hold the job's
        """Submit the job; see `BatchApi`."""
        requests = [{"custom_id": name, "params": msgspec.Raw(call.body)} for name, call in calls.items()]
        content = msgspec.json.encode({"requests": requests})
        created = await self._http.create(self._jobs, content=content, headers={"content-type": "application/json"})
        return str(created["id"])

    async def find(self, job: Job) -> str | None:
        """Look for a job of the same size and time, and wait until one of its results tells whose it is."""
        after: dict[str, str] = {}
        while True:
            page = await self._http.get(self._jobs, limit="100", **after)
            found = page.get("data") or []
            for one in found:
                if self._may_be(job, one) and await self._is(job, str(one["id"])):
                    return str(one["id"])
            if not found or not page.get("has_more") or _created(found[-1]) < stamp(job.written.at):
                return None
            after = {"after_id": str(found[-1]["id"])}

    @staticmethod
    def _may_be(job: Job, one: Mapping[str, Any]) -> bool:
        counts = one.get("request_counts") or {}
        return sum(counts.values()) == len(job.written.questions) and _created(one) >= stamp(job.written.at)

    async def _is(self, job: Job, identity: str) -> bool:
        while (status := await self.status(identity)).state == "under way":
            await self._clock.sleep(LOOKS_AGAIN)
        async for result in self.results(status):
            return result.custom_id.startswith(f"{job.token}-")
        return False

    async def status(self, identity: str) -> Status:
        """Ask for the job; see `BatchApi`."""
        found = await self._http.get(f"{self._jobs}/{identity}", step="status")
        if found.get("processing_status") != "ended":
            return Status("under way")
        results = (f"{self._jobs}/{identity}/results",) if found.get("results_url") else ()
        cancelled = bool(found.get("cancel_initiated_at"))
        return Status("cancelled" if cancelled else "ended", "cancelled" if cancelled else "ended", results)

    def read(self, line: str) -> tuple[str, Answer] | None:
        """Read a line of results; see `BatchApi`."""
        found = decoded_line(line)
        if found is None or not isinstance(name := found.get("custom_id"), str):
            return None
        result = found.get("result")
        result = result if isinstance(result, dict) else {}
        kind = result.get("type")
        if kind == "succeeded":
            return name, Answer(200, msgspec.json.encode(result.get("message")))
        if kind != "errored":
            return name, failed(f"the provider says {kind}")
        error = result.get("error") or {}
        error = error.get("error", error) if isinstance(error, dict) else {}
        kind = error.get("type") if isinstance(error, dict) else None
        return name, Answer(_STATUS.get(str(kind), 500), msgspec.json.encode({"type": "error", "error": error}))

    async def results(self, status: Status) -> AsyncIterator[Result]:
        """Download the results; see `BatchApi`."""
        for number, url in enumerate(status.results, 1):
            async for line, came in self._http.download(url, number):
                if (found := self.read(line)) is not None:
                    yield Result(*found, line, came)

    async def cancel(self, identity: str) -> None:
        """Cancel the job; see `BatchApi`."""
        await self._http.post(f"{self._jobs}/{identity}/cancel")

    def exchanges(self) -> dict[str, httpx.Response]:
        """Return, and forget, what went over the wire; see `BatchApi`."""
        return self._http.exchanges()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _created(one: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(one["created_at"])).timestamp()
