"""Recordings in batches that a test can kill: each is forked off a process that has imported litellm."""

import asyncio
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from pytest_llmpref.cassettes import Cassette, RecordingModel
from pytest_llmpref.cassettes.jobs import hand_over, keep
from pytest_llmpref.models.batches import following, rounds
from pytest_llmpref.models.batches.jobs import JobFile
from pytest_llmpref.models.batches.model import AsRecorded, BatchedModel, api_of
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.litellm_client import litellm
from pytest_llmpref.models.live import LiveModel

MODEL = "openai/served"


def questions(count: int) -> list[Request]:
    return [Request(MODEL, (Message("user", f"Question {number}?"),), 0.5, 9) for number in range(count)]


def record(port: int, folder: Path, count: int) -> None:
    """Record questions, in jobs of at most 16 where there are few; leave what it took in a file."""
    rounds.SETTLED, following.POLL_FIRST, following.POLL_MOST, following.LISTED = 0.02, 0.01, 0.05, 0.2
    began = time.monotonic()
    live = LiveModel(MODEL, api_base=f"http://127.0.0.1:{port}/v1", api_key="sk-test-0123456789abcdefghij")

    def api(call, clock):
        made = api_of(live)(call, clock)
        if count < 1000:
            made.most_requests = 16
        return made

    async def asked() -> None:
        file = JobFile(folder / "served.batches")
        cassette = Cassette.open(folder, MODEL)
        kept = keep(cassette)
        made = rounds.Rounds(MODEL, file, api, least=1, purpose="wait", began=datetime.now(UTC), on_exchange=kept)
        batched = BatchedModel(live, made, max_tries=2, on_result=hand_over)
        model = RecordingModel(AsRecorded(batched), cassette)
        with cassette.lock():
            cassette.reload()
            await asyncio.gather(*map(model.ask, questions(count)))
        await model.close()
        await batched.close()

    asyncio.run(asked())
    took = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (folder / "took.txt").write_text(f"{took:.1f} s (CPU {time.process_time():.1f} s), {peak / 1024:.0f} MB")


def serve() -> None:
    """Start a recording for each line ``PORT COUNT FOLDER``, and say its process; wait for it, and say its status."""
    litellm()
    child = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            continue
        port, count, folder = line.rstrip("\n").split(" ", 2)
        child = os.fork()
        if not child:
            status = 1
            try:
                record(int(port), Path(folder), int(count))
                status = 0
            finally:
                os._exit(status)
        print(child, flush=True)


if __name__ == "__main__":
    serve()
