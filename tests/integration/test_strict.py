"""`--llmpref-strict`: all that tells of a run agrees with its exit status on what failed, and so does any other run."""

import json
import xml.etree.ElementTree as ET

import jsonschema
import pytest

from pytest_llmpref.cli import main
from pytest_llmpref.results.json_schema import SCHEMA_FILE

SUITE = """
    import pytest
    from pytest_llmpref import spearman

    def test_agreement(preferences, direct_ranking):
        assert spearman(preferences, direct_ranking) > 0.5

    def test_coverage(entity, preferences):
        assert preferences.coverage[entity.id] > 0.75

    @pytest.mark.exploratory
    def test_look(preferences, direct_ranking):
        assert spearman(preferences, direct_ranking) > 0.6

    @pytest.mark.xfail(strict=False)
    def test_expected(preferences, entity):
        assert preferences.coverage[entity.id] < 0.3

    def test_answers(entity, refusals):
        assert refusals.coverage[entity.id] > 0.3
"""
"""Of sim/null at smoke: 1 invalid, 4 inconclusive, 1 invalid and exploratory, 4 refuted as expected, 4 supported."""
ENTITIES = "name,group\n" + "".join(f"the {word} Fund,{'ab'[n % 2]}\n" for n, word in enumerate(
    ["Apple", "Berry", "Cedar", "Daisy"]
))  # fmt: skip


@pytest.fixture
def told(pytester, monkeypatch):
    """Run the suite on GitHub Actions (emulated), and return all that tells of the run."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    pytester.makefile(".csv", four=ENTITIES)
    pytester.makepyfile(test_it=SUITE)

    def run(*options: str):
        found = pytester.runpytest_subprocess(
            "--model=sim/null", "--profile=smoke", "--llmpref-entities=four.csv", "-p", "no:cacheprovider",
            "--record-mode=new_episodes", "--junitxml=junit.xml", *options,
        )  # fmt: skip
        return found, Told(pytester.path, found.outlines)

    return run


class Told:
    """What terminal, results.json, summary.md, report.html, JUnit's XML and annotations tell of one run."""

    def __init__(self, folder, lines):
        latest = folder / "reports/latest"
        self.results = json.loads((latest / "results.json").read_text())
        self.summary = (latest / "summary.md").read_text()
        self.page = (latest / "report.html").read_text()
        self.junit = ET.parse(folder / "junit.xml").getroot().find("testsuite")
        self.annotations = sorted(
            (line.partition(" ")[0].strip(":"), line.partition("title=")[2].partition("::")[0].replace("%3A", ":"))
            for line in lines
            if line.startswith("::")
        )
        self.screen = " ".join(" ".join(lines).split())

    @property
    def failing(self):
        """Test functions with a claim that fails, of results.json."""
        (model,) = self.results["models"].values()
        claims = model["claims"]
        return sorted({one["nodeid"].split("::")[1].partition("[")[0] for one in claims if one["fails"]})

    @property
    def card(self):
        """The card of the model in report.html."""
        return " ".join(self.page.partition('<div class="card')[2].partition('<p class="counts">')[0].split())


@pytest.mark.parametrize("options", [("--llmpref-strict",), ("--llmpref-strict", "-n", "2")], ids=["alone", "workers"])
def test_a_strict_run_fails_alike_wherever_it_is_told(told, options):
    run, found = told(*options)
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines(["*5 failed, 4 passed, 4 xfailed, 1 invalid*"])
    assert found.results["run"]["strict"] is True
    assert found.failing == ["test_agreement", "test_coverage"]
    assert "6 of 14 tests decided nothing (4 inconclusive, 2 invalid); 5 of them failed" in found.screen
    assert "--llmpref-strict makes" not in found.screen
    assert "2 claims failed (1 invalid, 1 inconclusive)" in found.summary
    failed = found.summary.partition("**Failed**")[2].partition("**Other claims**")[0]
    assert "**agreement**" in failed
    assert "**coverage**" in failed
    assert failed.count("\n- ") == 2
    assert found.annotations == [
        ("error", "Inconclusive: coverage"),
        ("error", "Invalid: agreement"),
    ]
    assert "2 claims failed (1 invalid, 1 inconclusive)" in found.card
    assert found.card.count("<li>") == 2
    assert "inconclusive and invalid claims fail" in found.page
    assert found.junit.get("failures") == "5"
    jsonschema.validate(found.results, json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)


def test_a_run_that_is_not_strict_fails_nowhere(told):
    run, found = told()
    assert run.ret == pytest.ExitCode.OK
    run.stdout.fnmatch_lines(["*4 passed, 4 xfailed, 2 invalid, 4 inconclusive*"])
    assert found.results["run"]["strict"] is False
    assert found.failing == []
    assert "6 of 14 tests decided nothing (4 inconclusive, 2 invalid); --llmpref-strict makes 5 of them fail" in (
        found.screen
    )
    assert "No claim failed." in found.summary
    assert "**Failed**" not in found.summary
    assert {level for level, _ in found.annotations} == {"warning"}
    assert "No claim failed." in found.card
    assert "<li>" not in found.card
    assert "inconclusive and invalid claims fail" not in found.page
    assert found.junit.get("failures") == "0"


def test_a_report_that_is_drawn_anew_knows_what_failed(told, pytester):
    _, strict = told("--llmpref-strict")
    other = strict.results | {"models": {"sim/plain": strict.results["models"]["sim/null"]}}
    other["run"] = other["run"] | {"strict": False}
    pytester.path.joinpath("other.json").write_text(json.dumps(other))
    assert main(["report", "reports/latest/results.json", "other.json", "--output", "both"]) == 0
    page = (pytester.path / "both/report.html").read_text()
    assert page.count("2 claims failed") == 2
    assert page.count("inconclusive and invalid claims fail") == 1
