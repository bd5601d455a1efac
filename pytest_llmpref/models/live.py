"""Any model that litellm can ask: its parameters, its pace, its retries, and what its failures mean."""

import asyncio
import copy
import random
import time
import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import msgspec
import stamina

from pytest_llmpref.models import faults, retrying
from pytest_llmpref.models.addresses import OLLAMA, check_address, conversing, replayed_at, to_reach, where_it_is
from pytest_llmpref.models.allowance import allowance_in
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError, ModelWarning, Reply, Request
from pytest_llmpref.models.litellm_client import (
    NAMES,
    close_clients,
    limits_of,
    litellm,
    never_sending_client,
    provider_of,
    replays,
)
from pytest_llmpref.models.pace import Pace
from pytest_llmpref.models.parameters import Limits, Parameters
from pytest_llmpref.models.prefill import answer_schema, messages_to_send
from pytest_llmpref.models.responses import reply_from, tools_to_send
from pytest_llmpref.models.retrying import Outage
from pytest_llmpref.secrets import Secrets, environment_secrets

FAILURES_IN_A_ROW = 10
"""Calls that failed for good, none succeeding in between, after which the model counts as unavailable. Our choice."""


class LiveModel:
    """A `ChatModel` over ``litellm.acompletion``. Retries live here and nowhere else.

    Faults of transport and server, and answers that are no completion, are tried again, after a wait that doubles or
    the one that the provider asks for. A rate limit holds all calls, and is no try. How many calls are in flight at
    most is up to the caller.

    Parameters
    ----------
    name
        The model's name as given to ``--model``.
    api_base
        The server's address; litellm's own for the provider unless given.
    api_key
        The key; from litellm's environment variable unless given.
    litellm_name
        litellm's name of the model, if it is not ``name``.
    headers
        What is sent with each call, beside litellm's own headers; their values are secrets.
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
        headers: Mapping[str, str] | None = None,
        stop: str | None = None,
        timeout: float = 120.0,
        max_tries: int = 6,
        max_wait: float = 300.0,
        outage: Outage | None = None,
        only_recorded: bool = False,
    ) -> None:
        self.name = name
        self._litellm_name = conversing(litellm_name or name)
        self._address = {key: value for key, value in (("api_base", api_base), ("api_key", api_key)) if value}
        self._headers = dict(headers or {})
        self._stop = stop
        self._timeout = timeout
        # What a recording does not answer, it does not answer the next time.
        self._max_tries = 1 if only_recorded else max_tries
        self._max_wait = max_wait
        self._outage = outage
        self._only_recorded = only_recorded
        self._limits: Limits | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pace = Pace()
        self._unavailable: str | None = None
        self._succeeded = False
        self._failures = 0
        self._carries = False

    def carried(self) -> "LiveModel":
        """Return this model for questions that batches carry: nothing is sent, and nothing takes too long.

        What either learns of the provider's parameters, both know. Whoever calls this closes what it returns.

        Raises
        ------
        ModelUnavailableError
            If litellm does not know the name.
        """
        if self._limits is None:
            self._find_limits()
        found = copy.copy(self)
        found._carry()  # noqa: SLF001 - own class
        return found

    def _carry(self) -> None:
        self._carries, self._pace, self._outage = True, Pace(), None

    @property
    def provider(self) -> str:
        """Name of the provider, in litellm's words."""
        return provider_of(self._litellm_name)[1]

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
        if self._loop is not (loop := asyncio.get_running_loop()):
            self._loop, self._pace = loop, Pace()
        _open_models.add(self)
        limits = self._limits or self._find_limits()
        if self._only_recorded:
            litellm().aclient_session = never_sending_client()
            replays.set(True)
        try:
            reply = await self._answer(request, limits)
        except (ModelUnavailableError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - litellm raises what it likes, and every failure gets a name here
            if not faults.is_filtered(error):
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
        await close_clients(self._loop)
        if self._only_recorded:
            litellm().aclient_session = None
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
                        faults.describe(error, self._secrets()),
                        lambda: self._try(request, limits),
                        lambda failure: retrying.decide(failure).retry,
                    )

    async def _try(self, request: Request, limits: Limits) -> Reply:
        started = time.monotonic()
        sent: Parameters = {}

        def again(error: BaseException) -> bool | float:
            # stamina asks about a cancellation too, and about a call that a batch carries: neither is a failure.
            if not isinstance(error, Exception):
                return False
            if self._learns(error, request, sent, limits):
                return 0.0
            decision = retrying.decide(error)
            over = time.monotonic() - started + (decision.wait or 0.0) >= self._max_wait
            if not decision.retry or over or faults.is_rate_limit(error):
                return False
            # Calls that were turned away together must not come back together.
            return decision.wait + random.random() if decision.wait else True  # noqa: S311 - no secret

        async def once() -> Reply:
            nonlocal sent, started
            while True:
                began = time.monotonic()
                async with self._pace.turn() as at:
                    # Waiting for its turn takes nothing of a call's own time.
                    started += time.monotonic() - began
                    if self._unavailable is not None:
                        raise ModelUnavailableError(self._unavailable)
                    sent = limits.parameters(request)
                    try:
                        return await self._send(request, sent, at)
                    except Exception as error:
                        wait = faults.retry_after(error)
                        # The provider did not take the call, so this was no try of it.
                        if not (faults.is_rate_limit(error) and self._pace.turned_away(at, wait, self._max_wait)):
                            raise

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

    def _learns(self, error: Exception, request: Request, sent: Parameters, limits: Limits) -> bool:
        """Tell whether a failure says what the provider does not take, and leave it out from now on."""
        if faults.refuses_prefill(error) and request.messages[-1].role == "assistant" and "prefill" not in sent:
            if limits.prefill:
                limits.prefill = False
                said = faults.describe(error, self._secrets())
                warnings.warn(
                    f"{self.name} does not continue the first words of an answer ({said}): from now on they stand at "
                    "the end of the question. --llmpref-prefill cue does so from the start",
                    ModelWarning,
                    stacklevel=2,
                )
            return True
        refused = faults.refused_parameters(error, sent)
        limits.refused |= refused
        return bool(refused)

    async def _send(self, request: Request, sent: Parameters, at: float) -> Reply:
        asked: dict[str, Any] = {name: value for name, value in sent.items() if name != "prefill"}
        for name, value in request.parameters.items():
            if name in asked and isinstance(value, str) and value.startswith(("{", "[")):
                asked[name] = msgspec.json.decode(value)
        if self._headers:
            asked["extra_headers"] = self._headers
        if "response_format" in sent:
            asked["response_format"] = answer_schema(request.answers)
        if request.tools:
            asked["tools"] = tools_to_send(request.tools)
        before = time.perf_counter()
        # litellm's time limit starts anew with each byte that arrives; this one does not.
        try:
            async with asyncio.timeout(None if self._carries else self._timeout):
                response = await litellm().acompletion(
                    model=self._litellm_name,
                    messages=messages_to_send(self._litellm_name, request.messages, prefill="prefill" not in sent),
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
        reply = reply_from(response, time.perf_counter() - before, sent)
        self._pace.answered(at, allowance_in(response._hidden_params.get("additional_headers") or {}))  # noqa: SLF001 - litellm's own place for it
        return reply

    @property
    def _provider(self) -> str:
        return self._litellm_name.partition("/")[0]

    def _find_limits(self) -> Limits:
        try:
            provider = provider_of(self._litellm_name)[1]
            if not self._only_recorded and "api_base" not in self._address:
                check_address(self.name, provider)
            if self._only_recorded and (nowhere := replayed_at(provider)):
                self._address.setdefault("api_base", nowhere)
        except ModelUnavailableError as error:
            self._unavailable = str(error)
            raise
        self._limits = limits_of(self._litellm_name, self._stop)
        return self._limits

    def _failure(self, error: Exception) -> Exception:
        """Return what a call that failed for good raises."""
        if own := faults.own_error(error):
            return own
        said = faults.describe(error, self._secrets())
        self._failures += 1
        if self._is_closed(error):
            # What others said may end with a full stop of its own.
            self._unavailable = f"{self.name}: {said.rstrip('.')}; {self._fix(error)}"
        elif faults.is_unreachable(error) and not self._succeeded:
            where = self._address.get("api_base") or where_it_is(self._provider)
            fix = to_reach(self._provider)
            self._unavailable = f"{self.name}: {where} cannot be reached or refuses connections ({said}); {fix}"
        elif self._failures >= FAILURES_IN_A_ROW:
            self._unavailable = f"{self.name}: the last {self._failures} calls all failed, this one with: {said}"
            if faults.is_forbidden(error):
                self._unavailable += f"; {self._fix(error)}, or a filter forbids each of these questions"
        if self._unavailable is not None:
            return ModelUnavailableError(self._unavailable)
        if (wait := faults.retry_after(error)) is not None and wait >= self._max_wait:
            said += f"; the provider asks to wait {wait:.0f} s, which is more than --llmpref-max-wait"
        return CallFailedError(f"{self.name}: {said}")

    def _is_closed(self, error: Exception) -> bool:
        """Whether no call can succeed.

        A call that is forbidden says so of all only before the first success, and only in words about the key. Else
        it fails like any other, and `FAILURES_IN_A_ROW` of these end the study: an aggregator's provider, or a
        firewall, may forbid one question.
        """
        if faults.is_forbidden(error):
            return not self._succeeded and faults.refuses_key(error)
        return faults.is_unavailable(error)

    def _secrets(self) -> Secrets:
        """Return what no message may repeat: the model's key, and those in the environment."""
        own = [self._address.get("api_key", ""), *self._headers.values()]
        return Secrets([*own, *environment_secrets()], named=True)

    def _fix(self, error: Exception) -> str:
        if package := faults.missing_package(error):
            return f"install the package that litellm needs for this provider: pip install {package}"
        if faults.is_spent_for_today(error):
            return "the quota of the day is used up; run the same command again when it is renewed"
        match faults.status_of(error):
            case 404 if self._provider in OLLAMA:
                return f"get the model: ollama pull {self._litellm_name.partition('/')[2]}"
            case 404:
                return f"check the model's name ({NAMES})"
            case 402 | 429:
                return "the account has no credit left"
            case 403:
                return "the key has no permission for this model"
        missing = litellm().validate_environment(self._litellm_name)["missing_keys"]
        if missing and "api_key" not in self._address:
            return f"set {' and '.join(missing)}"
        return f"check the key, and that it is one for this model ({NAMES})"


_open_models: "WeakSet[LiveModel]" = WeakSet()
