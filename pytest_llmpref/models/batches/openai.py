"""The Batch API of OpenAI: a file of requests, a job, a file of results and one of errors. Others have taken it over.

Notes
-----
OpenAI, "Batch API" and "API reference: Batch", platform.openai.com/docs; Azure's differs in its addresses, Mistral's in
the words for a job (see there).
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
    stamp,
)
from pytest_llmpref.models.batches.carrying import Answer, Call
from pytest_llmpref.models.batches.jobs import Job

MARK: Final = "pytest-llmpref"
"""Under this name a job's metadata hold our own name of it."""
_STATES: Mapping[str, State] = {
    "completed": "ended",
    "expired": "ended",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""By OpenAI's word; every other means that the job is under way."""


class OpenAIBatches:
    """OpenAI's, and that of servers which have the same addresses, such as vLLM's and Groq's."""

    provider = "openai"
    most_requests = 50_000
    most_bytes = 190_000_000
    jobs_path = "batches"
    identity_field = "id"

    def __init__(self, call: Call, clock: Clock) -> None:
        self._http = Provider(call, clock)
        base, _, self._query = call.url.partition("?")
        self._base, self._path = self._parts(base)

    def _parts(self, url: str) -> tuple[str, str]:
        """Return the address of the API, and the path of a call below it as a request of a job gives it."""
        for path in ("/chat/completions", "/responses"):
            if url.endswith(path):
                return url.removesuffix(path), f"/v1{path}"
        raise BatchError(f"{url} is no address of which a batch can ask; leave out --llmpref-batch")

    def _at(self, path: str) -> str:
        return f"{self._base}/{path}{'?' * bool(self._query)}{self._query}"

    def line(self, custom_id: str, call: Call) -> bytes:
        """Return one request as a line of the file of a job."""
        path = msgspec.json.encode(self._path)
        name = msgspec.json.encode(custom_id)
        return b'{"custom_id":' + name + b',"method":"POST","url":' + path + b',"body":' + call.body + b"}\n"

    async def create(self, job: Job, calls: Mapping[str, Call]) -> str:
        """Upload the requests, and submit the job; see `BatchApi`."""
        content = b"".join(self.line(name, call) for name, call in calls.items())
        file = {"file": (f"{MARK}-{job.token}.jsonl", content, "application/jsonl")}
        # Twice at the worst, which costs nothing: a file is no job.
        uploaded = await self._http.post(self._at("files"), step="upload", files=file, data={"purpose": "batch"})
        created = await self._http.create(self._at(self.jobs_path), json=self._job(job, str(uploaded["id"])))
        return str(created[self.identity_field])

    def _job(self, job: Job, file: str) -> dict[str, Any]:
        return {
            "input_file_id": file,
            "endpoint": self._path,
            "completion_window": "24h",
            "metadata": {MARK: job.token},
        }

    async def find(self, job: Job) -> str | None:
        """Look for the job among the latest, by its metadata; see `BatchApi`."""
        after: dict[str, str] = {}
        while True:
            page = await self._http.get(self._at("batches"), limit="100", **after)
            found = page.get("data") or []
            for one in found:
                if (one.get("metadata") or {}).get(MARK) == job.token:
                    return str(one["id"])
            if not found or not page.get("has_more") or found[-1].get("created_at", 0) < stamp(job.written.at):
                return None
            after = {"after": str(found[-1]["id"])}

    async def status(self, identity: str) -> Status:
        """Ask for the job; see `BatchApi`."""
        found = await self._http.get(self._at(f"{self.jobs_path}/{identity}"), step="status")
        errors = (found.get("errors") or {}).get("data") or []
        said = "; ".join(f"{one.get('code')}: {one.get('message')}" for one in errors[:3]) or str(found["status"])
        files = [found[name] for name in ("output_file_id", "error_file_id") if found.get(name)]
        return Status(
            _STATES.get(str(found["status"]), "under way"), said, tuple(self._at(f"files/{f}/content") for f in files)
        )

    def read(self, line: str) -> tuple[str, Answer] | None:
        """Read a line of results or of errors; see `BatchApi`."""
        found = decoded_line(line)
        if found is None or not isinstance(name := found.get("custom_id"), str):
            return None
        response = found.get("response")
        if isinstance(response, dict) and isinstance(status := response.get("status_code"), int):
            return name, Answer(status, msgspec.json.encode(response.get("body")))
        error = found.get("error")
        if not isinstance(error, dict):
            return name, failed("the results hold neither an answer nor an error")
        if error.get("code") in {"batch_expired", "batch_cancelled"}:
            return name, failed(str(error.get("message") or error["code"]))
        return name, error_answer(500, error)

    async def results(self, status: Status) -> AsyncIterator[Result]:
        """Download the files of results and errors; see `BatchApi`."""
        for number, url in enumerate(status.results, 1):
            async for line, came in self._http.download(url, number):
                if (found := self.read(line)) is not None:
                    yield Result(*found, line, came)

    async def cancel(self, identity: str) -> None:
        """Cancel the job; see `BatchApi`."""
        await self._http.post(self._at(f"{self.jobs_path}/{identity}/cancel"))

    def exchanges(self) -> dict[str, httpx.Response]:
        """Return, and forget, what went over the wire; see `BatchApi`."""
        return self._http.exchanges()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


class AzureBatches(OpenAIBatches):
    """Azure's: a call's address names its deployment, those of files and jobs do not."""

    provider = "azure"
    most_requests = 100_000

    def _parts(self, url: str) -> tuple[str, str]:
        base, _ = super()._parts(url)
        return base.partition("/deployments/")[0], "/chat/completions"
