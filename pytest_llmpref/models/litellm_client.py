"""litellm itself: imported when the first question is asked, kept quiet, and mended where it drops what servers say.

The one module that imports it.
"""

import asyncio
import functools
import logging
import os
from contextvars import ContextVar
from typing import Any

from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.parameters import Limits, most_top_logprobs
from pytest_llmpref.models.responses import take_other_forms

NAMES = "https://docs.litellm.ai/docs/providers"

replays: ContextVar[bool] = ContextVar("llmpref_replays", default=False)
"""Whether the call under way is answered by a cassette."""


@functools.cache
def litellm() -> Any:
    """Import litellm, once, and keep it quiet."""
    # Or it would download its list of prices as it is imported.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm as found  # noqa: PLC0415 - takes seconds

    found.suppress_debug_info = True
    found.telemetry = False
    take_other_forms(found.types.utils.Message, found.types.utils.Choices)
    _read_no_key_in_a_replay(found.main)
    _keep_googles_reasons()
    _keep_refusals_of_responses()
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        # What it warns of is in the Reply, or raised.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return found


def _read_no_key_in_a_replay(main: Any) -> None:
    """Keep litellm from looking up the user's key for OpenAI, as 1.110 does where it wants to know an address."""
    look_up = getattr(main, "get_openai_credentials", None)
    if look_up is None:
        return

    def credentials(api_base: str | None = None, api_key: str | None = None, *others: Any, **named: Any) -> Any:
        return look_up(api_base, api_key or ("recorded" if replays.get() else None), *others, **named)

    main.get_openai_credentials = credentials


def _keep_googles_reasons() -> None:
    """Keep why Gemini ended a reply that it withholds: litellm says "content_filter" of all of these."""
    from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (  # noqa: PLC0415 - as litellm
        VertexGeminiConfig,
    )

    withheld = getattr(VertexGeminiConfig, "_handle_content_policy_violation", None)
    if withheld is None:
        return

    def keep(self: Any, model_response: Any, completion_response: Any, *others: Any, **named: Any) -> Any:
        found = withheld(self, model_response, completion_response, *others, **named)
        reason = (completion_response.get("candidates") or [{}])[0].get("finishReason")
        found.choices[0].provider_specific_fields = {"native_finish_reason": reason}
        return found

    VertexGeminiConfig._handle_content_policy_violation = keep  # noqa: SLF001 - it has no other place


def _keep_refusals_of_responses() -> None:
    """Keep refusals in parts that the Responses API sends: litellm's bridge to it leaves them out."""
    from litellm.completion_extras.litellm_responses_transformation.transformation import (  # noqa: PLC0415 - as litellm
        LiteLLMResponsesTransformationHandler as Bridge,
    )

    transform = Bridge.transform_response

    def keep(self: Any, model: Any, raw_response: Any, *others: Any, **named: Any) -> Any:
        found = transform(self, model, raw_response, *others, **named)
        parts = [part for item in raw_response.output for part in getattr(item, "content", None) or ()]
        if refusals := [part.refusal for part in parts if getattr(part, "type", None) == "refusal"]:
            found.choices[0].message.refusal = "\n".join(refusals)
        return found

    Bridge.transform_response = keep


@functools.cache
def never_sending_client() -> Any:
    """Return an HTTP client for calls that a cassette answers: litellm's own sends faster, and costs more per call."""
    import httpx  # noqa: PLC0415 - litellm has imported it

    class NeverSending(httpx.AsyncClient):
        async def aclose(self) -> None:
            """Nothing is open, and others use it still: litellm closes what it is given when it likes."""

    # A replay has no business in the environment, where keys are.
    return NeverSending(trust_env=False)


async def close_clients(loop: asyncio.AbstractEventLoop) -> None:
    """Close the HTTP clients that litellm keeps for one event loop.

    litellm's own ``close_litellm_async_clients`` closes those of all event loops, other models' in the middle of a
    call among them.
    """
    clients = litellm().in_memory_llm_clients_cache
    for key in [key for key in clients.cache_dict if key.endswith(f"-{id(loop)}")]:
        client = clients.cache_dict.pop(key)
        clients.ttl_dict.pop(key, None)
        client = getattr(client, "_client", None) or getattr(client, "client", None) or client
        if (close := getattr(client, "aclose", None)) is not None:
            await close()


def provider_of(name: str) -> tuple[str, str]:
    """Return what litellm makes of a model's name: the provider's own name of the model, and the provider.

    Raises
    ------
    ModelUnavailableError
        If litellm knows no such provider.
    """
    try:
        model, provider, _, _ = litellm().get_llm_provider(name)
    except litellm().BadRequestError:
        raise ModelUnavailableError(
            f"{name}: litellm knows no such model or provider; name it PROVIDER/MODEL, like openai/gpt-4o ({NAMES})"
        ) from None
    return model, provider


def limits_of(name: str, stop: str | None) -> Limits:
    """Return what the provider takes for a model, by litellm's name of it, as far as litellm knows."""
    model, provider = provider_of(name)
    supported = frozenset(litellm().get_supported_openai_params(model=model, custom_llm_provider=provider) or ())
    reasons = bool(litellm().supports_reasoning(model, provider))

    @functools.cache
    def takes_temperature(temperature: float) -> bool:
        try:
            litellm().utils.get_optional_params(model=model, custom_llm_provider=provider, temperature=temperature)
        except litellm().UnsupportedParamsError:
            return False
        return "temperature" in supported

    return Limits(
        most_top_logprobs=most_top_logprobs(provider, supported, reasons=reasons),
        takes_temperature=takes_temperature,
        stop=stop,
    )
