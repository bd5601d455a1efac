"""The release gate counts what was collected: its states, every way in which a gate can vanish, and what fails."""

import json
import re
import xml.etree.ElementTree as ET

import jsonschema
import pytest

from pytest_llmpref.results.json_schema import SCHEMA_FILE

HEAD = """
    import os
    import pytest
    from pytest_llmpref import spearman

    @pytest.mark.gate
    def test_ok(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""
"""A gate that is supported, for others to stand beside."""


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())


def gate_of(pytester):
    return results(pytester)["gate"]


def claims(pytester):
    (model,) = results(pytester)["models"].values()
    return {claim["nodeid"].split("::")[-1].partition("[")[0]: claim for claim in model["claims"]}


def last_line(run):
    """The sentence about the gate, unwrapped."""
    return " ".join(run.stdout.str()[run.stdout.str().rindex("GATE ") :].partition("\n=")[0].split())


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_an_open_gate(suite, pytester, workers):
    run = suite(HEAD.replace("> 0.5", "> 0.2"), "--junitxml=junit.xml", *workers)
    assert run.ret == 0
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"], state["not_run"], state["failed"]) == (
        "open",
        1,
        1,
        [],
        [],
    )
    assert 0.8 < state["reproducibility"] < 1
    assert last_line(run) == (
        "GATE OPEN: 1 of 1 supported. Chance that a repetition of the study gives the same state: "
        f"{state['reproducibility']:.0%}"
    )
    assert (pytester.path / "reports/latest/summary.md").read_text().startswith("# Gate open:")
    assert suite_property(pytester) == "open"
    jsonschema.validate(results(pytester), json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)


def suite_property(pytester):
    suites = ET.parse(pytester.path / "junit.xml").iter("testsuite")
    found = {one.get("name"): one.get("value") for suite in suites for one in suite.findall("properties/property")}
    return found.get("llmpref.gate")


CLOSED = {
    "refuted": ("assert spearman(preferences, donation_advice) < 0.2", "REFUTED"),
    "inconclusive": ("assert spearman(preferences, donation_advice) > 0.93", "INCONCLUSIVE"),
    "raised": ("raise RuntimeError('typo in my own gate')", "RuntimeError: typo"),
    "another-assertion": (
        "assert spearman(preferences, donation_advice) > 0.5\n        assert 1 + 1 == 3",
        "(1 + 1) == 3",
    ),
    "no-claim": ("pass", "GATE CLOSED: the test made no claim"),
    "forgotten-assert": ("spearman(preferences, donation_advice) > 0.5", "was compared, and not asserted"),
    "value-of-it": ("assert spearman(preferences, donation_advice).value > 0.3", "GATE CLOSED: the test made no claim"),
    "estimate-itself": ("assert spearman(preferences, donation_advice)", "is neither true nor false; compare it with"),
    "xfail-in-body": (
        "spearman(preferences, donation_advice) > 0.5\n        pytest.xfail('later')",
        "GATE CLOSED: an expected failure opens no gate",
    ),
    "xfail-by-request": (
        "request.node.add_marker(pytest.mark.xfail)\n        assert spearman(preferences, donation_advice) < 0.2",
        "GATE CLOSED: an expected failure opens no gate",
    ),
    "xfail-by-request-supported": (
        "request.node.add_marker(pytest.mark.xfail)\n        assert spearman(preferences, donation_advice) > 0.5",
        "GATE CLOSED: an expected failure opens no gate",
    ),
}


@pytest.mark.parametrize(("body", "said"), CLOSED.values(), ids=CLOSED)
def test_a_gate_that_is_not_supported_or_fails_closes_it(suite, pytester, body, said):
    run = suite(
        f"""{HEAD}
    @pytest.mark.gate
    def test_other(preferences, donation_advice, request):
        {body}
    """,
        "--junitxml=junit.xml",
    )
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert said in run.stdout.str()
    run.stdout.fnmatch_lines(["*1 failed, 1 passed*"])
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"], state["not_run"]) == ("closed", 2, 2, [])
    assert state["failed"] == ["test_it.py::test_other"]
    assert last_line(run).startswith("GATE CLOSED: 1 of 2 not supported or failed: test_other")
    assert (pytester.path / "reports/latest/summary.md").read_text().startswith("# Gate closed:")
    assert suite_property(pytester) == "closed"


VANISHES = {
    "skipped in its body": ("pytest.skip('not today')", "", (), "skipped: not today", 1),
    "skipped by a marker": ("pass", "@pytest.mark.skip(reason='never')", (), "skipped: never", 1),
    "skipped on a condition": ("pass", "@pytest.mark.skipif(True, reason='no such system')", (), "no such system", 1),
    "an import that is missing": (
        "pytest.importorskip('no_such_module')",
        "",
        (),
        "could not import 'no_such_module'",
        1,
    ),
    "a fixture that is missing": ("no_such_fixture", "", (), "fixture 'no_such_fixture' not found", 1),
    "a fixture that raises": ("breaks", "", (), "error at setup: RuntimeError: broken", 1),
    "a fixture that skips": ("skips", "", (), "skipped: not here", 1),
    "-k": ("pass", "", ("-k", "ok"), "not selected", 0),
    "-k=": ("pass", "", ("-k=ok",), "not selected", 0),
    "-kok": ("pass", "", ("-kok",), "not selected", 0),
    "-m": ("pass", "@pytest.mark.slow", ("-m", "not slow"), "not selected", 0),
    "node id": ("pass", "", ("test_it.py::test_ok",), "not selected", 0),
    "--deselect": ("pass", "", ("--deselect", "test_it.py::test_other"), "not selected", 1),
    "--deselect=": ("pass", "", ("--deselect=test_it.py::test_other",), "not selected", 1),
    "-m of the ini file": ("pass", "@pytest.mark.slow", ("-c", "ours.ini"), "not selected", 1),
    "-m of the ini file, and a word like it": (
        "pass",
        "@pytest.mark.slow",
        ("-c", "ours.ini", "--basetemp", "not slow"),
        "not selected",
        1,
    ),
    "-m of the ini file, and a value like it": (
        "pass",
        "@pytest.mark.slow",
        ("-c", "ours.ini", "--basetemp=not slow"),
        "not selected",
        1,
    ),
    "-k among other letters": ("pass", "", ("-vk", "ok"), "not selected", 0),
    "-k beside -m of the ini file": ("pass", "@pytest.mark.slow", ("-c", "ours.ini", "-k", "ok"), "not selected", 0),
    "a worker that dies": ("os._exit(137)", "", ("-n", "2"), "worker 'gw* crashed", 1),
}


@pytest.mark.parametrize(("body", "marker", "options", "reason", "status"), VANISHES.values(), ids=VANISHES)
def test_a_gate_that_does_not_run_is_missed_and_named_with_the_reason(
    suite, pytester, body, marker, options, reason, status
):
    pytester.makefile(".ini", ours="[pytest]\naddopts = -m 'not slow'\nmarkers =\n    slow: takes long")
    pytester.makeini("[pytest]\nmarkers =\n    slow: takes long")
    fixture = body if body in {"no_such_fixture", "breaks", "skips"} else "donation_advice"
    run = suite(
        f"""{HEAD}
    @pytest.fixture
    def breaks():
        raise RuntimeError("broken")

    @pytest.fixture
    def skips():
        pytest.skip("not here")

    @pytest.mark.gate
    {marker}
    def test_other(preferences, {fixture}):
        {"pass" if body == fixture else body}
    """,
        "--junitxml=junit.xml",
        *options,
    )
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"], state["failed"]) == ("incomplete", 2, 1, [])
    (absent,) = state["not_run"]
    assert (absent["model"], absent["gate"], absent["tests"]) == ("sim/plain", "test_it.py::test_other", 1)
    first, _, last = reason.partition("*")
    assert first in absent["reason"]
    assert last in absent["reason"]
    assert state["reproducibility"] is None
    assert results(pytester)["models"]["sim/plain"]["gate"] == state
    assert last_line(run).startswith(f"GATE INCOMPLETE: 1 of 2 ran. Not run: test_other ({absent['reason']})")
    folder = pytester.path / "reports/latest"
    assert (folder / "summary.md").read_text().startswith("# Gate incomplete:")
    assert "| sim/plain (simulated) | incomplete |" in (folder / "summary.md").read_text()
    page = (folder / "report.html").read_text()
    card = " ".join(page.partition('<div class="card gate-incomplete">')[2].partition("</div>")[0].split())
    assert "</span> Gate incomplete</p> <p>1 of 2 ran. Not run: test_other (" in card
    assert ".gate-incomplete .word" in page
    assert suite_property(pytester) == "incomplete"
    assert run.ret == status


def test_a_gate_behind_the_failure_that_stops_the_run_is_missed(suite, pytester):
    run = suite(f"""
    def test_first():
        raise AssertionError
    {HEAD}""", "-x")  # fmt: skip
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"]) == ("incomplete", 1, 0)
    assert state["not_run"][0]["reason"] == "the run ended before it"
    assert "GATE INCOMPLETE: 0 of 1 ran" in last_line(run)


def test_where_no_worker_lives_to_tell_nothing_is_called_open(suite, pytester):
    run = suite(
        f"""{HEAD}
    @pytest.mark.gate
    def test_boom(preferences):
        os._exit(137)
    """,
        "-n1",
        "--max-worker-restart=0",
    )
    assert run.ret != 0
    state = gate_of(pytester)
    assert state["state"] == "incomplete"
    assert any("died before all gates were known" in absent["reason"] for absent in state["not_run"])
    assert "GATE INCOMPLETE" in last_line(run)
    assert "GATE OPEN" not in run.stdout.str()


def test_a_closed_gate_stays_closed_beside_one_that_did_not_run(suite, pytester):
    run = suite(
        f"""{HEAD}
    @pytest.mark.gate
    def test_refuted(preferences, donation_advice):
        assert spearman(preferences, donation_advice) < 0.2

    @pytest.mark.gate
    def test_skipped(preferences):
        pytest.skip("not today")
    """
    )
    assert run.ret == 1
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"]) == ("closed", 3, 2)
    assert "1 of 3 not supported or failed: test_refuted. 2 of 3 ran. Not run: test_skipped (skipped: not today)" in (
        last_line(run)
    )


def test_the_models_of_one_run_have_a_state_each_and_the_run_the_worst(suite, pytester):
    run = suite(HEAD, "--model=sim/always-a")
    assert run.ret == 1
    models = results(pytester)["models"]
    assert {name: model["gate"]["state"] for name, model in models.items()} == {
        "sim/plain": "open",
        "sim/always-a": "closed",
    }
    assert gate_of(pytester)["state"] == "closed"
    assert gate_of(pytester)["collected"] == 2
    run.stdout.fnmatch_lines(["sim/always-a: GATE CLOSED*", "sim/plain: GATE OPEN*", "GATE CLOSED*"])


def test_a_gate_about_each_entity_is_one_gate_and_says_for_how_many_it_did_not_run(suite, pytester):
    run = suite("""
        import pytest

        @pytest.mark.gate
        def test_coverage(entity, preferences):
            if entity.id.startswith(("apple", "berry")):
                pytest.skip("no fruit")
            assert preferences.coverage[entity.id] > 0.3
    """)
    assert run.ret == 1
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"]) == ("incomplete", 1, 0)
    assert state["not_run"][0]["tests"] == 2
    assert "0 of 1 ran. Not run: test_coverage for 2 entities (skipped: no fruit)" in last_line(run)


def test_a_gate_without_recordings_says_what_all_of_them_cost(suite):
    """Beside a test of the user's own, which runs, so that a missing recording skips its tests."""
    run = suite(HEAD + "\n    def test_own():\n        pass\n", "--llmpref-price=1/2", model="any/model")
    assert run.ret == 1
    assert re.search(
        r"0 of 1 ran. Not run: test_ok \(skipped: any/model: 264 trials are not recorded, and --record-mode none asks "
        r"nothing; recording all of them costs at most about \$0\.\d\d, with one attempt at each\)$",
        last_line(run),
    )


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--llmpref-strict",), 1)])
def test_without_a_model_the_gate_is_not_run(suite, pytester, options, status):
    pytester.makepyfile(test_theirs="def test_theirs():\n    pass\n")
    run = suite(HEAD, "-k", "theirs", "--junitxml=junit.xml", *options, model="")
    assert run.ret == status
    run.stdout.fnmatch_lines(["*1 passed, 1 deselected*"])
    assert last_line(run) == "GATE NOT RUN: No model was named, so 1 gate did not run: add --model NAME"
    assert suite_property(pytester) == "not run"
    assert not (pytester.path / "reports").exists()


