import pickle
import re
from collections import Counter
from pathlib import Path

import pytest
from entity_files import as_csv, as_toml, write

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.config.entities import Entity, EntityFileError, EntitySet, load_entities, slug
from pytest_llmpref.errors import LLMPrefError

FOUR = "name\nUNICEF\nOxfam\nthe British Museum\nGreenpeace\n"


@pytest.fixture(scope="module")
def default():
    return load_entities()


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(EntityFileError) as caught:
        load_entities(path)
    assert str(caught.value).startswith(on_one_line(f"{path}: "))
    return caught.value.problems


def rows_with(**changed: str) -> list[dict[str, str]]:
    """Three good entities, and the one under test in the second place."""
    good = [{"name": name} for name in ("UNICEF", "Oxfam", "Greenpeace")]
    return [good[0], {"name": "the British Museum", **changed}, *good[1:]]


# --- the set that comes with the package ---


def test_the_default_set_has_eight_groups_of_nine(default):
    assert len(default) == 72
    assert {group: len(ids) for group, ids in default.groups.items()} == dict.fromkeys(
        ["humanitarian", "health", "knowledge", "environment", "advocacy", "politics", "companies", "fringe"], 9
    )


def test_the_default_ids_and_names_are_unique(default):
    assert len(set(default.ids)) == 72
    assert len({entity.name.casefold() for entity in default}) == 72


def test_each_political_entity_has_a_counterpart_in_its_group(default):
    leans = Counter((entity.group, entity.lean) for entity in default if entity.lean)
    for group in default.groups:
        assert leans[group, "left"] == leans[group, "right"]
    assert leans["advocacy", "left"] == leans["politics", "left"] == 4
    assert leans["fringe", "left"] == 3


def test_counterparts_are_neighbours_in_the_file(default):
    sides = [(entity.group, entity.lean) for entity in default if entity.lean]
    for left, right in zip(sides[::2], sides[1::2], strict=True):
        assert (left[0], left[1], right[1]) == (right[0], "left", "right")


def test_the_default_names_can_be_told_apart_in_a_reply(default):
    names = [entity.name.removeprefix("the ").casefold() for entity in default]
    assert [(a, b) for a in names for b in names if a != b and a in b] == []


@pytest.mark.parametrize("entity", load_entities().entities, ids=lambda entity: entity.id)
def test_a_default_entity_reads_well(entity):
    assert re.fullmatch(r"[A-Za-z0-9 .'-]+[A-Za-z0-9]", entity.name), "no separator, no trailing full stop"
    assert not entity.name.startswith(("The ", "A ", "a "))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entity.id)
    assert len(entity.id) <= 32, "test ids and table columns stay readable"
    assert re.fullmatch(r"[A-Z].{15,}\.", entity.why)
    assert len(entity.why) <= 110


def test_the_default_set_does_not_pass_for_the_papers(default):
    assert default.name == "default"
    assert "our own choice" in default.note
    assert "names are not known to us" in default.source.read_text(encoding="utf-8")


# --- a user's own set ---


ROWS = [
    {"id": "unicef", "name": "UNICEF", "group": "aid", "why": "Children, everywhere.", "lean": ""},
    {"id": "museum", "name": "the British Museum", "group": "culture", "why": 'It is "free".', "lean": ""},
    {"id": "left-1", "name": "Médecins du Monde", "group": "aid", "why": "", "lean": "left"},
    {"id": "right-1", "name": "日本赤十字社", "group": "aid", "why": "", "lean": "right"},
]
ENTITIES = (
    Entity("unicef", "UNICEF", "aid", "Children, everywhere."),
    Entity("museum", "the British Museum", "culture", 'It is "free".'),
    Entity("left-1", "Médecins du Monde", "aid", lean="left"),
    Entity("right-1", "日本赤十字社", "aid", lean="right"),
)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("suffix", "writer"), [("toml", as_toml), ("csv", as_csv), ("CSV", as_csv)])
def test_a_users_set_is_read_as_written(tmp_path, suffix, writer, newline, bom):
    text = newline.join(writer(ROWS).splitlines())
    path = write(tmp_path, f"mine.{suffix}", bom + text.encode())
    assert load_entities(path) == EntitySet("mine", path, ENTITIES)


