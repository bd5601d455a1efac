"""Files are data: whatever is in them, they are read or turned away by an error of ours, in bounded memory.

``LLMPREF_FUZZ=20000 pytest tests/fuzz`` searches for longer. What a search found goes into ``corpus``.
"""

import ast
import contextlib
import gzip
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import CORPUS

import pytest_llmpref
from pytest_llmpref.cassettes import Cassette, CassetteError, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml, import_vcr_yaml
from pytest_llmpref.config.entities import EntityFileError, load_entities
from pytest_llmpref.config.items import load_items
from pytest_llmpref.config.policy import load_policy
from pytest_llmpref.config.profiles import ProfileError, load_profile
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.simulated.world import load_world
from pytest_llmpref.results.loading import load_results

EXAMPLES = int(os.environ.get("LLMPREF_FUZZ", "60"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_cassette(path: Path) -> None:
    cassette = Cassette.open(path.parent, "m")
    with contextlib.suppress(CassetteError):
        for line in cassette.lines():
            with contextlib.suppress(CassetteError):
                _ = line.exchange


def read_vcr(path: Path) -> None:
    import_vcr_yaml(path, Cassette.open(path.parent, "m"))


READERS = {
    "cassettes": ("m.jsonl", read_cassette),
    "packed": ("m.jsonl.gz", read_cassette),
    "entities": ("set", load_entities),
    "worlds": ("w.toml", load_world),
    "results": ("results.json", load_results),
    "profiles": ("p.toml", lambda path: load_profile(str(path))),
    "policies": ("policy.toml", load_policy),
    "items": ("q.jsonl", lambda path: load_items.__wrapped__(str(path))),
    "vcr": ("c.yaml", read_vcr),
}


def read(kind: str, content: bytes, folder: Path, suffix: str = "") -> None:
    """Read a file as what it claims to be; only an error of ours may come out."""
    name, reader = READERS[kind]
    path = folder / f"{name}{suffix}"
    path.write_bytes(content)
    try:
        reader(path)
    except LLMPrefError as error:
        said = str(error)
    else:
        said = path.name
    finally:
        for left in folder.iterdir():
            left.unlink()
    assert path.name in said, "the message names the file"
    assert len(said) < 20_000


@pytest.mark.filterwarnings("ignore::pytest_llmpref.cassettes.CassetteWarning")
@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.*")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_corpus_is_read_or_turned_away(path, tmp_path):
    kind = path.parent.name
    read(kind, path.read_bytes(), tmp_path, path.suffix if kind == "entities" else "")


def recorded() -> bytes:
    """Two lines of a cassette, one with an exchange."""
    lines = []
    for number, text in enumerate(("Which one?", "And now?")):
        request = Request("m", (Message("user", text),), 1.0, 8, number)
        exchange = Exchange(WireRequest("POST", "http://a/v1", {}, "{}"), WireResponse(200, "OK", {}, "{}"))
        lines.append((request, Reply("A", "stop", top_logprobs={"A": -0.5}), exchange if number else None))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        cassette = Cassette.open(Path(folder), "m")
        for line in lines:
            cassette.append(*line)
        return cassette.journal.read_bytes()


JOURNAL = recorded()
RESULTS = (CORPUS / "results" / "whole.json").read_bytes()
TOKENS = [b"[", b"]", b"{", b"}", b'"', b"\n", b"\0", b",", b":", b"null", b"1e999", b"-", b"\\ud800", b"[[", b"\xff"]
TOKENS += [b"&a ", b"*a", b"!!python/name:os.system ", b"<<: ", b"'''", b'"""', b"=", b"[" * 300, b"{a: " * 300]
TOKENS += [b"9" * 5000, b"0x" + b"f" * 5000]


@st.composite
def mutated(draw, original: bytes) -> bytes:
    """A valid file with a few pieces cut out, repeated, or replaced by tokens that parsers stumble over."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8), st.just(bytes(content[start:end] * 2))))
        content[start:end] = piece
    return bytes(content)


def shipped(folder: str, name: str) -> bytes:
    return (data_folder("fixtures") / folder / name).read_bytes()


@pytest.mark.filterwarnings("ignore::pytest_llmpref.cassettes.CassetteWarning")
@fuzzed
@given(content=mutated(JOURNAL))
def test_a_damaged_cassette_is_read_or_turned_away(content, tmp_path):
    read("cassettes", content, tmp_path)


@fuzzed
@given(content=st.one_of(mutated(gzip.compress(JOURNAL, mtime=0)), mutated(JOURNAL).map(gzip.compress)))
def test_a_damaged_packed_cassette_is_read_or_turned_away(content, tmp_path):
    read("packed", content, tmp_path)


@fuzzed
@given(content=mutated(shipped("entities", "default.toml")[:1500]), suffix=st.sampled_from([".toml", ".csv"]))
def test_a_damaged_entity_set_is_read_or_turned_away(content, suffix, tmp_path):
    read("entities", content, tmp_path, suffix)


@fuzzed
@given(content=mutated(shipped("profiles", "smoke.toml")))
def test_a_damaged_profile_is_read_or_turned_away(content, tmp_path):
    read("profiles", content, tmp_path)


@fuzzed
@given(content=mutated(b'alpha = 0.05\nfamily = "suite"\n[even_handed]\nmargin = 0.1\nrole = "claim"\n'))
def test_a_damaged_policy_is_read_or_turned_away(content, tmp_path):
    read("policies", content, tmp_path)


ITEM_LINES = b"""{"question": "is it so", "passage": "It is.", "answer": true}
{"query": "Passage: It is.\\nQuestion: is it?", "choices": ["no", "yes"], "gold": 1}
"""


@fuzzed
@given(content=mutated(ITEM_LINES))
def test_a_damaged_file_of_questions_is_read_or_turned_away(content, tmp_path):
    read("items", content, tmp_path)


@fuzzed
@given(content=st.one_of(mutated(shipped("worlds", "refuser.toml")), mutated(shipped("worlds", "paper-b.toml"))))
def test_a_damaged_world_is_read_or_turned_away(content, tmp_path):
    read("worlds", content, tmp_path)


@fuzzed
@given(content=mutated(RESULTS))
def test_a_damaged_results_file_is_read_or_turned_away(content, tmp_path):
    read("results", content, tmp_path)


@fuzzed
@given(data=st.data())
def test_a_damaged_vcr_cassette_is_read_or_turned_away(data, tmp_path):
    (tmp_path / "m.jsonl").write_bytes(JOURNAL)
    with pytest.warns(Warning, match="have no HTTP"):
        export_vcr_yaml(Cassette.open(tmp_path, "m"), tmp_path / "out.yaml")
    content = data.draw(mutated((tmp_path / "out.yaml").read_bytes()))
    (tmp_path / "m.jsonl").unlink()
    read("vcr", content, tmp_path)


def test_a_decompression_bomb_is_turned_away_in_bounded_memory(tmp_path):
    bomb = gzip.compress(b"\n" * (300 << 20), mtime=0)
    (tmp_path / "m.jsonl.gz").write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(CassetteError, match=r"m\.jsonl\.gz: [\d,]+ bytes that grow to more than"):
            Cassette.open(tmp_path, "m")
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_a_file_of_countless_gzip_members_is_read_member_by_member(tmp_path):
    lines = JOURNAL.splitlines(keepends=True)
    (tmp_path / "m.jsonl.gz").write_bytes(b"".join(map(gzip.compress, [lines[0], *[b""] * 100_000, lines[1]])))
    tracemalloc.start()
    try:
        assert len(Cassette.open(tmp_path, "m")) == 2
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_a_packed_file_that_was_put_together_from_two_is_read(tmp_path):
    first, second = JOURNAL.splitlines(keepends=True)
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(first) + gzip.compress(second))
    assert len(Cassette.open(tmp_path, "m")) == 2


@pytest.mark.parametrize(
    "nested", [b"[" * 1_000_000, b"- " * 1_000_000 + b"x", b"{a: " * 1_000_000], ids=["flow", "block", "map"]
)
def test_a_yaml_file_that_would_crash_libyaml_is_turned_away(tmp_path, nested):
    (tmp_path / "c.yaml").write_bytes(nested)
    program = (
        "import sys; from pathlib import Path; from pytest_llmpref.cassettes import Cassette;"
        "from pytest_llmpref.cassettes.vcr_yaml import import_vcr_yaml;"
        "folder = Path(sys.argv[1]); import_vcr_yaml(folder / 'c.yaml', Cassette.open(folder, 'm'))"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "CassetteError" in run.stderr
    assert "nested more than 50 deep" in run.stderr


def test_oversized_files_are_turned_away_unread(tmp_path):
    for name, size in (("set.toml", 17 << 20), ("p.toml", 2 << 20)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(EntityFileError, match="more than"):
        load_entities(tmp_path / "set.toml")
    with pytest.raises(ProfileError, match="more than"):
        load_profile(str(tmp_path / "p.toml"))


@fuzzed
@given(name=st.text(min_size=1).filter(str.strip))
def test_a_cassette_stays_in_its_folder_whatever_its_model_is_called(name, tmp_path):
    for path in (Cassette(tmp_path, name).packed, Cassette(tmp_path, name).journal):
        assert path.resolve().parent == tmp_path.resolve()
    assert not set(slug(name)) & set('/\\:\0\n"')


@pytest.mark.parametrize("name", ["../entities/default", "../profiles/smoke", "smoke/../paper"])
def test_a_profiles_name_is_no_path(name):
    with pytest.raises(ProfileError, match="no such profile"):
        load_profile(name)


BANNED = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
MODULES = sorted(Path(pytest_llmpref.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_file_is_ever_executed(path):
    """No pickles, no evaluated text, and YAML by safe loaders only."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        assert not {name.split(".")[0] for name in names} & BANNED
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}
    assert "yaml.load(" not in source or "SafeLoader" in source
    assert "yaml.Loader" not in source
