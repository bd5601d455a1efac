"""Questions to a provider, asked one after the other, and what came of each."""

import asyncio

from pytest_llmpref.models.chat import CallFailedError, Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.live import LiveModel

KEY = "sk-proj-0123456789abcdefABCDEF"


def request(name: str = "openai/tested", *, temperature: float = 0.7, top_logprobs: int = 0, max_tokens: int = 8):
    return Request(name, (Message("user", "Tea or mud?"),), temperature, max_tokens, top_logprobs=top_logprobs)


def ask(asked: LiveModel, *requests: Request) -> list[Reply | Exception]:
    """Ask one after the other, close, and return what came of each."""

    async def run():
        outcomes = []
        for each in requests:
            try:
                outcomes.append(await asked.ask(each))
            except (CallFailedError, ModelUnavailableError) as error:
                outcomes.append(error)
        await asked.close()
        return outcomes

    return asyncio.run(run())


CLAUDE = "anthropic/claude-sonnet-4-5"
