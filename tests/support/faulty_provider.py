"""A provider that fails in every way that providers do, at a share of all calls, and an account of what came of it."""

import asyncio
import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from loopback import Answer, completion, failure
from planted import PlantedModel
from planted_server import PlantedServer

from pytest_llmpref.cassettes import Cassette, RecordingModel
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.retrying import Outage

MODEL = "openai/served"
TRIES = 6
TIMEOUT = 5.0
IN_FLIGHT = 64

WHOLE = completion("A")
FAULTS = {
    "429 with Retry-After": failure(429, "slow down", headers={"Retry-After": "1"}),
    "429 without": failure(429, "slow down"),
    "500": failure(500, "internal error"),
    "502": Answer("<html>bad gateway</html>", 502),
    "reset": Answer(WHOLE, cut=True),
    "time-out": Answer(WHOLE, hang=True),
    "malformed JSON": Answer('{"choices": ]}'),
    "truncated JSON": Answer('{"id": "chatcmpl-1", "choices": [{"index": 0, "mess'),
    "wrong content type": Answer("<html>down for maintenance</html>"),
    "empty choices": Answer({**WHOLE, "choices": []}),
    "null": Answer("null"),
    "list": Answer([]),
}
"""Faults after which the call is tried again. Ids of completions are the same in all answers of this server."""


class FaultyServer(PlantedServer):
    """Answers as a simulated model would, but a share of the calls with one of the faults, and some slowly.

    Which ones depends on the question and on how often it was asked, and on nothing else. While the number of calls is
    within ``out``, nothing is answered at all.
    """

    def __init__(self, model: PlantedModel, share: float, out: range) -> None:
        self.share, self.out = share, out
        self.faults: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.forced = 0.0
        super().__init__(model)

    @property
    def default(self) -> Answer:
        text = self.received[-1]["messages"][-1]["content"]
        self.tries[text] += 1
        if len(self.received) in self.out:
            return failure(503, "the service is unavailable")
        draw = hashlib.sha256(f"{text} {self.tries[text]}".encode()).digest()
        if draw[0] < 256 * self.share:
            name = list(FAULTS)[draw[1] % len(FAULTS)]
            self.faults[name] += 1
            self.forced += self._wait(name, self.tries[text])
            return FAULTS[name]
        self.answered[text] += 1
        whole: Answer = PlantedServer.default.fget(self)
        if draw[2] < 5:
            self.faults["slow drip"] += 1
            self.forced += 0.3
            return Answer(whole.body, drip=0.1)
        return Answer(whole.body, kind="text/plain") if draw[2] < 10 else whole

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""

    def _wait(self, fault: str, tries: int) -> float:
        """Return the seconds that a fault forces: the time-out, and the wait before the next try.

        That is what Retry-After says, or half a second doubled with each try, and half a second of chance on average.
        """
        waits = TIMEOUT if fault == "time-out" else 0.0
        if tries < TRIES:
            waits += 0.5 + (1.0 if "Retry" in fault else 0.5 * 2 ** (tries - 1))
        return waits


@dataclass(frozen=True)
class Account:
    """What came of it all: trials by outcome, those that are wrong, calls, faults, and seconds taken.

    ``late`` counts whole answers that this machine was too busy to read in time, so that they were asked for again;
    ``forced`` is the time that the faults alone take at this many in flight.
    """

    outcomes: Counter[str]
    wrong: int
    unrecorded: int
    given_up: int
    late: int
    calls: int
    faults: Counter[str]
    seconds: float
    forced: float


def requests(count: int) -> list[Request]:
    """Return different questions about two options of known utility."""
    text = "Question {}.\n\nOption A: {}\nOption B: {}\n\nAnswer:"
    names = ["tea", "mud"]
    return [
        Request(MODEL, (Message("user", text.format(n, names[n % 2], names[1 - n % 2])),), 1.0, 8) for n in range(count)
    ]


def ask_faulty(folder: Path, count: int, share: float, out: range = range(0), outage: Outage | None = None) -> Account:
    """Ask questions of a faulty provider, through litellm and vcrpy, and account for every one."""
    planted = PlantedModel({"tea": 8.0, "mud": -8.0})
    server = FaultyServer(planted, share, out)
    server.start()
    live = LiveModel(
        MODEL,
        api_base=server.api_base,
        api_key="sk-none-00000000",
        timeout=TIMEOUT,
        max_tries=TRIES,
        outage=outage,
    )
    cassette = Cassette.open(folder, MODEL)
    asked = requests(count)
    plan = Plan(asked, asked, lambda _question, _reply: True, 1)

    async def run() -> list[tuple[Reply, ...]]:
        model = RecordingModel(live, cassette)
        try:
            return await ask_all(model, plan, range(count), in_flight=IN_FLIGHT)
        finally:
            await model.close()

    began = time.perf_counter()
    try:
        replies = asyncio.run(run())
    finally:
        server.stop()
    seconds = time.perf_counter() - began
    outcomes = Counter(one.finish for (one,) in replies)
    right = ["AB"[n % 2] for n in range(count)]
    wrong = sum(one.finish != "error" and one.text.strip() != want for (one,), want in zip(replies, right, strict=True))
    kept = Cassette.open(folder, MODEL)
    unrecorded = sum(kept.get(request.key) != one for request, (one,) in zip(asked, replies, strict=True))
    texts = [request.messages[-1].content for request in asked]
    given_up = sum(server.tries[text] == TRIES and not server.answered[text] for text in texts)
    late = server.answered.total() - outcomes["stop"]
    return Account(
        outcomes,
        wrong,
        unrecorded,
        given_up,
        late,
        sum(server.tries.values()),
        server.faults,
        seconds,
        server.forced / IN_FLIGHT,
    )