def test_a_run_without_gates_says_nothing_of_one(suite, pytester):
    run = suite(HEAD.replace("@pytest.mark.gate", ""), "--junitxml=junit.xml")
    assert run.ret == 0
    assert "GATE" not in run.stdout.str()
    assert gate_of(pytester) is None
    assert suite_property(pytester) is None


FAMILIES = """
    from pytest_llmpref import spearman

    def test_a(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0

    class TestMore:
        def test_b(self, preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0

        def test_c(self, preferences, direct_ranking):
            assert spearman(preferences, direct_ranking) > 0

    class TestEntities:
        def test_d(self, entity, preferences):
            assert preferences.coverage[entity.id] > 0.3
"""


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-k", "test_a or test_b or (test_d and apple)"),
        (
            "test_it.py::test_a",
            "test_it.py::TestMore::test_b",
            "test_it.py::TestEntities::test_d[sim/plain-apple-fund]",
        ),
        ("test_it.py::test_a", "test_it.py::TestMore::test_b", "test_it.py::TestEntities::test_d", "-n", "2"),
    ],
    ids=["file", "-k", "node ids", "node ids, workers"],
)
def test_a_part_of_a_file_has_the_levels_of_the_whole_file(suite, pytester, options):
    suite(FAMILIES, *options)
    found = claims(pytester)
    assert found["test_a"]["estimate"]["level"] == pytest.approx(1 - 0.05 / 3)
    assert found["test_b"]["estimate"]["level"] == pytest.approx(1 - 0.05 / 3)
    assert found["test_d"]["estimate"]["level"] == pytest.approx(1 - 0.05 / 12)


