"""A budget: what a call may take is set aside before it, and settled after it."""

import asyncio
import math
from datetime import UTC, datetime

import msgspec
import pytest

from pytest_llmpref.cassettes.recording import (
    Budget,
    BudgetedModel,
    BudgetSpentError,
    PricedModel,
    Spent,
    priced,
)
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.parameters import Price, PriceError
from pytest_llmpref.study.answering import ledger_of, within_budget

ASKED = Request("m", (Message("user", "x" * 30),), 1.0, 5)
"""Sets aside 21 tokens of a prompt, as it goes out, at 3 bytes each, and 5 of a reply."""
REPLY = Reply("A", "stop", prompt_tokens=8, completion_tokens=2)


class Model:
    """Answers once it may."""

    name = "m"

    def __init__(self, failure=None):
        self.failure, self.asked, self.may = failure, 0, asyncio.Event()
        self.may.set()

    async def ask(self, request):
        self.asked += 1
        await self.may.wait()
        if self.failure:
            raise self.failure
        return REPLY

    async def close(self):
        pass


def test_what_fits_exactly_is_taken_and_one_token_more_is_not(tmp_path):
    budget = Budget(tmp_path / "deeper/run.spent", math.inf, 100)
    assert budget.take(60, 0.0)
    assert not budget.take(41, 0.0)
    assert budget.take(40, 0.0)
    assert budget.spent() == Spent(100, 0.0, 2)


def test_workers_share_one_ledger_and_dollars_are_limited_too(tmp_path):
    one, other = (Budget(tmp_path / "run.spent", 1.0, math.inf) for _ in range(2))
    assert one.take(10, 0.75)
    assert not other.take(10, 0.5)
    one.settle(-5, -0.5)
    assert other.take(10, 0.5)
    assert one.spent() == Spent(15, 0.75, 2)


def test_a_call_is_settled_by_what_it_took_and_a_failed_one_by_nothing(tmp_path):
    budget = Budget(tmp_path / "run.spent", math.inf, 1000)
    price = Price(0.25, 0.5)
    assert asyncio.run(BudgetedModel(Model(), budget, price).ask(ASKED)) == REPLY
    assert budget.spent() == Spent(10, 0.25 * 8 + 0.5 * 2, 1)
    with pytest.raises(TimeoutError):
        asyncio.run(BudgetedModel(Model(TimeoutError()), budget, price).ask(ASKED))
    assert budget.spent() == Spent(10, 3.0, 2)


def test_calls_under_way_are_answered_before_the_run_ends(tmp_path):
    model = Model()
    model.may.clear()
    # Two calls set 15 tokens aside each; the third does not fit.
    budgeted = BudgetedModel(model, Budget(tmp_path / "run.spent", math.inf, 44), None)

    async def run():
        calls = [asyncio.create_task(budgeted.ask(ASKED)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(call.done() for call in calls)
        model.may.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    *answered, ended = asyncio.run(run())
    assert answered == [REPLY, REPLY]
    assert isinstance(ended, BudgetSpentError)
    assert str(ended).startswith("m: the next call might exceed --llmpref-max-tokens 44:\nthis run took 20 tokens")
    assert model.asked == 2


@pytest.mark.parametrize(
    ("costs", "price", "said"),
    [
        ((None, None), None, "took 20 tokens, at an unknown price."),
        ((0.5, None), None, "took 20 tokens and $0.5000, and 1 reply of unknown price."),
        ((0.5, 0.25), None, "took 20 tokens and $0.7500."),
        ((None, None), Price(0.01, 0.02), "took 20 tokens and $0.2400."),
        ((0.0, 0.0), Price(0.0, 0.0), "took 20 tokens and $0.0000."),
    ],
)
def test_the_limit_says_what_was_spent_and_an_unknown_price_is_not_zero(tmp_path, costs, price, said):
    class Costing(Model):
        async def ask(self, request):
            return msgspec.structs.replace(await super().ask(request), cost=costs[self.asked - 1])

    budgeted = BudgetedModel(Costing(), Budget(tmp_path / "run.spent", math.inf, 40), price)

    async def run():
        for _ in range(3):
            await budgeted.ask(ASKED)

    with pytest.raises(BudgetSpentError) as ended:
        asyncio.run(run())
    assert said in str(ended.value)
    assert max(map(len, str(ended.value).splitlines())) <= 80


@pytest.mark.parametrize(
    ("price", "cost", "expected"),
    [
        ("1/2", None, (8 * 1 + 2 * 2) / 1e6),
        # The user's own price comes before what litellm made of its list.
        ("1/2", 0.5, (8 * 1 + 2 * 2) / 1e6),
        ("", 0.5, 0.5),
        ("", None, None),
    ],
)
def test_a_reply_is_noted_with_the_price_that_is_known(tmp_path, price, cost, expected):
    class Costing(Model):
        async def ask(self, request):
            return msgspec.structs.replace(await super().ask(request), cost=cost)

    reply = asyncio.run(priced(Costing(), settings(tmp_path, price=price)).ask(ASKED))
    assert reply.cost == (None if expected is None else pytest.approx(expected))


def test_a_reply_from_a_batch_is_noted_at_the_price_of_batches_and_one_without_tokens_at_none(tmp_path):
    class Fixed(Model):
        def __init__(self, **reply):
            super().__init__()
            self.reply = msgspec.structs.replace(REPLY, **reply)

        async def ask(self, request):
            return self.reply

    batched = PricedModel(Fixed(batch="batch_1"), Price(0.01, 0.02, 0.4))
    assert asyncio.run(batched.ask(ASKED)).cost == pytest.approx(0.4 * (8 * 0.01 + 2 * 0.02))
    silent = PricedModel(Fixed(prompt_tokens=0, completion_tokens=0), Price(0.01, 0.02))
    assert asyncio.run(silent.ask(ASKED)).cost is None


def settings(tmp_path, **given):
    return default_settings(cassettes=tmp_path, began=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), **given)


def test_only_a_limit_makes_a_budget_and_a_run_has_a_ledger_of_its_own(tmp_path):
    model = Model()
    assert within_budget(model, settings(tmp_path)) is model
    limited = within_budget(model, settings(tmp_path, max_tokens=26.0))
    assert asyncio.run(limited.ask(ASKED)) == REPLY
    assert ledger_of(settings(tmp_path)).name == "run-20260102T030405000006.spent"
    with pytest.raises(BudgetSpentError):
        asyncio.run(limited.ask(ASKED))


def test_a_limit_of_costs_needs_a_price(tmp_path):
    with pytest.raises(PriceError, match=r"m: its price is not in litellm's list.*--llmpref-price IN/OUT"):
        within_budget(Model(), settings(tmp_path, max_cost=1.0))
    # 0.90 dollars a token: the prompt's 10 and the reply's 5 are 13.50.
    dear = within_budget(Model(), settings(tmp_path, max_cost=10.0, price="900000/900000"))
    with pytest.raises(BudgetSpentError, match="--llmpref-max-cost 10"):
        asyncio.run(dear.ask(ASKED))


def test_a_reply_that_a_batch_brought_counts_at_the_price_of_batches(tmp_path):
    class Batched(Model):
        async def ask(self, request):
            return msgspec.structs.replace(await super().ask(request), batch="batch_1")

    budget = Budget(tmp_path / "x.spent", 1.0, math.inf)
    asyncio.run(BudgetedModel(Batched(), budget, Price(0.01, 0.02, 0.4)).ask(ASKED))
    assert budget.spent().dollars == pytest.approx(0.4 * (8 * 0.01 + 2 * 0.02))