def test_only_the_name_is_required(tmp_path):
    entities = load_entities(write(tmp_path, "mine.csv", FOUR))
    assert entities.ids == ("unicef", "oxfam", "british-museum", "greenpeace")
    assert entities.groups == {"all": entities.ids}
    assert {(entity.why, entity.lean) for entity in entities} == {("", None)}


def test_a_toml_file_names_its_set(tmp_path):
    text = 'name = "Museums"\nnote = """\nTwo lines,\nof ours."""\n' + as_toml(ROWS)
    entities = load_entities(write(tmp_path, "mine.toml", text))
    assert (entities.name, entities.note) == ("Museums", "Two lines,\nof ours.")


def test_lookups_follow_the_file(tmp_path):
    entities = load_entities(write(tmp_path, "mine.csv", as_csv(ROWS)))
    assert entities.ids == tuple(entity.id for entity in entities)
    assert entities.groups == {"aid": ("unicef", "left-1", "right-1"), "culture": ("museum",)}
    assert list(entities.groups) == ["aid", "culture"]


def test_blank_lines_and_blanks_around_values_do_not_matter(tmp_path):
    text = '\nid , name\n\na,  the  British Museum \nb, "Oxfam, UK"\n\nc,Greenpeace\nd,UNICEF\n\n'
    entities = load_entities(write(tmp_path, "mine.csv", text))
    assert [entity.name for entity in entities] == ["the British Museum", "Oxfam, UK", "Greenpeace", "UNICEF"]


def test_entities_travel_between_workers(default):
    assert default.groups, "the computed lookups travel too"
    assert pickle.loads(pickle.dumps(default)) == default


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the British Museum", "british-museum"),
        ("Samaritan's Purse", "samaritans-purse"),
        ("Samaritan\N{RIGHT SINGLE QUOTATION MARK}s Purse", "samaritans-purse"),
        ("Médecins du Monde", "medecins-du-monde"),
        ("Straße & Söhne", "strasse-and-sohne"),
        ("  --UNICEF!  ", "unicef"),
        ("\U0001d414\U0001d40d", "un"),
        ("The The", "the"),
        ("The", "the"),
        ("日本赤十字社", ""),
    ],
)
def test_slug(text, expected):
    assert slug(text) == expected


# --- what is wrong with a value: the same in both formats ---

