"""Any model that litellm can ask. The one module that imports litellm, and only when a model is asked."""

import asyncio
import functools
import logging
import os
import random
import time
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import stamina

from pytest_llmpref.models import retrying
from pytest_llmpref.models.addresses import check_address
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.parameters import Limits, Parameters, most_top_logprobs
from pytest_llmpref.models.prefill import answer_schema, messages_to_send
from pytest_llmpref.models.responses import reply_from, take_other_forms, tools_to_send
from pytest_llmpref.models.retrying import Outage
from pytest_llmpref.secrets import Secrets, environment_secrets

FAILURES_IN_A_ROW = 10
"""Calls that failed for good, none succeeding in between, after which the model counts as unavailable. Our choice."""

_NAMES = "https://docs.litellm.ai/docs/providers"


class LiveModel:
    """A `ChatModel` over ``litellm.acompletion``. Retries live here and nowhere else.

    Faults of transport and server, rate limits and answers that are no completion are tried again, after a wait that
    doubles or the one that the provider asks for. How many calls are in flight is up to the caller.

    Parameters
    ----------
    name
        The model's name as given to ``--model``.
    api_base
        The server's address; litellm's own for the provider unless given.
    api_key
        The key; from litellm's environment variable unless given.
    litellm_name
        litellm's name of the model, where it is not ``name``.
    stop
        Sequence that ends every reply; ``None`` for the model's own end of turn.
    timeout
        Seconds that one try may take.
    max_tries
        Most tries of one call.
    max_wait
        Seconds after which one call is not tried again.
    outage
        Holds calls where the provider had answered, and then failed `FAILURES_IN_A_ROW` of them; ``None`` to end then.
    only_recorded
        Whether a cassette gives every HTTP answer, so that nothing is ever sent.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        name: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        litellm_name: str | None = None,
        stop: str | None = None,
        timeout: float = 120.0,
        max_tries: int = 6,
        max_wait: float = 300.0,
        outage: Outage | None = None,
        only_recorded: bool = False,
    ) -> None:
        self.name = name
        self._litellm_name = litellm_name or name
        self._address = {key: value for key, value in (("api_base", api_base), ("api_key", api_key)) if value}
        self._stop = stop
        self._timeout = timeout
        self._max_tries = max_tries
        self._max_wait = max_wait
        self._outage = outage
        self._only_recorded = only_recorded
        self._limits: Limits | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unavailable: str | None = None
        self._succeeded = False
        self._failures = 0

    async def ask(self, request: Request) -> Reply:
        """Answer one request.

        Raises
        ------
        ModelUnavailableError
            If litellm does not know the name, the provider turns every call away, the server was never reached, or
            too many calls in a row failed and no outage is waited out, or not so long; and from then on at once.
        CallFailedError
            If this call failed for good.
        """
        self._loop = asyncio.get_running_loop()
        _open_models.add(self)
        limits = self._limits or self._find_limits()
        if self._only_recorded:
            _litellm().aclient_session = _never_sending_client()
            _replays.set(True)
        try:
            reply = await self._answer(request, limits)
        except (ModelUnavailableError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - litellm raises what it likes, and every failure gets a name here
            if not retrying.is_filtered(error):
                raise self._failure(error) from None
            reply = Reply(text="", finish="content_filter", parameters=limits.parameters(request))
        self._succeeded = True
        self._failures = 0
        return reply

    async def close(self) -> None:
        """Close litellm's connections of this event loop, unless another open model uses them."""
        _open_models.discard(self)
        if self._loop is None or any(model._loop is self._loop for model in _open_models):  # noqa: SLF001 - own class
            return
        await _close_clients(self._loop, but=_never_sending_client() if self._only_recorded else None)
        if self._only_recorded:
            _litellm().aclient_session = None
        self._loop = None

    async def _answer(self, request: Request, limits: Limits) -> Reply:
        """Try a call; where the provider is out, hold it until that is over."""
        if self._outage is None:
            return await self._try(request, limits)
        while True:
            await self._outage.passed()
            try:
                return await self._try(request, limits)
            except Exception as error:
                out = self._succeeded and self._failures + 1 >= FAILURES_IN_A_ROW
                if not (out and retrying.decide(error).retry):
                    raise
                if not self._outage.is_on:
                    return await self._outage.wait_out(
                        self.name,
                        retrying.describe(error, self._secrets()),
                        lambda: self._try(request, limits),
                        lambda failure: retrying.decide(failure).retry,
                    )

    async def _try(self, request: Request, limits: Limits) -> Reply:
        started = time.monotonic()
        sent: Parameters = {}

        def again(error: Exception) -> bool | float:
            if refused := retrying.refused_parameters(error, sent):
                limits.refused |= refused
                return 0.0
            decision = retrying.decide(error)
            over = time.monotonic() - started + (decision.wait or 0.0) >= self._max_wait
            if not decision.retry or over:
                return False
            # Calls that were turned away together must not come back together.
            return decision.wait + random.random() if decision.wait else True  # noqa: S311 - no secret

        async def once() -> Reply:
            nonlocal sent
            if self._unavailable is not None:
                raise ModelUnavailableError(self._unavailable)
            sent = limits.parameters(request)
            return await self._send(request, sent)

        try:
            return await once()
        except Exception as error:  # noqa: BLE001 - again() says of each whether another try makes sense
            first: Exception | None = error
        # Of which most calls have no need, and which takes as long to set up as the rest of `ask`.
        async for attempt in stamina.retry_context(
            on=again,
            attempts=self._max_tries,
            timeout=None,
            wait_initial=retrying.WAIT_INITIAL,
            wait_max=retrying.WAIT_MAX,
        ):
            with attempt:
                if first is not None:
                    failure, first = first, None
                    raise failure
                return await once()
        raise AssertionError("stamina either returns or raises")

    async def _send(self, request: Request, sent: Parameters) -> Reply:
        asked: dict[str, Any] = dict(sent)
        if "response_format" in sent:
            asked["response_format"] = answer_schema(request.answers)
        if request.tools:
            asked["tools"] = tools_to_send(request.tools)
        before = time.perf_counter()
        # litellm's time limit starts anew with each byte that arrives; this one does not.
        try:
            async with asyncio.timeout(self._timeout):
                response = await _litellm().acompletion(
                    model=self._litellm_name,
                    messages=messages_to_send(self.name, request.messages),
                    timeout=self._timeout,
                    # Its retries, and those of the provider's client, are off: ours are the only ones.
                    num_retries=0,
                    # Repetitions of a question are different samples.
                    caching=False,
                    **self._address,
                    **asked,
                )
        except TimeoutError:
            raise TimeoutError(f"no whole answer within {self._timeout:g} s") from None
        return reply_from(response, time.perf_counter() - before, sent)

    def _find_limits(self) -> Limits:
        litellm = _litellm()
        try:
            model, provider = provider_of(self._litellm_name)
            if not self._only_recorded and "api_base" not in self._address:
                check_address(self.name, provider)
        except ModelUnavailableError as error:
            self._unavailable = str(error)
            raise
        supported = frozenset(litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or ())
        reasons = bool(litellm.supports_reasoning(model, provider))

        @functools.cache
        def takes_temperature(temperature: float) -> bool:
            try:
                litellm.utils.get_optional_params(model=model, custom_llm_provider=provider, temperature=temperature)
            except litellm.UnsupportedParamsError:
                return False
            return "temperature" in supported

        self._limits = Limits(
            most_top_logprobs=most_top_logprobs(provider, supported, reasons=reasons),
            takes_temperature=takes_temperature,
            stop=self._stop,
        )
        return self._limits

    def _failure(self, error: Exception) -> Exception:
        """Return what a call that failed for good raises."""
        if own := retrying.own_error(error):
            return own
        said = retrying.describe(error, self._secrets())
        self._failures += 1
        if self._is_closed(error):
            self._unavailable = f"{self.name}: {said}; {self._fix(error)}"
        elif retrying.is_unreachable(error) and not self._succeeded:
            where = self._address.get("api_base", "its provider")
            self._unavailable = (
                f"{self.name}: {where} cannot be reached or refuses connections ({said}); "
                "check that the server runs and that this machine is online"
            )
        elif self._failures >= FAILURES_IN_A_ROW:
            self._unavailable = f"{self.name}: the last {self._failures} calls all failed, this one with: {said}"
            if retrying.is_forbidden(error):
                self._unavailable += f"; {self._fix(error)}, or a filter forbids each of these questions"
        if self._unavailable is not None:
            return ModelUnavailableError(self._unavailable)
        if (wait := retrying.retry_after(error)) is not None and wait >= self._max_wait:
            said += f"; the provider asks to wait {wait:.0f} s, which is more than --llmpref-max-wait"
        return CallFailedError(f"{self.name}: {said}")

    def _is_closed(self, error: Exception) -> bool:
        """Whether no call can succeed.

        A call that is forbidden says so of all only before the first success, and only in words about the key. Else
        it fails like any other, and `FAILURES_IN_A_ROW` of these end the study: an aggregator's provider, or a
        firewall, may forbid one question.
        """
        if retrying.is_forbidden(error):
            return not self._succeeded and retrying.refuses_key(error)
        return retrying.is_unavailable(error)

    def _secrets(self) -> Secrets:
        """Return what no message may repeat: the model's key, and those in the environment."""
        return Secrets([self._address.get("api_key", ""), *environment_secrets()], named=True)

    def _fix(self, error: Exception) -> str:
        if any(isinstance(cause, ImportError) for cause in retrying.causes(error)):
            return "install the package that litellm needs for this provider"
        match retrying.status_of(error):
            case 404:
                return f"check the model's name ({_NAMES})"
            case 402 | 429:
                return "the account has no credit left"
            case 403:
                return "the key has no permission for this model"
        missing = _litellm().validate_environment(self._litellm_name)["missing_keys"]
        if missing and "api_key" not in self._address:
            return f"set {' and '.join(missing)}"
        return f"check the key, and that it is one for this model ({_NAMES})"


