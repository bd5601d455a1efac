"""Tests that need an optional dependency."""

import importlib.util

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Mark what is skipped where one of the packages is not installed.

    As `pytest.importorskip`, but nothing is imported: Inspect takes two seconds, in each process that collects.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
