"""The paper's table: the site holds what the command prints, and a difference is shown and not hidden."""

import pytest
from repository import ROOT

from pytest_llmpref.cli import main
from pytest_llmpref.files import data_folder
from pytest_llmpref.report.paper_table import MODELS, ROWS, table_lines
from pytest_llmpref.results.loading import load_results

PAGE = (ROOT / "docs/validation/paper-table.md").read_text(encoding="utf-8")
TABLE = PAGE.split("<!-- paper-table -->\n")[1].split("<!-- /paper-table -->")[0]


@pytest.mark.slow
def test_the_page_holds_what_the_command_prints(capfd):
    assert main(["paper-table"]) == 0
    assert capfd.readouterr().out == TABLE


def test_the_page_holds_what_one_of_the_models_measures(pytester):
    """By the tests that the table is of, without those of each entity that the command runs as well."""
    suite, tests = data_folder("suites") / "replication", " or ".join(row.test for row in ROWS)
    options = ("--model=sim/paper-b", "--profile=paper", "-k", tests, "-c", pytester.makeini("[pytest]"))
    pytester.runpytest_subprocess(suite, *options)
    found = load_results(pytester.path / "reports/latest/results.json")
    column = 3 + MODELS.index("b")
    measured = [line.split("|")[column] for line in table_lines(found) if line.startswith("|")]
    assert measured == [line.split("|")[column] for line in TABLE.splitlines() if line.startswith("|")]
    assert len(measured) == 2 + len(ROWS)
