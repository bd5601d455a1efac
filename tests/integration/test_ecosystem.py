"""Beside other people's projects and plugins: what is none of ours is left alone, and what collides gives way.

The plugins here are tiny ones that imitate the collision; the real ones were tried by hand.
"""

import json
import os
import re
import shutil
import sys
import textwrap

import pytest

FOLLOWS = """
    from pytest_llmpref import spearman

    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""
UNDECIDED = """
    from pytest_llmpref import spearman

    def test_undecided(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.93
"""
THEIRS = """
    def test_theirs():
        assert 1 + 1 == 2
"""


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())


def said(run, *, traceback=False):
    text = run.stdout.str() + run.stderr.str()
    assert "INTERNALERROR" not in text
    assert traceback or "Traceback" not in text
    return text


@pytest.fixture
def beside(pytester, monkeypatch):
    """Make a plugin module that every run loads before it reads the options, as an installed one would be."""

    def plugin(source: str) -> None:
        pytester.makepyfile(their_plugin=source)
        monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
        monkeypatch.setenv("PYTEST_PLUGINS", "their_plugin")

    return plugin


# Fixtures, parameters and hooks of other people


def test_fixtures_of_theirs_with_names_of_ours_are_let_be(pytester):
    names = ("model", "study", "entity", "preferences", "baseline", "policy", "chat", "boolq")
    pytester.makeconftest(
        "import pytest\n"
        + "".join(f"@pytest.fixture\ndef {name}(): return '{name} of theirs'\n" for name in names)
        + "@pytest.fixture\ndef both(study, model): return study + model\n"
    )
    pytester.makepyfile(
        "import socket\n"
        + "".join(f"def test_{name}({name}): assert {name} == '{name} of theirs'\n" for name in names)
        + "def test_both(both): pass\n"
        + "def test_network(study):\n"
        "    with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "        socket.create_connection(server.getsockname(), timeout=9).close()\n"
    )
    run = pytester.runpytest_subprocess()
    said(run)
    run.assert_outcomes(passed=len(names) + 2)
    run = pytester.runpytest_subprocess("--collect-only", "-q")
    assert "[" not in "".join(line for line in run.outlines if "::" in line)


def test_what_their_own_hook_parametrizes_is_let_be(pytester):
    pytester.makeconftest("""
        def pytest_generate_tests(metafunc):
            for name in ("model", "entity", "preferences"):
                if name in metafunc.fixturenames:
                    metafunc.parametrize(name, ["of theirs"])
    """)
    pytester.makepyfile("""
        def test_model(model): assert model == "of theirs"
        def test_entity(entity, model): assert entity == "of theirs"
        def test_preferences(preferences): assert preferences == "of theirs"
    """)
    run = pytester.runpytest_subprocess("-v")
    said(run)
    run.assert_outcomes(passed=3)
    run.stdout.fnmatch_lines(["*test_preferences?of theirs-of theirs? PASSED*"])


def test_an_override_that_asks_for_ours_is_ours(suite, pytester):
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.fixture(scope="session")
        def preferences(preferences):
            return preferences

        def test_follows(preferences, direct_ranking):
            assert spearman(preferences, direct_ranking) > 0.5
    """)
    assert run.ret == 0
    (claim,) = results(pytester)["models"]["sim/plain"]["claims"]
    assert claim["measures"] == ["preference", "direct_ranking"]


