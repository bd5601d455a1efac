"""A simulated model in this process, as a `ChatModel`: it answers at once, and costs nothing."""

from collections.abc import Callable, Sequence

from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.simulated.deciding import Mind, hear
from pytest_llmpref.models.simulated.speaking import speak
from pytest_llmpref.models.simulated.tastes import Draws, Tastes
from pytest_llmpref.models.simulated.working import Worker
from pytest_llmpref.models.simulated.world import load_world, world_file
from pytest_llmpref.models.simulated.writing import Writer

_UNKNOWN = (
    "{name}: a simulated model does not understand this question. Ask a real model, or say how to answer it in "
    "Behaviour.simulate, or give a model of your own by the hook pytest_llmpref_models."
)


Answer = Callable[[Request, Tastes], str | None]
"""Given a request, and what the model likes, returns its reply; ``None`` to a question of another kind."""


class SimulatedModel:
    """A `ChatModel` that answers as its world says, from nothing but the request.

    Parameters
    ----------
    name
        ``sim/NAME`` of a shipped world, or ``sim/PATH.toml``.
    answers
        How it answers questions of other packages, tried first.

    Raises
    ------
    ModelUnavailableError
        If the name means no world.
    WorldError, EntityFileError
        If the world cannot be used.
    """

    def __init__(self, name: str, answers: Sequence[Answer] = ()) -> None:
        self.name = name
        self._answers = answers
        self.world, self.entities = load_world(world_file(name))
        self.tastes = Tastes(self.world, self.entities)
        self.worker = Worker(self.world, self.tastes)
        self._mind = Mind(self.world, self.tastes)
        self._writer = Writer(self.world, self.tastes)

    def reply(self, request: Request) -> Reply:
        """Answer one request; whoever is given tools works with them.

        A question of no known kind gets an error for a reply, which says so.
        """
        if request.tools:
            return self.worker.reply(request)
        for answer in self._answers:
            if (said := answer(request, self.tastes)) is not None:
                return Reply(said, finish="stop", cost=0.0)
        if (written := self._writer.reply(request)) is not None:
            return written
        heard = hear(request.messages)
        if heard.kind == "other":
            return Reply(_UNKNOWN.format(name=self.name), finish="error", cost=0.0)
        draws = Draws.of(self.world.seed, request)
        return speak(self._mind.decide(heard, request, draws), heard, request, self.world.replies, draws)

    async def ask(self, request: Request) -> Reply:
        """Answer one request, at once."""
        return self.reply(request)

    async def close(self) -> None:
        """Nothing is open."""
