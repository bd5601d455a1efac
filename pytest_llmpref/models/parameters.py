"""What one request may ask of one provider: its limits, and the parameters that respect them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_llmpref.models.chat import Request

Parameters = dict[str, str | int | float | bool | None]

REASONING_ALLOWANCE = 4096
"""Tokens for hidden reasoning, which providers count against the same limit as the visible reply. Our choice."""

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
    hidden_tokens
        Room for hidden reasoning, in tokens.
    takes_temperature
        Whether a temperature may be sent.
    stop
        Sequence that ends every reply; ``None`` for the model's own end of turn.
    refused
        Parameters that the provider said it does not take; grows with what it says.
    """

    most_top_logprobs: int
    hidden_tokens: int
    takes_temperature: Callable[[float], bool]
    stop: str | None = None
    refused: set[str] = field(default_factory=set)

    def parameters(self, request: Request) -> Parameters:
        """Return the parameters to send, in litellm's words."""
        sent: Parameters = {"max_tokens": request.max_tokens + self.hidden_tokens}
        if self.takes_temperature(request.temperature):
            sent["temperature"] = request.temperature
        if self.stop is not None:
            sent["stop"] = self.stop
        if top := min(request.top_logprobs, self.most_top_logprobs):
            sent |= {"logprobs": True, "top_logprobs": top}
        if request.answers:
            sent["response_format"] = "json_schema"
        return {name: value for name, value in sent.items() if name not in self.refused}


def most_top_logprobs(provider: str, supported: frozenset[str], *, reasons: bool) -> int:
    """Return how many top log-probabilities may be asked for.

    Reasoning models refuse to return them, whatever litellm's list says.
    """
    if reasons or not {"logprobs", "top_logprobs"} <= supported:
        return 0
    return MOST_TOP_LOGPROBS.get(provider, TOP_LOGPROBS_ELSEWHERE)
