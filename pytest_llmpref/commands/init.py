"""``llmpref init``: lays suites, fixtures and a CI workflow into a project of the user's own."""

import argparse
from pathlib import Path
from typing import Any

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.resources import data_folder

WORKFLOW = Path(".github/workflows/llmpref.yml")
COPIED = (("suites", "suites"), ("fixtures/entities", "entities"), ("fixtures/profiles", "profiles"))
"""What users edit: where it is in the package, and where it goes."""
_WORKFLOW = """\
# Replays the recordings in cassettes/: no key, and no network beyond the package index.
name: llmpref
on: [push, pull_request]
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install pytest-llmpref
      - run: pytest suites --model "${{ vars.LLMPREF_MODEL }}"
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: llmpref
          path: reports/latest
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser("init", help="copy suites, fixtures and a CI workflow into a project, to edit them")
    command.add_argument("folder", type=Path, nargs="?", default=Path(), help="the project; this folder unless given")
    command.add_argument("--force", action="store_true", help="overwrite files that are there and differ")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    files = _files()
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
    print("next: pytest suites --model NAME --record-mode new_episodes   (llmpref plan --model NAME: what it takes)")


def _files() -> dict[Path, bytes]:
    """Return every file that is laid, by its path in the project."""
    files = {}
    for source, target in COPIED:
        top, _, rest = source.partition("/")
        folder = data_folder(top) / rest
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in {".py", ".toml"}:
                files[Path(target) / path.relative_to(folder)] = path.read_bytes()
    files[WORKFLOW] = _WORKFLOW.encode()
    return files


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != content)