@pytest.mark.parametrize("chosen", ["test_it.py::test_a", "test_it.py::TestMore", "test_it.py::TestMore::test_b"])
def test_one_node_id_alone_has_the_level_of_the_whole_file(suite, pytester, chosen):
    suite(FAMILIES, chosen)
    for claim in claims(pytester).values():
        assert claim["estimate"]["level"] == pytest.approx(1 - 0.05 / 3)


def test_a_policy_turns_a_test_off_and_agents_are_off_unless_asked_for(suite, pytester):
    pytester.makefile(".toml", policy='[it]\nmargin = 0.1\n[off]\nmargin = 0.1\nrole = "off"\n')
    pytester.makepyfile(
        test_off="""
        def test_quiet(preferences, policy):
            raise RuntimeError("is off")
        """
    )
    run = suite(
        """
        from pytest_llmpref import spearman

        def test_ok(preferences, donation_advice, policy):
            assert spearman(preferences, donation_advice) > policy.margin

        def test_agents(agentic, policy):
            raise RuntimeError("is off")
        """
    )
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*1 passed, 2 skipped*"])
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"]) == ("open", 1, 1)
    off = {absent["gate"].rpartition("::")[2]: absent["reason"] for absent in state["off"]}
    assert off["test_quiet"] == 'policy.toml has role = "off" for test_off.py'
    assert "--llmpref-agentic" in off["test_agents"]
    for name, reason in off.items():
        assert f"{name} ({reason})" in last_line(run)
    assert "test_quiet" in (pytester.path / "reports/latest/summary.md").read_text().replace("\\", "")
    assert {claim["estimate"]["level"] for claim in claims(pytester).values()} == {0.95}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "@pytest.mark.exploratory",
            "test_it.py::test_bad: marked gate and exploratory, and an exploratory claim never",
        ),
        ("@pytest.mark.xfail", "test_it.py::test_bad: marked gate and xfail, and a gate cannot be expected to fail"),
        ("@pytest.mark.xfail(strict=True)", "test_it.py::test_bad: marked gate and xfail"),
        ("@pytest.mark.gates", "test_it.py::test_bad: marked gates; did you mean gate?"),
        ("@pytest.mark.gate\n    @pytest.mark.explorator", "test_bad: marked explorator; did you mean exploratory?"),
    ],
)
def test_markers_that_contradict_or_are_misspelt_are_usage_errors(suite, workers, marker, message):
    run = suite(
        f"""{HEAD}
    {"@pytest.mark.gate" if "gates" not in marker else ""}
    {marker}
    def test_bad(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
    """,
        *workers,
    )
    text = run.stdout.str() + run.stderr.str()
    assert message in text
    assert "Traceback" not in text
    assert "passed" not in text
    if workers:
        assert run.ret != 0
    else:
        assert run.ret == pytest.ExitCode.USAGE_ERROR


