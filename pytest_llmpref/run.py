"""One pytest run: what was collected, the studies under it, the claims that were made, and what is reported."""

import os
import sys
from collections import Counter
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import xml_key

from pytest_llmpref import collection, fixtures, gating
from pytest_llmpref.distribution import hand_over, share_to_prepare
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.extensions import Extensions, gathered_extensions
from pytest_llmpref.gates import GateState
from pytest_llmpref.measures import FORMS, MEASURES
from pytest_llmpref.options import Settings, names_model, names_strict, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmpref.estimates import Claim
    from pytest_llmpref.outcomes import Measured, Rules
    from pytest_llmpref.report.baseline import Baseline
    from pytest_llmpref.report.loading import Results
    from pytest_llmpref.secrets import Secrets
    from pytest_llmpref.studies import Studies
    from pytest_llmpref.study import Progress

RUN: "pytest.StashKey[Run]" = pytest.StashKey()


class Run:
    """The state behind the hooks. Everything heavy is imported when the first test that measures is collected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        worker = getattr(config, "workerinput", None)
        self.is_worker = worker is not None
        # Workers share the controller's time, so that --record-mode all asks nothing twice.
        self.began = datetime.fromisoformat(worker["llmpref_began"]) if worker else datetime.now(UTC)
        self._families: Counter[tuple[str, ...]] = Counter()
        self._problems: list[LLMPrefError] = []
        self._comparison: dict[str, Any] | None = None
        self._everything: dict[str, pytest.Item] = {}
        self._classes: dict[str, pytest.Class] = {}
        self._claims: dict[str, list[dict[str, Any]]] = {}  # by node id
        self._gates = gating.GateKeeper()
        self._measures: dict[str, dict[str, Any]] = {}
        self._unwritten = ""
        self._run_record: dict[str, Any] = {}
        self._entities: dict[str, dict[str, str]] = {}

    @cached_property
    def extensions(self) -> Extensions:
        """What other packages add; what cannot be used is a usage error."""
        try:
            return gathered_extensions(self.config.hook, taken={*vars(fixtures), *MEASURES.values(), *FORMS})
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None

    @property
    def measured_by(self) -> "Mapping[str, str]":
        """Fixture -> the measure that it returns; an experiment of another package has one name for both."""
        return MEASURES | {name: name for name in self.extensions.experiments}

    @cached_property
    def settings(self) -> Settings:
        """The settings; an option that is not allowed is a usage error."""
        return read_settings(self.config, self.began, self.extensions.entity_sets)

    @cached_property
    def studies(self) -> "Studies":
        """The studies of this run; a profile or entity set that cannot be used is a usage error."""
        from pytest_llmpref.studies import Studies  # noqa: PLC0415 - see the class

        try:
            return Studies(self.settings, self._progress, self.extensions)
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None

    @cached_property
    def earlier(self) -> "Results | None":
        """The results of the last release, where a baseline was named; one that cannot be used is a usage error."""
        if self.settings.baseline is None:
            return None
        from pytest_llmpref.report.loading import load_results  # noqa: PLC0415 - see the class

        try:
            return load_results(self.settings.baseline)
        except LLMPrefError as error:
            raise pytest.UsageError(f"--baseline {error}") from None

    def check_settings(self) -> None:
        """Check the settings of a run that names a model; another run's are none of our business.

        Raises
        ------
        pytest.UsageError
            If an option is not allowed.
        """
        if names_model(self.config):
            _ = self.settings

    def check_study(self) -> None:
        """Read profile, entity set and baseline in a run that names a model.

        Raises
        ------
        pytest.UsageError
            If one of them cannot be used.
        """
        if names_model(self.config):
            _ = self.studies, self.earlier

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize a test over models and entities, if it uses them."""
        # Not self.studies.entities: the studies are opened only if the test uses them.
        collection.parametrize(metafunc, lambda: self.settings.models, lambda: self.studies.entities())  # noqa: PLW0108

    def note_collected(self, report: pytest.CollectReport) -> None:
        """Note the tests of a file, whichever of them a node id selects: a family is all that the file collects."""
        for node in report.result:
            if isinstance(node, pytest.Item) and collection.model_of(node) is not None:
                self._everything[node.nodeid] = node
            elif isinstance(node, pytest.Class):
                self._classes[node.nodeid] = node

    def register_families(self, items: list[pytest.Item]) -> None:
        """Apply the policies, and count the families and the gates of all that was collected."""
        if names_model(self.config):
            files = {item.path for item in self._everything.values()}
            for node in [node for node in self._classes.values() if node.path in files]:
                # A node id beside it leaves a class unread; the hook notes its tests.
                node.ihook.pytest_make_collect_report(collector=node)
        everything = list((self._everything | {item.nodeid: item for item in items}).values())
        self._problems = [
            *collection.apply_policies(everything, lambda: self.settings.policy, lambda: self.settings.agentic),
            *gating.marker_problems(everything, self.config.getini("markers")),
        ]
        self._families = collection.family_sizes(everything)
        self._everything = {item.nodeid: item for item in everything}
        if names_model(self.config):
            self.studies.bounds = collection.gate_bounds(items, self._families, self.settings.alpha)

    @contextmanager
    def measuring(self, item: pytest.Item) -> "Iterator[Measured]":
        """Collect the claims that a test makes, at the level of its family; a replay refuses every connection."""
        from pytest_llmpref.cassettes import refuse_sockets  # noqa: PLC0415 - see the class
        from pytest_llmpref.estimates import ledger  # noqa: PLC0415
        from pytest_llmpref.outcomes import Measured  # noqa: PLC0415
        from pytest_llmpref.secrets import scrub_log_records  # noqa: PLC0415

        exploratory = item.get_closest_marker("exploratory") is not None
        # A test that is off, or that another plugin added after collection, is in no family.
        family_size = 1 if exploratory else max(1, self._families[collection.family_of(item)])
        alpha = collection.alpha_of(item, self.settings.alpha)
        with ExitStack() as stack:
            if self.settings.record_mode == "none":
                stack.enter_context(refuse_sockets())
            else:
                # In each worker, whichever of them asks.
                scrub_log_records()
            yield Measured(stack.enter_context(ledger(family_size, alpha)))

    def warn_of_no_claim(self, item: pytest.Item, measured: "Measured") -> None:
        """Warn of a test that used a measure and claimed nothing. A snapshot is a claim of another kind."""
        names = set(getattr(item, "fixturenames", ()))
        if measured.ledger.entries or "ranking_snapshot" in names or not names.intersection(self.measured_by):
            return
        from pytest_llmpref.outcomes import NoClaimWarning  # noqa: PLC0415 - see the class

        item.warn(
            NoClaimWarning(
                f"{item.nodeid} uses a measure and makes no claim, so it passes whatever was measured: "
                "end it in `assert estimate > threshold`"
            )
        )

    def prepare(self, items: list[pytest.Item]) -> None:
        """Make sure that every measure can be had, before the first question and before the first test.

        Raises
        ------
        pytest.UsageError
            If a policy cannot be used, no model was named, or one cannot be replayed, or cannot be asked.
        """
        problems = [str(problem) for problem in self._problems]
        if self.earlier is None and any("baseline" in getattr(item, "fixturenames", ()) for item in items):
            problems.append("tests compare with the last release: add --baseline FILE, the results.json of its run")
        needed = self._measures_needed(items)
        for model, measures in share_to_prepare(needed, lambda: self.settings.models, self.config).items():
            try:
                self.study(model).prepare(measures)
            except LLMPrefError as error:
                problems.append(str(error))
        if problems:
            raise pytest.UsageError("\n\n".join(problems))

    def _measures_needed(self, items: list[pytest.Item]) -> dict[str, list[str]]:
        wanted = names_model(self.config) and self.settings.protocols == "all"
        return collection.measures_needed(items, self.measured_by, all_protocols=wanted)

    @property
    def plans(self) -> bool:
        """Whether the run prints its plan, and asks nothing."""
        return names_model(self.config) and self.settings.plan

    def show_plan(self, items: list[pytest.Item] | None) -> None:
        """Print what the collected tests would ask and cost.

        Raises
        ------
        pytest.UsageError
            Under xdist, whose workers cannot print; or if a model's recordings cannot be read.
        """
        from pytest_llmpref.planning import plan_lines  # noqa: PLC0415 - see the class

        if items is None or self.is_worker:
            raise pytest.UsageError("--llmpref-plan asks nothing, and needs no workers: leave out -n")
        reporter: Any = self.config.pluginmanager.getplugin("terminalreporter")
        reporter.section("llmpref: plan; nothing is asked", sep="=", bold=True)
        try:
            for model, measures in self._measures_needed(items).items():
                for line in plan_lines(self.study(model), measures, self.settings):
                    reporter.write_line(line)
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None

    @property
    def is_shard(self) -> bool:
        """Whether the run records a share of the questions, and runs no test."""
        return names_model(self.config) and self.settings.shard is not None

    def record_share(self, items: list[pytest.Item] | None) -> None:
        """Ask and record this shard's share of what the collected tests need. A part of the answers has no verdict.

        Raises
        ------
        pytest.UsageError
            Under xdist; if nothing may be asked; or if a model cannot be asked.
        """
        if (shard := self.settings.shard) is None or items is None or self.is_worker:
            raise pytest.UsageError("--llmpref-shard asks without workers: leave out -n, and set --llmpref-in-flight")
        if self.settings.record_mode == "none":
            raise pytest.UsageError("--llmpref-shard asks its share: add --record-mode new_episodes")
        reporter: Any = self.config.pluginmanager.getplugin("terminalreporter")
        reporter.section(f"llmpref: shard {shard}; no test is run", sep="=", bold=True)
        try:
            for model, measures in self._measures_needed(items).items():
                for name in measures:
                    asked, share = self.study(model).ask_share(name, shard)
                    reporter.write_line(f"{model} {name}: {asked:,} asked of the {share:,} trials of this share")
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None
        reporter.write_line(
            "a share has no verdict: merge the cassettes of all shares by `llmpref cassettes merge FOLDER ...`, "
            "and replay them without --llmpref-shard"
        )

    def study(self, model: str) -> Any:  # noqa: ANN401 - a Study, imported when needed
        """Return the study of a model.

        Raises
        ------
        LLMPrefError
            If no model was named, or its cassette cannot be read.
        """
        if model == collection.NO_MODEL:
            recorded = sorted(path.name.split(".jsonl")[0] for path in self.settings.cassettes.glob("*.jsonl*"))
            known = (
                f" (recorded here: {', '.join(name.replace('--', '/', 1) for name in recorded)})" if recorded else ""
            )
            raise LLMPrefError(f"no model named: add --model NAME{known}")
        return self.studies[model]

    def baseline(self, model: str, groups: "Mapping[str, str]") -> "Baseline":
        """Return what the last release's run measured of a model.

        Raises
        ------
        ResultsFileError
            If it does not hold the model.
        """
        from pytest_llmpref.report.baseline import Baseline, earlier_name, measures_of  # noqa: PLC0415 - see the class

        path, earlier = self.settings.baseline, self.earlier
        if path is None or earlier is None:
            raise LLMPrefError("no baseline named: add --baseline FILE")
        name = earlier_name(path, earlier, model, self.settings.models)
        return Baseline(path, measures_of(earlier, name, groups), self.measured_by)

    def complete(
        self, item: pytest.Item, call: "pytest.CallInfo[None]", report: pytest.TestReport, measured: "Measured"
    ) -> None:
        """Give a test that measures its outcome, and attach its claims to the report."""
        error = None if call.excinfo is None else call.excinfo.value
        if isinstance(error, LLMPrefError):
            report.longrepr = f"{type(error).__name__}: {error}"
            if type(error).__name__ == "BudgetSpentError":
                item.session.shouldstop = str(error)
        self._scrub(report)
        if report.when != "call":
            return
        from pytest_llmpref.outcomes import settle, settle_without_claim  # noqa: PLC0415 - see the class

        made, judged = measured.claims()
        test = collection.described(item, self.measured_by)
        if judged and not hasattr(report, "wasxfail"):
            settle(report, error, made, judged, self._rules(test))
        if not measured.under_way:
            if test["gate"] and (hasattr(report, "wasxfail") or (report.passed and not judged)):
                settle_without_claim(report, measured.ledger.compared)
            self._attach(item, report, judged, test)

    def _rules(self, test: "Mapping[str, Any]") -> "Rules":
        from pytest_llmpref.models.opening import is_simulated  # noqa: PLC0415 - see the class
        from pytest_llmpref.outcomes import Rules  # noqa: PLC0415

        return Rules(
            gate=test["gate"],
            exploratory=test["exploratory"],
            strict=self.settings.strict,
            simulated=is_simulated(test["model"]),
        )

    def _attach(
        self, item: pytest.Item, report: pytest.TestReport, claims: "Sequence[Claim]", test: "Mapping[str, Any]"
    ) -> None:
        """Attach a test's claims to its report, and to what JUnit's XML says of it."""
        from pytest_llmpref.outcomes import properties_of  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.results import claim_record  # noqa: PLC0415

        records = [claim_record(claim, test) for claim in claims]
        report.llmpref_claims = records  # type: ignore[attr-defined]
        others = [pair for pair in item.user_properties if not pair[0].startswith("llmpref.")]
        item.user_properties[:] = [*others, *properties_of(records)]

    def keep_report(self, report: Any) -> None:  # noqa: ANN401 - a test's report, whichever worker made it
        """Keep what a test's last attempt claimed, and how it ended, whichever worker ran it."""
        if report.when == "setup":
            self._claims.pop(report.nodeid, None)
        if (records := getattr(report, "llmpref_claims", None)) is not None:
            self._claims[report.nodeid] = records
        if names_model(self.config):
            self._gates.note_report(report)

    def keep_measures(self, handed_over: dict[str, Any] | None) -> None:
        """Take over what a worker collected, and the measures that it computed."""
        if handed_over is None or "gates" in handed_over:
            self._gates.take_over(handed_over and handed_over["gates"])
        if handed_over is not None and "models" in handed_over:
            self._run_record, self._entities = handed_over["run"], handed_over["entities"]
            for model, measures in handed_over["models"].items():
                self._measures.setdefault(model, {}).update(measures)

    def finish(self, session: pytest.Session) -> int:
        """Stop the models; hand over what was found to the controller, or write the results. Return the exit status."""
        found: dict[str, Any] = {}
        # The controller of xdist collects nothing: its workers tell what was collected.
        if self._everything:
            found["gates"] = gating.collected_gates(self._everything.values(), session.items).record()
        if "studies" in self.__dict__:
            found |= {
                "run": self.studies.run_record(),
                "entities": self.studies.entities_record(),
                "models": self.studies.measures(),
            }
            self.studies.close()
            # What is left of a run, pytest's own searches for garbage among it, need not go through all recordings.
            del self.studies
        self.keep_measures(found)
        status = int(session.exitstatus)
        if self.is_worker:
            hand_over(found, self.config.workeroutput)  # type: ignore[attr-defined]
            return status
        self._forget_spending()
        if not self._runs_tests:
            return status
        if self._measures or self._claims or (names_model(self.config) and self._gates.any):
            self._write()
        self._tell_junit()
        if self._unwritten:
            return int(pytest.ExitCode.INTERNAL_ERROR)
        strict = names_strict(self.config)
        return gating.exit_status(status, self.gate, chosen=gating.chose_part(self.config), strict=strict)

    @property
    def _runs_tests(self) -> bool:
        """Whether the run runs tests, so that what was collected and did not run is missed."""
        return not (self.config.option.collectonly or self.plans or self.is_shard)

    def _forget_spending(self) -> None:
        if names_model(self.config) and min(self.settings.max_cost, self.settings.max_tokens) < float("inf"):
            from pytest_llmpref.spending import ledger_of  # noqa: PLC0415 - see the class

            ledger_of(self.settings).unlink(missing_ok=True)

    def _write(self) -> None:
        from pytest_llmpref.report.loading import parse_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.results import write_results  # noqa: PLC0415
        from pytest_llmpref.report.writing import write_reports  # noqa: PLC0415

        try:
            record = self.results()
            path = write_results(record, self.settings.report_dir)
            write_reports(parse_results(record, str(path)), path.parent)
        except (LLMPrefError, OSError) as error:
            self._unwritten = str(error)

    @cached_property
    def _gate_states(self) -> dict[str | None, GateState]:
        """The state of each model's gates, and under ``None`` that of the run; empty where there is no gate."""
        if names_model(self.config):
            return self._gates.states(self._claims)
        state = self._gates.without_model()
        return {} if state is None else {None: state}

    @property
    def gate(self) -> GateState | None:
        """The state of this run's gates; ``None`` where none was collected."""
        return self._gate_states.get(None)

    def _tell_junit(self) -> None:
        """Write the state of the gates into JUnit's XML, as a property of the suite."""
        if self.gate is not None and (xml := self.config.stash.get(xml_key, None)) is not None:
            xml.add_global_property("llmpref.gate", self.gate.state)

    def results(self) -> dict[str, Any]:
        """Return what results.json holds."""
        from pytest_llmpref.report.results import results_record  # noqa: PLC0415 - see the class

        gates = {model: gating.as_record(state) for model, state in self._gate_states.items()}
        record = results_record(
            self._run_record,
            self._entities,
            self._measures,
            self._claims_by_model(),
            gates,
            self._secrets,
        )
        if self.earlier is not None:
            self._comparison = self._comparison or self._compared(self.earlier, record)
            record["comparison"] = self._comparison
        return record

    def _claims_by_model(self) -> dict[str, list[dict[str, Any]]]:
        claims: dict[str, list[dict[str, Any]]] = {}
        for records in self._claims.values():
            for record in records:
                kept = dict(record)
                claims.setdefault(kept.pop("model"), []).append(kept)
        return claims

    def _compared(self, earlier: "Results", record: dict[str, Any]) -> dict[str, Any]:
        from pytest_llmpref.report.comparison import compare_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.loading import parse_results  # noqa: PLC0415

        return compare_results(earlier, parse_results(record, "this run"))

    def show(self, reporter: Any) -> None:  # noqa: ANN401 - pytest's terminal reporter, which is private
        """Show measures, claims and the state of the gates, which stands last."""
        if not self._runs_tests:
            return
        if self._measures or self._claims or (names_model(self.config) and self._gates.any):
            self._show_results(reporter)
        elif self.gate is not None:
            from pytest_llmpref.report.terminal import gate_lines  # noqa: PLC0415 - see the class

            for text, markup in gate_lines(gating.as_gate_record(self.gate)):
                reporter.write_line(text, **markup)

    def _show_results(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.loading import parse_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.terminal import last_lines, show_results  # noqa: PLC0415

        record = self.results()
        results = parse_results(record, "this run")
        show_results(reporter, results, self.config.option.verbose)
        if self.earlier is not None:
            from pytest_llmpref.report.comparison_text import comparison_lines  # noqa: PLC0415

            reporter.section(f"llmpref: compared with {self.settings.baseline}", sep="=", bold=True)
            for line in comparison_lines(record["comparison"]):
                reporter.write_line(line)
        self._tell_github(reporter, results)
        if self._unwritten:
            reporter.write_line(self._unwritten, red=True)
        folder, verbosity = self.settings.report_dir / "latest", self.config.option.verbose
        for text, markup in last_lines(results, folder, verbosity, strict=self.settings.strict):
            reporter.write_line(text, **markup)

    def _tell_github(self, reporter: Any, results: "Results") -> None:  # noqa: ANN401 - as above
        """Annotate the tests, and add to the job's summary, where this is a job of GitHub Actions."""
        if "GITHUB_ACTIONS" not in os.environ and "GITHUB_STEP_SUMMARY" not in os.environ:
            return
        from pytest_llmpref.report.github import (  # noqa: PLC0415 - see the class
            ANNOTATES_FAILURES,
            annotations,
            append_summary,
        )
        from pytest_llmpref.report.summary import summary  # noqa: PLC0415

        plugins = {distribution.project_name for _, distribution in self.config.pluginmanager.list_plugin_distinfo()}
        failures = ANNOTATES_FAILURES not in plugins
        for line in annotations(results, self.config.rootpath, os.environ, failures=failures):
            reporter.write_line(line)
        append_summary(summary(results), os.environ)

    @cached_property
    def _secrets(self) -> "Secrets":
        """What nothing that this run shows or writes may hold. A replay reads no key of the user's."""
        from pytest_llmpref.secrets import Secrets, environment_secrets  # noqa: PLC0415 - see the class

        return Secrets([] if self.settings.record_mode == "none" else environment_secrets())

    def _scrub(self, report: pytest.TestReport) -> None:
        """Take secrets out of the traceback and the captured output of a test, which JUnit's XML repeats."""
        if report.longrepr is not None and not isinstance(report.longrepr, tuple):
            shown = str(report.longrepr)
            if (scrubbed := self._secrets.scrub(shown)) != shown:
                report.longrepr = scrubbed
        report.sections = [(name, self._secrets.scrub(text)) for name, text in report.sections]

    def _progress(self, title: str, total: int) -> "Progress":
        from pytest_llmpref.report.progress import AskingProgress  # noqa: PLC0415 - see the class

        return AskingProgress(title, total, self._uncaptured)

    def _uncaptured(self) -> AbstractContextManager[Any]:
        capture = self.config.pluginmanager.getplugin("capturemanager")
        sys.stderr.flush()
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()
