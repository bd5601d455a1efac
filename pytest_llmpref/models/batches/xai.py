"""The Batch API of xAI: its files are as OpenAI's; its jobs count requests instead of having a state.

Notes
-----
xAI, "Batch API", docs.x.ai/developers/advanced-api-usage/batch-api, and litellm's client of it.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from pytest_llmpref.models.batches.api import Result, Status, decoded_line, error_answer, failed
from pytest_llmpref.models.batches.carrying import Answer
from pytest_llmpref.models.batches.jobs import Job
from pytest_llmpref.models.batches.openai import MARK, OpenAIBatches


class XaiBatches(OpenAIBatches):
    """xAI's. Its documentation names no limits of a job; these are our choice."""

    provider = "xai"
    most_requests = 10_000
    most_bytes = 20_000_000
    identity_field = "batch_id"

    def _job(self, job: Job, file: str) -> dict[str, Any]:
        return {"name": _name(job), "input_file_id": file}

    async def find(self, job: Job) -> str | None:
        """Look for the job by its name; see `BatchApi`."""
        after: dict[str, str] = {}
        while True:
            page = await self._http.get(self._at(self.jobs_path), limit="100", **after)
            for one in page.get("batches") or []:
                if one.get("name") == _name(job):
                    return str(one[self.identity_field])
            if not page.get("pagination_token"):
                return None
            after = {"pagination_token": str(page["pagination_token"])}

    async def status(self, identity: str) -> Status:
        """Ask for the job; see `BatchApi`."""
        found = await self._http.get(self._at(f"{self.jobs_path}/{identity}"), step="status")
        results = (self._at(f"{self.jobs_path}/{identity}/results"),)
        if found.get("cancel_time"):
            # xAI cancels by itself what it cannot read.
            said = str(found.get("cancel_by_xai_message") or "")
            return Status("failed", said) if said else Status("cancelled", "cancelled", results)
        counts: Mapping[str, int] = found.get("state") or {}
        # Without a request it has not read the file yet.
        if not counts.get("num_requests") or counts.get("num_pending"):
            return Status("under way")
        return Status("ended", "ended", results)

    def read(self, line: str) -> tuple[str, Answer] | None:
        """Read one result; see `BatchApi`."""
        found = decoded_line(line)
        if found is None or not isinstance(name := found.get("batch_request_id"), str):
            return None
        result = found.get("batch_result")
        result = result if isinstance(result, dict) else {}
        if isinstance(response := result.get("response"), dict) and response:
            # Under the name of the endpoint, as in {"chat_get_completion": ...}.
            return name, Answer(200, msgspec.json.encode(next(iter(response.values()))))
        if not isinstance(error := result.get("error"), dict):
            return name, failed("the results hold neither an answer nor an error")
        code = error.get("code")
        return name, error_answer(code if isinstance(code, int) and 400 <= code < 600 else 500, error)

    async def results(self, status: Status) -> AsyncIterator[Result]:
        """Download the results, page by page; see `BatchApi`."""
        (url,) = status.results
        parameters, number = {"limit": "1000"}, 1
        while True:
            response = await self._http.request("GET", url, step=f"results {number}", params=parameters)
            page = msgspec.json.decode(response.content, type=dict[str, Any])
            for one in page.get("results") or []:
                line = msgspec.json.encode(one).decode()
                if (found := self.read(line)) is not None:
                    yield Result(*found, line, response)
            if not page.get("pagination_token"):
                return
            parameters["pagination_token"] = str(page["pagination_token"])
            number += 1

    async def cancel(self, identity: str) -> None:
        """Cancel the job; see `BatchApi`."""
        await self._http.post(self._at(f"{self.jobs_path}/{identity}:cancel"))


def _name(job: Job) -> str:
    return f"{MARK}-{job.token}"
