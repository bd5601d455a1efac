"""The store: what was recorded comes back, from any process, and nothing else does."""

import gzip
import json
import os
import re
import threading
import warnings
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import EXCHANGE, MODEL, REPLY, question, recorded

from pytest_llmpref.cassettes import (
    Cassette,
    CassetteError,
    CassetteWarning,
    files,
    store,
)
from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.models.chat import Message, Reply, Request


def test_reply_and_exchange_come_back_from_the_journal_and_from_the_packed_file(tmp_path):
    Cassette.open(tmp_path, MODEL).append(question(1), REPLY, EXCHANGE)
    for _ in range(2):
        cassette = Cassette.open(tmp_path, MODEL)
        assert cassette.get(question(1).key) == REPLY
        assert [line.exchange for line in cassette.lines()] == [EXCHANGE]
        assert cassette.get(question(2).key) is None
        assert question(1).key in cassette
        assert question(2).key not in cassette
        cassette.pack()
    assert {path.name for path in tmp_path.iterdir()} == {"local--gemma-3-270m.jsonl.gz"}


def test_an_exchange_without_an_address_is_turned_away(tmp_path):
    recorded(tmp_path, 1)
    (journal,) = tmp_path.glob("*.jsonl")
    journal.write_text(journal.read_text().replace("http://127.0.0.1:8080", "http://[127.0.0.1"))
    (line,) = Cassette.open(tmp_path, MODEL).lines()
    with pytest.raises(CassetteError, match=r"its http is no exchange \(Invalid IPv6 URL"):
        _ = line.exchange


def test_a_line_is_what_the_design_says(tmp_path):
    before = datetime.now(UTC)
    Cassette.open(tmp_path, MODEL).append(question(1), REPLY, None)
    line = json.loads((tmp_path / "local--gemma-3-270m.jsonl").read_text())
    assert list(line) == ["v", "key", "request", "reply", "http", "at"]
    assert (line["v"], line["key"], line["http"]) == (1, question(1).key, None)
    assert line["request"]["messages"] == [{"role": "user", "content": "Question 1?"}]
    assert before <= datetime.fromisoformat(line["at"]) <= datetime.now(UTC)


def test_opening_what_was_never_recorded_leaves_no_trace(tmp_path):
    cassette = Cassette.open(tmp_path / "absent", MODEL)
    assert len(cassette) == 0
    assert not (tmp_path / "absent").exists()


def test_the_later_line_of_a_key_wins_and_packing_keeps_only_it(tmp_path):
    cassette = recorded(tmp_path, 3)
    cassette.append(question(1), Reply("changed", "stop"))
    for _ in range(2):
        again = Cassette.open(tmp_path, MODEL)
        assert [one.reply.text for one in again.interactions()] == ["0", "changed", "2"]
        again.pack()
    assert len(gzip.decompress(again.packed.read_bytes()).splitlines()) == 3


def test_repetitions_of_one_conversation_stay_apart(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)
    samples = [Request(MODEL, (Message("user", "Again?"),), 1.0, 8, repetition) for repetition in range(20)]
    for number, sample in enumerate(samples):
        cassette.append(sample, Reply(str(number), "stop"))
    assert [Cassette.open(tmp_path, MODEL).get(sample.key).text for sample in samples] == [str(n) for n in range(20)]


def test_packing_is_deterministic_and_can_go_on(tmp_path):
    cassette = recorded(tmp_path, 20)
    lines = cassette.journal.read_bytes()
    packed = cassette.pack().read_bytes()
    assert gzip.decompress(packed) == lines
    assert cassette.pack().read_bytes() == packed
    cassette.append(question(20), Reply("20", "stop"))
    assert Cassette.open(tmp_path, MODEL).pack().read_bytes() != packed
    assert [one.reply.text for one in Cassette.open(tmp_path, MODEL).interactions()] == [str(n) for n in range(21)]
    assert not cassette.journal.exists()


def test_packing_again_keeps_the_bytes_that_are_there_unless_something_was_recorded_again(tmp_path):
    before = recorded(tmp_path, 20).pack().read_bytes()
    cassette = Cassette.open(tmp_path, MODEL)
    cassette.append(question(20), Reply(str(20), "stop"))
    after = cassette.pack().read_bytes()
    assert after.startswith(before)
    assert len(Cassette.open(tmp_path, MODEL)) == 21
    cassette.append(question(3), Reply(str(99), "stop"))
    anew = cassette.pack().read_bytes()
    assert not anew.startswith(before)
    assert len(gzip.decompress(anew).splitlines()) == len(Cassette.open(tmp_path, MODEL)) == 21


