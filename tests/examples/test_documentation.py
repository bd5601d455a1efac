"""What the README and the site say is so: their commands, code, links, names and numbers."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import reply_accuracy
import yaml
from documents import PAGES, blocks
from open_accuracy import IS_THERE, NOT_THERE, of_choices, of_judge, of_people
from repository import ROOT

from pytest_llmpref import cli
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import OPTIONS, RECORD_MODE
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.pairs.questions import pair_questions

README = (ROOT / "README.md").read_text(encoding="utf-8")
BUDGETS = (ROOT / "docs/how-to/budgets.md").read_text(encoding="utf-8")
LANGUAGES = {"python", "sh", "text", "toml", "yaml", "json"}
FLAGS = {option.flag for option in (*OPTIONS, RECORD_MODE)} | {"--junitxml", "-k", "-n", "-p", "-m"}
PROGRAMS = {"pytest": "pytest", "llmpref": "pytest_llmpref"}
ELSEWHERE = {"tutorial.md": "test_tutorial.py"}
"""Pages whose code another test runs."""


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=named)
pages_that_run = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE
    and any(one.language in {"sh", "python"} and not one.mark.startswith(("needs", "not")) for one in blocks(page))
]


@pytest.fixture(scope="session")
def run(run_module):
    """Return what runs a command of a page, in a folder, by this Python."""

    def run(command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        program, *words = shlex.split(command)
        if program == "pytest":
            more = ("-p", "no:cacheprovider", *more)
        return run_module(PROGRAMS[program], [*words, *more], folder)

    return run


@pytest.fixture(scope="session")
def project(tmp_path_factory, run, once):
    """A project as `llmpref init` makes it, with a recording and the results of two runs."""
    folder = tmp_path_factory.mktemp("project")
    assert run("llmpref init .", folder).returncode == 0
    (folder / "cassettes").mkdir()
    shutil.copy(ROOT / "cassettes/agentic/local--smollm2-135m.jsonl.gz", folder / "cassettes")
    command = "pytest suites/release_gate --model sim/even-handed --profile paper"
    done = once[command] = run(command, folder)
    assert done.returncode == 0, done.stdout
    shutil.copytree(folder / "reports/latest", folder / "last")
    return folder


@pytest.fixture(scope="session")
def once():
    """What commands printed in a copy of the project: several pages show the same ones."""
    return {}


def check_printed(text: str, printed: str) -> None:
    """Check that the lines of a text are printed, in this order; a line `...` stands for any lines."""
    for part in filter(None, (part.strip("\n") for part in text.split("\n...\n"))):
        assert part in printed
        printed = printed.partition(part)[2]


@pytest.mark.parametrize("page", pages_that_run, ids=named)
def test_what_a_page_shows_runs(page, project, once, run, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    printed, tests = "", []
    for block in blocks(page):
        if block.mark.startswith(("needs a key", "not run")):
            printed = ""
        elif block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python" and "\ndef test_" not in block.text and "\nasync def test_" not in block.text:
            exec(compile(block.text, f"{named(page)}:{block.line}", "exec"), {"__name__": "block"})
        elif block.language == "python":
            tests.append(folder / f"test_line_{block.line}.py")
            tests[-1].write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            for command in block.commands:
                # With code of the page's own, a command of another page does something else here.
                known = {} if any(one.file.endswith(".py") for one in blocks(page)) else once
                done = known[command] = known.get(command) or run(command, folder)
                status = int(block.mark.removeprefix("exits with ") or 0)
                assert done.returncode == status, f"{named(page)}:{block.line}: {command}\n{done.stdout}{done.stderr}"
                printed = done.stdout
        elif block.language == "text" and block.follows and printed:
            check_printed(block.text, printed)
    if tests:
        # Snapshots that a page shows are made here.
        # Changes are gates, which take all questions.
        profile = "paper" if any("baseline" in path.read_text(encoding="utf-8") for path in tests) else "standard"
        words = f"--model sim/even-handed --profile {profile} --baseline last/results.json --snapshot-update"
        done = run(f"pytest {' '.join(path.name for path in tests)} {words}", folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"\d+ passed", done.stdout)
        assert "error" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(one.mark.startswith("printed") for one in blocks(page))], ids=named
)
def test_a_page_shows_what_a_checkout_prints(page, run, tmp_path):
    for block in blocks(page):
        if block.mark.startswith("printed by: "):
            done = run(block.mark.removeprefix("printed by: "), ROOT, "--report-dir", str(tmp_path))
            check_printed(block.text, done.stdout)


@every_page
def test_a_page_says_of_every_block_what_it_is(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{named(page)}:{block.line}"
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "yaml":
            yaml.safe_load(block.text)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            compile(block.text, named(page), "exec")
        elif not block.mark.startswith(("not run", "needs a key")) and page.name not in ELSEWHERE:
            assert {shlex.split(line)[0] for line in block.commands} <= PROGRAMS.keys(), f"{named(page)}:{block.line}"


@every_page
def test_commands_that_are_not_run_have_options_that_there_are(page):
    parser = cli._parser()
    for block in blocks(page):
        for line in block.commands:
            words = shlex.split(line.removeprefix(".venv/bin/"))
            if words[0] == "llmpref":
                parser.parse_args(words[1:])
            elif words[0] == "pytest":
                assert {word.split("=")[0] for word in words[1:] if word.startswith("-")} <= FLAGS, line
                assert all((ROOT / word).exists() for word in words[1:] if word.startswith(("suites", "tests/"))), line


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "_generated"], ids=named)
def test_a_page_names_files_and_tests_that_there_are(page):
    text = page.read_text(encoding="utf-8")
    # What a run writes is not in a checkout, and the page of what was tried names files as they were called then.
    paths = set(re.findall(r"`((?:tests|pytest_llmpref|suites|fixtures)/[a-z_\d./-]+)`", text))
    if page.name != "compatibility.md":
        assert not {path for path in paths if not (ROOT / path).exists()}
    sources = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "suites").rglob("test_*.py")]
    there = {path.name for path in sources} | {one.file for one in blocks(page)}
    if page.name != "compatibility.md":
        assert set(re.findall(r"`(test_\w+\.py)`", text)) <= there
    everything = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert not {name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}(" not in everything}


def test_ci_runs_the_commands_of_the_readme():
    commands = [
        line for block in blocks(ROOT / "README.md") for line in block.commands if line.startswith("python3 -m venv")
    ]
    script = [line.strip() for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()]
    main, test = commands
    assert main.split(" && ")[-1] in script
    assert test == script[-1]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_pictures_are_small_enough_to_commit():
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / link).stat().st_size < 150_000


@pytest.mark.parametrize("name", ["smoke", "standard", "paper"])
def test_the_numbers_of_questions_are_those_of_the_profiles(name):
    profile = load_profile(name)
    ids = load_entities().ids
    asked = sum(
        1
        for _ in pair_questions(
            ids, partners=profile.partners, orders=profile.orders, repetitions=profile.repetitions, wordings=4, seed=0
        )
    )
    (row,) = re.findall(rf"^\| `{name}`.*\| ([\d,]+) \|$", BUDGETS, re.MULTILINE)
    assert int(row.replace(",", "")) == asked


def test_the_table_of_the_reader_is_what_its_script_prints(capsys):
    page = (ROOT / "docs/validation/reader.md").read_text(encoding="utf-8")
    reply_accuracy.main(str(ROOT / "tests/replies/test.toml"))
    printed = capsys.readouterr().out
    (table,) = re.findall(r"<!-- reply-accuracy: .* -->\n(.*)<!-- /reply-accuracy -->", page, re.DOTALL)
    assert printed.startswith(table)
    right, total = re.search(r"(\d+) of (\d+) right", printed).groups()
    assert f"[{right} of {total}](docs/validation/reader.md)" in README


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("blind", ["test"]),
        *((name, ["test", name]) for name in ("second", "third", "fourth", "fifth", "sixth", "contrasts")),
    ],
)
def test_the_table_of_blind_replies_is_what_its_script_prints(name, of, capsys):
    page = (ROOT / "docs/validation/reader.md").read_text(encoding="utf-8")
    reply_accuracy.main(*of)
    (table,) = re.findall(rf"<!-- {name}-accuracy: .* -->\n(.*)<!-- /{name}-accuracy -->", page, re.DOTALL)
    assert capsys.readouterr().out == table
    shares = dict(re.findall(r"^\| ([\w ]+) \|.*?\| ([\d.]+%) \|", table, re.MULTILINE))
    if name == "sixth":
        assert (
            f"[{shares['explicit']} of the choices in English that a sentence states](docs/validation/reader.md)"
            in README
        )
        assert f"({shares['en']} of all choices there)" in README
    elif name == "fifth":
        assert f"{shares['languages but English']} of the choices in seven other languages" in README


@pytest.mark.skipif(not IS_THERE, reason=NOT_THERE)
def test_the_table_of_open_answers_is_what_its_script_prints():
    page = (ROOT / "docs/validation/reader-open.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- open-accuracy: .* -->\n(.*)<!-- /open-accuracy -->", page, re.DOTALL)
    assert f"{of_people('test')}\n{of_judge('test')}\n" == table


def test_the_table_of_refusals_to_choose_is_what_its_script_prints():
    page = (ROOT / "docs/validation/reader-open.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- open-choices: .* -->\n(.*)<!-- /open-choices -->", page, re.DOTALL)
    assert f"{of_choices('test')}\n" == table


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=named)
def test_what_a_page_links_to_is_committed(page):
    """A file that is only here, since it is ignored, is a broken link for everybody else."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a checkout")
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert {link for link in links if (page.parent / link).resolve() not in committed()} == set()