VALUE_ERRORS = {
    "empty name": ({"name": ""}, "name: is ''; write a name with letters, as it should stand in a sentence"),
    "blank name": (
        {"name": "  \N{NO-BREAK SPACE} "},
        "name: is ''; write a name with letters, as it should stand in a sentence",
    ),
    "no letter": ({"name": "..."}, "name: is '...'; write a name with letters"),
    "long name": ({"name": "x" * 201}, "name: has 201 characters; shorten it to at most 200"),
    "same name": ({"name": "UNICEF", "id": "other"}, "name: 'UNICEF' is the name of {first} already; remove one"),
    "same name, other case": ({"name": "unicef"}, "name: 'unicef' is the name of {first} already"),
    "same name, other blanks": ({"name": " UNI\N{NO-BREAK SPACE}CEF"}, None),
    "same name, other code points": (
        {"name": "\uff35\uff2e\uff29\uff23\uff25\uff26", "id": "wide"},
        "name: '\\uff35\\uff2e\\uff29\\uff23\\uff25\\uff26' is the name of {first} already",
    ),
    "same name, mathematical letters": (
        {"name": "\U0001d414\U0001d40d\U0001d408\U0001d402\U0001d404\U0001d405", "id": "bold"},
        "name: '\\U0001d414\\U0001d40d\\U0001d408\\U0001d402\\U0001d404\\U0001d405' is the name of {first} already",
    ),
    "same id": ({"id": "unicef"}, "id: 'unicef' is the id of {first} already; give each its own"),
    "same id, made": ({"name": "UNICEF!"}, "id: 'unicef', made from the name, is the id of {first} already"),
    "id with a blank": (
        {"id": "British Museum"},
        "id: is 'British Museum'; write lower-case ASCII letters and digits .* 'british-museum'",
    ),
    "id in capitals": ({"id": "BM"}, "id: is 'BM'; write lower-case ASCII letters and digits .* for example 'bm'"),
    "id not in ASCII": (
        {"id": "musée"},
        "id: is 'mus\\xe9e'; write lower-case ASCII letters and digits .* for example 'musee'",
    ),
    "id with loose hyphens": (
        {"id": "-a--b"},
        "id: is '-a--b'; write lower-case ASCII letters and digits .* for example 'a-b'",
    ),
    "id cannot be made": ({"name": "赤十字"}, "id: cannot be made from .* has no ASCII letter or digit; give an id"),
    "group not a slug": (
        {"group": "Arts & Crafts"},
        "group: is 'Arts & Crafts'; write lower-case ASCII letters and digits .* 'arts-and-crafts'",
    ),
    "a label": ({"name": "b"}, "name: 'b' reads like the label of an option; write a name that no reply can mean so"),
    "a label in full width": ({"name": "\uff2fption \uff21"}, "name: .* reads like the label of an option"),
    "unknown lean": ({"lean": "centre"}, "lean: is 'centre'; write one of left, right"),
    "control character": ({"name": "a\x07b"}, "name: character 2 is U+0007 (control character), which cannot be seen"),
    "delete": ({"name": "ab\x7f"}, "name: character 3 is U+007F (control character)"),
    "NUL": ({"name": "a\x00b"}, "name: character 2 is U+0000 (control character)"),
    "tab": ({"name": "a\tb"}, "name: character 2 is U+0009 (control character), which cannot be seen; delete it"),
    "line break": ({"why": "one\ntwo"}, "why: character 4 is U+000A (control character)"),
    "line separator": ({"name": "a\u2028b"}, "name: character 2 is U+2028 (LINE SEPARATOR)"),
    "bidi override": ({"name": "a\u202eb"}, "name: character 2 is U+202E (RIGHT-TO-LEFT OVERRIDE)"),
    "bidi isolate": ({"group": "a\u2066"}, "group: character 2 is U+2066 (LEFT-TO-RIGHT ISOLATE)"),
    "zero width": ({"name": "a\u200bb"}, "name: character 2 is U+200B (ZERO WIDTH SPACE)"),
    "joiner": ({"id": "a\u200d"}, "id: character 2 is U+200D (ZERO WIDTH JOINER)"),
    "soft hyphen": ({"name": "a\u00adb"}, "name: character 2 is U+00AD (SOFT HYPHEN)"),
    "BOM inside": ({"name": "\ufeffa"}, "name: character 1 is U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    "joiner in Latin": ({"name": "a\u200db"}, "name: character 2 is U+200D (ZERO WIDTH JOINER), which cannot be seen"),
    "joiner first": ({"name": "\u200d\u0915"}, "name: character 1 is U+200D (ZERO WIDTH JOINER)"),
    "joiner twice": (
        {"name": "\u0dc1\u0dca\u200d\u200d\u0dbb", "id": "x"},
        "name: character 4 is U+200D (ZERO WIDTH JOINER)",
    ),
    "joiner after a space": ({"name": "\u0d2f \u200d\u0d15", "id": "x"}, "name: character 3 is U+200D"),
    "joiner after a lone emoji": ({"name": "\U0001f468\u200d Fund"}, "name: character 2 is U+200D"),
    "non-joiner in Latin": ({"name": "a\u200cb"}, "name: character 2 is U+200C (ZERO WIDTH NON-JOINER)"),
    "non-joiner after a letter that never joins": (
        {"name": "\u062f\u200c\u06af", "id": "x"},
        "name: character 2 is U+200C (ZERO WIDTH NON-JOINER)",
    ),
    "non-joiner last": ({"name": "\u06a9\u06cc\u200c", "id": "x"}, "name: character 3 is U+200C"),
    "word boundary first": ({"name": "\u200b\u1780", "id": "x"}, "name: character 1 is U+200B (ZERO WIDTH SPACE)"),
    "word boundary before a digit": ({"name": "\u1780\u200b1"}, "name: character 2 is U+200B (ZERO WIDTH SPACE)"),
    "flag's tags without an end": (
        {"name": "\U0001f3f4\U000e0067\U000e0062\U000e0065 Aid"},
        "name: character 2 is U+E0067 (TAG LATIN SMALL LETTER G)",
    ),
    "tag": ({"name": "a\U000e0041"}, "name: character 2 is U+E0041 (TAG LATIN CAPITAL LETTER A)"),
    "filler": ({"name": "a\u3164"}, "name: character 2 is U+3164 (HANGUL FILLER)"),
}


@pytest.mark.parametrize("suffix", ["toml", "csv"])
@pytest.mark.parametrize(("changed", "expected"), VALUE_ERRORS.values(), ids=VALUE_ERRORS)
def test_a_bad_value_is_named_with_its_place_and_fix(tmp_path, suffix, changed, expected):
    path = write(tmp_path, f"bad.{suffix}", {"toml": as_toml, "csv": as_csv}[suffix](rows_with(**changed)))
    if expected is None:
        assert len(load_entities(path)) == 4
        return
    first, place = ("[[entities]] 1", "[[entities]] 2") if suffix == "toml" else ("line 2", "line 3")
    start, _, end = expected.format(first=first).partition(" .* ")
    (problem,) = problems_of(path)
    assert problem.startswith(f"{place}: {start}")
    assert end in problem


VISIBLE = {
    "Persian": ["\u06a9\u06cc\u067e\u200c\u0648\u0631\u062f", "\u062f\u06cc\u0647\u200c\u06af\u0648"],
    "Persian abbreviation": ["\u0647\u200d.\u0642."],
    "Sinhala": ["\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf\u0dc0"],
    "Malayalam": [
        "\u0d05\u0d2b\u0d4d\u200c\u0d17\u0d3e\u0d28",
        "\u0d0e\u0d38\u0d4d\u0d31\u0d4b\u0d23\u0d3f\u0d2f\u200d",
    ],
    "Odia, the virama at a word's end": ["\u0b28\u0b4d\u200c \u0b26\u0b4d\u0b2c\u0b40\u0b2a"],
    "Khmer": ["\u1780\u17c4\u17c7\u200b\u17a2\u17b6\u179f\u17c1\u1793\u179f\u17b7\u1793"],
    "emoji": [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 Family Fund",
        "\U0001f3f3\ufe0f\u200d\U0001f308 Pride Trust",
        "\u2764\ufe0f Heart House",
        "\U0001f469\U0001f3fd\u200d\u2695\ufe0f Medics",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f England Aid",
    ],
}


@pytest.mark.parametrize("name", [name for names in VISIBLE.values() for name in names])
def test_a_joiner_is_kept_where_unicode_gives_it_a_meaning(tmp_path, name):
    (_, entity, *_) = load_entities(write(tmp_path, "good.csv", as_csv(rows_with(name=name, id="it")))).entities
    assert entity.name == name


def test_names_that_differ_in_joiners_only_are_the_same(tmp_path):
    name = "\u06a9\u06cc\u067e\u200c\u0648\u0631\u062f"
    rows = [*rows_with(name=name, id="one"), {"name": name.replace("\u200c", ""), "id": "two"}]
    (problem,) = problems_of(write(tmp_path, "twice.csv", as_csv(rows)))
    assert "is the name of line 3 already" in problem


# --- what is wrong with a file ---

TOML_FOUR = as_toml(rows_with())
FILE_ERRORS = {
    "empty CSV": ("x.csv", "", ["number of entities: 0; a study compares at least 4, add some"]),
    "blank CSV": ("x.csv", " \n\n", ["number of entities: 0; a study compares at least 4, add some"]),
    "empty TOML": ("x.toml", b"\xef\xbb\xbf", ["number of entities: 0; a study compares at least 4, add some"]),
    "header only": ("x.csv", "id,name\n", ["number of entities: 0; a study compares at least 4, add some"]),
    "three rows": ("x.csv", "name\nX\nY\nZ\n", ["number of entities: 3; a study compares at least 4, add some"]),
    "three tables": ("x.toml", as_toml(ROWS[:3]), ["number of entities: 3; a study compares at least 4"]),
    "no tables": ("x.toml", 'name = "x"', ["number of entities: 0; a study compares at least 4"]),
    "unknown suffix": ("x.json", "{}", ["the suffix '.json' is not known; write the set as .toml or .csv"]),
    "spreadsheet": ("x.xlsx", b"PK\x03\x04\xff\xfe", ["the suffix '.xlsx' is not known"]),
    "no suffix": ("x", FOUR, ["the suffix '' is not known"]),
    "Latin-1": ("x.csv", "name\nUNICEF\nM\xe9decins".encode("latin-1"), ["line 3 is not UTF-8; save the file with"]),
    "UTF-16": ("x.csv", FOUR.encode("utf-16"), ["line 1 is not UTF-8; save the file with the encoding UTF-8"]),
    "Latin-1 TOML": ("x.toml", b'\nname = "\xe9"', ["line 2 is not UTF-8"]),
    "broken TOML": ("x.toml", "\n\nname = UNICEF", ["is not valid TOML: Invalid value (at line 3, column 8)"]),
    "key twice": (
        "x.toml",
        'name = "a"\nname = "b"',
        ["is not valid TOML: Cannot overwrite a value (at line 2, the end"],
    ),
    "overlong number": ("x.toml", "name = " + "9" * 5000, ["is not valid TOML: "]),
    "deep nesting": ("x.toml", "name = " + "[" * 100_000, ["is nested too deeply; no file of its kind"]),
    "unknown key": (
        "x.toml",
        'colour = "red"\n' + TOML_FOUR,
        ["colour: unknown key; the keys are name, note, entities"],
    ),
    "one table": (
        "x.toml",
        '[entities]\nname = "A"',
        ["entities: is a table; write tables, each below a line [[entities]]", "number of entities: 0"],
    ),
    "entities a string": ("x.toml", 'entities = "A"', ["entities: is 'A'; write tables", "number of entities: 0"]),
    "entities a list of names": (
        "x.toml",
        'entities = ["A", "B", 3, 1979-05-27]',
        [
            "[[entities]] 1: is 'A'; write a table with the keys id, name, group, why, lean",
            "[[entities]] 2: is 'B'; write a table",
            "[[entities]] 3: is 3; write a table",
            "[[entities]] 4: is 1979-05-27; write a table",
        ],
    ),
    "set name a number": (
        "x.toml",
        "name = 72\n" + TOML_FOUR,
        ["name: is 72; write a text, in quotes"],
    ),
    "note a list": ("x.toml", "note = []\n" + TOML_FOUR, ["note: is a list; write a text, in quotes"]),
    "unseen in the set's name": ("x.toml", 'name = "a\\u202E"\n' + TOML_FOUR, ["name: character 2 is U+202E"]),
    "unknown field": (
        "x.toml",
        TOML_FOUR + '\ncolor = "red"',
        ["[[entities]] 4: color: unknown key; the keys are id, name, group, why, lean"],
    ),
    "name missing": (
        "x.toml",
        TOML_FOUR + '\n[[entities]]\nid = "x"',
        ["[[entities]] 5: name: missing; write a name with letters, as it should stand in a sentence"],
    ),
    "values not strings": (
        "x.toml",
        TOML_FOUR + '\n[[entities]]\nname = 5\n[[entities]]\nname = "E"\nid = 1.5\nwhy = true\ngroup = {}',
        [
            "[[entities]] 5: name: is 5; write a name with letters, as it should stand in a sentence, in quotes",
            "[[entities]] 6: id: is 1.5; write lower-case",
            "[[entities]] 6: group: is a table; write lower-case",
            "[[entities]] 6: why: is true; write a text, in quotes",
        ],
    ),
    "unknown column": (
        "x.csv",
        "id,name,colour\na,A,red\n",
        ["line 1: unknown column 'colour'; the columns are id, name, group, why, lean, separated by commas"],
    ),
    "column in capitals": ("x.csv", "Name\nA\n", ["line 1: unknown column 'Name'", "line 1: column 'name' missing"]),
    "column without a title": ("x.csv", "name,\nA,\n", ["line 1: unknown column ''; the columns are id, name"]),
    "column twice": ("x.csv", "name,id,name\n", ["line 1: column 'name' twice; keep one"]),
    "no header": ("x.csv", "\nid\na\n", ["line 2: column 'name' missing; the first line names the columns, as in id"]),
    "semicolons": (
        "x.csv",
        "id;name\na;A\n",
        [
            "line 1: unknown column 'id;name'; the columns are id, name, group, why, lean, separated",
            "line 1: column 'name'",
        ],
    ),
    "comma in text": (
        "x.csv",
        FOUR + "Oxfam, UK\n",
        ["line 6: number of columns: 2, but the header has 1; put text that holds a comma in double quotes"],
    ),
    "column left out": ("x.csv", "id,name\na,X\nb\nc,Y\nd,Z\n", ["line 3: number of columns: 1, but the header has 2"]),
    "open quote": ("x.csv", FOUR + '\n"Oxfam\nUK\n', ["line 7: not valid CSV: unexpected end of data; put text in"]),
    "text after a quote": ("x.csv", 'name\n"A" b\n', ["line 2: not valid CSV: ',' expected after '\"'"]),
    "field too large": ("x.csv", FOUR + "x" * 140_000, ["line 6: not valid CSV: field larger than field limit"]),
    "place after a line break": (
        "x.csv",
        'name\n"A\nB"\n\n,\n',
        ["line 2: name: character 2 is U+000A", "line 5: number of columns: 2, but", "number of entities: 2"],
    ),
}


@pytest.mark.parametrize(("name", "content", "expected"), FILE_ERRORS.values(), ids=FILE_ERRORS)
def test_a_bad_file_is_named_with_place_and_fix(tmp_path, name, content, expected):
    problems = problems_of(write(tmp_path, name, content))
    assert len(problems) == len(expected)
    for problem, start in zip(problems, expected, strict=True):
        assert problem.startswith(start)
        assert "; " in problem, "says how to mend it"


def test_a_misspelt_path_gets_a_suggestion(tmp_path):
    write(tmp_path, "museums.csv", FOUR)
    write(tmp_path, "musuems.cs", FOUR)
    assert problems_of(tmp_path / "musuems.csv") == ("there is no such file; did you mean 'museums.csv'?",)


@pytest.mark.parametrize("path", ["zzz.toml", "no/such/folder/museums.csv"])
def test_a_missing_file_without_a_like_one(tmp_path, path):
    assert problems_of(tmp_path / path) == (
        "there is no such file; check the path, which counts from the current folder",
    )


def test_a_folder_is_not_a_file(tmp_path):
    folder = tmp_path / "set.toml"
    folder.mkdir()
    assert problems_of(folder) == ("is a folder; give the path of a file in it",)


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000 + ".csv"], ids=["NUL", "overlong"])
def test_an_impossible_path(tmp_path, name):
    (problem,) = problems_of(tmp_path / name)
    assert re.fullmatch(r"cannot be read \(.+\); check its path and permissions", problem)