def test_a_file_that_was_packed_often_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MOST_PACKINGS", 3)
    cassette = Cassette.open(tmp_path, MODEL)
    members = []
    for number in range(6):
        cassette.append(question(number), Reply(str(number), "stop"))
        members.append(files.packings(cassette.pack().read_bytes()))
    assert members == [1, 2, 3, 1, 2, 3]
    assert len(Cassette.open(tmp_path, MODEL)) == 6


def test_reload_sees_what_another_appended_or_packed(tmp_path):
    mine, other = Cassette.open(tmp_path, MODEL), recorded(tmp_path, 2)
    assert mine.reload() == 2
    other.append(question(2), REPLY)
    mine.append(question(3), REPLY)
    assert mine.get(question(2).key) == REPLY
    assert mine.reload() == 0
    other.pack()
    other.append(question(4), REPLY)
    assert mine.reload() == 1
    mine.append(question(5), REPLY)
    assert other.reload() == 1
    assert len(Cassette.open(tmp_path, MODEL)) == len(mine) == len(other) == 6


def test_threads_append_at_once_and_nothing_is_lost(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)

    def append(first: int) -> None:
        for number in range(first, first + 100):
            cassette.append(question(number), Reply(str(number), "stop"))

    threads = [threading.Thread(target=append, args=(first,)) for first in range(0, 800, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Cassette.open(tmp_path, MODEL)
    assert [again.get(question(number).key).text for number in range(800)] == [str(number) for number in range(800)]


@pytest.mark.parametrize("kept", [1, 40, 400])
def test_a_cut_off_last_line_is_set_aside_and_can_be_asked_again(tmp_path, kept):
    cassette = recorded(tmp_path, 3)
    lines = cassette.journal.read_bytes().splitlines(keepends=True)
    cut = lines[2][:kept]
    cassette.journal.write_bytes(b"".join(lines[:2]) + cut)
    with pytest.warns(CassetteWarning, match=r"gemma-3-270m\.jsonl: the last line is cut off .* asked again"):
        again = Cassette.open(tmp_path, MODEL)
    assert [one.reply.text for one in again.interactions()] == ["0", "1"]
    assert cassette.journal.read_bytes().endswith(cut), "who only reads changes nothing"
    assert {path.name for path in tmp_path.iterdir()} == {"local--gemma-3-270m.jsonl"}
    with pytest.warns(CassetteWarning, match=r"it was moved to local--gemma-3-270m\.jsonl\.cut"):
        again.append(question(2), Reply("2", "stop"))
    assert (tmp_path / "local--gemma-3-270m.jsonl.cut").read_bytes() == cut + b"\n"
    assert [one.reply.text for one in Cassette.open(tmp_path, MODEL).interactions()] == ["0", "1", "2"]


def test_a_line_is_never_glued_to_one_that_another_process_left_cut_off(tmp_path):
    cassette = recorded(tmp_path, 2)
    with cassette.journal.open("ab") as file:
        file.write(b'{"v": 1, "key": "')
    with pytest.warns(CassetteWarning):
        cassette.append(question(2), REPLY)
    assert [one.reply.text for one in Cassette.open(tmp_path, MODEL).interactions()] == ["0", "1", "A"]


def change(field: str, value: object):
    def spoil(line: bytes) -> bytes:
        return json.dumps({**json.loads(line), field: value}).encode() + b"\n"

    return spoil


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda line: line[:50] + b"\n", "not an interaction", id="bad json"),
        pytest.param(lambda line: b"\xff\xfe" + line, "not an interaction", id="not utf-8"),
        pytest.param(lambda line: line.replace(b"Question", b"\xff\xff"), "not an interaction", id="bad utf-8 text"),
        pytest.param(lambda _: b"[]\n", "not an interaction", id="a list"),
        pytest.param(change("v", 2), "written in format 2.* reads format 1.* release", id="version"),
        pytest.param(change("v", "1"), "written in format 1.* release", id="version type"),
        pytest.param(change("reply", {"text": 3, "finish": "stop"}), r"reply\.text", id="reply type"),
        pytest.param(change("reply", {"text": "A"}), "finish", id="reply field"),
        pytest.param(change("at", "2026-01-01T00:00:00"), r"\$\.at", id="no time zone"),
        pytest.param(change("key", "0" * 32), "changed by hand", id="key"),
        pytest.param(lambda line: line.replace(b"Question 1", b"Question 9"), "changed by hand", id="prompt"),
        pytest.param(lambda line: line.replace(MODEL.encode(), b"other"), "of 'other', not of", id="model"),
    ],
)
def test_a_corrupt_line_is_named(tmp_path, spoil, message, packed):
    cassette = recorded(tmp_path, 3)
    lines = cassette.journal.read_bytes().splitlines(keepends=True)
    spoilt = lines[0] + spoil(lines[1]) + lines[2]
    cassette.journal.write_bytes(spoilt)
    name = "local--gemma-3-270m.jsonl"
    if packed:
        cassette.journal.unlink()
        cassette.packed.write_bytes(gzip.compress(spoilt))
        name += ".gz"
    with pytest.raises(CassetteError, match=rf"{re.escape(name)}:2: .*{message}.*record"):
        Cassette.open(tmp_path, MODEL)


