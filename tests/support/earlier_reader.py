"""The reader of an earlier commit, beside today's: a plugin for pytest that replays recordings with it.

``pytest suites --model NAME -p earlier_reader`` reads replies as the commit ``LLMPREF_READER`` did; all else is
today's.
"""

import importlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from repository import ROOT

from pytest_llmpref.parsing import replies, yes_no
from pytest_llmpref.parsing.outcome import Outcome, Reason

NAME = "earlier_parsing"
COMMIT = os.environ.get("LLMPREF_READER", "544736d^")


def earlier(commit: str) -> ModuleType:
    """Return the package ``parsing`` of a commit, with the phrases of then, under a name of its own."""
    packed = subprocess.run(
        ["git", "archive", commit, "pytest_llmpref/parsing", "fixtures/phrases"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="earlier-reader-"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    (folder / "pytest_llmpref/parsing").rename(folder / NAME)
    for module in (folder / NAME).glob("*.py"):
        source = module.read_text(encoding="utf-8").replace("pytest_llmpref.parsing", NAME)
        source = source.replace('data_folder("fixtures")', f"__import__('pathlib').Path({str(folder / 'fixtures')!r})")
        module.write_text(source, encoding="utf-8")
    sys.path.insert(0, str(folder))
    return importlib.import_module(NAME)


def _as_today(found: tuple[Any, Any]) -> tuple[Outcome, Any]:
    return Outcome(found[0].value), found[1]


earlier(COMMIT)
_replies, _yes_no = importlib.import_module(f"{NAME}.replies"), importlib.import_module(f"{NAME}.yes_no")
replies.read_choice = lambda reply, options: _as_today(_replies.read_choice(reply, options))
replies.refused = _replies.refused
replies.refusal_reason = lambda reply: Reason(_replies.refusal_reason(reply).value)
yes_no.read_yes_no = lambda reply: _as_today(_yes_no.read_yes_no(reply))
