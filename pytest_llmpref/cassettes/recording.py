"""A model that asks another, and records what it answers."""

import asyncio
import contextlib
import warnings
from datetime import UTC, datetime
from typing import Literal

from pytest_llmpref.cassettes import wire
from pytest_llmpref.cassettes.errors import CassetteWarning
from pytest_llmpref.cassettes.interaction import Interaction
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.models.chat import CallFailedError, ChatModel, Reply, Request
from pytest_llmpref.secrets import scrub_log_records


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
