"""The least that asks through litellm."""

import asyncio

from pytest_llmpref.models.chat import CallFailedError, Message, Reply, Request

MODEL = "openai/tiny"
API_KEY = "shapeless credential 4711"


class Live:
    """The least that asks through litellm, and tries again once."""

    name = MODEL

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, request: Request) -> Reply:
        import litellm

        for _ in range(2):
            try:
                response = await litellm.acompletion(
                    model=MODEL,
                    api_base=self.url,
                    api_key=API_KEY,
                    messages=[{"role": message.role, "content": message.content} for message in request.messages],
                    temperature=request.temperature,
                    max_retries=0,
                    timeout=20,
                )
            except litellm.RateLimitError as error:
                failure = error
            else:
                choice, usage = response.choices[0], response.usage
                return Reply(choice.message.content, choice.finish_reason, prompt_tokens=usage.prompt_tokens)
        raise CallFailedError(str(failure))

    async def close(self) -> None:
        import litellm

        await litellm.close_litellm_async_clients()


def question(number: int) -> Request:
    return Request(MODEL, (Message("user", f"Question {number}"),), 1.0, 8)


async def ask_all(model, requests, at_once=64):
    places = asyncio.Semaphore(at_once)

    async def ask(request):
        async with places:
            return await model.ask(request)

    try:
        return await asyncio.gather(*map(ask, requests))
    finally:
        await model.close()
