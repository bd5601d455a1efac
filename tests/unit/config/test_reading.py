"""What is said of a field that its type does not allow: one format for every file of the user's."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from pytest_llmpref.config.reading import UserFileError, allowed, fitted, listed, parse_toml, read_bytes, shown


@dataclass
class Inner:
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5


@dataclass
class Outer:
    count: Annotated[int, Meta(ge=1, le=1_000)] | None
    word: Literal["a", "b"] = "a"
    text: Annotated[str, Meta(max_length=3)] = ""
    flag: bool = False
    inner: Inner = field(default_factory=Inner)
    weights: dict[Literal["x", "y"], Annotated[float, Meta(gt=0)]] = field(default_factory=dict)


def said(**table: object) -> list[str]:
    return listed(fitted({"count": 1, **table}, Outer)[1])


def test_what_fits_is_converted_and_all_may_be_none():
    values, wrong = fitted({"count": "all", "inner": {"share": 1}, "weights": {"x": 2}}, Outer)
    assert not wrong
    assert values == {"count": None, "inner": Inner(1.0), "weights": {"x": 2.0}}
    assert isinstance(values["weights"]["x"], float)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"count": 0}, 'count: is 0; write a whole number from 1 to 1,000 or "all"'),
        ({"count": True}, 'count: is true; write a whole number from 1 to 1,000 or "all"'),
        ({"count": 1.0}, 'count: is 1.0; write a whole number from 1 to 1,000 or "all"'),
        ({"count": int("f" * 5000, 16)}, "count: is a number of thousands of digits; write a whole number"),
        ({"word": "c"}, "word: is 'c'; write one of a, b"),
        ({"word": "all"}, "word: is 'all'; write one of a, b"),
        ({"text": "four"}, "text: has 4 characters; shorten it to at most 3"),
        ({"text": 4}, "text: is 4; write a text, in quotes"),
        ({"text": date(2000, 1, 2)}, "text: is 2000-01-02; write a text, in quotes"),
        ({"flag": 1}, "flag: is 1; write true or false"),
        ({"inner": []}, "inner: is a list; write a table with the keys share"),
        ({"inner": {"share": float("nan")}}, "inner.share: is nan; write a number from 0 to 1"),
        ({"inner": {"shares": 1}}, "inner.shares: unknown key; the keys are share"),
        ({"weights": {"z": 1}}, "weights.z: unknown key; write one of x, y"),
        ({"weights": {"x": float("inf")}}, "weights.x: is inf; write a number above 0"),
        ({"weights": 1}, "weights: is 1; write a table"),
        ({"n\x1b[31m\n": 1}, "n\\x1b[31m\\n: unknown key; the keys are count, word, text, flag, inner, weights"),
    ],
)
def test_a_problem_names_the_field_what_it_is_and_what_to_write(table, problem):
    (found,) = said(**table)
    assert found.startswith(problem)


def test_all_problems_of_a_table_are_found():
    assert [line.partition(":")[0] for line in listed(fitted({"flag": 2, "b": 1, "a": 1}, Outer)[1])] == [
        "a", "b", "count", "flag"
    ]  # fmt: skip
    assert listed(fitted([], Outer)[1], "row 3") == [
        "row 3: is a list; write a table with the keys count, word, text, flag, inner, weights"
    ]


def test_fields_that_are_none_of_the_files_and_others_that_do_not_matter():
    assert fitted({"count": 2}, Outer, apart=["word"])[1] == {}
    assert "word" in fitted({"count": 2, "word": "a"}, Outer, apart=["word"])[1]
    assert fitted({"count": 2, "idx": 1}, Outer, others=True) == ({"count": 2}, {})


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "a whole number"),
        (Annotated[int, Meta(ge=2)], "a whole number of at least 2"),
        (Annotated[float, Meta(gt=0, lt=0.5)], "a number above 0 and below 0.5"),
        (Annotated[str, Meta(description="a name")], "a name"),
        (list[int], "a list"),
    ],
)
def test_limits_are_said_in_words(kind, words):
    assert allowed(kind) == words


def test_a_value_neither_forges_nor_floods_a_message():
    assert shown("\u202e" + "x" * 500) == "'\\u202e" + "x" * 56 + "...'"
    assert len(shown(10**4000)) <= 60


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = 1\nb = \xff", "line 2 is not UTF-8"),
        (b"a = ", "is not valid TOML: Invalid value (at line 1, the end); fix it there"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"9" * 5000, "is not valid TOML: Exceeds the limit"),
    ],
)
def test_what_is_no_toml_is_refused(tmp_path, data, problem):
    (tmp_path / "it.toml").write_bytes(data)
    with pytest.raises(UserFileError) as caught:
        parse_toml(tmp_path / "it.toml", UserFileError, read_bytes(tmp_path / "it.toml", UserFileError, 1 << 20))
    assert caught.value.problems[0].startswith(problem)


def test_a_file_is_read_up_to_a_size(tmp_path):
    (tmp_path / "it").write_bytes(b"12345")
    assert read_bytes(tmp_path / "it", UserFileError, 5) == b"12345"
    with pytest.raises(UserFileError, match="it: has more than 4 bytes"):
        read_bytes(tmp_path / "it", UserFileError, 4)
    with pytest.raises(UserFileError, match=r"cannot be read \(.*\); look elsewhere"):
        read_bytes(tmp_path / "none", UserFileError, 4, "look elsewhere")
