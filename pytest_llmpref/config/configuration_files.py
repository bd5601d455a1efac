"""Which file of a folder pytest takes its configuration from, for those times when pytest itself did not look there."""

import tomllib
from collections.abc import Callable
from pathlib import Path


def configuration_in(folder: Path) -> Path | None:
    """Return the file of a folder that configures pytest, in pytest's own order; ``None`` where there is none."""
    for name, holds in FILES.items():
        path = folder / name
        if path.is_file() and holds(path.read_text(encoding="utf-8", errors="replace")):
            return path
    return None


def _always(_text: str) -> bool:
    return True


def _has_pytest_table(text: str) -> bool:
    try:
        return "pytest" in tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return False


FILES: dict[str, Callable[[str], bool]] = {
    "pytest.toml": _always,
    ".pytest.toml": _always,
    "pytest.ini": _always,
    ".pytest.ini": _always,
    "pyproject.toml": _has_pytest_table,
    "tox.ini": lambda text: "[pytest]" in text,
    "setup.cfg": lambda text: "[tool:pytest]" in text,
}
"""File name -> whether a file of that name with this text configures pytest."""
