"""A model as its user sets it up, at an endpoint on loopback: what is sent, what is recorded, and what never is."""

import json

import pytest
from fork_server import LIVE
from loopback import Answer, Loopback, completion, failure

from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.setups import AS_IS, Setup, setup_of
from pytest_llmpref.models.opening import open_model

QUESTIONS = 132
SUITE = "def test_it(preferences):\n    assert len(preferences.trials) == 132"
TEAM = "team-of-preference-research-4711"
KEY = "none-of-the-usual-shapes-0815"


def settings(**given):
    return default_settings(began=None, **given)


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
    pytester.imported = LIVE
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


@pytest.mark.parametrize("named", ["in the file", "by the option"])
def test_a_setup_that_cannot_be_used_ends_the_run_with_the_fix_and_no_traceback(run, pytester, named):
    pytester.path.joinpath("system.txt").unlink()
    options = []
    if named == "by the option":
        pytester.path.joinpath("models.toml").write_text('[staging]\nmodel = "openai/m1"\n')
        options = ["--llmpref-system=system.txt"]
    found = run("--record-mode=new_episodes", *options)
    said = found.stdout.str() + found.stderr.str()
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "system.txt: cannot be read (No such file or directory); check its path and permissions" in said
    assert "Traceback" not in said
    assert not run.server.received
