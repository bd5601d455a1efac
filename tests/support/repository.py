"""Where the repository is, for tests that read what is committed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
"""Files that broke a reader once, or might."""
REPLIES = ROOT / "tests/replies"
"""Replies that a reader labelled."""