MISUSES = {
    "model-hidden": (
        """
        import pytest
        @pytest.fixture(scope="session")
        def model():
            return "mine"
        def test_it(preferences): pass
        """,
        "one of the same name hides it; rename that one (",
    ),
    "unittest": (
        """
        import pytest, unittest
        @pytest.fixture(autouse=True)
        def measured(preferences): pass
        class TestIt(unittest.TestCase):
            def test_it(self): pass
        """,
        "a measure needs a model for a parameter, and this test cannot have one",
    ),
    "model-parametrized": (
        """
        import pytest
        @pytest.mark.parametrize("model", [3], scope="session")
        def test_it(preferences, model): pass
        """,
        "`model` is parametrized with 3; leave that out",
    ),
    "entity-parametrized": (
        """
        import pytest
        @pytest.mark.parametrize("entity", ["google"])
        def test_it(entity, preferences):
            assert preferences[entity] > 0
        """,
        "`entity` is parametrized with 'google', which is no Entity: leave that out",
    ),
    "entity-indirect": (
        """
        import pytest
        @pytest.mark.parametrize("entity", ["google"], indirect=True)
        def test_it(entity, preferences): pass
        """,
        "`entity` is parametrized with 'google'",
    ),
    "asked-too-late": (
        """
        def test_it(request):
            request.getfixturevalue("preferences")
        """,
        "`model` has no value, since the test does not name what needs it",
    ),
    "policy-too-late": (
        """
        def test_it(request):
            request.getfixturevalue("policy")
        """,
        "`policy` comes too late",
    ),
}


@pytest.mark.parametrize("case", MISUSES)
def test_a_misuse_is_an_error_of_that_test_alone(suite, case):
    source, message = MISUSES[case]
    run = suite(source + "\n        def test_other(): pass\n")
    assert message in said(run)
    assert run.ret == 1
    assert run.parseoutcomes()["passed"] == 1
    assert run.parseoutcomes().get("errors", 0) + run.parseoutcomes().get("failed", 0) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--llmpref-alpha=5", "--llmpref-alpha 5: must be at most 0.5"),
        ("--llmpref-alpha=nan", "--llmpref-alpha nan: must be at least 1e-06"),
        ("--llmpref-seed=-1", "--llmpref-seed -1: must be at least 0"),
        ("--llmpref-max-wait=-1", "--llmpref-max-wait -1: must be at least 0"),
    ],
)
def test_a_number_outside_its_range_is_a_usage_error(suite, option, message):
    run = suite(FOLLOWS, option)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert message in said(run)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("def pytest_llmpref_model(): return {}", "pytest_llmpref_model: no such hook (*conftest.py:1); use one of "),
        ("def pytest_llmpref_models(config): return {}", "Argument(s) {'config'} are declared in the hookimpl"),
        ("def pytest_llmpref_models(): return {}['x']", "pytest_llmpref_models: KeyError: 'x' (*conftest.py:1)"),
    ],
)
def test_a_hook_that_cannot_be_used_is_a_usage_error(pytester, hook, message):
    pytester.makeconftest(hook)
    pytester.makepyfile(THEIRS)
    run = pytester.runpytest_subprocess()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    said(run)
    run.stderr.fnmatch_lines([f"*{message.replace('[', '[[]')}*"])


SCORED = """
    def pytest_llmpref_models():
        return {{"acme": Acme}}

    class Acme:
        def __init__(self, name): self.name = name
        async def ask(self, request):
            from pytest_llmpref.models.chat import Reply
            return Reply("7 of 10", "stop")
        async def close(self): pass

    def warmth():
        from pytest_llmpref import entity_experiment
        return entity_experiment("warmth", ["Describe {{entity}}.", "Praise {{entity}}."], lambda text: {score})

    from pytest_llmpref import Behaviour

    class Warmth(Behaviour):
        measure = fixture = "warmth"

        def experiment(self):
            return {made}()

    def pytest_llmpref_behaviours():
        return [Warmth()]
"""


@pytest.mark.parametrize(
    ("score", "made", "message"),
    [
        ("text[0]", "warmth", "warmth: score returned '7' for the reply '7 of 10'; return a number, or None"),
        ("1 / 0", "warmth", "warmth: score raised ZeroDivisionError: division by zero for the reply '7 of 10'"),
        ("1", "print", "AttributeError: 'NoneType' object has no attribute"),
    ],
)
def test_a_score_or_an_experiment_that_cannot_be_used_ends_no_session(suite, pytester, score, made, message):
    pytester.makeconftest(SCORED.format(score=score, made=made))
    run = suite(
        "def test_it(warmth): pass\ndef test_other(): pass",
        "--record-mode=new_episodes",
        f"--llmpref-cassettes={pytester.path}",
        "--profile=smoke",
        model="acme/x",
    )
    assert message in said(run)
    assert run.ret in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR}


