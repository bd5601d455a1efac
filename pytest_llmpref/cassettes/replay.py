"""A model that answers from its cassette: no provider, no HTTP, no socket."""

from pytest_llmpref.cassettes.errors import MissingRecordingError
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.models.chat import Reply, Request


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
