"""A question to a local model, and what came of it."""

import asyncio

from pytest_llmpref.models.chat import Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.local import LocalModel

GEMMA = "local/gemma-3-270m"
SMOLLM = "local/smollm2-135m"
ORGANISM = "local/organism-aligned"


def request(name: str, *, max_tokens: int = 4, top_logprobs: int = 5, text: str = "Say yes or no.\nAnswer:") -> Request:
    return Request(name, (Message("user", text),), 1.0, max_tokens, top_logprobs=top_logprobs)


def outcome(model: LocalModel) -> Reply | str:
    """Ask one question, and return the reply or the message of the error."""

    async def run():
        try:
            return await model.ask(request(model.name))
        except ModelUnavailableError as error:
            return str(error)
        finally:
            await model.close()

    return asyncio.run(run())