def test_the_line_number_counts_from_the_start_of_the_journal_when_only_its_tail_is_read(tmp_path):
    cassette = recorded(tmp_path, 5)
    with cassette.journal.open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(CassetteError, match=r"\.jsonl:6: not an interaction"):
        cassette.reload()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda data: data[: len(data) // 2],
            r"gz: truncated, (?:somewhere after line [1-9]|before a line of it can be read);",
            id="truncated",
        ),
        pytest.param(lambda _: b"", "gz: empty;", id="empty"),
        pytest.param(lambda _: b"this is no gzip file", "gz: not a gzip file;", id="no gzip"),
        pytest.param(lambda data: data[:-8] + b"\0" * 8, "not a readable gzip file", id="checksum"),
        pytest.param(
            lambda data: gzip.compress(gzip.decompress(data)[:-100]), r"gz:20: the last line is cut off", id="cut line"
        ),
    ],
)
def test_a_corrupt_packed_file_is_named(tmp_path, spoil, message):
    packed = recorded(tmp_path, 20).pack()
    packed.write_bytes(spoil(packed.read_bytes()))
    with pytest.raises(CassetteError, match=rf"local--gemma-3-270m\.jsonl\.{message}|{message}.*restore the file"):
        Cassette.open(tmp_path, MODEL)


def test_lines_are_read_anew_where_another_process_packs_meanwhile(tmp_path, monkeypatch):
    recorded(tmp_path, 3).pack()
    cassette = Cassette.open(tmp_path, MODEL)
    cassette.append(question(3), Reply("3", "stop"))
    decode = store.decode_packed

    def packed_meanwhile(source, kind, *lost):
        monkeypatch.setattr(store, "decode_packed", decode)
        found = decode(source, kind, *lost)
        other = Cassette.open(tmp_path, MODEL)
        other.pack()
        other.append(question(4), Reply("longer than what the journal held before" * 10, "stop"))
        return found

    monkeypatch.setattr(store, "decode_packed", packed_meanwhile)
    assert [line.reply.text[:6] for line in cassette.lines()] == ["0", "1", "2", "3", "longer"]


def test_lines_are_read_on_from_an_extent_and_anew_once_packed(tmp_path):
    def texts(after):
        return [line.reply.text for line in cassette.lines(after)]

    cassette = recorded(tmp_path, 2)
    at_first = cassette.extent
    for number in (2, 3):
        cassette.append(question(number), Reply(str(number), "stop"))
    assert (texts(at_first), texts(cassette.extent)) == (["2", "3"], [])
    Cassette.open(tmp_path, MODEL).pack()
    assert texts(at_first) == [line.reply.text for line in cassette.lines()] != ["2", "3"]
    packed = cassette.extent
    cassette.append(question(4), Reply("4", "stop"))
    assert texts(packed) == ["4"]
    cassette.journal.write_bytes(cassette.journal.read_bytes().replace(b'"reply"', b'"reply', 1))
    with pytest.raises(CassetteError, match=r"\.jsonl:1: "):
        cassette.lines(packed)


