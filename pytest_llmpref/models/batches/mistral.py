"""The batch jobs of Mistral: its files are as OpenAI's, its jobs have their own addresses and words.

Notes
-----
Mistral AI, "Batch inference", docs.mistral.ai/capabilities/batch.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pytest_llmpref.models.batches.api import State, Status
from pytest_llmpref.models.batches.carrying import Call
from pytest_llmpref.models.batches.jobs import Job
from pytest_llmpref.models.batches.openai import MARK, OpenAIBatches

_STATES: Mapping[str, State] = {
    "SUCCESS": "ended",
    "TIMEOUT_EXCEEDED": "ended",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}


class MistralBatches(OpenAIBatches):
    """Mistral's."""

    provider = "mistral"
    most_requests = 100_000
    jobs_path = "batch/jobs"

    def line(self, custom_id: str, call: Call) -> bytes:
        """Return one request; the job names the address and the model."""
        return b'{"custom_id":' + msgspec.json.encode(custom_id) + b',"body":' + call.body + b"}\n"

    def _job(self, job: Job, file: str) -> dict[str, Any]:
        model = msgspec.json.decode(self._http.call.body)["model"]
        return {
            "input_files": [file],
            "endpoint": self._path,
            "model": model,
            "metadata": {MARK: job.token},
            "timeout_hours": 24,
        }

    async def find(self, job: Job) -> str | None:
        """Look for the job by its metadata; see `BatchApi`."""
        page = 0
        while True:
            found = (await self._http.get(self._at(self.jobs_path), page=str(page), page_size="100")).get("data") or []
            for one in found:
                if (one.get("metadata") or {}).get(MARK) == job.token:
                    return str(one["id"])
            if len(found) < 100:
                return None
            page += 1

    async def status(self, identity: str) -> Status:
        """Ask for the job; see `BatchApi`."""
        found = await self._http.get(self._at(f"{self.jobs_path}/{identity}"), step="status")
        said = "; ".join(str(one.get("message")) for one in (found.get("errors") or [])[:3]) or str(found["status"])
        files = [found[name] for name in ("output_file", "error_file") if found.get(name)]
        state = _STATES.get(str(found["status"]), "under way")
        return Status(state, said, tuple(self._at(f"files/{file}/content") for file in files))
