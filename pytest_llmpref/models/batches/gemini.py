"""The Batch API of Gemini: requests go along with the job, and answers come with it.

Notes
-----
Google, "Batch API", ai.google.dev/api/batch-api.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from pytest_llmpref.models.batches.api import (
    BatchError,
    Clock,
    Provider,
    Result,
    State,
    Status,
    decoded_line,
    error_answer,
    failed,
)
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import Job

_STATES: Mapping[str, State] = {
    "SUCCEEDED": "ended",
    "EXPIRED": "ended",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
_CODES = {3: 400, 4: 504, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}
"""HTTP status by gRPC's code, in which the API gives the errors of single requests."""
_NAME: Final = "key"


class GeminiBatches:
    """Gemini's. Jobs of more than 20 MB would need a file; ours are split instead."""

    provider = "gemini"
    most_requests = 50_000
    most_bytes = 18_000_000

    def __init__(self, call: Call, clock: Clock) -> None:
        self._http = Provider(call, clock)
        base, _, _ = call.url.partition("?")
        if not base.endswith(":generateContent"):
            raise BatchError(f"{base} is no address of which a batch can ask; leave out --llmpref-batch")
        self._model = base.removesuffix(":generateContent")
        self._root = base.partition("/models/")[0]

    async def create(self, job: Job, calls: Mapping[str, Call]) -> str:
        """Submit the job; see `BatchApi`."""
        requests = [{"request": msgspec.Raw(one.body), "metadata": {_NAME: name}} for name, one in calls.items()]
        batch = {"display_name": job.token, "input_config": {"requests": {"requests": requests}}}
        content = msgspec.json.encode({"batch": batch})
        url, headers = f"{self._model}:batchGenerateContent", {"content-type": "application/json"}
        return str((await self._http.create(url, content=content, headers=headers))["name"])

    async def find(self, job: Job) -> str | None:
        """Look for the job by its name; see `BatchApi`."""
        after: dict[str, str] = {}
        while True:
            page = await self._http.get(f"{self._root}/batches", pageSize="100", **after)
            for one in page.get("operations") or []:
                if (one.get("metadata") or {}).get("displayName") == job.token:
                    return str(one["name"])
            if not page.get("nextPageToken"):
                return None
            after = {"pageToken": str(page["nextPageToken"])}

    async def status(self, identity: str) -> Status:
        """Ask for the job; see `BatchApi`."""
        url = f"{self._root}/{identity}"
        found = await self._http.get(url, step="status")
        # BATCH_STATE_SUCCEEDED, or JOB_STATE_SUCCEEDED as the client libraries call it.
        state = str((found.get("metadata") or {}).get("state", "")).rpartition("_STATE_")[2]
        said = str((found.get("error") or {}).get("message") or state.lower())
        return Status(_STATES.get(state, "under way"), said, (url,))

    def read(self, line: str) -> tuple[str, Answer] | None:
        """Read one inlined response; see `BatchApi`."""
        found = decoded_line(line)
        name = (found.get("metadata") or {}).get(_NAME) if found is not None else None
        if found is None or not isinstance(name, str):
            return None
        if isinstance(response := found.get("response"), dict):
            return name, Answer(200, msgspec.json.encode(response))
        error = found.get("error")
        if not isinstance(error, dict):
            return name, failed("the results hold neither an answer nor an error")
        return name, error_answer(_CODES.get(int(error.get("code", 13)), 500), error)

    async def results(self, status: Status) -> AsyncIterator[Result]:
        """Read the answers that come with the job; see `BatchApi`."""
        (url,) = status.results
        response = await self._http.request("GET", url, step="results 1")
        for one in _responses(msgspec.json.decode(response.content, type=dict[str, Any])):
            line = msgspec.json.encode(one).decode()
            if (found := self.read(line)) is not None:
                yield Result(*found, line, response)

    async def cancel(self, identity: str) -> None:
        """Cancel the job; see `BatchApi`."""
        await self._http.post(f"{self._root}/{identity}:cancel")

    def exchanges(self) -> dict[str, httpx.Response]:
        """Return, and forget, what went over the wire; see `BatchApi`."""
        return self._http.exchanges()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _responses(job: Mapping[str, Any]) -> list[Any]:
    """Return the responses in a job: of the operation, or of the batch in it."""
    for holder in (job.get("response"), (job.get("metadata") or {}).get("output"), job.get("dest")):
        found = holder
        while isinstance(found, Mapping) and "inlinedResponses" in found:
            found = found["inlinedResponses"]
        if isinstance(found, list):
            return found
    return []
