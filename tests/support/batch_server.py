"""Imitations on loopback of six providers' batch APIs, which count what is paid."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from loopback import completion
from planted import PlantedModel

from pytest_llmpref.models.chat import Message, Request

Body = dict[str, Any]
Answering = Callable[[Body], tuple[int, Body]]
IMPATIENT = """
from pytest_llmpref.models.batches import following, rounds
following.POLL_FIRST = rounds.POLL_FIRST = 0.2
"""
"""A conftest that has a run look at its jobs after a fifth of a second. A provider is asked after 5 seconds."""


def always_a(body: Body) -> tuple[int, Body]:
    """Answer A, in the form of whoever is asked."""
    return 200, in_form_of(body, "A")


def in_form_of(body: Body, text: str) -> Body:
    """Return an answer in the form of the API that a body was meant for."""
    if "contents" in body:
        content = {"role": "model", "parts": [{"text": text}]}
        usage = {"promptTokenCount": 7, "candidatesTokenCount": 1, "totalTokenCount": 8}
        return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    if isinstance(body["messages"][0]["content"], list):
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "served",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 7, "output_tokens": 1},
        }
    return completion(text)


def planted(model: PlantedModel) -> Answering:
    """Answer as a simulated model would, always the same to the same body."""

    def answer(body: Body) -> tuple[int, Body]:
        messages = tuple(Message(**message) for message in body["messages"])
        try:
            model.ask(Request(body["model"], messages, body.get("temperature", 1.0), 32)).send(None)
        except StopIteration as done:
            return 200, completion(done.value.text)
        raise RuntimeError("a simulated model answers at once")

    return answer


@dataclass
class Job:
    """One job, as the server keeps it."""

    id: str
    requests: list[tuple[str, Body]]
    asked: Body
    ending: str = "ended"
    looks: int = 0
    cancelled: bool = False
    results: list[str] = field(default_factory=list)


class BatchServer:
    """The server, in a thread of its own. What it is set to do holds for jobs that come after.

    Attributes
    ----------
    chats
        The bodies of ordinary calls.
    jobs
        The jobs that it took.
    paid
        How often each question was answered in a job, by the part of its name that is not the job's.
    looks_needed
        At how many looks a job is still under way.
    endings
        How the next jobs end: ``ended``, ``expired``, ``failed`` or ``cancelled``; ``ended`` once there are none.
    mangle
        What happens to the lines of results.
    lose
        Of how many jobs the answer to their creation gets lost.
    turn_away
        Status and body for the next creations.
    unreachable
        How many further requests about jobs fail.
    most
        Most requests of a job.
    said
        The code with which jobs fail.
    gone
        Jobs that are no longer there.
    most_under_way
        Most jobs that were under way at once.
    """

    def __init__(self, answering: Answering = always_a) -> None:
        self.answering = answering
        self.chats: list[Body] = []
        self.jobs: list[Job] = []
        self.headers: list[dict[str, str]] = []
        self.paid: Counter[str] = Counter()
        self.looks_needed = 1
        self.endings: list[str] = []
        self.mangle: Callable[[list[str]], list[str]] = list
        self.lose = 0
        self.turn_away: list[tuple[int, Body, dict[str, str]]] = []
        self.unreachable = 0
        self.most = 50_000
        self.said = "invalid"
        self.gone: set[str] = set()
        self.most_under_way = 0
        self.port = 0
        self._files: dict[str, bytes] = {}
        self._loop = asyncio.new_event_loop()
        self._done, self._up = asyncio.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()
        if not self._up.wait(30):
            raise RuntimeError("the server did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._any)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._up.set()
        await self._done.wait()
        await runner.cleanup()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        path, method = request.path, request.method
        if path.endswith(("/chat/completions", "/messages", ":generateContent")):
            body = await request.json()
            self.chats.append(body)
            status, answer = self.answering(body)
            return web.json_response(answer, status=status)
        self.headers.append(dict(request.headers))
        if self.unreachable:
            self.unreachable -= 1
            return web.json_response({"error": {"message": "overloaded"}}, status=503)
        if path.endswith("/files") and method == "POST":
            return await self._upload(request)
        if "/files/" in path and path.endswith("/content"):
            return web.Response(body=self._files[path.split("/")[-2]])
        created = path.endswith(("/batches", "/jobs", ":batchGenerateContent"))
        if created and method == "POST":
            return await self._create(request)
        if created:
            return web.json_response(self._listed(path, request.query))
        return self._about_one(path, request.query)

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        name = f"file-{len(self._files)}"
        assert form["purpose"] == "batch"
        self._files[name] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response({"id": name, "purpose": "batch"})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if self.turn_away:
            status, body, headers = self.turn_away.pop(0)
            return web.json_response(body, status=status, headers=headers)
        asked = await request.json()
        requests = self._requests(asked)
        if len(requests) > self.most:
            return web.json_response({"error": {"message": f"more than {self.most} requests"}}, status=400)
        job = Job(f"{self._prefix(request.path)}{len(self.jobs)}", requests, asked)
        job.ending = self.endings.pop(0) if self.endings else "ended"
        self.jobs.append(job)
        self.most_under_way = max(self.most_under_way, sum(not self._is_over(one) for one in self.jobs))
        if self.lose:
            self.lose -= 1
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.json_response(self._job(request.path, job))

    @staticmethod
    def _prefix(path: str) -> str:
        return "batches/" if path.endswith(":batchGenerateContent") else "batch_"

    def _requests(self, asked: Body) -> list[tuple[str, Body]]:
        if "batch" in asked:
            inlined = asked["batch"]["input_config"]["requests"]["requests"]
            return [(one["metadata"]["key"], one["request"]) for one in inlined]
        if "requests" in asked:
            return [(one["custom_id"], one["params"]) for one in asked["requests"]]
        file = asked["input_file_id"] if "input_file_id" in asked else asked["input_files"][0]
        lines = [json.loads(line) for line in self._files[file].splitlines()]
        for line in lines:
            assert line.get("url") == asked.get("endpoint", line.get("url")) or "url" not in line
        return [(line["custom_id"], line["body"]) for line in lines]

    @staticmethod
    def _results(path: str, job: Job, query: Any) -> web.Response:
        if "xai" not in path:
            return web.Response(text="\n".join(job.results) + "\n")
        # Two results a page: the last page names no other.
        first = int(query.get("pagination_token", 0))
        more = str(first + 2) if first + 2 < len(job.results) else None
        page = [json.loads(line) for line in job.results[first : first + 2]]
        return web.json_response({"results": page, "pagination_token": more})

    def _about_one(self, path: str, query: Any) -> web.Response:
        parts = path.strip("/").split("/")
        identity = next(part for part in parts if part.startswith("batch_") or part[:1].isdigit())
        identity, _, verb = identity.partition(":")
        job = next(one for one in self.jobs if one.id.removeprefix("batches/") == identity)
        if job.id in self.gone:
            return web.json_response({"error": {"message": "no such job"}}, status=404)
        if verb == "cancel" or parts[-1] == "cancel":
            job.cancelled = True
            return web.json_response(self._job(path, job))
        if parts[-1] == "results":
            return self._results(path, job, query)
        job.looks += 1
        if job.looks > self.looks_needed or job.cancelled:
            self._finish(path, job)
        return web.json_response(self._job(path, job))

    def _is_over(self, job: Job) -> bool:
        return job.looks > self.looks_needed or job.cancelled

    def _finish(self, path: str, job: Job) -> None:
        if job.results or job.ending == "failed":
            return
        ending = "cancelled" if job.cancelled else job.ending
        # A job that does not come to its end answers the first half.
        answered = job.requests if ending == "ended" else job.requests[: len(job.requests) // 2]
        lines = []
        for name, body in answered:
            status, answer = self.answering(body)
            if status == 200:
                self.paid[name.partition("-")[2]] += 1
            lines.append(self._line(path, name, status, answer))
        lines += [self._unanswered(path, name, ending) for name, _ in job.requests[len(answered) :]]
        job.results = self.mangle(lines)
        self._files[f"out-{job.id}"] = "\n".join(job.results).encode()

    def _line(self, path: str, name: str, status: int, answer: Body) -> str:
        if "/messages/" in path:
            error = {"type": "error", "error": answer.get("error")}
            ok = status == 200
            result = {"type": "succeeded", "message": answer} if ok else {"type": "errored", "error": error}
            return json.dumps({"custom_id": name, "result": result})
        if "xai" in path:
            result = {"response": {"chat_get_completion": answer}} if status == 200 else {"error": {"code": status}}
            return json.dumps({"batch_request_id": name, "batch_result": result})
        if "v1beta" in path:
            error = {"code": {400: 3, 429: 8}.get(status, 13), "message": str(answer)}
            key = {"metadata": {"key": name}}
            return json.dumps({"response": answer, **key} if status == 200 else {"error": error, **key})
        response = {"status_code": status, "request_id": "r", "body": answer}
        return json.dumps({"id": "x", "custom_id": name, "response": response, "error": None})

    def _unanswered(self, path: str, name: str, ending: str) -> str:
        if "/messages/" in path:
            return json.dumps({"custom_id": name, "result": {"type": ending.replace("cancelled", "canceled")}})
        if "xai" in path:
            return json.dumps({"batch_request_id": name, "batch_result": {"error": {"code": 504, "message": ending}}})
        if "v1beta" in path:
            return json.dumps({"error": {"code": 4, "message": ending}, "metadata": {"key": name}})
        error = {"code": f"batch_{ending}", "message": f"the batch {ending}"}
        return json.dumps({"id": "x", "custom_id": name, "response": None, "error": error})

    def _listed(self, path: str, query: Any) -> Body:
        jobs = [self._job(path, job) for job in reversed(self.jobs)]
        if "xai" in path:
            first = int(query.get("pagination_token", 0))
            more = str(first + 1) if first + 1 < len(jobs) else None
            return {"batches": jobs[first : first + 1], "pagination_token": more}
        if "v1beta" in path:
            return {"operations": jobs}
        if path.endswith("/jobs") and query.get("page") != "0":
            jobs = []
        return {"data": jobs, "has_more": False}

    def _job(self, path: str, job: Job) -> Body:
        over = self._is_over(job)
        ending = "cancelled" if job.cancelled else job.ending
        if "/messages/" in path:
            done = len(job.requests) if over else 0
            return {
                "id": job.id,
                "processing_status": "ended" if over else "in_progress",
                "request_counts": {"processing": len(job.requests) - done, "succeeded": done},
                "created_at": "2099-01-01T00:00:00Z",
                "cancel_initiated_at": "2099-01-01T00:00:00Z" if job.cancelled else None,
                "results_url": "there" if over else None,
            }
        if "xai" in path:
            pending = 0 if over else len(job.requests)
            return {
                "batch_id": job.id,
                "name": job.asked["name"],
                "state": {"num_requests": len(job.requests), "num_pending": pending},
                "cancel_time": "2099-01-01" if over and ending in {"cancelled", "failed"} else None,
                "cancel_by_xai_message": "no good" if over and ending == "failed" else None,
            }
        if "v1beta" in path:
            state = {"ended": "SUCCEEDED"}.get(ending, ending.upper()) if over else "RUNNING"
            metadata = {"state": f"BATCH_STATE_{state}", "displayName": job.asked["batch"]["display_name"]}
            found: Body = {"name": job.id, "metadata": metadata, "done": over}
            if over:
                found["response"] = {"inlinedResponses": {"inlinedResponses": [json.loads(one) for one in job.results]}}
            return found
        metadata = job.asked.get("metadata")
        output = f"out-{job.id}" if over and ending != "failed" else None
        if "/batch/jobs" in path:
            words = {"ended": "SUCCESS", "expired": "TIMEOUT_EXCEEDED"}
            status = words.get(ending, ending.upper()) if over else "RUNNING"
            return {"id": job.id, "status": status, "metadata": metadata, "output_file": output, "errors": []}
        status = {"ended": "completed"}.get(ending, ending) if over else "in_progress"
        errors = {"data": [{"code": self.said, "message": "no good"}]} if ending == "failed" else None
        times = {"created_at": 4_000_000_000}
        return {
            "id": job.id, "status": status, "metadata": metadata, "output_file_id": output, "errors": errors, **times,
        }  # fmt: skip


@contextlib.contextmanager
def serving_batches(answering: Answering = always_a) -> Iterator[BatchServer]:
    """Run a server while inside."""
    server = BatchServer(answering)
    server.start()
    try:
        yield server
    finally:
        server.stop()
