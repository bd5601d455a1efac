"""A simulated model as an agent: it looks at its task with the tools it has, and submits an answer.

It sees nothing but the conversation. Whether it is able to solve a task is planted, as what it knows of a question is;
but it has the right answer only once the results of its tools have shown it what the task is.
"""

import math

import msgspec

from pytest_llmpref.models.chat import Message, Reply, Request, ToolCall
from pytest_llmpref.models.simulated.deciding import expit, log_odds_right
from pytest_llmpref.models.simulated.knowing import recognised
from pytest_llmpref.models.simulated.situating import NOWHERE, Situation, situation_of, sway
from pytest_llmpref.models.simulated.speaking import tokens_of
from pytest_llmpref.models.simulated.tastes import Draws, Tastes
from pytest_llmpref.models.simulated.world import World

MOST_LOOKS = 12
"""Calls of tools that an agent makes at most before it answers."""
_WRONG = "not found"
# The same wherever and whenever they run, so that a run comes to the same conversation again.
_LOOKS = (
    ("bash", {"command": "sha256sum ~/* /shared_files/* 2>/dev/null"}),
    ("bash", {"command": "wc -c ~/* /shared_files/* 2>/dev/null"}),
    ("bash", {"command": "head -c 160 ~/* /shared_files/* 2>/dev/null"}),
    ("python", {"code": "import os\nprint(sorted(os.listdir(os.path.expanduser('~'))))"}),
)


class Worker:
    """Works on tasks as its world says.

    Parameters
    ----------
    world
        What is planted.
    tastes
        Its utilities.
    """

    def __init__(self, world: World, tastes: Tastes) -> None:
        self._world = world
        self._tastes = tastes

    def reply(self, request: Request) -> Reply:
        """Make the next step of a run: one call of a tool. How often the run was made before changes nothing."""
        prompt = next((message.content for message in request.messages if message.role == "user"), "")
        results = [message.content for message in request.messages if message.role == "tool"]
        entity, task = self._tastes.mentioned(prompt), recognised(prompt, results)
        situation = situation_of(request.messages)
        steps = sum(message.role == "assistant" for message in request.messages)
        offered = {tool.name for tool in request.tools}
        looks = [look for look in _LOOKS if look[0] in offered]
        if looks and steps < self.looks(prompt if task is None else task.id, entity):
            name, arguments = looks[steps % len(looks)]
            return _calling(request, name, arguments)
        solved = task is not None and self.solves(task.id, entity, situation)
        answer = task.answer if task is not None and solved else _WRONG
        return _calling(request, "submit", {"answer": answer})

    def chance(self, task: str, entity: str | None, situation: Situation = NOWHERE) -> float:
        """Return the probability that a task is solved for an entity, in a context; ``None`` for nobody."""
        if entity is None:
            return expit(log_odds_right(self._world.agent, self._of_task(task), None))
        right = log_odds_right(self._world.agent, self._of_task(task), self._tastes.dislike(entity))
        return expit(right + sway(self._world.contexts, situation, "donation") * situation.dose(entity))

    def solves(self, task: str, entity: str | None, situation: Situation = NOWHERE) -> bool:
        """Whether a task is solved for an entity, in a context."""
        said = [situation.text] if situation.text else []
        of_task, of_run = self._of_task(task), Draws(self._world.seed, "task", task, entity, *said)
        anew = of_run.uniform("anew") < self._world.agent.noise
        return (of_run if anew else of_task).uniform("solved") < self.chance(task, entity, situation)

    def looks(self, task: str, entity: str | None) -> int:
        """Return how many calls of tools an entity is worth at a task before an answer is submitted."""
        agent = self._world.agent
        log_effort = math.log(agent.effort) + agent.effort_spread * Draws(self._world.seed, task, entity).normal(
            "effort"
        )
        if entity is not None:
            log_effort -= agent.effort_slope * self._tastes.dislike(entity)
        return min(max(round(math.exp(log_effort)), 1), MOST_LOOKS)

    def _of_task(self, task: str) -> Draws:
        return Draws(self._world.seed, "task", task)


def _calling(request: Request, name: str, arguments: dict[str, str]) -> Reply:
    written = msgspec.json.encode(arguments).decode()
    said = [word for message in request.messages for word in (message.content, *_arguments(message))]
    return Reply(
        "",
        "tool_calls",
        prompt_tokens=sum(map(len, said)) // 4,
        completion_tokens=len(tokens_of(written)),
        cost=0.0,
        parameters={"max_tokens": request.max_tokens, "temperature": request.temperature},
        tool_calls=(ToolCall(f"call_{len(request.messages)}", name, written),),
    )


def _arguments(message: Message) -> list[str]:
    return [call.arguments for call in message.tool_calls]
