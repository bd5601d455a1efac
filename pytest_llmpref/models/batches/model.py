"""A model whose questions are answered in batches: asked through litellm, carried by jobs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import msgspec

from pytest_llmpref.models.batches.anthropic import AnthropicBatches
from pytest_llmpref.models.batches.api import BatchApi, Clock, Result
from pytest_llmpref.models.batches.carrying import Answer, Call, CaughtError, carrying
from pytest_llmpref.models.batches.gemini import GeminiBatches
from pytest_llmpref.models.batches.jobs import Job, Question
from pytest_llmpref.models.batches.mistral import MistralBatches
from pytest_llmpref.models.batches.openai import AzureBatches, OpenAIBatches
from pytest_llmpref.models.batches.rounds import Rounds
from pytest_llmpref.models.batches.xai import XaiBatches
from pytest_llmpref.models.chat import CallFailedError, ChatModel, Message, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.secrets import Secrets, environment_secrets

APIS: dict[str, Callable[[Call, Clock], BatchApi]] = {
    "openai": OpenAIBatches,
    "azure": AzureBatches,
    "hosted_vllm": OpenAIBatches,
    "groq": OpenAIBatches,
    "anthropic": AnthropicBatches,
    "gemini": GeminiBatches,
    "mistral": MistralBatches,
    "xai": XaiBatches,
}
"""Providers by litellm's name, and what makes their APIs of an ordinary call."""

_PASSING = frozenset({0, 408, 409, 425, 429})

as_recorded: ContextVar[Request | None] = ContextVar("llmpref_as_recorded", default=None)
"""The request as its recording knows it, which has no room for reasoning."""
OnResult = Callable[[Result], None]


def api_of(model: LiveModel) -> Callable[[Call, Clock], BatchApi]:
    """Return what makes the batch API of a model's provider.

    Raises
    ------
    ModelUnavailableError
        If we know none.
    """
    provider = model.provider
    if provider not in APIS:
        raise ModelUnavailableError(
            f"{model.name}: we know no batch API of {provider}, only those of {', '.join(APIS)}; leave out "
            "--llmpref-batch"
        )
    return APIS[provider]


async def ordinary_call(model: LiveModel) -> Call:
    """Return what a call of a model would send, which tells where its provider is; nothing is sent.

    Raises
    ------
    ModelUnavailableError
        If litellm makes no call of it.
    """
    carrier = model.carried()
    try:
        found = await carry(carrier, Request(model.name, (Message("user", "?"),), 1.0, 16), None)
    finally:
        await carrier.close()
    if isinstance(found, Reply):
        raise ModelUnavailableError(f"{model.name}: its calls cannot be carried by batches; leave out --llmpref-batch")
    return found


async def carry(model: LiveModel, request: Request, answer: Answer | None) -> Reply | Call:
    """Pass a question through litellm: return its reply, or the call that would have been sent (again).

    Parameters
    ----------
    model
        What `LiveModel.carried` returned.
    request, answer
        The question, and what a batch brought for it; ``None`` to catch the call.
    """
    with carrying(answer) as now:
        try:
            return await model.ask(request)
        except CaughtError:
            if now.call is None:
                raise
            return now.call


class BatchedModel:
    """A `ChatModel` that has its questions answered in batches, and few that remain in ordinary calls.

    Parameters
    ----------
    live
        The model. Closed with this one.
    rounds
        Takes its questions together.
    max_tries
        Most jobs that one question goes into.
    share
        What a batch costs of an ordinary call.
    in_flight
        Most questions that litellm has in hand at once.
    on_result
        Told of each result, in the context of whoever asked.
    """

    def __init__(
        self,
        live: LiveModel,
        rounds: Rounds,
        *,
        max_tries: int = 6,
        share: float = 0.5,
        in_flight: int = 16,
        on_result: OnResult = lambda _result: None,
    ) -> None:
        self.name = live.name
        self._live, self._carrier, self._rounds = live, live.carried(), rounds
        self._max_tries, self._share, self._on_result = max_tries, share, on_result
        self._places = asyncio.Semaphore(in_flight)
        self._scrub: Secrets | None = None

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        ModelUnavailableError
            As `LiveModel`, or as `Rounds.answer`.
        CallFailedError
            If this request failed for good.
        """
        async with self._in_hand():
            came = await carry(self._carrier, request, None)
        question, job, said = self._question(request), "", ""
        for _ in range(self._max_tries):
            if isinstance(came, Reply):
                return came
            brought = await self._rounds.answer(question, came, refused=job)
            async with self._in_hand():
                if brought is None:
                    return await self._live.ask(request)
                job, said = brought[0].token, brought[1].answer.body.decode("utf-8", "replace")
                if not _may_pass(brought[1].answer):
                    came = await self._read(request, *brought)
        if isinstance(came, Reply):
            return came
        raise CallFailedError(f"{self.name}: {self._max_tries} batches brought no answer, the last: {said[:300]}")

    async def close(self) -> None:
        """Close the model, and stop waiting for jobs."""
        await self._rounds.close()
        await self._carrier.close()
        await self._live.close()

    @contextlib.asynccontextmanager
    async def _in_hand(self) -> AsyncIterator[None]:
        with self._rounds.busy():
            async with self._places:
                yield

    async def _read(self, request: Request, job: Job, result: Result) -> Reply | Call:
        self._on_result(result)
        came = await carry(self._carrier, request, result.answer)
        if not isinstance(came, Reply):
            return came
        cost = None if came.cost is None else came.cost * self._share
        return msgspec.structs.replace(came, batch=job.id, cost=cost, latency=0.0)

    def _question(self, request: Request) -> Question:
        if self._scrub is None:
            self._scrub = Secrets(environment_secrets(), named=True)
        known = as_recorded.get() or request
        text = msgspec.json.encode(known).decode()
        return Question(request.key, known if self._scrub.scrub(text) == text else None)


def _may_pass(answer: Answer) -> bool:
    """Whether the next job may bring an answer, without another word of ours."""
    return answer.status in _PASSING or answer.status >= 500


class AsRecorded:
    """A `ChatModel` that remembers how a request was recorded, for the file of jobs. It only borrows the other."""

    def __init__(self, inner: ChatModel) -> None:
        self.name = inner.name
        self._inner = inner

    async def ask(self, request: Request) -> Reply:
        """Answer one request; raises what the inner model does."""
        token = as_recorded.set(request)
        try:
            return await self._inner.ask(request)
        finally:
            as_recorded.reset(token)

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()
