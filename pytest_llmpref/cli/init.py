"""``llmpref init`` lays suites, fixtures, pytest's configuration and a CI workflow into a user's own project.

``llmpref boolq`` fetches the reading questions that the package does not bring.
"""

import argparse
from pathlib import Path
from typing import Any

from pytest_llmpref.config.options import configuration_in
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import data_folder

COPIED = (("suites", "suites"), ("fixtures/entities", "entities"), ("fixtures/profiles", "profiles"))
"""What users edit: where it is in the package, and where it goes."""
WORKFLOWS = {"github": Path(".github/workflows/llmpref.yml"), "gitlab": Path(".gitlab-ci.yml")}
"""CI service -> where its workflow goes."""
CONFIGURATION = {
    "llmpref_entities": "entities/default.toml",
    "llmpref_profile": "profiles/standard.toml",
    "asyncio_default_fixture_loop_scope": "function",
}
"""Ini keys without which pytest would not read what is laid, or pytest-asyncio would warn."""
PYTEST_INI = """\
[pytest]
# Relative paths in this file start at its folder, and so do the folders cassettes and reports.
# The entities that models are asked about.
llmpref_entities = {llmpref_entities}
# How large a study is unless --profile says. A name, as in --profile paper, is looked up beside this file first.
llmpref_profile = {llmpref_profile}
# Models of your own, which CI then finds as well; take out the # at the front.
# llmpref_models_file = models.toml
# pytest-asyncio warns where this is not set.
asyncio_default_fixture_loop_scope = {asyncio_default_fixture_loop_scope}
"""
IGNORED = (
    ".venv/",
    "__pycache__/",
    ".pytest_cache/",
    "reports/",
    "junit.xml",
    "# Recordings are committed packed (*.jsonl.gz); these belong to a run under way.",
    "cassettes/**/*.jsonl",
    "cassettes/**/*.batches*",
    "cassettes/**/*.lock",
    "cassettes/**/*.cut",
    "cassettes/**/*.unfinished",
)
"""Lines of .gitignore."""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommands."""
    command = commands.add_parser(
        "init",
        help="set up a project",
        description="Copy suites, entities, profiles, pytest.ini, .gitignore and a CI workflow into a project.",
    )
    command.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="folder of the project (default: this folder)"
    )
    command.add_argument(
        "--ci", choices=tuple(WORKFLOWS), default="github", help="which CI the workflow is for (default: github)"
    )
    command.add_argument("--force", action="store_true", help="overwrite existing files that differ")
    command.set_defaults(run=_run)
    boolq = commands.add_parser("boolq", help="fetch BoolQ's development set").add_subparsers(required=True)
    command = boolq.add_parser("download", help="download 3,270 questions (1.3 MB) for --llmpref-boolq dev")
    command.set_defaults(run=_download)


def _run(options: argparse.Namespace) -> None:
    files = _files(options.ci)
    configured = _configured(options.folder)
    if configured is None:
        files[Path("pytest.ini")] = PYTEST_INI.format(**CONFIGURATION).encode()
    kept = []
    wrote = _ignore(options.folder / ".gitignore")
    for path, content in files.items():
        target = options.folder / path
        known = target.exists()
        if known and (not target.is_file() or (target.read_bytes() != content and not options.force)):
            kept.append(path)
        elif known and target.read_bytes() == content:
            print(f"{target}: as it was")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            print(f"{target}: {'overwritten' if known else 'written'}")
            wrote = True
    listed = "\n".join(f"  {path}" for path in kept)
    if kept and not wrote:
        raise LLMPrefError(
            f"nothing was written, because these files exist and differ:\n{listed}\n--force overwrites them"
        )
    if kept:
        print(f"kept, because these files exist and differ (--force overwrites them):\n{listed}")
    if configured is not None:
        _advise(configured)
    print(
        f"next: in {WORKFLOWS[options.ci]}, name your model and what to install\n"
        "to see what recording takes and costs:\n"
        "  pytest suites/release_gate --model NAME --profile gate --llmpref-plan"
    )


def _ignore(path: Path) -> bool:
    """Add the lines that .gitignore lacks; return whether there were any."""
    there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    missing = [line for line in IGNORED if line not in there.splitlines()]
    if not missing:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write("\n" if there and not there.endswith("\n") else "")
        file.write("\n".join(missing) + "\n")
    print(f"{path}: {f'{len(missing)} lines added' if there else 'written'}")
    return True


def _configured(folder: Path) -> Path | None:
    """Return the file of the folder that pytest takes its configuration from, in pytest's own order; or ``None``.

    A pytest.ini of ours is none of the user's: it is compared and kept like every file that is laid.
    """
    path = configuration_in(folder)
    if path is None or path.name != "pytest.ini":
        return path
    text = path.read_text(encoding="utf-8", errors="replace")
    return None if all(key in text for key in CONFIGURATION) else path


def _advise(path: Path) -> None:
    """Say which lines to add to a configuration that is the user's own."""
    text = path.read_text(encoding="utf-8", errors="replace")
    quote = '"' if path.suffix == ".toml" else ""
    missing = [f"  {key} = {quote}{value}{quote}" for key, value in CONFIGURATION.items() if key not in text]
    if missing:
        print(
            f"{path} configures pytest: add these lines to it, or the copied files are not used:\n" + "\n".join(missing)
        )


def _files(ci: str) -> dict[Path, bytes]:
    """Return every file that is laid as it is shipped, by its path in the project."""
    files = {}
    for source, target in COPIED:
        top, _, rest = source.partition("/")
        folder = data_folder(top) / rest
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in {".py", ".toml"}:
                files[Path(target) / path.relative_to(folder)] = path.read_bytes()
    files[WORKFLOWS[ci]] = (data_folder("fixtures") / "ci" / f"{ci}.yml").read_bytes()
    return files


def _download(_options: argparse.Namespace) -> None:
    from pytest_llmpref.config.items import LICENCE, SHA256, download  # noqa: PLC0415 - only here

    print(LICENCE)
    print(f"{download()}: SHA-256 {SHA256}")
    print("use it with: pytest suites --model NAME --llmpref-boolq dev")
