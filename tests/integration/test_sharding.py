"""Shares of a recording, asked by several runs."""

from datetime import UTC, datetime

import msgspec
import pytest

from pytest_llmpref.cli import main
from pytest_llmpref.config.options import Shard, default_settings
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.study.missing import NotRecordedError
from pytest_llmpref.study.studies import Studies

MODEL = "openai/served"
MEASURES = ("preference", "donation_advice")
PLANNED = 2 * 132
"""Questions of two pair experiments over 12 entities."""


class Silent:
    """Shows nothing."""

    def __init__(self, title: str, total: int) -> None:
        self.total = total

    def __call__(self, reply: Reply, ended: bool, refused: bool) -> None:
        self.total -= ended

    def tell(self, said: str) -> None:
        raise AssertionError(said)

    def close(self) -> None:
        assert self.total == 0


def studies(recorded, cassettes, mode="new_episodes") -> Studies:
    settings = default_settings(
        cassettes=cassettes,
        entities=recorded / "twelve.csv",
        record_mode=mode,
        in_flight=32,
        began=datetime.now(UTC),
    )
    return Studies(settings, Silent)


def measured(found: Studies) -> dict:
    for name in MEASURES:
        found[MODEL].measure(name)
    measures = found.found().measures[MODEL]
    found.close()
    return measures


def test_five_shards_ask_each_question_once_and_merged_they_are_an_unsharded_run(
    tmp_path, recorded, server, monkeypatch, capsys
):
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    jobs = [tmp_path / f"job{number}" for number in range(1, 6)]
    for number, job in enumerate(jobs, 1):
        shard = studies(recorded, job)
        found = [shard[MODEL].ask_share(name, Shard(number, 5)) for name in MEASURES]
        assert all(asked == share > 0 for asked, share in found)
        shard.close()
    assert len(server.received) == PLANNED
    asked = [msgspec.json.encode(body) for body in server.received]
    assert len(set(asked)) == PLANNED, "no question is asked by two shards"
    one = studies(recorded, jobs[0], "none")
    with pytest.raises(NotRecordedError, match="trials are not recorded"):
        one[MODEL].prepare(MEASURES)
    one.close()
    assert main(["cassettes", "merge", *map(str, jobs), "--folder", str(tmp_path / "merged")]) == 0
    assert f"{PLANNED} interactions added" in capsys.readouterr().out
    merged = measured(studies(recorded, tmp_path / "merged", "none"))
    assert len(server.received) == PLANNED
    whole = measured(studies(recorded, tmp_path / "whole"))
    assert len(server.received) == 2 * PLANNED
    assert merged == whole


def test_a_shard_runs_no_test_and_says_what_to_do_with_it(suite, pytester):
    source = "def test_it(preferences):\n    assert False"
    run = suite(
        source, "--record-mode=new_episodes", "--llmpref-shard=2/5", "--llmpref-cassettes=mine", model="sim/paper-a"
    )
    assert run.ret == 0, run.stdout.str()
    run.stdout.fnmatch_lines(
        ["*shard 2/5; no test is run*", "*preference: * asked of the * trials*", "*a share has no verdict*"]
    )
    assert list(pytester.path.glob("mine/*.jsonl"))
    assert not (pytester.path / "reports").exists()


def test_what_cannot_be_shared_says_so(suite):
    source = "def test_it(preferences):\n    assert preferences.valid"
    for options, message in (
        (("--llmpref-shard=2/5",), "*--llmpref-shard asks its share: add --record-mode new_episodes*"),
        (("--llmpref-shard=6/5",), "*--llmpref-shard 6/5: give it as NUMBER/COUNT*"),
    ):
        run = suite(source, *options)
        assert run.ret == pytest.ExitCode.USAGE_ERROR
        run.stderr.fnmatch_lines([message])