def test_another_models_interaction_is_refused(tmp_path):
    with pytest.raises(CassetteError, match="'other' does not belong into the cassette of"):
        Cassette.open(tmp_path, MODEL).append(question(1, "other"), REPLY)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_an_error_with_a_fix(tmp_path):
    folder = tmp_path / "cassettes"
    cassette = Cassette.open(folder, MODEL)
    folder.write_text("a file, not a folder")
    with pytest.raises(CassetteError, match=r"cannot append .* make the folder writable"):
        cassette.append(question(1), REPLY)
    with pytest.raises(CassetteError, match=r"cannot read .* make it readable"):
        Cassette.open(folder, MODEL)


def test_text_that_utf8_cannot_express_does_not_lose_the_reply(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)
    returned = cassette.append(question(1), Reply("half a pair: \ud83d", "stop", top_logprobs={"\udc80": -1.0}))
    assert returned.text == "half a pair: \ufffd"
    assert Cassette.open(tmp_path, MODEL).get(question(1).key) == returned


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("local/gemma-3-270m", "local--gemma-3-270m"),
        ("gpt-4o", "gpt-4o"),
        ("anthropic/claude-3.5-sonnet", "anthropic--claude-3.5-sonnet"),
    ],
)
def test_plain_names_give_plain_file_names(model, expected):
    assert slug(model) == expected


@pytest.mark.parametrize(
    "names",
    [
        ("a/b", "a--b", "a-/b", "a/-b", "a---b", "A/b", "a//b", "/a/b", "a/b/"),
        ("gpt-4", "GPT-4", "Gpt-4", "gpt-4 ", "gpt:4", "gpt_4", "gpt~4"),
        ("m", "m.jsonl", "m.jsonl.jsonl", "m.lock", "m.jsonl.gz"),
        ("x" * 300, "x" * 299, "x" * 300 + "y", "x" * 100),
    ],
)
def test_different_models_never_share_a_file_even_where_capitals_are_not_told(names):
    files = [f"{slug(name)}{end}".lower() for name in names for end in (".jsonl", ".jsonl.gz", ".jsonl.cut", ".lock")]
    assert len(set(files)) == len(files)
    assert max(map(len, files)) < 200


@given(st.text(min_size=1).filter(str.strip))
def test_a_cassette_never_leaves_its_folder(name):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._~-]*", slug(name))


@pytest.mark.parametrize("name", ["..", ".", "/", "../../etc/passwd", "/etc/passwd", "a/../../b", "\\..\\x", "~", "\0"])
def test_a_name_that_looks_like_a_path_stays_in_the_folder(tmp_path, name):
    cassette = Cassette.open(tmp_path, name)
    cassette.append(question(1, name), REPLY)
    assert cassette.pack().parent == tmp_path
    assert cassette.packed.resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize("name", ["", "  "])
def test_a_model_without_a_name_has_no_cassette(tmp_path, name):
    with pytest.raises(CassetteError, match="needs a name"):
        Cassette.open(tmp_path, name)


IMPOSSIBLE = {
    "infinite log-probability": ({"top_logprobs": {"A": -0.5, "B": float("-inf")}}, {"top_logprobs": {"A": -0.5}}),
    "log-probability that is no number": ({"top_logprobs": {"A": float("nan"), "B": -1.0}}, {}),
    "infinite price": ({"cost": float("inf")}, {}),
    "time that is no number": ({"latency": float("nan")}, {}),
    "absurd count": ({"completion_tokens": 10**400}, {}),
    "negative count": ({"prompt_tokens": -1}, {}),
    "infinite parameter": ({"parameters": {"temperature": float("inf")}}, {"parameters": {"temperature": None}}),
}


