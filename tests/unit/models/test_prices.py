"""What a call costs: the list's price, the user's own, or unknown."""

import pytest

from pytest_llmpref.models.parameters import FREE, Price, PriceError, price_of


@pytest.mark.parametrize(
    "name",
    ["gpt-4o", "openai/gpt-4.1-nano", "anthropic/claude-3-haiku-20240307", "gemini/gemini-2.0-flash", "openai/nobody"],
)
def test_prices_are_those_of_litellm(name):
    from pytest_llmpref.models.litellm_client import litellm

    try:
        theirs = sum(litellm().cost_per_token(model=name, prompt_tokens=1_000_000, completion_tokens=1000))
    except Exception:  # noqa: BLE001 - litellm raises a bare one for a model that its list lacks
        assert price_of(name) is None
        return
    found = price_of(name)
    assert found is not None
    assert found.of(1_000_000, 1000) == pytest.approx(theirs)


def test_a_price_is_the_lists():
    # OpenAI's list: 0.10 dollars for a million tokens of prompts, 0.40 for a million of replies.
    price = price_of("openai/gpt-4.1-nano")
    assert price is not None
    assert price.of(1_000_000, 500_000) == pytest.approx(0.30)


def test_a_price_of_the_users_own_comes_first_and_what_runs_here_is_free():
    assert price_of("gpt-4o", "1/2") == Price(1e-6, 2e-6)
    assert price_of("local/any") is FREE
    for wrong in ("1", "a/b", "-1/2", "1/2/3", "nan/1"):
        with pytest.raises(PriceError, match="give IN/OUT, US dollars for a million tokens"):
            price_of("gpt-4o", wrong)
