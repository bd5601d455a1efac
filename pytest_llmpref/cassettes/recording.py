"""Models that record: one asks another and records the reply, one keeps to a budget, one answers from its cassette.

`Deeds` records what is done for a model rather than said by it: tools that it called, and agents' runs. Each is an
interaction of the model's cassette, found by its key like any other. There is no HTTP behind it.
"""

import asyncio
import contextlib
import os
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import astuple

from pytest_llmpref.cassettes import files, wire
from pytest_llmpref.cassettes.interaction import CassetteWarning, Interaction, MissingRecordingError
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.config.options import Settings
from pytest_llmpref.models.chat import CallFailedError, ChatModel, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.parameters import FREE, Price, price_under
from pytest_llmpref.secrets import scrub_log_records

ASCII_PER_TOKEN = 3
"""For the tokens of a prompt that are set aside before it is sent: other characters count a token for each byte, which
is the most that a tokenizer makes of them. Our choice."""


class BudgetSpentError(ModelUnavailableError):
    """The next call might exceed the run's limit. What was answered until then is recorded."""


class Spent(msgspec.Struct):
    """What was spent, and set aside for calls under way; ``unpriced`` counts the replies whose price is unknown."""

    tokens: float = 0
    dollars: float = 0.0
    calls: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a whole run, over all models and workers.

    Attributes
    ----------
    ledger
        The file that holds what was spent; one for each run.
    most_dollars, most_tokens
        The limits; infinite if there is none.
    """

    ledger: Path
    most_dollars: float
    most_tokens: float

    def take(self, tokens: float, dollars: float) -> bool:
        """Set so much aside for a call; false, and nothing is set aside, where it would exceed a limit."""
        return self._book(Spent(tokens, dollars, 1), limited=True)

    def settle(self, tokens: float, dollars: float, *, unpriced: bool = False) -> None:
        """Correct what was set aside for a call by what it took, or by minus all of it."""
        self._book(Spent(tokens, dollars, 0, int(unpriced)), limited=False)

    def spent(self) -> Spent:
        """Return what was spent until now."""
        return self._read(self.ledger.read_bytes()) if self.ledger.exists() else Spent()

    def _book(self, more: Spent, *, limited: bool) -> bool:
        self.ledger.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(self.ledger) as (descriptor, _):
            now = self._read(files.read_from(descriptor, 0))
            new = Spent(*(was + plus for was, plus in zip(astuple(now), astuple(more), strict=True)))
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
    Where the next call does not fit, those under way are waited for first: most take less than was set aside.
    """

    def __init__(self, inner: ChatModel, budget: Budget, price: Price | None) -> None:
        self.name = inner.name
        self._inner = inner
        self._budget = budget
        self._price = price or FREE
        self._known = price is not None
        self._under_way = 0
        self._settled = asyncio.Condition()

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        BudgetSpentError
            If the call might exceed a limit.
        """
        prompt = _most_prompt_tokens(request)
        tokens, dollars = prompt + request.max_tokens, self._price.of(prompt, request.max_tokens)
        async with self._settled:
            while not self._budget.take(tokens, dollars):
                if not self._under_way:
                    raise BudgetSpentError(self._spent())
                await self._settled.wait()
            self._under_way += 1
        took_tokens, took_dollars, unpriced = 0.0, 0.0, False
        try:
            reply = await self._inner.ask(request)
            took_tokens = reply.prompt_tokens + reply.completion_tokens
            known = self._price.of(reply.prompt_tokens, reply.completion_tokens)
            known *= self._price.batch if reply.batch else 1.0
            took_dollars = known if self._price is not FREE else reply.cost or 0.0
            unpriced = not self._known and reply.cost is None
            return reply
        finally:
            self._under_way -= 1
            self._budget.settle(took_tokens - tokens, took_dollars - dollars, unpriced=unpriced)
            async with self._settled:
                self._settled.notify_all()

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()

    def _spent(self) -> str:
        spent, budget = self._budget.spent(), self._budget
        limits = [f"--llmpref-max-cost {budget.most_dollars:g}"] * (budget.most_dollars < float("inf"))
        limits += [f"--llmpref-max-tokens {budget.most_tokens:g}"] * (budget.most_tokens < float("inf"))
        price = f" and ${spent.dollars:.4f}"
        if spent.unpriced and not spent.dollars:
            price = ", at an unknown price"
        elif spent.unpriced:
            price += f", and {spent.unpriced:,} {'reply' if spent.unpriced == 1 else 'replies'} of unknown price"
        # The first line stands by itself: what ends early because of the limit quotes it.
        return (
            f"{self.name}: the next call might exceed {' or '.join(limits)}:\n"
            f"this run took {spent.tokens:,.0f} tokens{price}.\n"
            "All answers are recorded. To go on from there, run the same command again:\n"
            "the limit is for each run."
        )


class PricedModel:
    """A `ChatModel` that asks another, and notes what each reply cost at a price that litellm does not know.

    A price that the user gave comes before litellm's. A reply that says nothing of its tokens has no known cost.

    Parameters
    ----------
    inner
        The model that is asked. Closed with this one.
    price
        What its tokens cost.
    """

    def __init__(self, inner: ChatModel, price: Price) -> None:
        self.name = inner.name
        self._inner = inner
        self._price = price

    async def ask(self, request: Request) -> Reply:
        """Answer one request."""
        reply = await self._inner.ask(request)
        told = reply.prompt_tokens + reply.completion_tokens > 0
        if not told or (reply.cost is not None and not self._price.given):
            return reply
        cost = self._price.of(reply.prompt_tokens, reply.completion_tokens)
        return msgspec.structs.replace(reply, cost=cost * (self._price.batch if reply.batch else 1.0))

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()


def priced(model: ChatModel, settings: Settings) -> ChatModel:
    """Return the model, or one that notes what each reply cost where the price is known."""
    price = price_under(model.name, settings)
    return model if price is None else PricedModel(model, price)


def _most_prompt_tokens(request: Request) -> int:
    """Return about the most tokens that a prompt may have: its messages and tools, in the form in which they go out."""
    sent = msgspec.json.encode((request.messages, request.tools))
    ascii_only = sum(byte < 128 for byte in sent)
    return len(sent) - ascii_only + ascii_only // ASCII_PER_TOKEN


class Deeds:
    """The recorded deeds of one model.

    Parameters
    ----------
    cassette
        Where they are recorded; ``None`` to record nothing.
    mode
        ``none`` does nothing anew; ``new_episodes`` records what is missing, ``all`` everything, once.
    began
        When the run began: see `must_ask`.
    """

    def __init__(
        self, cassette: Cassette | None, mode: Literal["none", "new_episodes", "all"], began: datetime
    ) -> None:
        self._cassette = cassette
        self._mode = mode
        self._began = began

    @property
    def replays(self) -> bool:
        """Whether nothing may be done anew."""
        return self._mode == "none"

    def recorded(self, request: Request) -> Reply | None:
        """Return what is recorded of a deed; ``None`` if it has to be done anew."""
        found = None if self._cassette is None else self._cassette.interaction(request.key)
        return None if found is None or must_ask(found, self._mode, self._began) else found.reply

    def keep(self, request: Request, reply: Reply) -> Reply:
        """Record a deed, unless it is recorded, and return it as it is recorded."""
        if self._cassette is None:
            return reply
        return self.recorded(request) or self._cassette.append(request, reply)

    async def result(self, request: Request, do: Callable[[], Awaitable[Reply]]) -> Reply:
        """Do something, and return what is recorded of it.

        Where it was recorded before, the recorded result holds, but it is done again all the same: what follows it
        builds on its traces, such as the files of a sandbox. Not so in a replay, where nothing is done.

        Raises
        ------
        MissingRecordingError
            If it must not be done, and was never recorded.
        """
        if self._cassette is None or not self.replays:
            return self.keep(request, await do())
        if (recorded := self.recorded(request)) is None:
            raise MissingRecordingError(request, str(self._cassette.packed.parent), "recorded result")
        return recorded


def must_ask(recorded: Interaction | None, mode: Literal["none", "new_episodes", "all"], began: datetime) -> bool:
    """Tell whether a question has to be asked, given what is recorded of it, in a run that began at that time.

    Replays take whatever is recorded. A recording run asks failed calls of earlier runs again, and in mode ``all``
    everything that is not its own. A reply from the future is not its own: a clock that was wrong then must not keep
    questions from being asked for as long as it was ahead.
    """
    if recorded is None:
        return True
    if mode == "none" or (mode == "new_episodes" and recorded.reply.finish != "error"):
        return False
    return not began <= recorded.at <= max(began, datetime.now(UTC))


class RecordingModel:
    """A `ChatModel` that returns the recorded reply where there is one, and else asks and records.

    A call that failed for good is recorded as a reply whose finish is ``error``: a replay counts it as what it was, and
    the next recording run asks it again. An earlier reply is never given up for a failure. A request that is in flight
    already is not sent twice.

    Parameters
    ----------
    inner
        The model that is asked. Closed with this one.
    cassette
        Where its replies go.
    mode
        ``new_episodes`` asks what is not recorded; ``all`` asks everything anew, once.
    began
        Failed calls from before this time, and in mode ``all`` every reply, are asked anew; now unless given. Workers
        that share a cassette share this time too, or each would ask what another has just recorded.
    """

    def __init__(
        self,
        inner: ChatModel,
        cassette: Cassette,
        mode: Literal["new_episodes", "all"] = "new_episodes",
        began: datetime | None = None,
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._cassette = cassette
        self._mode = mode
        self._began = began or datetime.now(UTC)
        self._asking: dict[str, asyncio.Lock] = {}
        self._wire = contextlib.ExitStack()
        self._listens = False

    async def ask(self, request: Request) -> Reply:
        """Return the recorded reply, or ask and record.

        Raises
        ------
        ModelUnavailableError
            As the inner model; nothing is recorded then.
        CassetteError
            If the reply cannot be written.
        """
        key = request.key
        recorded = self._recorded(key)
        if recorded is not None:
            return recorded
        asking = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with asking:
                return self._recorded(key) or await self._ask(request)
        finally:
            if not asking.locked():
                self._asking.pop(key, None)

    async def close(self) -> None:
        """Close the inner model, and stop listening at the wire."""
        try:
            await self._inner.close()
        finally:
            self._wire.close()
            self._listens = False

    def _recorded(self, key: str) -> Reply | None:
        found = self._cassette.interaction(key)
        return None if found is None or must_ask(found, self._mode, self._began) else found.reply

    async def _ask(self, request: Request) -> Reply:
        if not self._listens:
            # Here and not at the start: a run that finds everything recorded need not load vcrpy.
            self._wire.enter_context(wire.recording_wire())
            scrub_log_records()
        with wire.capture() as captured:
            try:
                reply = await self._inner.ask(request)
            except CallFailedError as failure:
                reply = Reply(text=str(failure), finish="error")
        if not self._listens:
            # Importing litellm may have read a .env file.
            scrub_log_records()
            self._listens = True
        earlier = self._cassette.get(request.key)
        if reply.finish == "error" and earlier is not None and earlier.finish != "error":
            message = f"{self.name}: asked anew, a call failed ({reply.text}); its earlier reply was kept"
            warnings.warn(message, CassetteWarning, stacklevel=2)
            return earlier
        # Its time tells this run's replies from earlier ones, also where the clock was set back meanwhile.
        at = max(self._began, datetime.now(UTC))
        return self._cassette.append(request, reply, captured.exchange, at=at)


class ReplayModel:
    """A `ChatModel` that returns the recorded reply to each request.

    Parameters
    ----------
    cassette
        The recordings of one model.
    """

    def __init__(self, cassette: Cassette) -> None:
        self.name = cassette.model
        self._cassette = cassette

    async def ask(self, request: Request) -> Reply:
        """Look the reply up by the request's key.

        Raises
        ------
        MissingRecordingError
            If the request was never recorded.
        """
        reply = self._cassette.get(request.key)
        if reply is None:
            raise MissingRecordingError(request, str(self._cassette.packed.parent))
        return reply

    async def close(self) -> None:
        """Nothing is open."""
