"""The plugin's hooks, and nothing else. What they do is in ``run``, and heavy imports wait for runs that measure."""

import warnings
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from pluggy import PluginValidationError

from pytest_llmpref.experiments.behaviour import Behaviour
from pytest_llmpref.experiments.registry import SHIPPED
from pytest_llmpref.plugin import fixtures, hookspecs, option_names, settings
from pytest_llmpref.plugin.collection import is_ours, misuse, model_of
from pytest_llmpref.plugin.findings import Findings
from pytest_llmpref.plugin.preparing import Preparation, only_shows
from pytest_llmpref.plugin.run import Run
from pytest_llmpref.plugin.settlement import Settlement
from pytest_llmpref.plugin.stash import MEASURED, RUN, UNASKED
from pytest_llmpref.plugin.unasked import note_unasked

MARKERS = (
    "gate: the test's claim must be supported; every other verdict fails",
    "exploratory: the test's claim is reported, and never fails",
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks by which packages, ours among them, add models, entity sets and behaviours."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_llmpref_behaviours() -> Sequence[Behaviour]:
    """Return the shipped behaviours, by the hook that any package has."""
    return SHIPPED


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    option_names.add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Register the short names of options last of all, where no plugin and no conftest.py has taken them."""
    option_names.drop_values(early_config.known_args_namespace, args, option_names.free_names(parser))
    try:
        return (yield)
    except PluginValidationError as error:
        if "llmpref" not in str(error):
            raise
        raise pytest.UsageError(str(error)) from None
    finally:
        option_names.add_short_names(parser, early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, the fixtures and the hooks of this run."""
    # pytest-asyncio, which we bring along, would warn in each project that does not set this, and end the run of one
    # whose warnings are errors. The filter is pytest's own, and ends with its configuration.
    warnings.filterwarnings("ignore", 'The configuration option "asyncio_default_fixture_loop_scope" is unset')
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    option_names.release_short_names(config)
    config.stash[RUN] = run = Run(config)
    config.pluginmanager.register(fixtures, "llmpref-fixtures")
    config.pluginmanager.register(fixtures.measure_fixtures(run.extensions.behaviours), "llmpref-behaviours")
    config.pluginmanager.register(RunHooks(run), "llmpref-run")
    run.check_settings()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize every test that uses our ``model`` or ``entity``; here, and so after every conftest.py has."""
    metafunc.config.stash[RUN].parametrize(metafunc)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Do the same for a test that is expected to fail, but after pytest itself has said what that means for it."""
    report = yield
    if MEASURED in item.stash and _may_fail(item, call):
        Settlement(item.config.stash[RUN]).complete(item, call, report, item.stash[MEASURED])
    return report


def _may_fail(item: pytest.Item, call: "pytest.CallInfo[None]") -> bool:
    """Whether a test is marked xfail, or says so itself by ``pytest.xfail()``."""
    return item.get_closest_marker("xfail") is not None or (
        call.excinfo is not None and isinstance(call.excinfo.value, pytest.xfail.Exception)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that uses fixtures of ours in a way that cannot work.

    Not in a wrapper: those of pytest must have begun, or tearing the test down fails as well.
    """
    if is_ours(item) and (why := misuse(item)):
        pytest.fail(why, pytrace=False)


class RunHooks:
    """The hooks that share the state of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._preparation = Preparation(run)
        self._findings = Findings(run, self._preparation)
        self._settlement = Settlement(run)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Read profile and entity set before anything is collected."""
        self._run.check_study()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note all tests of a file that measure, before anything is left out of it."""
        report = yield
        self._run.note_collected(report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count the families before anything is deselected: what was collected is what was registered."""
        self._run.register_families(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Make sure that every measure can be had; or print the plan, or record a share, instead of running tests.

        The controller of xdist has no items: its workers find out.
        """
        if only_shows(session.config):
            return None
        if self._preparation.plans:
            self._preparation.show_plan(getattr(session, "items", None))
            return True
        if self._preparation.is_shard:
            self._preparation.record_share(getattr(session, "items", None))
            return True
        try:
            self._preparation.prepare(getattr(session, "items", []))
        except pytest.UsageError as error:
            if not self._run.is_worker:
                self._findings.keep_problems(error.args)
                raise
            # The controller shows them, once for all workers.
            session.shouldfail = "the run cannot start; the end of this screen says why"
            session.config.workeroutput["llmpref_problems"] = list(map(str, error.args))  # type: ignore[attr-defined]
            session.config.pluginmanager.register(RunsNothing())
        if self._preparation.under_way:
            self._preparation.show_under_way()
            return True
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Collect the claims of a test that measures; other tests are none of our business."""
        if why := self._preparation.why_skipped(item):
            item.stash[UNASKED] = why
            item.add_marker(pytest.mark.skip(reason=why))
            return (yield)
        if model_of(item) is None:
            return (yield)
        with self._settlement.measuring(item) as measured:
            item.stash[MEASURED] = measured
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin an attempt, and keep the claims that its fixtures make."""
        if (measured := item.stash.get(MEASURED, None)) is None:
            return (yield)
        measured.restart()
        yield
        measured.from_setup = len(measured.ledger.entries)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Tell reports of subtests from that of the test, and warn of a test that claims nothing."""
        if (measured := item.stash.get(MEASURED, None)) is None:
            return (yield)
        with measured.body():
            yield
        self._settlement.warn_of_no_claim(item, measured)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn claims into outcomes, and errors of ours into plain text, before any other plugin sees the report."""
        if MEASURED not in item.stash or _may_fail(item, call):
            return (yield)
        from pytest_llmpref.plugin.outcomes import without_traceback  # noqa: PLC0415 - for runs that measure

        with without_traceback(call, item.stash[MEASURED]):
            report = yield
        self._settlement.complete(item, call, report, item.stash[MEASURED])
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_makereport")
    def pytest_runtest_makereport_of_last_attempt(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the last attempt count where another plugin, such as pytest-retry, made more than one in this hook."""
        report = yield
        if MEASURED in item.stash:
            self._settlement.complete_later_attempts(item, call, report, item.stash[MEASURED])
        note_unasked(item, report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:  # noqa: ANN401 - the hook's own types
        """Give each verdict its letter and its word."""
        if not hasattr(report, "llmpref_verdict"):
            return None
        from pytest_llmpref.plugin.outcomes import status_of  # noqa: PLC0415 - for runs that measure

        return status_of(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the claims of a finished test, and how it ended."""
        self._findings.keep_report(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
        """Give all tests of a model to one worker, where there are several models and no other scheduler was chosen."""
        models = self._run.settings.models if settings.names_model(config) else ()
        if len(models) < 2 or config.getvalue("dist") != "load":
            return None
        from pytest_llmpref.plugin.distribution import scheduler_by_model  # noqa: PLC0415 - for such runs

        return scheduler_by_model(config, log, models)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Tell an xdist worker when the run began, and where its folders are."""
        node.workerinput["llmpref_began"] = self._run.began.isoformat()
        if settings.names_model(self._run.config):
            node.workerinput["llmpref_project"] = str(settings.project_folder(self._run.config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Take over the measures of an xdist worker."""
        from pytest_llmpref.plugin.distribution import handed_over, problems_of  # noqa: PLC0415 - for runs with workers

        self._findings.keep_part(handed_over(node))
        self._findings.keep_problems(problems_of(node))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Stop the models, and write the results; set the exit status last, since syrupy adds its own to it."""
        self._findings.finish(session)
        try:
            return (yield)
        finally:
            session.exitstatus = self._findings.exit_status(int(session.exitstatus))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, None, None]:  # noqa: ANN401 - private
        """Show the measures, the claims and the gate below all that others show, pytest's list of failures included."""
        from pytest_llmpref.plugin.failures import in_brief  # noqa: PLC0415 - at the end of a run

        with in_brief(terminalreporter):
            yield
        self._findings.show(terminalreporter)


class RunsNothing:
    """Registered in a worker of pytest-xdist whose run cannot be: workers look at ``shouldfail`` after a test only."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool:
        """Leave the test out."""
        return True
