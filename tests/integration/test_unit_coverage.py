"""How much of each module the unit tests run, by coverage: measured with the slow tests, every night."""

import json
import subprocess
import sys

import pytest
from package_tree import PACKAGE, place
from repository import ROOT
from without_unit_tests import ONLY_IN_INTEGRATION, only_in_integration

LEAST = 50.0
"""Percent of a module's statements, definitions and imports among them. Our choice: less is no test of its logic."""


@pytest.fixture(scope="module")
def covered(tmp_path_factory) -> dict[str, float]:
    """Run the unit tests under coverage; return place of a module -> percent of its statements that ran."""
    folder = tmp_path_factory.mktemp("coverage")
    (folder / "rc").write_text(f"[run]\nsource_pkgs = pytest_llmpref\ndata_file = {folder / 'data'}\n")
    coverage = [sys.executable, "-m", "coverage"]
    rc = f"--rcfile={folder / 'rc'}"
    unit = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"]
    run = subprocess.run([*coverage, "run", rc, *unit], cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]
    subprocess.run([*coverage, "json", rc, "-q", "-o", folder / "out.json"], cwd=ROOT, check=True)
    files = json.loads((folder / "out.json").read_text())["files"]
    return {place((ROOT / name).resolve()): found["summary"]["percent_covered"] for name, found in files.items()}


@pytest.mark.slow
def test_unit_tests_run_at_least_half_of_every_module_that_is_not_listed(covered):
    assert len(covered) > 100
    assert PACKAGE.is_relative_to(ROOT), "measure a checkout: pip install -e ."
    too_little = {one: percent for one, percent in covered.items() if percent < LEAST and not only_in_integration(one)}
    assert not {one for one in too_little if not one.endswith("__main__.py")}


@pytest.mark.slow
def test_every_listed_module_needs_to_be_listed(covered):
    for listed in ONLY_IN_INTEGRATION:
        assert any(one.startswith(listed) and percent < LEAST for one, percent in covered.items()), listed
