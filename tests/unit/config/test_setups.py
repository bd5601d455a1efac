"""How a user sets a model up: what is part of a question's key, and which files and options are refused."""

import pytest

from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.setups import AS_IS, Setup, SetupError, setup_of
from pytest_llmpref.models.chat import Message, ModelUnavailableError, Request
from pytest_llmpref.models.dressing import dressed, headers_of

ASKED = Request("openai/m1", (Message("user", "Tea or mud?"),), 1.0, 32)


def settings(**given):
    return default_settings(began=None, **given)


@pytest.mark.parametrize(
    ("setup", "same"),
    [
        (Setup(), True),
        (Setup(api_base="https://a.test/v1", key="A_KEY", headers={"X-Team": "TEAM"}), True),
        (Setup(api_base="https://a.test/v1", server="a"), False),
        (Setup(parameters={"reasoning_effort": "low"}), False),
        (Setup(parameters={"temperature": 0.2}), False),
        (Setup(parameters={"max_tokens": 4096}), False),
        (Setup(system="You are Ada."), False),
    ],
)
def test_what_is_part_of_the_key(setup, same):
    """What changes an answer is; how a server is reached is not."""
    assert (dressed(ASKED, setup).key == ASKED.key) is same


def test_no_setup_changes_nothing_and_each_stays_as_it_is_when_put_on_twice():
    assert dressed(ASKED, AS_IS) is ASKED
    setup = Setup(system="You are Ada.", parameters={"top_p": 0.5, "max_tokens": 99}, server="a")
    once = dressed(ASKED, setup)
    assert dressed(once, setup) == once
    assert once.messages == (Message("system", "You are Ada."), Message("user", "Tea or mud?"))
    assert (once.max_tokens, once.parameters) == (99, {"top_p": 0.5, "server": "a"})


def test_a_systems_own_prompt_follows_the_products():
    own = Request("m", (Message("system", "Answer briefly."), Message("user", "Tea?")), 1.0, 8)
    assert dressed(own, Setup(system="You are Ada.")).messages[0] == Message(
        "system", "You are Ada.\n\nAnswer briefly."
    )


def test_options_come_before_the_file(tmp_path):
    (tmp_path / "prompt.txt").write_text("You are Ada.\n")
    file = tmp_path / "models.toml"
    file.write_text(
        '[staging]\nmodel = "openai/m1"\napi_base = "https://a.test/v1"\nkey = "STAGING_KEY"\nsystem = "prompt.txt"\n'
        'price = "1/2"\nprefill = "cue"\nheaders = { X-Team = "TEAM" }\nparameters = { top_p = 0.5, seed = 1 }\n'
    )
    found = setup_of("staging", settings(models_file=file, param=("top_p=0.9", "service_tier=flex")))
    assert found == Setup(
        model="openai/m1",
        api_base="https://a.test/v1",
        key="STAGING_KEY",
        headers={"X-Team": "TEAM"},
        parameters={"top_p": 0.9, "seed": 1, "service_tier": "flex"},
        system="You are Ada.",
        price="1/2",
        prefill="cue",
    )
    assert setup_of("another", settings(models_file=file)) == AS_IS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nadress = 'x'", "[a]: adress: unknown key; the keys are model, api_base"),
        ("[a]\nprefill = 'yes'", "[a]: prefill: is 'yes'; write one of assistant, cue, off, schema"),
        ("[a]\nprice = 3\n[b]\nkey = 1", "2 problems:\n  [a]: price: is 3; write a text, in quotes\n  [b]: key: is 1"),
        ("[a]\nparameters = { top_p = [1] }", "[a]: parameters.top_p: is a list; write"),
        ("[a]\nparameters = { api_key = 'x' }", "it belongs into a variable"),
        ("[a]\nsystem = 'gone.txt'", "gone.txt: cannot be read (No such file or directory)"),
        ("[a", "not valid TOML"),
        ("['sim/a']", "what runs here is not set up in this file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_fix(tmp_path, text, said):
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(SetupError) as raised:
        setup_of("a", settings(models_file=file))
    assert str(file.parent) in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"param": ("top_p",)}, "--llmpref-param top_p: write KEY=VALUE"),
        ({"param": ("messages=x",)}, "messages is set by the experiments"),
        ({"param": ("max_tokens=many",)}, "it must be a whole number from 1"),
        ({"param": ("temperature=9",)}, "it must be a number from 0 to 2"),
        ({"param": ("extra_headers={}",)}, "--llmpref-header NAME=VARIABLE"),
        ({"header": ("X-Team",)}, "--llmpref-header X-Team: write NAME=VARIABLE"),
        ({"api_base": "https://a.test/v1"}, "write NAME=URL"),
        ({"api_base": "a=b"}, "give the server a name"),
    ],
)
def test_an_option_that_cannot_be_used_says_how(given, said):
    with pytest.raises(SetupError) as raised:
        setup_of("openai/m1", settings(**given))
    assert said in str(raised.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(ModelUnavailableError, match="the header X-Team is in the variable NO_SUCH, which is not set"):
        headers_of(Setup(headers={"X-Team": "NO_SUCH"}))