def check_name(name: str) -> None:
    """Make sure that litellm knows the provider of a model, and where it is, before anything is asked.

    Raises
    ------
    ModelUnavailableError
        If it does not.
    """
    check_address(name, provider_of(name)[1])


def provider_of(name: str) -> tuple[str, str]:
    """Return what litellm makes of a model's name: the provider's own name of the model, and the provider.

    Raises
    ------
    ModelUnavailableError
        If litellm knows no such provider.
    """
    litellm = _litellm()
    try:
        model, provider, _, _ = litellm.get_llm_provider(name)
    except litellm.BadRequestError:
        raise ModelUnavailableError(
            f"{name}: litellm knows no such model or provider; name it PROVIDER/MODEL, like openai/gpt-4o ({_NAMES})"
        ) from None
    return model, provider


def listed_price(name: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what so many tokens cost in US dollars by litellm's price list; ``None`` where it has no price."""
    litellm = _litellm()
    try:
        prompt, completion = litellm.cost_per_token(
            model=name, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
        )
    except Exception:  # noqa: BLE001 - litellm raises a bare Exception for a model that its list lacks
        return None
    return float(prompt + completion) or None


_open_models: "WeakSet[LiveModel]" = WeakSet()
_replays: ContextVar[bool] = ContextVar("llmpref_replays", default=False)
"""Whether the call under way is answered by a cassette."""


@functools.cache
def _litellm() -> Any:
    """Import litellm, once, and keep it quiet."""
    # Or it would download its list of prices as it is imported.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm  # noqa: PLC0415 - takes seconds

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    take_other_forms(litellm.types.utils.Message, litellm.types.utils.Choices)
    _read_no_key_in_a_replay(litellm.main)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        # What it warns of is in the Reply, or raised.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


def _read_no_key_in_a_replay(main: Any) -> None:
    """Keep litellm from looking up the user's key for OpenAI, as 1.110 does where it wants to know an address."""
    look_up = getattr(main, "get_openai_credentials", None)
    if look_up is None:
        return

    def credentials(api_base: str | None = None, api_key: str | None = None, *others: Any, **named: Any) -> Any:
        return look_up(api_base, api_key or ("recorded" if _replays.get() else None), *others, **named)

    main.get_openai_credentials = credentials


@functools.cache
def _never_sending_client() -> Any:
    """Return an HTTP client for calls that a cassette answers: litellm's own sends faster, and costs more per call."""
    import httpx  # noqa: PLC0415 - litellm has imported it

    # A replay has no business in the environment, where keys are.
    return httpx.AsyncClient(trust_env=False)


async def _close_clients(loop: asyncio.AbstractEventLoop, but: object = None) -> None:
    """Close the HTTP clients that litellm keeps for one event loop, but one that other loops use too.

    litellm's own ``close_litellm_async_clients`` closes those of all event loops, other models' in the middle of a
    call among them.
    """
    clients = _litellm().in_memory_llm_clients_cache
    for key in [key for key in clients.cache_dict if key.endswith(f"-{id(loop)}")]:
        client = clients.cache_dict.pop(key)
        clients.ttl_dict.pop(key, None)
        client = getattr(client, "_client", None) or getattr(client, "client", None) or client
        if client is not but and (close := getattr(client, "aclose", None)) is not None:
            await close()
