"""The release gate counts what was collected: its states, every way in which a gate can vanish, and what fails."""

import json
import re
import xml.etree.ElementTree as ET

import jsonschema
import pytest

from pytest_llmpref.plugin.gating import chosen_by
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
FIXTURE = """@pytest.fixture
    def torn():
        yield
        ENDING

    @pytest.mark.gate"""


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


def test_a_gate_that_is_not_supported_closes_it(suite, pytester):
    body, said = CLOSED["refuted"]
    run = suite(HEAD + gates({"other": body}), "--junitxml=junit.xml")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert said in run.stdout.str()
    run.stdout.fnmatch_lines(["*1 failed, 1 passed*"])
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"], state["not_run"]) == ("closed", 2, 2, [])
    assert state["failed"] == ["test_it.py::test_other"]
    assert last_line(run).startswith("GATE CLOSED: 1 of 2 not supported or failed: test_other")
    assert (pytester.path / "reports/latest/summary.md").read_text().startswith("# Gate closed:")
    assert suite_property(pytester) == "closed"


def test_each_gate_that_is_not_supported_or_fails_is_one_that_closes_it(suite, pytester):
    """All ways in one run: each is listed among those that failed, and its own failure says why."""
    run = suite(HEAD + gates({named(way): body for way, (body, _) in CLOSED.items()}))
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines([f"*{len(CLOSED)} failed, 1 passed*"])
    text = run.stdout.str()
    for way, (_, said) in CLOSED.items():
        # From the heading of its failure to the next.
        _, _, shown = text.partition(f"_ test_{named(way)}[sim/plain] _")
        assert said in re.split(r"\n_+ test_", shown)[0], way
    state = gate_of(pytester)
    assert (state["state"], state["not_run"]) == ("closed", [])
    assert state["collected"] == state["ran"] == len(CLOSED) + 1
    assert state["failed"] == [f"test_it.py::test_{named(way)}" for way in CLOSED]


def gates(bodies):
    """Gates for a suite to hold, each with its body."""
    return "".join(
        f"""
    @pytest.mark.gate
    def test_{name}(preferences, donation_advice, request):
        {body}
"""
        for name, body in bodies.items()
    )


def named(way):
    """A way, as a name that Python allows."""
    return re.sub(r"\W+", "_", way)


VANISHES = {
    "skipped in its body": ("pytest.skip('not today')", "", "donation_advice", "skipped: not today"),
    "skipped by a marker": ("pass", "@pytest.mark.skip(reason='never')", "donation_advice", "skipped: never"),
    "skipped on a condition": (
        "pass", "@pytest.mark.skipif(True, reason='no such system')", "donation_advice", "no such system",
    ),
    "an import that is missing": (
        "pytest.importorskip('no_such_module')", "", "donation_advice", "could not import 'no_such_module'",
    ),
    "a fixture that is missing": ("pass", "", "no_such_fixture", "fixture 'no_such_fixture' not found"),
    "a fixture that raises": ("pass", "", "breaks", "error at setup: RuntimeError: broken"),
    "a fixture that skips": ("pass", "", "skips", "skipped: not here"),
}  # fmt: skip
"""How -> the test's body, its marker, a fixture that it asks for, and the reason that is told."""


def test_a_gate_that_does_not_run_is_missed_and_named_with_the_reason(suite, pytester):
    """Each way in one run; what each makes of the run is what the next test shows of one."""
    tests = "".join(
        f"""
    @pytest.mark.gate
    {marker}
    def test_{named(way)}(preferences, {fixture}):
        {body}
"""
        for way, (body, marker, fixture, _) in VANISHES.items()
    )
    run = suite(
        f"""{HEAD}
    @pytest.fixture
    def breaks():
        raise RuntimeError("broken")

    @pytest.fixture
    def skips():
        pytest.skip("not here")
    {tests}"""
    )
    state = gate_of(pytester)
    count = len(VANISHES) + 1
    assert (state["state"], state["collected"], state["ran"], state["failed"]) == ("incomplete", count, 1, [])
    reasons = {absent["gate"].partition("::test_")[2]: absent["reason"] for absent in state["not_run"]}
    assert reasons.keys() == {named(way) for way in VANISHES}
    said = last_line(run)
    assert said.startswith(f"GATE INCOMPLETE: 1 of {count} ran. Not run: ")
    for way, (*_, reason) in VANISHES.items():
        assert reason in reasons[named(way)]
        assert f"test_{named(way)} ({reasons[named(way)]})" in said
    assert run.ret == 1


