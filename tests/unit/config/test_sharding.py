"""A study shared out over CI jobs: each asks its own questions, and merged they are an unsharded run."""

import msgspec
import pytest

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cli import main
from pytest_llmpref.config.options import Shard, parse_shard
from pytest_llmpref.models.chat import Reply


def test_five_shards_hold_every_key_once():
    keys = [f"{number * 2654435761 % 2**32:08x}{'0' * 24}" for number in range(5000)]
    held = [sum(Shard(number, 5).holds(key) for number in range(1, 6)) for key in keys]
    assert set(held) == {1}
    sizes = [sum(Shard(number, 5).holds(key) for key in keys) for number in range(1, 6)]
    assert min(sizes) > 900


@pytest.mark.parametrize("wrong", ["0/5", "6/5", "2", "a/b", "2/", "-1/5"])
def test_a_wrong_share_says_how_it_is_given(wrong):
    assert parse_shard("") is None
    with pytest.raises(ValueError, match="NUMBER/COUNT"):
        parse_shard(wrong)


def test_different_replies_to_one_question_are_named_and_nothing_is_written(tmp_path, recorded, capsys):
    found = list(Cassette.open(recorded / "cassettes", "sim/plain").interactions())[:3]
    for folder, text in (("a", "A"), ("b", "B")):
        cassette = Cassette.open(tmp_path / folder, "sim/plain")
        for number, one in enumerate(found):
            reply = Reply(text, "stop") if number == 0 else msgspec.structs.replace(one.reply, latency=number / 7)
            cassette.append(one.request, reply)
    failed = Cassette.open(tmp_path / "c", "sim/plain")
    failed.append(found[1].request, Reply("no connection", "error"))
    folders = [str(tmp_path / name) for name in "abc"]
    into = ["--folder", str(tmp_path / "into")]
    assert main(["cassettes", "merge", *folders, *into]) == 1
    said = capsys.readouterr().err
    assert "1 question has different replies, and nothing was written" in said
    assert f"key {found[0].key}" in said
    assert "'A'" in said
    assert "'B'" in said
    assert not (tmp_path / "into").exists()
    for keep, text in (("earliest", "A"), ("latest", "B")):
        into = ["--folder", str(tmp_path / keep)]
        assert main(["cassettes", "merge", *folders, *into, "--keep", keep]) == 0
        assert "3 interactions added, 0 known" in capsys.readouterr().out
        assert main(["cassettes", "merge", *folders, *into, "--keep", keep]) == 0
        assert "0 interactions added, 3 known" in capsys.readouterr().out
        merged = Cassette.open(tmp_path / keep, "sim/plain")
        assert next(one.reply.text for one in merged.interactions()) == text
        assert all(one.reply.finish != "error" for one in merged.interactions())
