"""The most that a run may spend: a ledger on disk that all workers share, and a model that keeps to it."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_llmpref.cassettes import journal
from pytest_llmpref.models.chat import ChatModel, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.prices import FREE, Price

BYTES_PER_TOKEN = 3
"""For the tokens of a prompt that are set aside before it is sent; most texts have more. Our choice."""


class BudgetSpentError(ModelUnavailableError):
    """The next call might exceed the run's limit. What was answered until then is recorded."""


class Spent(msgspec.Struct):
    """What was spent, and set aside for calls under way."""

    tokens: float = 0
    dollars: float = 0.0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a whole run, over all models and workers.

    Attributes
    ----------
    ledger
        The file that holds what was spent; one for each run.
    most_dollars, most_tokens
        The limits; infinite where there is none.
    """

    ledger: Path
    most_dollars: float
    most_tokens: float

    def take(self, tokens: float, dollars: float) -> bool:
        """Set so much aside for a call; false, and nothing is set aside, where it would exceed a limit."""
        return self._book(Spent(tokens, dollars, 1), limited=True)

    def settle(self, tokens: float, dollars: float) -> None:
        """Correct what was set aside for a call by what it took, or by minus all of it."""
        self._book(Spent(tokens, dollars, 0), limited=False)

    def spent(self) -> Spent:
        """Return what was spent until now."""
        return self._read(self.ledger.read_bytes()) if self.ledger.exists() else Spent()

    def _book(self, more: Spent, *, limited: bool) -> bool:
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        with journal.locked(self.ledger) as (descriptor, _):
            now = self._read(journal.read_from(descriptor, 0))
            new = Spent(now.tokens + more.tokens, now.dollars + more.dollars, now.calls + more.calls)
            if limited and (new.dollars > self.most_dollars or new.tokens > self.most_tokens):
                return False
            os.ftruncate(descriptor, 0)
            os.write(descriptor, msgspec.json.encode(new))
        return True

    @staticmethod
    def _read(content: bytes) -> Spent:
        return msgspec.json.decode(content, type=Spent) if content else Spent()


class BudgetedModel:
    """A `ChatModel` that asks another as long as the budget lasts.

    Before each call the most that it may take is set aside, so that calls under way together keep to the limit too.
    Where the next call does not fit, those under way are waited for first: they are paid for, and will be recorded.
    """

    def __init__(self, inner: ChatModel, budget: Budget, price: Price | None) -> None:
        self.name = inner.name
        self._inner = inner
        self._budget = budget
        self._price = price or FREE
        self._under_way = 0
        self._idle = asyncio.Event()

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        BudgetSpentError
            If the call might exceed a limit.
        """
        prompt = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages) // BYTES_PER_TOKEN
        tokens, dollars = prompt + request.max_tokens, self._price.of(prompt, request.max_tokens)
        if not self._budget.take(tokens, dollars):
            if self._under_way:
                self._idle.clear()
                await self._idle.wait()
            raise BudgetSpentError(self._spent())
        self._under_way += 1
        took_tokens, took_dollars = 0.0, 0.0
        try:
            reply = await self._inner.ask(request)
            took_tokens = reply.prompt_tokens + reply.completion_tokens
            known = self._price.of(reply.prompt_tokens, reply.completion_tokens)
            took_dollars = known if self._price is not FREE else reply.cost or 0.0
            return reply
        finally:
            self._under_way -= 1
            self._budget.settle(took_tokens - tokens, took_dollars - dollars)
            if not self._under_way:
                self._idle.set()

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()

    def _spent(self) -> str:
        spent, budget = self._budget.spent(), self._budget
        limits = [f"--llmpref-max-cost {budget.most_dollars:g}"] * (budget.most_dollars < float("inf"))
        limits += [f"--llmpref-max-tokens {budget.most_tokens:g}"] * (budget.most_tokens < float("inf"))
        return (
            f"{self.name}: the next call might exceed {' or '.join(limits)}: this run took {spent.tokens:,.0f} tokens "
            f"and ${spent.dollars:.4f}. All answers are recorded; to go on from there, run the same command again: "
            "the limit is for each run"
        )