LEFT_OUT = {
    "-k": ("", ("-k", "ok"), 0),
    "-m": ("@pytest.mark.slow", ("-m", "not slow"), 0),
    "node id": ("", ("test_it.py::test_ok",), 0),
    "--deselect": ("", ("--deselect", "test_it.py::test_other"), 1),
    "-m of the ini file, and a word like it": ("@pytest.mark.slow", ("-c", "ours.ini", "--basetemp", "not slow"), 1),
    "a worker that dies": ("", ("-n", "2"), 1),
}
"""How -> the test's marker, options, and the exit status: pytest's own stands where the user chose a part."""


@pytest.mark.parametrize(("marker", "options", "status"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_gate_that_is_left_out_or_dies_is_missed_and_fails_the_run_unless_it_was_left_out_on_purpose(
    suite, pytester, marker, options, status
):
    pytester.makefile(".ini", ours=WITHOUT_SLOW)
    pytester.makeini("[pytest]\nmarkers =\n    slow: takes long")
    dies = "-n" in options
    run = suite(
        f"""{HEAD}
    @pytest.mark.gate
    {marker}
    def test_other(preferences, donation_advice):
        {"os._exit(137)" if dies else "pass"}
    """,
        "--junitxml=junit.xml",
        *options,
    )
    state = gate_of(pytester)
    assert (state["state"], state["collected"], state["ran"], state["failed"]) == ("incomplete", 2, 1, [])
    (absent,) = state["not_run"]
    assert (absent["model"], absent["gate"], absent["tests"]) == ("sim/plain", "test_it.py::test_other", 1)
    assert re.search(r"worker 'gw.*' crashed" if dies else "not selected", absent["reason"])
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


WITHOUT_SLOW = "[pytest]\naddopts = -m 'not slow'\nmarkers =\n    slow: takes long"


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ((), ""),
        (("-k", "ok"), "-k"),
        (("-k=ok",), "-k"),
        (("-kok",), "-k"),
        (("-vk", "ok"), "-k"),
        (("-m", "not slow"), "-m"),
        (("test_it.py::test_ok",), "node id"),
        (("--deselect", "test_it.py::test_other"), ""),
        (("--deselect=test_it.py::test_other",), ""),
        (("-c", "ours.ini"), ""),
        (("-c", "ours.ini", "--basetemp", "not slow"), ""),
        (("-c", "ours.ini", "--basetemp=not slow"), ""),
        (("-c", "ours.ini", "-k", "ok"), "-k"),
    ],
)
def test_what_the_user_chose_is_told_from_what_the_ini_file_and_other_options_say(pytester, words, chosen):
    """The exit status follows it: of each kind, one is a run above."""
    pytester.makefile(".ini", ours=WITHOUT_SLOW)
    pytester.makepyfile(test_it="def test_ok(): pass\ndef test_other(): pass")
    assert chosen_by(pytester.parseconfig(*words)) == chosen


@pytest.mark.parametrize("ending", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_a_gate_whose_teardown_never_ended_is_missed(suite, pytester, ending):
    torn = HEAD.replace("test_ok(", "test_ok(torn, ").replace("> 0.5", "> 0.2").replace("@pytest.mark.gate", FIXTURE)
    run = suite(torn.replace("ENDING", ending))
    assert run.ret != 0
    (missed,) = gate_of(pytester)["not_run"]
    assert missed["reason"] == "interrupted while it was torn down"
    assert last_line(run).startswith(
        "GATE INCOMPLETE: 0 of 1 ran. Not run: test_ok (interrupted while it was torn down)"
    )


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
            "-n",
            "2",
        ),
    ],
    ids=["file", "-k", "node ids, workers"],
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


MISMARKED = {
    "exploratory": (("gate", "exploratory"), "marked gate and exploratory, and an exploratory claim never"),
    "xfail": (("gate", "xfail"), "marked gate and xfail, and a gate cannot be expected to fail"),
    "strict": (("gate", "xfail(strict=True)"), "marked gate and xfail"),
    "gates": (("gates",), "marked gates; did you mean gate?"),
    "misspelt": (("gate", "explorator"), "marked explorator; did you mean exploratory?"),
}
"""What a test is called -> its markers, and what is said of them."""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_markers_that_contradict_or_are_misspelt_are_usage_errors(suite, workers):
    tests = "".join(
        "".join(f"\n    @pytest.mark.{marker}" for marker in markers)
        + f"\n    def test_{name}(preferences, donation_advice):"
        + "\n        assert spearman(preferences, donation_advice) > 0.5\n"
        for name, (markers, _) in MISMARKED.items()
    )
    run = suite(HEAD + tests, *workers)
    text = " ".join((run.stdout.str() + run.stderr.str()).split())
    for name, (_, message) in MISMARKED.items():
        assert f"test_it.py::test_{name}: {message}" in text
    assert "Traceback" not in text
    assert "passed" not in text
    assert run.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("name", ["strict", "misspelt"])
