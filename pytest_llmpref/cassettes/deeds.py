"""What is done for a model rather than said by it: tools that it called, and runs of agents that came to their end.

Each is an interaction of the model's cassette, found by its key like any other. There is no HTTP behind it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

from pytest_llmpref.cassettes.errors import MissingRecordingError
from pytest_llmpref.cassettes.recording import must_ask
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.models.chat import Reply, Request


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
        """Return what is recorded of a deed; ``None`` where it has to be done anew."""
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
