"""``llmpref init``: lays suites, fixtures and a CI workflow into a project of the user's own."""

import argparse
from pathlib import Path
from typing import Any

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.resources import data_folder

COPIED = (("suites", "suites"), ("fixtures/entities", "entities"), ("fixtures/profiles", "profiles"))
"""What users edit: where it is in the package, and where it goes."""
WORKFLOWS = {"github": Path(".github/workflows/llmpref.yml"), "gitlab": Path(".gitlab-ci.yml")}
"""CI service -> where its workflow goes."""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser("init", help="copy suites, fixtures and a CI workflow into a project, to edit them")
    command.add_argument("folder", type=Path, nargs="?", default=Path(), help="the project; this folder unless given")
    command.add_argument("--ci", choices=tuple(WORKFLOWS), default="github", help="whose CI the workflow is for")
    command.add_argument("--force", action="store_true", help="overwrite files that are there and differ")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    files = _files(options.ci)
    there = [path for path, content in files.items() if _differs(options.folder / path, content)]
    if there and not options.force:
        listed = "\n".join(f"  {path}" for path in there)
        raise LLMPrefError(
            f"nothing was written, since these files are there, and differ:\n{listed}\n--force overwrites them"
        )
    for path, content in files.items():
        target = options.folder / path
        known = target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        if known and not _differs(target, content):
            print(f"{target}: as it was")
            continue
        target.write_bytes(content)
        print(f"{target}: {'overwritten' if known else 'written'}")
    print(f"next: name your model in {WORKFLOWS[options.ci]}; llmpref plan --model NAME says what recording it takes")


def _files(ci: str) -> dict[Path, bytes]:
    """Return every file that is laid, by its path in the project."""
    files = {}
    for source, target in COPIED:
        top, _, rest = source.partition("/")
        folder = data_folder(top) / rest
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in {".py", ".toml"}:
                files[Path(target) / path.relative_to(folder)] = path.read_bytes()
    files[WORKFLOWS[ci]] = (data_folder("fixtures") / "ci" / f"{ci}.yml").read_bytes()
    return files


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != content)