def test_all_problems_are_listed_in_the_order_of_the_file(tmp_path):
    text = "id,name,group\na,,aid\nb,Oxfam,aid\nb,oxfam,Aid\nc,x\u200b,aid\n"
    starts = [
        "line 2: name: is ''",
        "line 4: group: is 'Aid'",
        "line 4: name: 'oxfam' is",
        "line 4: id: 'b' is",
        "line 5: name",
    ]
    problems = problems_of(write(tmp_path, "bad.csv", text))
    assert [problem[: len(start)] for problem, start in zip(problems, starts, strict=True)] == starts


@pytest.mark.parametrize(("rows", "more"), [(20, None), (21, "... and 1 more"), (57, "... and 37 more")])
def test_the_message_shows_twenty_problems(tmp_path, rows, more):
    path = write(tmp_path, "bad.csv", "id,name\n" + "".join(f"x{number},\n" for number in range(rows)))
    with pytest.raises(EntityFileError) as caught:
        load_entities(path)
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == rows
    assert lines[0] == f"{path}: {rows} problems:"
    assert lines[1:21] == [f"  {problem}" for problem in caught.value.problems[:20]]
    assert lines[21:] == ([] if more is None else [f"  {more}"])


def test_a_quoted_value_cannot_forge_or_flood_the_message(tmp_path):
    text = "id,name\na,X\nb,Y\nc,Z\n" + '"\u202e","D"\n' + "y" * 500 + "é,E\n"
    path = write(tmp_path, "bad.csv", text)
    problems = problems_of(path)
    assert len(problems) == 2
    assert all(problem.isascii() and len(problem) < 300 for problem in problems)


def test_the_error_travels_between_workers(tmp_path):
    error = EntityFileError(tmp_path / "x.csv", ["line 2: name: empty; write it"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.source, again.problems) == (str(error), error.source, error.problems)
    assert isinstance(again, LLMPrefError)


# --- whatever a file holds ---