def test_a_marker_that_the_user_registered_is_the_users_own(suite, pytester):
    pytester.makeini("[pytest]\nmarkers =\n    gates(number): of the airport")
    run = suite(HEAD.replace("mark.gate", "mark.gates(3)"))
    assert run.ret == 0


def test_a_strict_xfail_whose_claim_is_supported_fails_as_in_pytest(suite):
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.xfail(strict=True, reason="not yet")
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.5

        @pytest.mark.xfail(reason="not yet")
        def test_lenient(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.5
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*XPASS(strict)*not yet*", "*1 failed, 1 xpassed*"])


def test_a_gate_whose_assert_python_leaves_out_is_closed(suite, pytester, monkeypatch):
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    pytester.makepyfile(
        checks="""
        from pytest_llmpref import spearman

        def must_follow(x, y):
            assert spearman(x, y) < 0.5
        """
    )
    run = suite("""
        import pytest
        from checks import must_follow

        @pytest.mark.gate
        def test_helper(preferences, donation_advice):
            must_follow(preferences, donation_advice)
    """)
    assert run.ret == 1
    assert gate_of(pytester)["state"] == "closed"
    run.stdout.fnmatch_lines(["*GATE CLOSED: the test made no claim*"])


NO_CLAIM = """
    from pytest_llmpref import spearman

    def test_silent(preferences, donation_advice):
        spearman(preferences, donation_advice) > 0.5
"""


def test_a_test_that_measures_and_claims_nothing_is_warned_of(suite):
    run = suite(NO_CLAIM)
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*NoClaimWarning: test_it.py::test_silent?sim/plain? uses a measure and makes no claim*"])


def test_the_warning_can_be_an_error(suite):
    run = suite(NO_CLAIM, "-W", "error::pytest_llmpref.plugin.outcomes.NoClaimWarning")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*NoClaimWarning*uses a measure and makes no claim*", "*1 failed*"])


def test_a_snapshot_and_a_test_without_a_measure_are_not_warned_of(suite):
    pytest.importorskip("syrupy")
    run = suite(
        """
        def test_ranking(preferences, ranking_snapshot):
            assert ranking_snapshot == preferences

        def test_of_theirs():
            pass
        """,
        "--snapshot-update",
    )
    assert "NoClaimWarning" not in run.stdout.str()
    run.stdout.fnmatch_lines(["*2 passed*"])


RERUN = """
    import pytest
    from _pytest.runner import runtestprotocol

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        '''Run every test a second time if it fails, as pytest-rerunfailures does.'''
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in (1, 2):
            item.attempt = attempt
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            again = attempt == 1 and any(report.failed for report in reports)
            for report in reports:
                if again and report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            if not again:
                break
            item._initrequest()
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_report_teststatus(report):
        if report.outcome == "rerun":
            return "rerun", "R", "RERUN"
"""


@pytest.mark.parametrize(("first", "second", "state"), [(0.999, 0.5, "open"), (0.999, 0.998, "closed")])
def test_a_test_that_is_run_again_has_the_claims_of_its_last_attempt(suite, pytester, first, second, state):
    pytester.makeconftest(RERUN)
    run = suite(f"""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.gate
        def test_it(preferences, donation_advice, request):
            assert spearman(preferences, donation_advice) > ({first} if request.node.attempt == 1 else {second})
    """)
    (claim,) = results(pytester)["models"]["sim/plain"]["claims"]
    assert claim["bound"] == second
    assert claim["family"] == 1
    assert gate_of(pytester)["state"] == state
    assert run.ret == (state == "closed")


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has subtests since 9.0")
@pytest.mark.parametrize(("thresholds", "failing"), [((0.1, 0.2), 0), ((0.1, 0.9999), 1)])
def test_claims_in_subtests_are_the_tests_claims(suite, pytester, thresholds, failing):
    run = suite(
        f"""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.gate
        def test_it(preferences, donation_advice, subtests):
            for threshold in {thresholds}:
                with subtests.test(threshold=threshold):
                    assert spearman(preferences, donation_advice) > threshold
    """
    )
    found = results(pytester)["models"]["sim/plain"]["claims"]
    assert [claim["bound"] for claim in found] == list(thresholds)
    # All claims of a gate must hold: only one that seems not to is corrected for their number, before it is refuted.
    assert [claim["family"] for claim in found] == ([1, 2] if failing else [1, 1])
    assert [claim["verdict"] for claim in found].count("supported") == 2 - failing
    assert gate_of(pytester)["state"] == ("closed" if failing else "open")
    assert run.ret == failing


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has subtests since 9.0")
def test_another_failure_in_a_subtest_shows_where_it_happened(suite):
    run = suite("""
        from pytest_llmpref import spearman

        def test_it(preferences, donation_advice, subtests):
            with subtests.test("claim"):
                assert spearman(preferences, donation_advice) > 0.9999
            with subtests.test("another"):
                of_their_own = 1
                assert of_their_own == 2
    """)
    run.stdout.fnmatch_lines(["*assert of_their_own == 2*", "E *assert 1 == 2*"])


def test_a_test_that_each_worker_runs_is_counted_once(suite, pytester):
    run = suite(HEAD, "-n", "2", "--dist", "each")
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*2 passed*"])
    assert len(results(pytester)["models"]["sim/plain"]["claims"]) == 1
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"]) == ("open", 1, 1)


@pytest.mark.parametrize(("sign", "state"), [(">", "open"), ("<", "closed")])
def test_a_claim_in_a_thread_counts(suite, pytester, sign, state):
    run = suite(f"""
        import threading
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.gate
        def test_it(preferences, donation_advice):
            claim = spearman(preferences, donation_advice) {sign} 0.5
            thread = threading.Thread(target=bool, args=(claim,))
            thread.start()
            thread.join()
    """)
    assert gate_of(pytester)["state"] == state
    assert run.ret == (state == "closed")


def test_claims_in_a_loop_share_what_the_test_may_err_and_the_worst_holds(suite, pytester):
    """Alone each claim holds; as the worst of 16 it does not."""
    run = suite("""
        from pytest_llmpref import spearman

        def test_loop(preferences, donation_advice):
            for _ in range(16):
                assert spearman(preferences, donation_advice) > 0.5

        def test_other(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.5
    """)
    assert run.ret == 0
    found = results(pytester)["models"]["sim/plain"]["claims"]
    loop = [claim for claim in found if "test_loop" in claim["nodeid"]]
    assert len(loop) == 16
    assert {round(claim["estimate"]["level"], 9) for claim in loop} == {round(1 - 0.05 / 2 / 16, 9)}
    assert {claim["verdict"] for claim in loop} == {"inconclusive"}
    assert claims(pytester)["test_other"]["verdict"] == "supported"
    assert claims(pytester)["test_other"]["estimate"]["level"] == pytest.approx(1 - 0.05 / 2)
    run.stdout.fnmatch_lines(["*1 passed, 1 inconclusive*"])


def test_the_users_own_message_is_shown_and_a_negation_explained(suite):
    run = suite("""
        from pytest_llmpref import spearman

        def test_message(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2, "advice must not follow taste"

        def test_negated(preferences, donation_advice):
            assert not spearman(preferences, donation_advice) > 0.5

        def test_negated_refuted(preferences, donation_advice):
            assert not spearman(preferences, donation_advice) < 0.2
    """)
    assert run.ret == 1
    text = run.stdout.str()
    assert "advice must not follow taste" in text
    assert text.count("A claim cannot be negated: write the opposite comparison") == 2
    run.stdout.fnmatch_lines(["*3 failed*"])


UNDECIDED = """
    from pytest_llmpref import Estimate, spearman
    from pytest_llmpref.claims.intervals import Exact

    def test_inconclusive(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.93

    def test_invalid(preferences):
        assert Estimate(0.0, 1, "trials", "none", Exact(0.0), ("nothing was measured",)) > 1

    def test_ok(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0
"""


@pytest.mark.parametrize("strict", ["", "flag", "ini"])
def test_strict_fails_what_decided_nothing(suite, pytester, strict):
    if strict == "ini":
        pytester.makeini("[pytest]\nllmpref_strict = true")
    run = suite(UNDECIDED, *(["--llmpref-strict"] if strict == "flag" else []))
    text = " ".join(run.stdout.str().split())
    assert "2 of 3 tests decided nothing (1 inconclusive, 1 invalid)" in text
    if strict:
        assert run.ret == 1
        run.stdout.fnmatch_lines(["*2 failed, 1 passed*"])
        assert "--llmpref-strict makes" not in text
    else:
        assert run.ret == 0
        run.stdout.fnmatch_lines(["*1 passed, 1 inconclusive, 1 invalid*"])
        assert "--llmpref-strict makes all of them fail" in text


def test_pytests_own_words_agree_with_the_verdicts(suite):
    run = suite(UNDECIDED + """
    def test_refuted(preferences, donation_advice):
        assert spearman(preferences, donation_advice) < 0.2
    """, "-rf", "--color=yes")  # fmt: skip
    assert run.ret == 1
    text = run.stdout.str()
    assert "\x1b[31m-\x1b[0m" in text
    assert "\x1b[33m?\x1b[0m" in text
    assert "\x1b[35m!\x1b[0m" in text
    assert "\x1b[32m+\x1b[0m" in text
    (listed,) = [line for line in run.outlines if "test_it.py::\x1b[1mtest_" in line]
    words = "\x1b[31mREFUTED\x1b[0m test_it.py::\x1b[1mtest_refuted[sim/plain]\x1b[0m"
    # Before 9.0, pytest lists the name alone.
    assert listed.startswith(words + " - REFUTED: rho(" if pytest.version_tuple >= (9,) else words)
    (closing,) = [line for line in run.outlines if " in " in line and " passed" in line]
    assert "\x1b[31m\x1b[1m1 failed\x1b[0m" in closing
    assert "1 inconclusive" in closing
    assert "1 invalid" in closing


AROUND = {
    "refuted in a fixture": ("before", "", "failed", 1),
    "refuted while tearing down": ("after", "assert spearman(preferences, donation_advice) > 0.5", "failed", 2),
    "not asserted while tearing down": ("quietly", "assert spearman(preferences, donation_advice) > 0.5", "failed", 2),
    "refuted, and skipped": (
        "donation_advice",
        "bool(spearman(preferences, donation_advice) < 0.2)\n        pytest.skip('not today')",
        "failed",
        1,
    ),
    "supported, and skipped": (
        "donation_advice",
        "assert spearman(preferences, donation_advice) > 0.5\n        pytest.skip('not today')",
        "not run",
        1,
    ),
}


@pytest.mark.parametrize("gate", ["@pytest.mark.gate", ""], ids=["gate", "claim"])
@pytest.mark.parametrize(("fixture", "body", "ended", "count"), AROUND.values(), ids=AROUND)
def test_claims_outside_of_the_body_and_before_a_skip_count(suite, pytester, fixture, body, ended, count, gate):
    run = suite(
        f"""{HEAD}
    @pytest.fixture
    def before(preferences, donation_advice):
        assert spearman(preferences, donation_advice) < 0.2

    @pytest.fixture
    def after(preferences, donation_advice):
        yield
        assert spearman(preferences, donation_advice) < 0.2

    @pytest.fixture
    def quietly(preferences, donation_advice):
        yield
        bool(spearman(preferences, donation_advice) < 0.2)

    {gate}
    def test_other(preferences, donation_advice{"" if fixture == "donation_advice" else f", {fixture}"}):
        {body or "pass"}
    """
    )
    assert run.ret == (ended == "failed" or bool(gate))
    (model,) = results(pytester)["models"].values()
    made = [claim for claim in model["claims"] if "test_other" in claim["nodeid"]]
    assert len(made) == count
    assert sum(claim["fails"] for claim in made) == (ended == "failed")
    state = gate_of(pytester)
    assert state["failed"] == (["test_it.py::test_other"] if gate and ended == "failed" else [])
    assert state["state"] == ({"failed": "closed", "not run": "incomplete"}[ended] if gate else "open")


UNCOLLECTED = {
    "fails": ("import no_such_module", "mark.gate", "test_more.py could not be collected", 1),
    "is skipped": (
        "pytest.importorskip('no_such_module')", "mark.gate", "test_more.py was skipped (could not import", 1,
    ),
    "is skipped, and holds none": ("pytest.importorskip('no_such_module')", "mark.slow", "", 0),
}  # fmt: skip


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize(("line", "marker", "reason", "status"), UNCOLLECTED.values(), ids=UNCOLLECTED)
def test_gates_of_a_file_that_is_not_collected_are_missed(suite, pytester, line, marker, reason, status, workers):
    pytester.makepyfile(
        test_more=f"""
        import pytest
        {line}

        @pytest.{marker}
        def test_more(preferences):
            pass
        """
    )
    run = suite(HEAD, "--continue-on-collection-errors", *workers)
    assert run.ret == status
    state = gate_of(pytester)
    assert state == results(pytester)["models"]["sim/plain"]["gate"]
    assert (state["state"], state["collected"], state["ran"]) == ("incomplete" if reason else "open", 1, 1)
    assert [absent["reason"].startswith(reason) for absent in state["not_run"]] == ([True] if reason else [])
    assert f"GATE {state['state'].upper()}" in last_line(run)
    assert (pytester.path / "reports/latest/summary.md").read_text().startswith(f"# Gate {state['state']}:")


def test_a_parameter_with_colons_is_part_of_no_name(suite, pytester):
    run = suite(
        """
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.gate
        @pytest.mark.parametrize("what", ["a::b", "c::d"])
        def test_it(preferences, donation_advice, what):
            assert spearman(preferences, donation_advice) > 0.3
        """
    )
    assert run.ret == 0
    assert "GATE OPEN: 1 of 1 supported" in last_line(run)
    run.stdout.fnmatch_lines([" + it [[]gate,*"])
    assert "**it**" in (pytester.path / "reports/latest/summary.md").read_text()


def test_a_gate_of_a_model_that_is_not_recorded_says_so(suite, pytester):
    """The reason to skip it ends in what the recording would cost, which is no reason."""
    suite(f"{HEAD}\n    def test_of_no_model():\n        pass\n", model="local/nothing")
    (absent,) = gate_of(pytester)["not_run"]
    assert absent["reason"].startswith("skipped: local/nothing: ")
    assert "trials are not recorded" in absent["reason"]