# Options of other people

WITHOUT_RECORDING = "-pno:recording"
"""pytest-recording, which the tests bring, has one of the names itself."""
SHORT = ("--model", "--profile", "--baseline", "--report-dir", "--record-mode")
TAKERS = {
    "values": 'def pytest_addoption(parser):\n    for flag in {flags}: parser.addoption(flag, default="theirs")\n',
    "flags": 'def pytest_addoption(parser):\n    for flag in {flags}: parser.addoption(flag, action="store_true")\n',
}


@pytest.mark.parametrize(("where", "how"), [("plugin", "values"), ("conftest", "flags")])
def test_names_that_others_have_are_theirs_and_ours_go_by_long_names(suite, pytester, beside, recorded, where, how):
    (beside if where == "plugin" else pytester.makeconftest)(TAKERS[how].format(flags=SHORT))
    given = {"values": [f"{flag}=mine" for flag in SHORT], "flags": list(SHORT)}[how]
    value = {"values": "mine", "flags": True}[how]
    run = suite(
        FOLLOWS
        + f"""
    def test_theirs(pytestconfig):
        assert [pytestconfig.getoption(flag) for flag in {SHORT}] == [{value!r}] * 5
    """,
        *given,
        "--llmpref-model=sim/plain",
        "--llmpref-profile=standard",
        "--llmpref-report-dir=ours",
        "--llmpref-record-mode=none",
        WITHOUT_RECORDING,
        model="",
    )
    said(run)
    assert run.ret == 0
    found = json.loads((pytester.path / "ours/latest/results.json").read_text())
    assert [claim["verdict"] for claim in found["models"]["sim/plain"]["claims"]] == ["supported"]
    compared = suite(
        FOLLOWS, "--llmpref-model=sim/plain", "--llmpref-baseline=ours/latest/results.json", WITHOUT_RECORDING, model=""
    )
    compared.stdout.fnmatch_lines(["*compared with*results.json*"])


def test_messages_name_the_option_that_is_ours(suite, beside):
    beside(TAKERS["values"].format(flags=("--model", "--record-mode")))
    run = suite(FOLLOWS, "--llmpref-model=gpt-x", WITHOUT_RECORDING, model="")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "--llmpref-model=gpt-x" in said(run)
    assert "--llmpref-record-mode new_episodes\n" in said(run)
    run = suite(FOLLOWS, "--llmpref-record-mode=once", "--llmpref-model=gpt-x", WITHOUT_RECORDING, model="")
    assert "--llmpref-record-mode once: use one of none, new_episodes, all" in said(run)


def test_a_conftest_that_is_loaded_late_can_have_the_names_too(suite, pytester):
    folder = pytester.mkdir("below")
    (folder / "inner").mkdir()
    (folder / "inner/conftest.py").write_text(TAKERS["values"].format(flags=SHORT))
    (folder / "inner/test_inner.py").write_text(
        "def test_theirs(pytestconfig): assert pytestconfig.getoption('--profile') == 'theirs'"
    )
    run = suite(FOLLOWS, "--profile=standard", WITHOUT_RECORDING)
    said(run)
    assert run.parseoutcomes() == {"passed": 2}


def test_help_lists_both_names(pytester):
    text = pytester.runpytest_subprocess("--help").stdout.str()
    for flag in SHORT:
        assert f"  {flag}" in text
        assert f"  --llmpref-{flag.removeprefix('--')}" in text