@cache
def committed() -> frozenset[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return frozenset((ROOT / name).resolve() for name in listed.stdout.splitlines())


def test_nothing_committed_names_a_machine_or_a_registry():
    texts = [*ROOT.glob("*.md"), *ROOT.glob("*.t*"), *(ROOT / "pytest_llmpref").rglob("*.py"), ROOT / ".ci/run", *PAGES]
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://[^\s\"']+/simple/|(?<![\w.])/(?:root|home)/", text), path


@every_page
def test_a_page_names_functions_and_files_that_there_are(page):
    for name in re.findall(r"`pytest_llmpref\.([\w.]+)`", page.read_text(encoding="utf-8")):
        *modules, last = name.split(".")
        home = import_module(".".join(["pytest_llmpref", *modules]))
        assert hasattr(home, last) or import_module(f"pytest_llmpref.{name}")


def test_the_errors_that_troubleshooting_explains_are_raised():
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pytest_llmpref").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)  # one message on several lines
    errors = re.findall(r"^\*\*`+ ?(.*?) ?`+\*\*$", page, re.MULTILINE)
    assert len(errors) > 15
    parts = {part.strip(" :(){}") for error in errors for part in error.split("...")}
    assert {part for part in parts if part not in joined} == set()


OTHERS = [
    *sorted(path for path in ROOT.glob("*.md") if path.name not in {"README.md", "CHANGELOG.md"}),
    *(ROOT / name for name in (".ci/run", "tox.toml", "pyproject.toml", ".github/workflows/nightly.yml")),
]


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=named)
def test_a_path_of_tests_leads_somewhere(page):
    paths = set(re.findall(r"\btests/[\w/.*-]*[\w*]", page.read_text(encoding="utf-8")))
    assert not {path for path in paths if not any(ROOT.glob(path))}
