"""Deeds: what was done for a model is recorded once, and never done in a replay."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pytest_llmpref.cassettes import Cassette, Deeds, MissingRecordingError
from pytest_llmpref.models.chat import Message, Reply, Request

ASKED = Request("m", (Message("user", "ls"),), 1.0, 8, asked="tool")
NOW = datetime.now(UTC)


def doing(text, done):
    async def do():
        done.append(text)
        return Reply(text, "stop")

    return do


def results(deeds, *texts):
    done = []
    return [asyncio.run(deeds.result(ASKED, doing(text, done))).text for text in texts], done


def test_a_deed_is_done_again_and_the_recorded_result_holds(tmp_path):
    deeds = Deeds(Cassette.open(tmp_path, "m"), "new_episodes", NOW)
    assert results(deeds, "first", "second") == (["first", "first"], ["first", "second"])
    assert not deeds.replays


def test_a_replay_does_nothing(tmp_path):
    results(Deeds(Cassette.open(tmp_path, "m"), "new_episodes", NOW), "first")
    deeds = Deeds(Cassette.open(tmp_path, "m"), "none", NOW)
    assert results(deeds, "second") == (["first"], [])
    assert deeds.replays


def test_a_replay_of_what_was_never_done_is_an_error(tmp_path):
    with pytest.raises(MissingRecordingError, match="no recorded result"):
        results(Deeds(Cassette.open(tmp_path, "m"), "none", NOW), "first")


def test_in_mode_all_what_an_earlier_run_did_is_recorded_anew(tmp_path):
    Cassette.open(tmp_path, "m").append(ASKED, Reply("old", "stop"), at=NOW - timedelta(hours=1))
    deeds = Deeds(Cassette.open(tmp_path, "m"), "all", NOW)
    assert deeds.recorded(ASKED) is None
    assert results(deeds, "new", "newer") == (["new", "new"], ["new", "newer"])


def test_without_a_cassette_nothing_is_kept():
    assert results(Deeds(None, "none", NOW), "first", "second") == (["first", "second"], ["first", "second"])