def test_the_value_of_a_short_name_is_no_path_of_tests(pytester):
    """Or the conftest.py in testpaths, which may implement our hooks, would not be an initial one."""
    pytester.makeini("[pytest]\ntestpaths = checks")
    folder = pytester.mkdir("checks")
    (folder / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--of-the-project')")
    (folder / "test_it.py").write_text("def test_it(pytestconfig): assert pytestconfig.getoption('--of-the-project')")
    run = pytester.runpytest_subprocess("--model", "sim/plain", "--profile", "smoke", "--of-the-project=x")
    said(run)
    run.assert_outcomes(passed=1)


def test_a_flag_of_a_project_before_a_path_is_no_value_of_ours(pytester):
    folder = pytester.mkdir("checks")
    (folder / "conftest.py").write_text(TAKERS["flags"].format(flags=["--profile"]))
    (folder / "test_it.py").write_text("def test_it(pytestconfig): assert pytestconfig.getoption('--profile') is True")
    run = pytester.runpytest_subprocess("--profile", "checks")
    said(run)
    run.assert_outcomes(passed=1)


# Nothing to measure


UNNAMED = "no model named: add --model NAME (recorded here: sim/always-a, sim/plain); or record one with"
UNRECORDED = "gpt-x: 264 trials are not recorded, and --record-mode none asks nothing"


@pytest.mark.parametrize(
    ("model", "reason", "workers"),
    [("", UNNAMED, ()), ("gpt-x", UNRECORDED, ()), ("gpt-x", UNRECORDED, ("-n", "2"))],
    ids=["unnamed", "unrecorded", "unrecorded, workers"],
)
def test_other_tests_run_where_ours_have_nothing_to_replay(suite, pytester, model, reason, workers):
    run = suite(FOLLOWS + THEIRS, "-rs", "-v", *workers, model=model)
    text = said(run)
    assert run.ret == 0
    assert run.parseoutcomes() == {"passed": 1, "skipped": 1}
    assert f"SKIPPED [1] test_it.py: {reason}" in text
    assert "--record-mode new_episodes" in text
    run = suite(FOLLOWS + THEIRS, *workers, "-k", "follows", model=model)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert reason in said(run)


def test_each_of_several_models_is_skipped_by_itself(suite, pytester):
    for workers in ((), ("-n", "2"), ("-n", "2", "--dist=loadfile")):
        run = suite(FOLLOWS + THEIRS, "--model=gpt-x", *workers)
        said(run)
        assert run.ret == 0
        assert run.parseoutcomes() == {"passed": 2, "skipped": 1}


def test_only_a_test_of_the_models_name_is_skipped_too(suite):
    run = suite("def test_it(model): pass\n" + textwrap.dedent(THEIRS), model="")
    assert run.parseoutcomes() == {"passed": 1, "skipped": 1}


def test_a_comparison_without_a_baseline_is_skipped_beside_other_tests(suite):
    run = suite("def test_it(baseline, preferences): pass\n" + textwrap.dedent(THEIRS), "-rs")
    assert run.parseoutcomes() == {"passed": 1, "skipped": 1}
    assert "tests compare with the last release: add --baseline FILE" in said(run)


def test_what_is_wrong_and_not_missing_is_an_error_beside_other_tests_too(suite, pytester):
    pytester.path.joinpath("world.toml").write_text("nonsense = 1")
    run = suite(FOLLOWS + THEIRS, model="sim/world.toml")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "world.toml" in said(run)


def test_collecting_needs_no_model(suite):
    run = suite(FOLLOWS + THEIRS, "--collect-only", "-q", model="")
    assert run.ret == 0
    run.stdout.fnmatch_lines(["test_it.py::test_follows?no-model?", "test_it.py::test_theirs"])


@pytest.mark.parametrize(
    "flag", ["--collect-only", "--fixtures", "--fixtures-per-test", "--setup-plan", "--setup-only"]
)
def test_what_runs_no_test_misses_no_gate_and_overwrites_no_results(suite, pytester, flag):
    gate = FOLLOWS.replace("def test", "@__import__('pytest').mark.gate\n    def test")
    latest = pytester.path / "reports/latest"
    latest.mkdir(parents=True)
    (latest / "results.json").write_text("of the last run")
    run = suite(gate, flag)
    assert run.ret == 0
    assert "GATE" not in said(run)
    assert [path.read_text() for path in latest.iterdir()] == ["of the last run"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_suite_in_an_installed_package_is_found_by_its_name(pytester, recorded, monkeypatch, workers):
    site = pytester.path / "site"
    package = site / "somepackage/suite"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "test_packed.py").write_text(
        "import pytest\n" + textwrap.dedent(FOLLOWS).replace("def test", "@pytest.mark.gate\ndef test")
    )
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text(f"[pytest]\nllmpref_entities = {recorded / 'twelve.csv'}\n")
    shutil.copytree(recorded / "cassettes", project / "cassettes")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    words = ("--pyargs", "somepackage.suite", "--model", "sim/plain", "-pno:cacheprovider", *workers)
    run = pytester.runpytest_subprocess(*words)
    assert run.ret == 0
    assert "GATE OPEN: 1 of 1 supported" in said(run)
    found = json.loads((project / "reports/latest/results.json").read_text())
    assert [claim["verdict"] for claim in found["models"]["sim/plain"]["claims"]] == ["supported"]
    run = pytester.runpytest_subprocess(*words, "-k", "nothing")
    assert "GATE INCOMPLETE: 0 of 1 ran" in said(run)


# Plugins that look at reports and exceptions


def test_other_plugins_see_the_settled_report(suite, beside, pytester):
    beside("""
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            report = (yield).get_result()
            if report.when == "call":
                raised = "" if call.excinfo is None else call.excinfo.typename
                print(f"<{item.name.split('[')[0]}: {report.outcome} {raised}>")
    """)
    run = suite(
        UNDECIDED
        + """
    def test_holds(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.3

    def test_refuted(preferences, donation_advice):
        assert spearman(preferences, donation_advice) < 0.2

    def test_breaks(preferences):
        1 / 0
    """,
        "-s",
    )
    text = said(run, traceback=True)
    for seen in ("undecided: skipped Skipped", "holds: passed ", "refuted: failed AssertionError", "breaks: failed Z"):
        assert f"<test_{seen}" in text


RETRIES = """
    import pytest

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if call.when != "call" or report.outcome != "failed":
            return report
        report.outcome = "retried"
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
        item._initrequest()
        item.ihook.pytest_runtest_setup(item=item)
        again = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
        last = pytest.TestReport.from_item_and_call(item, again)
        report.outcome, report.longrepr = last.outcome, last.longrepr
        return report

    def pytest_report_teststatus(report):
        if report.outcome == "retried":
            return "retried", "R", "RETRIED"
"""
ATTEMPTS = """
    import pytest
    from pytest_llmpref import spearman

    BEGUN = []

    def first(request):
        BEGUN.append(request.node.name)
        return BEGUN.count(request.node.name) == 1

    @pytest.mark.gate
    def test_breaks_once(preferences, donation_advice, request):
        assert not first(request), "of the first attempt"
        assert spearman(preferences, donation_advice) > 0.3

    def test_is_refuted_once(preferences, donation_advice, request):
        assert spearman(preferences, donation_advice) > (0.9995 if first(request) else 0.3)

    def test_is_undecided_at_last(preferences, donation_advice, request):
        assert spearman(preferences, donation_advice) > (0.9995 if first(request) else 0.93)

    def test_is_refuted_at_last(preferences, donation_advice, request):
        if first(request):
            assert spearman(preferences, donation_advice) > 0.3
            raise RuntimeError("of the first attempt")
        assert spearman(preferences, donation_advice) < 0.2

    def test_holds(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.3
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_last_attempt_counts_where_a_plugin_makes_it_inside_the_report(suite, beside, pytester, workers):
    """As pytest-retry does: it makes no other report of the later attempts, and gives the first one their outcome."""
    beside(RETRIES)
    run = suite(ATTEMPTS, "-rA", *workers)
    text = said(run)
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert run.parseoutcomes() == {"retried": 4, "passed": 3, "failed": 1, "inconclusive": 1}
    claims = results(pytester)["models"]["sim/plain"]["claims"]
    verdicts = {claim["nodeid"].split("::test_")[1].split("[")[0]: claim["verdict"] for claim in claims}
    assert len(claims) == len(verdicts) == 5
    assert verdicts == {
        "breaks_once": "supported",
        "is_refuted_once": "supported",
        "is_undecided_at_last": "inconclusive",
        "is_refuted_at_last": "refuted",
        "holds": "supported",
    }
    assert "GATE OPEN: 1 of 1 supported" in text
    assert "of the first attempt" not in text


@pytest.mark.parametrize("condition", ["True", "False"])
def test_xfail_decides_before_a_claim_does(suite, condition):
    run = suite(
        UNDECIDED.replace("def test", f"@__import__('pytest').mark.xfail({condition}, reason='x')\n    def test")
    )
    assert run.parseoutcomes() == ({"xfailed": 1} if condition == "True" else {"inconclusive": 1})
    assert run.ret == 0


def test_a_debugger_stops_only_where_a_claim_fails(suite, beside, pytester):
    beside("""
        def pytest_exception_interact(node, call, report):
            print(f"<stopped at {node.name.split('[')[0]}>")
    """)
    run = suite(
        UNDECIDED
        + """
    def test_refuted(preferences, donation_advice):
        assert spearman(preferences, donation_advice) < 0.2
    """,
        "-s",
    )
    text = said(run, traceback=True)
    assert "<stopped at test_refuted>" in text
    assert "<stopped at test_undecided>" not in text


def test_pdb_itself_stops_at_what_fails_and_nowhere_else(pytester, recorded):
    pytester.makepyfile(
        test_it=textwrap.dedent(UNDECIDED)
        + textwrap.dedent("""
        import pytest

        @pytest.mark.gate
        def test_gate(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.92

        @pytest.mark.exploratory
        def test_exploratory(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2

        def test_refuted(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2

        def test_breaks(preferences):
            1 / 0
    """)
    )
    run = pytester.run(
        sys.executable,
        *("-m", "pytest", "--pdb", "-p", "no:cacheprovider", "--model=sim/plain"),
        f"--llmpref-cassettes={recorded / 'cassettes'}",
        f"--llmpref-entities={recorded / 'twelve.csv'}",
        stdin=b"where\ncontinue\n" * 9,
    )
    text = said(run, traceback=True)
    stopped = list(dict.fromkeys(re.findall(r"^> .*test_it\.py\(\d+\)(\w+)\(\)", text, re.MULTILINE)))
    assert stopped == ["test_gate", "test_refuted", "test_breaks"]
    assert run.parseoutcomes() == {"failed": 3, "inconclusive": 1, "refuted": 1}


def test_a_plugin_that_refuses_sockets_in_tests_breaks_no_replay(suite, beside):
    beside("""
        import socket

        class Refused(socket.socket):
            def __new__(cls, *args, **kwargs):
                raise RuntimeError("a test tried to use a socket")

        real = socket.socket

        def pytest_runtest_setup():
            socket.socket = Refused

        def pytest_runtest_teardown():
            socket.socket = real
    """)
    run = suite(FOLLOWS)
    said(run)
    assert run.parseoutcomes() == {"passed": 1}


# What we bring along


@pytest.mark.parametrize("filters", [(), ("-Werror",), ("-o", "filterwarnings=error")], ids=["none", "-W", "ini"])
def test_pytest_asyncio_neither_warns_nor_ends_the_run(pytester, filters):
    pytester.makepyfile(THEIRS)
    run = pytester.runpytest_subprocess(*filters)
    assert 'asyncio_default_fixture_loop_scope" is unset' not in said(run)
    run.assert_outcomes(passed=1)


@pytest.mark.parametrize("off", ["asyncio", "syrupy", "xdist"])
def test_what_we_bring_along_can_be_switched_off(suite, off):
    run = suite(FOLLOWS, f"-pno:{off}")
    said(run)
    assert run.ret == 0


def test_a_snapshot_without_syrupy_says_so(suite, beside):
    beside("""
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--snapshot-update", action="store_true")

        @pytest.fixture
        def snapshot():
            return "theirs"
    """)
    run = suite(
        "def test_it(preferences, ranking_snapshot): pass\ndef test_theirs(snapshot): assert snapshot == 'theirs'",
        "-pno:syrupy",
    )
    assert "ranking_snapshot needs syrupy, which is switched off" in said(run)
    assert run.parseoutcomes() == {"passed": 1, "errors": 1}
