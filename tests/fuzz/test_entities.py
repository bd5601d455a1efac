"""Searches for entity sets that are neither read nor complained of."""

import re
import unicodedata
from pathlib import Path

import pytest
from entity_files import as_csv, as_toml, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmpref.config.entities import LIKE_LABELS, EntityFileError, EntitySet, load_entities

RUNS = settings(database=None, deadline=None)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("entities")


def check_usable(entities: EntitySet) -> None:
    assert len(entities) >= 4
    assert len(set(entities.ids)) == len(entities)
    assert len({unicodedata.normalize("NFKC", entity.name).casefold() for entity in entities}) == len(entities)
    for entity in entities:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entity.id)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entity.group)
        assert entity.name == entity.name.strip() != ""
        assert len(entity.name) <= 200
        for text in (entity.name, entity.why):
            assert not {unicodedata.category(character) for character in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def load_or_complain(path: Path) -> None:
    try:
        entities = load_entities(path)
    except EntityFileError as error:
        problems, message = error.problems, str(error)
    else:
        check_usable(entities)
        return
    assert problems
    assert str(path) in message


@RUNS
@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), suffix=st.sampled_from([".csv", ".toml"])
)
def test_arbitrary_content_is_complained_of(scratch, content, suffix):
    load_or_complain(write(scratch, f"arbitrary{suffix}", content))


CELL = st.text(max_size=12) | st.sampled_from(["a", "A", "\uff41", "b", "unicef", "left", "x-y", ""])


@RUNS
@given(rows=st.lists(st.fixed_dictionaries({"id": CELL, "name": CELL, "group": CELL, "why": CELL}), max_size=8))
@pytest.mark.parametrize(("suffix", "writer"), [("toml", as_toml), ("csv", as_csv)])
def test_arbitrary_values_are_read_or_complained_of(scratch, suffix, writer, rows):
    load_or_complain(write(scratch, f"values.{suffix}", writer(rows)))


VALUE = st.sampled_from(
    ['"a"', "5", "nan", "[]", "{}", "{a = 1}", "true", "1979-05-27", "07:32:00", "'''\nx'''", "[[1]]"]
)
LINE = st.one_of(
    st.just("[[entities]]"),
    st.sampled_from(["[entities]", "[[x]]", "[name]", "[[entities.name]]", "entities = []", ""]),
    st.builds(
        "{} = {}".format, st.sampled_from(["name", "id", "group", "why", "lean", "note", "x", '"\\u0000"']), VALUE
    ),
)


@RUNS
@given(lines=st.lists(LINE, max_size=12))
def test_toml_of_any_shape_is_read_or_complained_of(scratch, lines):
    load_or_complain(write(scratch, "shape.toml", "\n".join(lines)))


WORD = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u2800\u3164\uffa0\u115f\u1160"), min_size=1
)


def comparable(name):
    """A name as entities' names are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


NAME = (
    st.lists(WORD, min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda name: len(name) <= 200 and any(character.isalnum() for character in name))
    .filter(lambda name: comparable(name) not in LIKE_LABELS)
)


@RUNS
@given(
    names=st.lists(
        NAME,
        min_size=4,
        max_size=9,
        unique_by=lambda name: comparable(name).replace(" ", ""),
    )
)
@pytest.mark.parametrize(("suffix", "writer"), [("toml", as_toml), ("csv", as_csv)])
def test_any_visible_names_are_kept_as_written(scratch, suffix, writer, names):
    rows = [{"id": f"e{number}", "name": name} for number, name in enumerate(names)]
    path = write(scratch, f"names.{suffix}", writer(rows))
    assert [entity.name for entity in load_entities(path)] == names
