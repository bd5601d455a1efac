"""What models take and cost: the parameters of a request, and prices."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.setups import is_judge_alone, setup_of
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Request

Parameters = dict[str, str | int | float | bool | None]

MOST_TOP_LOGPROBS = {
    "openai": 20,  # checked in the documentation strings of its Python SDK
    "azure": 20,
    "openrouter": 20,
    "deepseek": 20,
    "gemini": 20,
    "vertex_ai": 20,
    "xai": 8,
    "fireworks_ai": 5,
    "groq": 0,
}
"""Most top log-probabilities that each provider returns, by litellm's name of it.

Only OpenAI's is checked against its source; the others are believed, and not verified. A provider that refuses the
parameter is asked again without it.
"""

TOP_LOGPROBS_ELSEWHERE = 5
"""What is asked of providers whose limit we do not know."""


@dataclass(slots=True)
class Limits:
    """What a provider takes for one model.

    Attributes
    ----------
    most_top_logprobs
        0 where log-probabilities are not available.
    takes_temperature
        Whether a temperature may be sent.
    stop
        Sequence that ends every reply; ``None`` for the model's own end of turn.
    refused
        Parameters that the provider said it does not take; grows with what it says. In place of ``max_tokens``, which
        nothing can do without, ``max_completion_tokens`` is sent.
    prefill
        Whether it continues a last message of the assistant, until it says that it does not.
    """

    most_top_logprobs: int
    takes_temperature: Callable[[float], bool]
    stop: str | None = None
    refused: set[str] = field(default_factory=set)
    prefill: bool = True

    def parameters(self, request: Request) -> Parameters:
        """Return the parameters to send, in litellm's words."""
        limit = "max_completion_tokens" if "max_tokens" in self.refused else "max_tokens"
        sent: Parameters = {limit: request.max_tokens}
        if self.takes_temperature(request.temperature):
            sent["temperature"] = request.temperature
        if self.stop is not None:
            sent["stop"] = self.stop
        if top := min(request.top_logprobs, self.most_top_logprobs):
            sent |= {"logprobs": True, "top_logprobs": top}
        if request.answers:
            sent["response_format"] = "json_schema"
        sent |= {name: value for name, value in request.parameters.items() if name != "server"}
        if not self.prefill and request.messages[-1].role == "assistant":
            sent["prefill"] = "cue"
        return {name: value for name, value in sent.items() if name not in self.refused}


def most_top_logprobs(provider: str, supported: frozenset[str], *, reasons: bool) -> int:
    """Return how many top log-probabilities may be asked for.

    Reasoning models refuse to return them, whatever litellm's list says.
    """
    if reasons or not {"logprobs", "top_logprobs"} <= supported:
        return 0
    return MOST_TOP_LOGPROBS.get(provider, TOP_LOGPROBS_ELSEWHERE)


PRICE_LIST = "model_prices_and_context_window_backup.json"


HALF = 0.5
"""What providers ask for batches of what they ask for calls, as all of them say; litellm's list has few of them."""


class PriceError(LLMPrefError):
    """A price that cannot be used, or that is needed and unknown."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token of a prompt, and of a reply; what a batch costs of that; whether the user said so."""

    prompt: float
    reply: float
    batch: float = HALF
    given: bool = field(default=False, compare=False)

    def of(self, prompt_tokens: int, reply_tokens: int) -> float:
        """Return what so many tokens cost."""
        return self.prompt * prompt_tokens + self.reply * reply_tokens


FREE = Price(0.0, 0.0)


def price_of(model: str, given: str = "") -> Price | None:
    """Return the price of a model; ``None`` if it is unknown, which is not free.

    Parameters
    ----------
    model
        Its name as given to ``--model``. Models that run here are free.
    given
        The user's own price, ``IN/OUT`` in US dollars for a million tokens; it comes before litellm's.

    Raises
    ------
    PriceError
        If ``given`` is not of that form.
    """
    if given:
        return _given(given)
    if model.startswith(("local/", "sim/")):
        return FREE
    return next((price for name in _names(model) if (price := _listed(name)) is not None), None)


def price_under(model: str, settings: Settings) -> Price | None:
    """Return the price of a model: its table's, the option's, or litellm's; ``None`` if it is unknown.

    The option is for the models that are measured. A judge has it only where nothing else says what it costs.

    Raises
    ------
    PriceError
        If a price that the user gave cannot be read.
    """
    setup = setup_of(model, settings)
    name = setup.model or model
    if is_judge_alone(model, settings) and (known := price_of(name, setup.price)) is not None:
        return known
    return price_of(name, setup.price or settings.price)


def _names(model: str) -> list[str]:
    """Return under which names litellm looks a model up: as it is called, and without the provider."""
    return [model, *([model.split("/", 1)[1]] if "/" in model else [])]


def listed_entry(model: str) -> dict[str, Any] | None:
    """Return what litellm's list holds of a model; ``None`` if it lacks the model."""
    return next((entry for name in _names(model) if isinstance(entry := _price_list().get(name), dict)), None)


def provider_of(model: str) -> str:
    """Return litellm's name of a model's provider: the first word of its name, or what litellm's list says."""
    first, slash, _ = model.partition("/")
    return first if slash else str((listed_entry(model) or {}).get("litellm_provider", ""))


def _listed(name: str) -> Price | None:
    entry = _price_list().get(name)
    if not isinstance(entry, dict):
        return None
    prompt, reply = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(reply, int | float) or not prompt + reply > 0:
        return None
    batch = entry.get("input_cost_per_token_batches")
    known = isinstance(batch, int | float) and prompt > 0
    return Price(float(prompt), float(reply), float(batch) / float(prompt) if known and batch else HALF)


@cache
def _price_list() -> dict[str, Any]:
    spec = find_spec("litellm")
    path = Path(spec.origin).with_name(PRICE_LIST) if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def _given(text: str) -> Price:
    try:
        prompt, reply = (float(part) / 1e6 for part in text.split("/"))
    except ValueError:
        prompt = reply = -1.0
    if not (0 <= prompt < 1 and 0 <= reply < 1):
        raise PriceError(f"--llmpref-price {text}: give IN/OUT, US dollars for a million tokens, such as 0.10/0.40")
    return Price(prompt, reply, given=True)
