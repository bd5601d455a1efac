"""Before and while money is spent: the plan, prices as litellm has them, and limits that hold for a whole run."""

import pytest
from loopback import completion

from pytest_llmpref.cli import main
from pytest_llmpref.models.parameters import FREE, Price, PriceError, price_of

SMALL = 132
"""Questions of a pair experiment over 12 entities."""
USED = completion()["usage"]["total_tokens"]


@pytest.mark.parametrize(
    "name",
    ["gpt-4o", "openai/gpt-4.1-nano", "anthropic/claude-3-haiku-20240307", "gemini/gemini-2.0-flash", "openai/nobody"],
)
def test_prices_are_those_of_litellm(name):
    from pytest_llmpref.models.litellm_client import listed_price

    found, theirs = price_of(name), listed_price(name, 1_000_000, 1000)
    assert (found is None) == (theirs is None)
    if found is not None:
        assert found.of(1_000_000, 1000) == pytest.approx(theirs)


def test_a_price_of_the_users_own_comes_first_and_what_runs_here_is_free():
    assert price_of("gpt-4o", "1/2") == Price(1e-6, 2e-6)
    assert price_of("local/any") is FREE
    for wrong in ("1", "a/b", "-1/2", "1/2/3", "nan/1"):
        with pytest.raises(PriceError, match="give IN/OUT, US dollars for a million tokens"):
            price_of("gpt-4o", wrong)


def test_a_plan_asks_nothing_and_subtracts_what_is_recorded(live, server):
    run = live("--llmpref-plan", "--llmpref-price=1/2", "--llmpref-rate=33")
    assert run.ret == 0, run.stdout.str()
    run.stdout.fnmatch_lines([f"*preference * {SMALL} * {SMALL} *", "*cost: at most about $*", "*time: 8.0 min at 33*"])
    assert not server.received
    live("--record-mode=new_episodes", source="def test_it(preferences):\n    assert preferences.valid")
    run = live("--llmpref-plan")
    run.stdout.fnmatch_lines(
        [f"*preference * {SMALL} * 0 *", f"*donation_advice * {SMALL} * {SMALL} *", "*cost: unknown*"]
    )
    assert len(server.received) == SMALL


def test_the_command_plans_without_pytest(recorded, capsys):
    given = ["plan", "--model=sim/plain", f"--cassettes={recorded / 'cassettes'}"]
    assert main([*given, f"--entities={recorded / 'twelve.csv'}"]) == 0
    text = capsys.readouterr().out
    assert "cost: at most about $0.0000" in text
    assert max(map(len, text.splitlines())) <= 90
    assert main([*given, "--measure=luck"]) == 1
    assert "--measure luck: use one of preference" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_limit_holds_for_the_whole_run_keeps_all_and_can_be_gone_on_from(live, server, pytester, workers):
    most = 1200
    run = live("--record-mode=new_episodes", f"--llmpref-max-tokens={most}", *workers)
    assert run.ret != 0
    text = run.stdout.str() + run.stderr.str()
    assert f"exceed --llmpref-max-tokens {most}" in text
    asked = len(server.received)
    assert 0.7 * most < asked * USED <= most
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    assert len(journal.read_text().splitlines()) == asked
    assert not list(pytester.path.glob("cassettes/*.spent"))
    run = live("--record-mode=new_episodes", "--llmpref-max-tokens=1000000")
    assert run.ret == 0, run.stdout.str()
    assert len(server.received) == 2 * SMALL


def test_an_unknown_price_never_counts_as_zero(live, server):
    run = live("--record-mode=new_episodes", "--llmpref-max-cost=0.01")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*its price is not in litellm's list*--llmpref-price IN/OUT*"])
    assert not server.received
    price = 10.0
    run = live("--record-mode=new_episodes", "--llmpref-max-cost=0.01", f"--llmpref-price={price}/{price}")
    assert run.ret != 0
    assert "--llmpref-max-cost 0.01" in run.stdout.str() + run.stderr.str()
    assert 0.5 * 0.01 < len(server.received) * USED * price / 1e6 <= 0.01
