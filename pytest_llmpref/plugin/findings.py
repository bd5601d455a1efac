"""What a run found: its measures, claims and gates, put together from all workers, written and shown."""

import gc
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import xml_key

from pytest_llmpref.claims.gates import GateState
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.garbage import spare_last_search
from pytest_llmpref.plugin import gating
from pytest_llmpref.plugin.distribution import hand_over
from pytest_llmpref.plugin.preparing import only_shows
from pytest_llmpref.plugin.settings import names_model, names_strict

if TYPE_CHECKING:
    from pytest_llmpref.plugin.preparing import Preparation
    from pytest_llmpref.plugin.run import Run
    from pytest_llmpref.results.loading import Results


class Findings:
    """The claims and measures of a run, whichever worker made them, and the state of its gates."""

    def __init__(self, run: "Run", preparation: "Preparation") -> None:
        self._run = run
        self._preparation = preparation
        self.usage_error = ""
        """What the workers of this run found wrong before the first test."""
        self._claims: dict[str, list[dict[str, Any]]] = {}  # by node id
        self._gates = gating.GateKeeper()
        self._measures: dict[str, dict[str, Any]] = {}
        self._run_record: dict[str, Any] = {}
        self._entities: dict[str, dict[str, str]] = {}
        self._comparison: dict[str, Any] | None = None
        self._unwritten = ""

    def keep_report(self, report: Any) -> None:  # noqa: ANN401 - a test's report, whichever worker made it
        """Keep what a test's last attempt claimed, and how it ended, whichever worker ran it."""
        records = getattr(report, "llmpref_claims", None)
        if report.when == "setup" or records is not None:
            self._claims.pop(report.nodeid, None)
        if records:
            self._claims[report.nodeid] = records
        if names_model(self._run.config):
            self._gates.note_report(report)

    def keep_measures(self, handed_over: dict[str, Any] | None) -> None:
        """Take over what a worker collected, and the measures that it computed."""
        if handed_over is None or "gates" in handed_over:
            self._gates.take_over(handed_over and handed_over["gates"])
        if handed_over is not None and "models" in handed_over:
            self._run_record, self._entities = handed_over["run"], handed_over["entities"]
            for model, measures in handed_over["models"].items():
                self._measures.setdefault(model, {}).update(measures)

    def finish(self, session: pytest.Session) -> None:
        """Stop the models; hand over what was found to the controller, or write the results."""
        found: dict[str, Any] = {}
        # The controller of xdist collects nothing: its workers tell what was collected.
        if self._run.everything:
            gates = gating.collected_gates(self._run.everything.values(), session.items)
            gates.uncollected.update(self._run.uncollected)
            found["gates"] = gates.record()
        if "studies" in vars(self._run):
            found |= {
                "run": self._run.studies.run_record(),
                "entities": self._run.studies.entities_record(),
                "models": self._run.studies.measures(),
            }
            self._run.studies.close()
            # What is left of a run, pytest's own searches for garbage among it, need not go through all recordings.
            del self._run.studies
            spare_last_search()
            if session.exitstatus == pytest.ExitCode.INTERRUPTED:
                # After Ctrl-C the user waits, and what litellm loaded takes seconds to search.
                gc.freeze()
        self.keep_measures(found)
        if self._run.is_worker:
            hand_over(found, self._run.config.workeroutput)  # type: ignore[attr-defined]
            return
        self._forget_spending()
        if not self._runs_tests:
            return
        if self._measures or self._claims or (names_model(self._run.config) and self._gates.any):
            self._write()
        self._tell_junit()

    def exit_status(self, status: int) -> int:
        """Return the status of the run, where pytest's own is ``status``: a gate that did not run is no success."""
        if self.usage_error:
            return int(pytest.ExitCode.USAGE_ERROR)
        if self._unwritten:
            return int(pytest.ExitCode.INTERNAL_ERROR)
        if self._run.is_worker or not self._runs_tests:
            return status
        strict = names_strict(self._run.config)
        return gating.exit_status(status, self.gate, chosen=gating.chose_part(self._run.config), strict=strict)

    @property
    def _runs_tests(self) -> bool:
        """Whether the run runs tests, so that what was collected and did not run is missed."""
        return not (
            only_shows(self._run.config)
            or self._run.config.getoption("setuponly", False)
            or self._preparation.plans
            or self._preparation.is_shard
            or self.usage_error
        )

    def _forget_spending(self) -> None:
        if not names_model(self._run.config):
            return
        settings = self._run.settings
        if min(settings.max_cost, settings.max_tokens) < float("inf"):
            from pytest_llmpref.study.answering import ledger_of  # noqa: PLC0415 - see the class

            ledger_of(settings).unlink(missing_ok=True)

    def _write(self) -> None:
        from pytest_llmpref.report.page import write_reports  # noqa: PLC0415
        from pytest_llmpref.results.loading import parse_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.study.records import write_results  # noqa: PLC0415

        try:
            record = self.results()
            path = write_results(record, self._run.settings.report_dir)
            write_reports(parse_results(record, str(path)), path.parent)
        except (LLMPrefError, OSError) as error:
            self._unwritten = str(error)
        except Exception as error:  # noqa: BLE001 - pytest would end in a traceback, and show no verdict and no gate
            self._unwritten = f"results.json was not written ({type(error).__name__}: {error})"

    @cached_property
    def _gate_states(self) -> dict[str | None, GateState]:
        """The state of each model's gates, and under ``None`` that of the run; empty where there is no gate."""
        if names_model(self._run.config):
            return self._gates.states(self._claims)
        state = self._gates.without_model()
        return {} if state is None else {None: state}

    @property
    def gate(self) -> GateState | None:
        """The state of this run's gates; ``None`` where none was collected."""
        return self._gate_states.get(None)

    def _tell_junit(self) -> None:
        """Write the state of the gates into JUnit's XML, as a property of the suite."""
        if self.gate is not None and (xml := self._run.config.stash.get(xml_key, None)) is not None:
            xml.add_global_property("llmpref.gate", self.gate.state)

    def results(self) -> dict[str, Any]:
        """Return what results.json holds."""
        from pytest_llmpref.study.records import results_record  # noqa: PLC0415 - see the class

        gates = {model: gating.as_record(state) for model, state in self._gate_states.items()}
        record = results_record(
            self._run_record,
            self._entities,
            self._measures,
            self._claims_by_model(),
            gates,
            self._run.secrets,
        )
        if self._run.earlier is not None:
            self._comparison = self._comparison or self._compared(self._run.earlier, record)
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
        from pytest_llmpref.comparison.comparing import compare_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.terminal import short_path  # noqa: PLC0415
        from pytest_llmpref.results.loading import parse_results  # noqa: PLC0415

        path = self._run.settings.baseline
        named = {} if path is None else {"baseline": short_path(path)}
        return compare_results(earlier, parse_results(record, "this run")) | named

    def show(self, reporter: Any) -> None:  # noqa: ANN401 - pytest's terminal reporter, which is private
        """Show measures, claims and the state of the gates, which stands last."""
        if not self._runs_tests:
            return
        if self._measures or self._claims or (names_model(self._run.config) and self._gates.any):
            try:
                self._show_results(reporter)
            except Exception as error:  # noqa: BLE001 - pytest would end in a traceback, and show no gate
                self._unwritten = self._unwritten or f"nothing can be shown ({type(error).__name__}: {error})"
                self._show_failure(reporter)
        elif self.gate is not None:
            self._show_gate(reporter)

    def _show_failure(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import for_terminal, short_path  # noqa: PLC0415 - see the class

        path = self._run.settings.report_dir / "latest" / "results.json"
        for line in self._unwritten.splitlines():
            reporter.write_line(for_terminal(line), red=True)
        reporter.write_line(f"results  {short_path(path)}")
        self._show_gate(reporter)

    def _show_gate(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import for_terminal, gate_lines  # noqa: PLC0415 - see the class

        if self.gate is not None:
            for text, markup in gate_lines(gating.as_gate_record(self.gate)):
                reporter.write_line(for_terminal(text), **markup)

    def _show_results(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import for_terminal, last_lines, show_results  # noqa: PLC0415
        from pytest_llmpref.results.loading import parse_results  # noqa: PLC0415 - see the class

        record = self.results()
        results = parse_results(record, "this run")
        show_results(reporter, results, self._run.config.option.verbose)
        if self._run.earlier is not None:
            from pytest_llmpref.report.comparison import comparison_lines  # noqa: PLC0415

            baseline = for_terminal(record["comparison"]["baseline"])
            reporter.section(f"llmpref: compared with {baseline}", sep="=", bold=True)
            for line in comparison_lines(record["comparison"]):
                reporter.write_line(line)
        self._tell_github(reporter, results)
        for line in self._unwritten.splitlines():
            reporter.write_line(for_terminal(line), red=True)
        settings, verbosity = self._run.settings, self._run.config.option.verbose
        for text, markup in last_lines(results, settings.report_dir / "latest", verbosity):
            reporter.write_line(for_terminal(text), **markup)

    def _tell_github(self, reporter: Any, results: "Results") -> None:  # noqa: ANN401 - as above
        """Annotate the tests, and add to the job's summary, where this is a job of GitHub Actions."""
        if "GITHUB_ACTIONS" not in os.environ and "GITHUB_STEP_SUMMARY" not in os.environ:
            return
        from pytest_llmpref.report.summary import (  # noqa: PLC0415 - see the class
            ANNOTATES_FAILURES,
            annotations,
            append_summary,
            summary,
        )

        config = self._run.config
        plugins = {distribution.project_name for _, distribution in config.pluginmanager.list_plugin_distinfo()}
        for line in annotations(results, config.rootpath, os.environ, failures=ANNOTATES_FAILURES not in plugins):
            reporter.write_line(line)
        append_summary(summary(results), os.environ)
