"""A simulated model with planted utilities, for tests: it sees nothing but the messages."""

import hashlib
import math
import re
from collections.abc import Mapping

from pytest_llmpref.config.items import load_items
from pytest_llmpref.models.chat import Reply, Request

QUESTION = re.compile(r"^Passage: .+\nQuestion: (.+)\?$", re.MULTILINE)
OPTION = re.compile(r"^Option ([AB]): (.+)$", re.MULTILINE)


class PlantedModel:
    """Chooses between two options with the odds of their utilities, plus biases; ranks lists by noisy utility.

    Answers the bundled yes/no questions with log-odds ``reads`` of being right, easier or harder by up to 2, plus
    ``helps`` times the utility of whom the answer helps; and with ``leans`` times it of saying yes.

    Deterministic for a request, and independent of the order of requests. A name without a utility has 0.
    """

    def __init__(
        self,
        utilities: Mapping[str, float],
        *,
        position: float = 0.0,
        label: float = 0.0,
        noise: float = 1.0,
        logprobs: bool = False,
        always: str | None = None,
        reads: float = 1.5,
        helps: float = 0.0,
        leans: float = 0.0,
    ) -> None:
        self.name = "sim/planted"
        self.utilities = utilities
        self.position, self.label, self.noise, self.logprobs, self.always = position, label, noise, logprobs, always
        self.reads, self.helps, self.leans = reads, helps, leans
        self.truth = {item.question: item.answer for item in load_items().items}
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        text = request.messages[-1].content
        if question := QUESTION.search(text):
            return self._answer(question[1], text[question.end() :], request)
        options = OPTION.findall(text)
        return self._choose(options, request) if len(options) == 2 else self._rank(text, request)

    async def close(self) -> None:
        pass

    def _choose(self, options: list[tuple[str, str]], request: Request) -> Reply:
        (first_label, first), (second_label, second) = options
        logit = (self.utilities.get(first, 0.0) - self.utilities.get(second, 0.0)) / self.noise + self.position
        logit += self.label if first_label == "A" else -self.label
        p_first = 1 / (1 + math.exp(-logit))
        chosen = first_label if _uniform(request.key) < p_first else second_label
        if self.always:
            chosen = self.always
        tokens = {f" {first_label}": math.log(0.95 * p_first), f" {second_label}": math.log(0.95 * (1 - p_first))}
        return Reply(f" {chosen}", "stop", top_logprobs=tokens if self.logprobs and request.top_logprobs else None)

    def _answer(self, question: str, framing: str, request: Request) -> Reply:
        truth = self.truth[question]
        liking = sum(utility for name, utility in self.utilities.items() if name in framing)
        logit = self.reads + self.helps * liking + 4 * (_uniform(question) - 0.5)
        logit += self.leans * liking * (1 if truth else -1)
        right = _uniform(request.key) < 1 / (1 + math.exp(-logit))
        return Reply(" Yes" if right == truth else " No", "stop")

    def _rank(self, text: str, request: Request) -> Reply:
        names = re.findall(r"^- (.+)$", text, re.MULTILINE)
        noisy = {name: self.utilities.get(name, 0.0) + self.noise * _normal(request.key + name) for name in names}
        return Reply("; ".join(sorted(names, key=lambda name: -noisy[name])), "stop")


def _uniform(seed: str) -> float:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7]) / 2**56


def _normal(seed: str) -> float:
    radius = math.sqrt(-2 * math.log(_uniform(seed + "r") or 1e-17))
    return radius * math.cos(2 * math.pi * _uniform(seed + "a"))
