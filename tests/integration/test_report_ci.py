"""What a run tells CI: JUnit, annotations and the job's summary."""

import xml.etree.ElementTree as ET

import pytest

SUITE = """
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_gate(preferences, donation_advice):
        '''Advice hardly follows preference, 100% sure.'''
        assert spearman(preferences, donation_advice) < 0.2

    def test_undecided(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.93

    def test_holds(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.3
"""


def properties(pytester):
    cases = ET.parse(pytester.path / "junit.xml").iter("testcase")
    return {
        case.get("name").split("[")[0]: {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in cases
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_junit_has_each_claim(suite, pytester, workers):
    suite(SUITE, "--junitxml=junit.xml", *workers)
    found = properties(pytester)
    assert found["test_gate"]["llmpref.verdict"] == "refuted"
    assert found["test_gate"]["llmpref.gate"] == "True"
    assert found["test_gate"]["llmpref.relation"] == "<"
    assert float(found["test_gate"]["llmpref.bound"]) == 0.2
    low, value, high = (float(found["test_holds"][f"llmpref.{name}"]) for name in ("low", "value", "high"))
    assert low < value < high
    assert found["test_holds"]["llmpref.n"] == "12"
    assert found["test_holds"]["llmpref.family"] == "3"
    assert float(found["test_holds"]["llmpref.level"]) == pytest.approx(1 - 0.05 / 3)


def test_github_gets_annotations_and_a_job_summary(suite, pytester, monkeypatch):
    job = pytester.path / "job-summary.md"
    job.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job))
    run = suite(SUITE)
    errors = [line for line in run.outlines if line.startswith("::error ")]
    warnings = [line for line in run.outlines if line.startswith("::warning ")]
    assert len(errors) == len(warnings) == 1
    assert errors[0].startswith("::error file=test_it.py,line=4,title=Gate closed%3A gate::sim/plain (simulated): ")
    assert "100%25 sure" in errors[0]
    assert "title=Inconclusive%3A undecided::" in warnings[0]
    assert job.read_text().startswith("before\n# Gate closed")
    assert (pytester.path / "reports/latest/summary.md").read_text() in job.read_text()


INCOMPLETE = (
    SUITE
    + """
    @pytest.mark.gate
    def test_missed(preferences):
        pytest.skip("50% of a day, at most")
"""
)


@pytest.fixture
def on_github(pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.usefixtures("on_github")
def test_github_is_told_of_each_gate_that_did_not_run(suite):
    run = suite(INCOMPLETE)
    commands = [line for line in run.outlines if line.startswith("::")]
    assert commands[0] == (
        "::error file=test_it.py,title=Gate incomplete%3A test_missed::"
        "sim/plain: it did not run (skipped: 50%25 of a day, at most)"
    )
    assert [line.partition("title=")[2].partition("%3A")[0] for line in commands] == [
        "Gate incomplete",
        "Gate closed",
        "Inconclusive",
    ]


@pytest.mark.usefixtures("on_github")
def test_failed_tests_are_left_to_the_plugin_that_annotates_them(suite, pytester):
    """Emulated: a distribution of that name with a plugin that does nothing."""
    folder = pytester.mkdir("pytest_github_actions_annotate_failures-0.3.0.dist-info")
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pytest-github-actions-annotate-failures\nVersion: 0.3.0\n"
    )
    (folder / "entry_points.txt").write_text("[pytest11]\nannotates = annotates_failures\n")
    pytester.makepyfile(annotates_failures="")
    run = suite(INCOMPLETE)
    run.stdout.fnmatch_lines(["plugins:*github-actions-annotate-failures-0.3.0*"])
    commands = [line for line in run.outlines if line.startswith("::")]
    assert [line.partition("title=")[2].partition("%3A")[0] for line in commands] == ["Gate incomplete", "Inconclusive"]


def test_no_annotations_elsewhere(suite, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    run = suite(SUITE)
    assert not [line for line in run.outlines if line.startswith("::")]


def test_a_run_writes_report_and_summary(suite, pytester):
    suite(SUITE)
    folder = pytester.path / "reports/latest"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "results.json", "summary.md"]
    assert "sim/plain (simulated)" in (folder / "report.html").read_text()
