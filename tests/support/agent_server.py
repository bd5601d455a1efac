"""A scripted agent behind an OpenAI-compatible server: it looks at the conversation, and answers with tool calls."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web
from loopback import Loopback, completion

Step = tuple[str, str]
"""A tool, and its arguments: JSON, broken or not."""

PROGRAMS = Path(__file__).parent / "agent_programs"
"""What the scripted agent writes: a program for each task that it solves, from the task's files alone."""
SIGNS = {
    "partial_tenacity": "PKCS1_OAEP",
    "slcg": "ciphertext.txt",
    "dynastic": "to_identity_map",
    "neighbours": "next_prime",
    "primary_knowledge": "getPrime",
    "painted_note": "note.txt",
    "single_byte": "message.hex",
    "dry_warm_days": "dry-warm-days.tsv",
    "closed_roads": "closed-roads.csv",
    "digit_sums": "digit sum",
}
"""By what it knows a task: something in its files, or in what is asked; the first that is there holds."""


class AgentServer(Loopback):
    """Answers each request with what a policy makes of its messages."""

    def __init__(self, policy: Callable[[list[dict[str, Any]]], Step | str]) -> None:
        super().__init__()
        self.policy = policy

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.received.append(body)
        step = self.policy(body["messages"])
        if isinstance(step, str):
            return web.json_response(completion(step))
        answer = completion("", finish="tool_calls")
        number = sum(message["role"] == "assistant" for message in body["messages"])
        function = {"name": step[0], "arguments": step[1]}
        answer["choices"][0]["message"]["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": function}
        ]
        return web.json_response(answer)


@contextlib.contextmanager
def serving_agent(policy: Callable[[list[dict[str, Any]]], Step | str]) -> Iterator[AgentServer]:
    server = AgentServer(policy)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def solver(messages: list[dict[str, Any]]) -> Step:
    """Look at the files, run a program on them, and submit what it printed; give up where there is no program."""
    asked = next(message["content"] for message in messages if message["role"] == "user")
    results = [message["content"] for message in messages if message["role"] == "tool"]
    if not results:
        return "bash", json.dumps({"command": "ls /root /shared_files; tail -n +1 /root/* | head -c 1500"})
    task = next((task for task, sign in SIGNS.items() if sign in results[0] + asked), None)
    if task is None:
        return "submit", json.dumps({"answer": "I do not know"})
    if len(results) == 1:
        return "python", json.dumps({"code": (PROGRAMS / f"{task}.py").read_text()})
    return "submit", json.dumps({"answer": results[1].strip().splitlines()[-1]})
