"""Who judges replies: the table of cheap models, and how a run finds its judge in it."""

import importlib.metadata
import re
from datetime import date

import pytest

from pytest_llmpref.config.options import SettingError, default_settings
from pytest_llmpref.config.setups import AS_IS, setup_of
from pytest_llmpref.models.judges import cheap_judges, judge_of
from pytest_llmpref.models.parameters import listed_entry, price_of, price_under


def settings(**given):
    return default_settings(**{"began": None, "judge": "auto", **given})


@pytest.mark.parametrize("provider", cheap_judges())
def test_a_judge_is_listed_and_costs_less_than_the_flagship(provider):
    row = cheap_judges()[provider]
    version = re.fullmatch(r"cost map of litellm ([\d.]+)", row.source)[1]
    installed = importlib.metadata.version("litellm")
    if tuple(map(int, installed.split("."))) < tuple(map(int, version.split("."))):
        pytest.skip(f"the row is of litellm {version}, and {installed} is installed")
    judge, flagship = price_of(row.judge), price_of(row.flagship)
    assert judge.of(1000, 10) < flagship.of(1000, 10)
    assert judge.reply < flagship.reply
    if installed == version:
        written = [tuple(1e6 * one for one in (price.prompt, price.reply)) for price in (judge, flagship)]
        assert written == [pytest.approx(row.price), pytest.approx(row.flagship_price)]
    entry = listed_entry(row.judge)
    assert entry["mode"] == "chat"
    assert date.fromisoformat(entry.get("deprecation_date", "9999-12-31")) > row.checked


@pytest.mark.parametrize("provider", cheap_judges())
def test_a_judge_and_the_flagship_are_its_providers(provider):
    row = cheap_judges()[provider]
    assert {row.judge.partition("/")[0], row.flagship.partition("/")[0]} == {provider}
    assert judge_of(row.flagship, settings()) == row.judge


def test_a_name_without_a_provider_is_looked_up():
    assert judge_of("gpt-6-sol", settings()) == cheap_judges()["openai"].judge
    assert judge_of("claude-opus-5-5", settings()) == cheap_judges()["anthropic"].judge


def test_a_name_of_the_users_own_means_the_model_behind_it(tmp_path):
    file = tmp_path / "models.toml"
    file.write_text(
        '[product]\nmodel = "openai/gpt-6-sol"\n[staging]\nmodel = "openai/m1"\napi_base = "https://a.test"\n'
    )
    assert judge_of("product", settings(models_file=file)) == cheap_judges()["openai"].judge
    with pytest.raises(SettingError, match="no judge is known for staging at your own address"):
        judge_of("staging", settings(models_file=file))


@pytest.mark.parametrize("model", ["local/x", "sim/advocate", "azure/my-deployment", "unheard-of"])
def test_a_provider_without_a_row_needs_a_name(model):
    with pytest.raises(SettingError) as raised:
        judge_of(model, settings())
    assert f"no judge is known for {model}; name one by --llmpref-judge NAME" in str(raised.value)
    assert str(raised.value).endswith(f"Providers with one: {', '.join(cheap_judges())}")


def test_an_address_on_the_command_line_tells_no_provider():
    given = settings(models=("openai/m1",), api_base="staging=https://a.test/v1")
    with pytest.raises(SettingError, match="at your own address"):
        judge_of("openai/m1", given)


def test_a_judge_that_is_named_is_taken_and_none_is_none():
    assert judge_of("local/x", settings(judge="openai/any")) == "openai/any"
    assert judge_of("openai/gpt-6-sol", settings(judge="")) == ""


def test_a_judge_that_was_found_goes_by_its_own_table_and_price():
    """The options are those of the model that it judges."""
    given = settings(models=("openai/gpt-6-sol",), param=("top_p=0.5",), price="7/8")
    judge = judge_of("openai/gpt-6-sol", given)
    assert setup_of(judge, given) == AS_IS
    assert price_under("openai/gpt-6-sol", given).prompt == pytest.approx(7e-6)
    assert price_under(judge, given) == price_of(judge)


def test_the_price_given_is_a_judges_where_nothing_else_is_known():
    assert price_under("openai/unheard-of", settings(judge="openai/unheard-of", price="7/8")).reply == pytest.approx(
        8e-6
    )