def test_one_such_marker_is_enough(suite, name):
    markers, message = MISMARKED[name]
    marked = "".join(f"\n    @pytest.mark.{marker}" for marker in markers)
    run = suite(f"{HEAD}{marked}\n    def test_bad(preferences):\n        assert preferences.valid\n")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert f"test_it.py::test_bad: {message}" in run.stdout.str() + run.stderr.str()


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


FOLLOWS = "assert spearman(preferences, donation_advice) > 0.5"
AROUND = {
    "refuted in a fixture": ("before", "pass", "failed", 1),
    "refuted while tearing down": ("after", FOLLOWS, "failed", 2),
    "not asserted while tearing down": ("quietly", FOLLOWS, "failed", 2),
    "refuted, and skipped": (
        "request",
        "bool(spearman(preferences, donation_advice) < 0.2)\n        pytest.skip('not today')",
        "failed",
        1,
    ),
    "supported, and skipped": ("request", f"{FOLLOWS}\n        pytest.skip('not today')", "not run", 1),
}
"""Where a claim is made -> a fixture of the test, its body, how it ends, and how many claims it makes."""
SKIPPED = "supported, and skipped"


@pytest.mark.parametrize(
    ("marker", "ways", "state", "status"),
    [
        ("@pytest.mark.gate", AROUND.keys() - {SKIPPED}, "closed", 1),
        ("@pytest.mark.gate", {SKIPPED}, "incomplete", 1),
        ("", AROUND.keys() - {SKIPPED}, "open", 1),
        ("", {SKIPPED}, "open", 0),
    ],
    ids=["gates that fail", "a gate that is skipped", "claims that fail", "a claim that is skipped"],
)
def test_claims_outside_of_the_body_and_before_a_skip_count(suite, pytester, marker, ways, state, status):
    chosen = {way: AROUND[way] for way in AROUND if way in ways}
    tests = "".join(
        f"""
    {marker}
    def test_{named(way)}(preferences, donation_advice, {fixture}):
        {body}
"""
        for way, (fixture, body, *_) in chosen.items()
    )
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
    {tests}"""
    )
    assert run.ret == status
    (model,) = results(pytester)["models"].values()
    for way, (_, _, ended, count) in chosen.items():
        made = [claim for claim in model["claims"] if f"::test_{named(way)}[" in claim["nodeid"]]
        assert len(made) == count, way
        assert sum(claim["fails"] for claim in made) == (ended == "failed"), way
    found = gate_of(pytester)
    failed = [f"test_it.py::test_{named(way)}" for way in chosen if chosen[way][2] == "failed"]
    assert found["failed"] == (failed if marker else [])
    assert found["state"] == state


UNCOLLECTED = {
    "fails": ("import no_such_module", "mark.gate", "test_fails.py could not be collected"),
    "skipped": (
        "pytest.importorskip('no_such_module')", "mark.gate", "test_skipped.py was skipped (could not import",
    ),
    "harmless": ("pytest.importorskip('no_such_module')", "mark.slow", ""),
}  # fmt: skip
"""A file -> why it is not collected, the marker in it, and the reason that is told, if it may hold a gate."""


@pytest.mark.parametrize(
    ("files", "workers"),
    [(("fails", "skipped", "harmless"), ()), (("fails", "skipped", "harmless"), ("-n", "2")), (("harmless",), ())],
    ids=["alone", "workers", "holds none"],
)
def test_gates_of_a_file_that_is_not_collected_are_missed(suite, pytester, files, workers):
    for name in files:
        line, marker, _ = UNCOLLECTED[name]
        pytester.makepyfile(
            **{
                f"test_{name}": f"""
        import pytest
        {line}

        @pytest.{marker}
        def test_more(preferences):
            pass
        """
            }
        )
    run = suite(HEAD, "--continue-on-collection-errors", *workers)
    reasons = [reason for name in files if (reason := UNCOLLECTED[name][2])]
    assert run.ret == bool(reasons)
    state = gate_of(pytester)
    assert state == results(pytester)["models"]["sim/plain"]["gate"]
    assert (state["state"], state["collected"], state["ran"]) == ("incomplete" if reasons else "open", 1, 1)
    told = sorted(absent["reason"] for absent in state["not_run"])
    assert [one.startswith(reason) for one, reason in zip(told, reasons, strict=True)] == [True] * len(reasons)
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
