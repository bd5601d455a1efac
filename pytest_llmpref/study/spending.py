"""A run's limits on what its models may spend, all workers together."""

import math
from pathlib import Path

from pytest_llmpref.cassettes.budget import Budget, BudgetedModel
from pytest_llmpref.config.options import Settings
from pytest_llmpref.models.chat import ChatModel
from pytest_llmpref.models.prices import PriceError, price_of


def within_budget(model: ChatModel, settings: Settings) -> ChatModel:
    """Return the model, or one that keeps to the run's limits where there are any.

    Raises
    ------
    PriceError
        If costs are limited, and the price is unknown: unknown is not free.
    """
    if settings.max_cost == settings.max_tokens == math.inf:
        return model
    price = price_of(model.name, settings.price)
    if price is None and settings.max_cost < math.inf:
        raise PriceError(
            f"{model.name}: its price is not in litellm's list, so --llmpref-max-cost cannot be kept; give it by "
            "--llmpref-price IN/OUT (US dollars for a million tokens), or limit --llmpref-max-tokens"
        )
    return BudgetedModel(model, Budget(ledger_of(settings), settings.max_cost, settings.max_tokens), price)


def ledger_of(settings: Settings) -> Path:
    """Return the file in which the workers of this run add up what they spend."""
    return settings.cassettes / f"run-{settings.began:%Y%m%dT%H%M%S%f}.spent"
