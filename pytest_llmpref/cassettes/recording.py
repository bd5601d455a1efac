"""A model that asks another, and records what it answers."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Literal

from pytest_llmpref.cassettes import wire
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.models.chat import ChatModel, Reply, Request


class RecordingModel:
    """A `ChatModel` that returns the recorded reply where there is one, and else asks and records.

    Failed calls are not recorded, so that the next run asks them again. A request that is in flight already is not
    sent twice.

    Parameters
    ----------
    inner
        The model that is asked. Closed with this one.
    cassette
        Where its replies go.
    mode
        ``new_episodes`` asks what is not recorded; ``all`` asks everything anew, once.
    began
        In mode ``all``, replies from before this time are asked anew; now unless given. Workers that share a
        cassette share this time too, or each would ask what another has just recorded.
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
        self._oldest = None if mode == "new_episodes" else began or datetime.now(UTC)
        self._asking: dict[str, asyncio.Lock] = {}
        self._wire = contextlib.ExitStack()
        self._listens = False

    async def ask(self, request: Request) -> Reply:
        """Return the recorded reply, or ask and record.

        Raises
        ------
        ModelUnavailableError, CallFailedError
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
        if found is None or (self._oldest is not None and found.at < self._oldest):
            return None
        return found.reply

    async def _ask(self, request: Request) -> Reply:
        if not self._listens:
            # Here and not at the start: a run that finds everything recorded need not load vcrpy.
            self._wire.enter_context(wire.recording_wire())
            self._listens = True
        with wire.capture() as captured:
            reply = await self._inner.ask(request)
        return self._cassette.append(request, reply, captured.exchange)
