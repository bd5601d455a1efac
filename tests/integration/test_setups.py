"""A model as its user sets it up, at an endpoint on loopback: what is sent, what is recorded, and what never is."""

import json

import pytest
from loopback import Answer, Loopback, completion, failure

from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.setups import SetupError, setup_of
from pytest_llmpref.models.chat import Message, ModelUnavailableError, Request
from pytest_llmpref.models.opening import open_model
from pytest_llmpref.models.setup import AS_IS, Setup, dressed

ASKED = Request("openai/m1", (Message("user", "Tea or mud?"),), 1.0, 32)
QUESTIONS = 132
SUITE = "def test_it(preferences):\n    assert len(preferences.trials) == 132"
TEAM = "team-of-preference-research-4711"
KEY = "none-of-the-usual-shapes-0815"


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


def test_a_judge_goes_by_its_own_table_alone():
    """Or the judge would be looked for at the address of the model that it judges."""
    given = settings(models=("openai/m1",), judge="openai/gpt-4o", api_base="staging=https://a.test/v1")
    assert setup_of("openai/gpt-4o", given) == AS_IS
    assert setup_of("openai/m1", given).server == "staging"


def test_parameters_make_no_model_of_another_package_one_of_litellms():
    mine = object()
    opened = open_model(
        "mine/m", {"mine": lambda _name: mine}, timeout=1, max_tries=1, max_wait=1, setup=Setup(parameters={"a": 1})
    )
    assert opened is mine


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nadress = 'x'", "[a]: Object contains unknown field `adress`; a table has model, api_base"),
        ("[a]\nprefill = 'yes'", "[a]: Invalid enum value 'yes'"),
        ("[a]\nparameters = { api_key = 'x' }", "it belongs into a variable"),
        ("[a]\nsystem = 'gone.txt'", "[a] system"),
        ("[a", "not valid TOML"),
        ("['sim/a']", "what runs here is not set up in this file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_fix(tmp_path, text, said):
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(SetupError) as raised:
        setup_of("a", settings(models_file=file))
    assert str(file) in str(raised.value)
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
        Setup(headers={"X-Team": "NO_SUCH"}).header_values()


class Own(Loopback):
    """An endpoint that turns away whoever lacks key and header, and repeats the header in each reply."""

    @property
    def default(self) -> Answer:
        sent = {name.lower(): value for name, value in self.headers[-1].items()}
        if (sent.get("authorization"), sent.get("x-team")) != (f"Bearer {KEY}", TEAM):
            return failure(401, "who are you?")
        return Answer({**completion("A"), "note": f"for {TEAM}"})

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""


@pytest.fixture
def run(pytester, recorded, monkeypatch):
    server = Own()
    server.start()
    monkeypatch.setenv("STAGING", KEY)
    monkeypatch.setenv("TEAM", TEAM)
    pytester.makepyfile(test_it=SUITE)
    pytester.path.joinpath("system.txt").write_text("You are Ada, who helps shoppers.")
    pytester.path.joinpath("models.toml").write_text(
        f'[staging]\nmodel = "openai/m1"\napi_base = "{server.api_base}"\nkey = "STAGING"\n'
        'headers = { X-Team = "TEAM" }\nparameters = { reasoning_effort = "low" }\nsystem = "system.txt"\n'
    )

    def run(*options: str):
        return pytester.runpytest_subprocess(
            "--model=staging",
            "--llmpref-models-file=models.toml",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "-p",
            "no:cacheprovider",
            *options,
        )

    run.server = server
    yield run
    server.stop()


def test_a_model_behind_ones_own_endpoint_is_measured_and_replayed(run, pytester, monkeypatch):
    found = run("--record-mode=new_episodes")
    assert found.ret == 0, found.stdout.str() + found.stderr.str()
    server = run.server
    assert len(server.received) == QUESTIONS
    assert {body["messages"][0]["content"] for body in server.received} == {"You are Ada, who helps shoppers."}
    assert {body["messages"][0]["role"] for body in server.received} == {"system"}
    assert {body["reasoning_effort"] for body in server.received} == {"low"}
    assert {body["model"] for body in server.received} == {"m1"}
    written = [path for path in pytester.path.rglob("*") if path.is_file() and path.name != "models.toml"]
    for secret in (KEY, TEAM, "STAGING_SECRET"):
        assert not [path for path in written if secret.encode() in path.read_bytes()]
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    line = json.loads(journal.read_text().splitlines()[0])
    assert line["request"]["model"] == "staging"
    assert line["request"]["parameters"] == {"reasoning_effort": "low"}
    assert line["reply"]["parameters"]["reasoning_effort"] == "low"
    # Neither key nor header is needed, nor the server.
    for variable in ("STAGING", "TEAM"):
        monkeypatch.delenv(variable)
    for depth in ("reply", "wire"):
        again = run(f"--llmpref-replay={depth}")
        assert again.ret == 0, again.stdout.str() + again.stderr.str()
    assert len(server.received) == QUESTIONS
    # Another prompt is another question.
    pytester.path.joinpath("system.txt").write_text("You are Bob.")
    assert run().ret != 0
