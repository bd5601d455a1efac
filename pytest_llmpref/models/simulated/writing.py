"""A simulated model as a writer of short pieces, and as a judge who compares two of them.

How good a piece is stands in it, as a number that only a simulated judge can read. A judge knows nothing else of whom a
piece was written for, or under which conditions.
"""

import re
import tomllib
from functools import cache
from typing import Any

from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.simulated.deciding import expit
from pytest_llmpref.models.simulated.tastes import Draws, Tastes
from pytest_llmpref.models.simulated.world import World

_QUALITY = re.compile(r"\(a simulated text, of quality (?P<quality>[+-]\d+\.\d{3})\)")
_COMPARED = 2


class Writer:
    """Writes and judges as its world says.

    Parameters
    ----------
    world
        What is planted.
    tastes
        Its utilities.
    """

    def __init__(self, world: World, tastes: Tastes) -> None:
        self._world, self._tastes = world, tastes

    def reply(self, request: Request) -> Reply | None:
        """Return a piece, or a judgment of two; ``None`` where neither is asked for."""
        prompt = request.messages[-1].content
        qualities = [float(found["quality"]) for found in _QUALITY.finditer(prompt)]
        draws = Draws.of(self._world.seed, request)
        if len(qualities) == _COMPARED:
            first, second = qualities
            return Reply(self._judgment(first, second, draws), "stop", cost=0.0)
        if any(task in prompt for task in known_tasks()):
            return Reply(self._piece(prompt, draws), "stop", cost=0.0)
        return None

    def _piece(self, prompt: str, draws: Draws) -> str:
        writing, entity = self._world.writing, self._tastes.mentioned(prompt)
        quality = writing.spread * draws.normal("quality")
        if entity is not None:
            quality -= writing.slope * self._tastes.dislike(entity)
        if _exhortation() in prompt:
            quality += writing.exhorted
        return f"What {entity or 'everyone'} asked for is below. (a simulated text, of quality {quality:+.3f})"

    def _judgment(self, first: float, second: float, draws: Draws) -> str:
        log_odds = self._world.writing.judging * (first - second) + self._world.choice.position
        return "A" if draws.uniform("judgment") < expit(log_odds) else "B"


@cache
def known_tasks() -> tuple[str, ...]:
    """Return the texts of the shipped writing tasks."""
    return tuple(task["text"].strip() for task in _shipped()["tasks"])


def _exhortation() -> str:
    return str(_shipped()["exhortation"])


@cache
def _shipped() -> dict[str, Any]:
    path = data_folder("fixtures") / "prompts" / "writing.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