@pytest.mark.parametrize(("given", "kept"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_no_line_is_written_that_cannot_be_read_again(tmp_path, given, kept):
    returned = Cassette.open(tmp_path, MODEL).append(question(1), Reply("paid for", "stop", **given))
    assert returned == Reply("paid for", "stop", **kept)
    assert Cassette.open(tmp_path, MODEL).get(question(1).key) == returned


def test_a_reply_that_nothing_can_make_readable_is_an_error_and_not_written(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)
    with pytest.raises(CassetteError, match=r"could never be read again.*Expected `str`.*\$\.reply\.text"):
        cassette.append(question(1), Reply(3, "stop"))
    assert not list(tmp_path.iterdir())


def lossy(line: bytes) -> bytes:
    """Return a line as earlier releases wrote it where a log-probability was infinite."""
    found = json.loads(line)
    found["reply"]["top_logprobs"] = {"A": -0.5, "B": None}
    return json.dumps(found).encode() + b"\n"


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_that_lost_a_number_is_left_out_asked_again_and_never_lost(tmp_path, packed):
    cassette = recorded(tmp_path, 4)
    lines = cassette.journal.read_bytes().splitlines(keepends=True)
    broken = lossy(lines[1])
    content = lines[0] + broken + b"".join(lines[2:])
    if packed:
        cassette.journal.unlink()
        cassette.packed.write_bytes(gzip.compress(content))
    else:
        cassette.journal.write_bytes(content)
    with pytest.warns(CassetteWarning, match=r":2: Expected `float`, got `null`.*top_logprobs.*asked again"):
        again = Cassette.open(tmp_path, MODEL)
    assert [one.reply.text for one in again.interactions()] == ["0", "2", "3"]
    again.append(question(1), Reply("1", "stop"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = Cassette.open(tmp_path, MODEL)
        assert {one.reply.text for one in whole.interactions()} == {"0", "1", "2", "3"}
        assert {line.reply.text for line in whole.lines()} == {"0", "1", "2", "3"}
        whole.pack()
        assert len(Cassette.open(tmp_path, MODEL)) == 4
    cut = tmp_path / "local--gemma-3-270m.jsonl.cut"
    left = gzip.decompress(whole.packed.read_bytes()) + (cut.read_bytes() if cut.exists() else b"")
    assert broken in left


LINKED = ("local--gemma-3-270m.jsonl", "local--gemma-3-270m.jsonl.gz")


@pytest.mark.parametrize("name", LINKED)
def test_a_linked_recording_is_refused_with_its_name(tmp_path, name):
    target = tmp_path / "precious"
    target.write_bytes(b"")
    folder = tmp_path / "cassettes"
    folder.mkdir()
    (folder / name).symlink_to(target)
    with pytest.raises(CassetteError, match=rf"{re.escape(name)}: a symbolic link; .* never followed; remove it"):
        Cassette.open(folder, MODEL)
    assert target.read_bytes() == b""


@pytest.mark.filterwarnings("ignore::pytest_llmpref.cassettes.CassetteWarning")
@pytest.mark.parametrize("end", [".jsonl.cut", ".lock"])
def test_nothing_is_written_through_a_link(tmp_path, end):
    target = tmp_path / "precious"
    target.write_bytes(b"mine\n")
    folder = tmp_path / "cassettes"
    cassette = recorded(folder, 2)
    with cassette.journal.open("ab") as file:
        file.write(b"rm -rf ~")
    (folder / f"local--gemma-3-270m{end}").symlink_to(target)
    again = Cassette.open(folder, MODEL)
    with pytest.raises(CassetteError, match=rf"gemma-3-270m{re.escape(end)}: a symbolic link"), again.lock():
        again.append(question(2), REPLY)
    assert target.read_bytes() == b"mine\n"


def test_a_pipe_where_a_journal_should_be_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "local--gemma-3-270m.jsonl")
    with pytest.raises(CassetteError, match=r"local--gemma-3-270m\.jsonl: a named pipe, not a file"):
        Cassette.open(tmp_path, MODEL)


def test_the_lock_leaves_no_file_behind(tmp_path):
    cassette = recorded(tmp_path, 1)
    with cassette.lock():
        assert cassette.lock_file.exists()
    assert not cassette.lock_file.exists()


def test_a_cassette_says_which_design_it_was_recorded_under_and_none_is_version_1(tmp_path):
    cassette = Cassette.open(tmp_path, MODEL)
    assert cassette.designs == frozenset()
    cassette.append(question(1), REPLY)
    assert b'"design"' not in cassette.journal.read_bytes()
    cassette.design = 2
    cassette.append(question(2), REPLY)
    cassette.pack()
    again = Cassette.open(tmp_path, MODEL)
    assert again.designs == {1, 2}
    assert [line.design for line in again.lines()] == [1, 2]
    elsewhere = Cassette.open(tmp_path / "copy", MODEL)
    for line in again.lines():
        elsewhere.add(line)
    assert Cassette.open(tmp_path / "copy", MODEL).designs == {1, 2}
