"""What tokens cost, by litellm's price list, read without importing litellm: that takes seconds."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.errors import LLMPrefError

PRICE_LIST = "model_prices_and_context_window_backup.json"


class PriceError(LLMPrefError):
    """A price that cannot be used, or that is needed and unknown."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token of a prompt, and of a reply."""

    prompt: float
    reply: float

    def of(self, prompt_tokens: int, reply_tokens: int) -> float:
        """Return what so many tokens cost."""
        return self.prompt * prompt_tokens + self.reply * reply_tokens


FREE = Price(0.0, 0.0)


def price_of(model: str, given: str = "") -> Price | None:
    """Return the price of a model; ``None`` where it is unknown, which is not free.

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


def _names(model: str) -> list[str]:
    """Return under which names litellm looks a model up: as it is called, and without the provider."""
    return [model, *([model.split("/", 1)[1]] if "/" in model else [])]


def _listed(name: str) -> Price | None:
    entry = _price_list().get(name)
    if not isinstance(entry, dict):
        return None
    prompt, reply = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(reply, int | float) or not prompt + reply > 0:
        return None
    return Price(float(prompt), float(reply))


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
    return Price(prompt, reply)
