"""Imported models among recordings: listed, checked, scanned, and merged without ever mixing two imports."""

import gzip

import pytest

from pytest_llmpref.cli import main

ROWS = "first,second,chosen,reply\n" + "".join(
    f"Fund {a},Fund {b},Fund {a},I choose {a}\n" for a in "ABCD" for b in "ABCD" if a != b
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with one imported model, in its cassettes and in those of a job."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "votes.csv").write_text(ROWS)
    for folder in ("cassettes", "job"):
        words = ["votes.csv", "--name", "votes", "--measure", "preference", "--folder", folder]
        assert main(["import", "choices", *words]) == 0
    return tmp_path


def path_in(here, folder):
    return here / folder / "imported/votes.jsonl.gz"


def test_they_are_listed_checked_and_scanned(here, capsys):
    capsys.readouterr()
    assert main(["cassettes", "list"]) == 0
    assert "imported/votes" in (said := capsys.readouterr().out)
    assert said.rstrip().endswith("imported from votes.csv")
    assert main(["cassettes", "check"]) == 0
    assert "imported/votes.jsonl.gz: whole" in capsys.readouterr().out
    assert main(["cassettes", "scan"]) == 0
    assert "imported/votes.jsonl.gz: read, 13 lines\n0 secrets found in 1 file\n" in capsys.readouterr().out


def test_a_secret_in_one_is_found(here, capsys):
    path = path_in(here, "cassettes")
    key = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 2
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"I choose A", f"{key}".encode(), 1)))
    capsys.readouterr()
    assert main(["cassettes", "scan"]) == 1
    said = capsys.readouterr().out
    assert "votes.jsonl.gz:2: " in said
    assert key not in said


def test_one_that_is_cut_off_is_named(here, capsys):
    path = path_in(here, "cassettes")
    path.write_bytes(path.read_bytes()[:-20])
    capsys.readouterr()
    assert main(["cassettes", "check"]) == 1
    assert "votes.jsonl.gz: " in (said := capsys.readouterr().out)
    assert "import it again" in said
    assert main(["cassettes", "scan"]) == 1
    assert "votes.jsonl.gz: NOT READ: " in capsys.readouterr().out


def test_merging_copies_what_is_lacking(here, capsys):
    capsys.readouterr()
    assert main(["cassettes", "merge", "job", "--folder", "merged"]) == 0
    assert "votes.jsonl.gz: copied from job/imported/votes.jsonl.gz" in capsys.readouterr().out
    assert path_in(here, "merged").read_bytes() == path_in(here, "job").read_bytes()
    assert main(["cassettes", "merge", "job"]) == 0
    assert "copied" not in capsys.readouterr().out


def test_two_different_imports_are_never_mixed(here, capsys):
    (here / "votes.csv").write_text(ROWS + "Fund A,Fund B,Fund B,no\n")
    words = ["votes.csv", "--name", "votes", "--measure", "preference", "--folder", "job", "--replace"]
    assert main(["import", "choices", *words]) == 0
    before = path_in(here, "cassettes").read_bytes()
    capsys.readouterr()
    assert main(["cassettes", "merge", "job"]) == 1
    assert "imported/votes is in cassettes/imported/votes.jsonl.gz too, with other rows" in capsys.readouterr().err
    assert path_in(here, "cassettes").read_bytes() == before
