"""What a run found: measures, claims and gates of all workers, put together, written, shown, and told to hooks."""

import gc
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.claims.gates import GateState
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.garbage import spare_last_search
from pytest_llmpref.plugin import gating, kept_runs
from pytest_llmpref.plugin.distribution import attached_claims, hand_over
from pytest_llmpref.plugin.preparing import only_shows
from pytest_llmpref.plugin.settings import names_model, names_strict
from pytest_llmpref.plugin.unasked import Unasked

if TYPE_CHECKING:
    from pytest_llmpref.plugin.preparing import Preparation
    from pytest_llmpref.plugin.run import Run
    from pytest_llmpref.results.comparison_record import ComparisonRecord
    from pytest_llmpref.results.import_record import ImportRecord
    from pytest_llmpref.results.labels_record import ToLabel
    from pytest_llmpref.results.measure_record import MeasureRecord
    from pytest_llmpref.results.parts import Part, TestClaims
    from pytest_llmpref.results.schema import ClaimRecord, EntityRecord, Results, RunRecord


class Findings:
    """The claims and measures of a run, whichever worker made them, and the state of its gates."""

    def __init__(self, run: "Run", preparation: "Preparation") -> None:
        self._run = run
        self._preparation = preparation
        self._problems: list[str] = []
        """What was found wrong before the first test, whichever worker found it."""
        self._claims: dict[str, TestClaims] = {}  # by node id
        self._gates = gating.GateKeeper()
        self._measures: dict[str, dict[str, MeasureRecord]] = {}
        self._judges: dict[str, str] = {}
        self._imported: dict[str, ImportRecord] = {}
        self._asked: set[str] = set()
        self._run_record: RunRecord | None = None
        self._entities: dict[str, EntityRecord] = {}
        self._to_label: dict[str, ToLabel] = {}  # by key
        self._unwritten = ""
        self._unasked = Unasked()
        self._part = ""
        self._folder = run.config.rootpath
        self._full = ""

    def keep_report(self, report: Any) -> None:  # noqa: ANN401 - a test's report, whichever worker made it
        """Keep what a test's last attempt claimed, and how it ended, whichever worker ran it."""
        self._unasked.keep(report)
        attached = attached_claims(report)
        if report.when == "setup" or attached is not None:
            self._claims.pop(report.nodeid, None)
        if attached is not None and attached.claims:
            self._claims[report.nodeid] = attached
        if names_model(self._run.config):
            self._gates.note_report(report)

    def keep_part(self, part: "Part | None") -> None:
        """Take over what a process collected, and the measures that it computed; ``None`` of a worker that died."""
        if part is None:
            self._gates.take_over(None)
            return
        if part.gates is not None:
            self._gates.take_over(part.gates)
        if part.run is not None:
            self._run_record, self._entities = part.run, part.entities
        self._judges |= part.judges
        self._imported |= part.imported
        self._asked |= set(part.asked)
        self._to_label |= {one.key: one for one in part.to_label}
        for model, measures in part.measures.items():
            self._measures.setdefault(model, {}).update(measures)

    def keep_problems(self, problems: Iterable[str]) -> None:
        """Keep what ended the run before its first test. Workers find the same."""
        self._problems = list(dict.fromkeys([*self._problems, *map(str, problems)]))
        self._gates.note_problems(self._problems)

    def finish(self, session: pytest.Session) -> None:
        """Stop the models; hand over what was found to the controller, or write the results."""
        part = self._found(session)
        if self._run.is_worker:
            hand_over(part, self._run.config.workeroutput)  # type: ignore[attr-defined]
            return
        if part is not None:
            self.keep_part(part)
        self._forget_spending()
        if not self._runs_tests:
            return
        if self._measures or self._claims or (names_model(self._run.config) and self._gates.any):
            self._part = "it could not start" if self._problems else kept_runs.part_of(session, self.gate)
            self._write()
        self._tell_junit()

    def _found(self, session: pytest.Session) -> "Part | None":
        """Return what this process collected and measured, and close its studies; ``None`` if it did neither."""
        everything, measured = self._run.everything, "studies" in vars(self._run)
        # The controller of xdist collects nothing: its workers tell what was collected.
        if not everything and not measured:
            return None
        from pytest_llmpref.results.parts import Part  # noqa: PLC0415 - see the class

        part = Part()
        if measured:
            part = self._run.studies.found()
            self._run.studies.close()
            # What is left of a run, pytest's own searches for garbage among it, need not go through all recordings.
            del self._run.studies
            spare_last_search()
            if session.exitstatus == pytest.ExitCode.INTERRUPTED:
                # After Ctrl-C the user waits, and what litellm loaded takes seconds to search.
                gc.freeze()
        if everything:
            collected = gating.collected_gates(everything.values(), session.items)
            collected.uncollected.update(self._run.uncollected)
            part.gates = collected.record()
        return part

    def exit_status(self, status: int) -> int:
        """Return the status of the run, where pytest's own is ``status``: a gate that did not run is no success."""
        if self._problems:
            return int(pytest.ExitCode.USAGE_ERROR)
        if self._unwritten:
            return int(pytest.ExitCode.INTERNAL_ERROR)
        if self._preparation.under_way:
            from pytest_llmpref.study.batching import UNDER_WAY  # noqa: PLC0415 - see the class

            return UNDER_WAY
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
            or self._preparation.under_way
        )

    def _forget_spending(self) -> None:
        if not names_model(self._run.config):
            return
        settings = self._run.settings
        if min(settings.max_cost, settings.max_tokens) < float("inf"):
            from pytest_llmpref.study.answering import ledger_of  # noqa: PLC0415 - see the class

            ledger_of(settings).unlink(missing_ok=True)

    def _write(self) -> None:
        from pytest_llmpref.report.page import write_reports  # noqa: PLC0415 - see the class
        from pytest_llmpref.study.records import write_results  # noqa: PLC0415

        settings = self._run.settings
        self._folder = settings.run_dir
        try:
            write_results(self.results, settings.run_dir)
            try:
                write_reports(self.results, settings.run_dir)
            finally:
                self._folder, self._full = kept_runs.keep(settings, self._part)
            tell(self._run.config, self.results, self._folder)
        except (LLMPrefError, OSError) as error:
            self._unwritten = str(error)
        except Exception as error:  # noqa: BLE001 - pytest would end in a traceback, and show no verdict and no gate
            self._unwritten = f"results.json was not written ({type(error).__name__}: {error})"
        self._write_to_label()

    def _write_to_label(self) -> None:
        """Write the replies for people to label, where they are asked for."""
        settings = self._run.settings
        if not self._to_label or settings.to_label is None:
            return
        from pytest_llmpref.study.labelling import write_to_label  # noqa: PLC0415 - see the class

        try:
            write_to_label(settings.to_label, self._to_label.values(), settings.seed)
        except OSError as error:
            self._unwritten = "\n".join(
                filter(None, [self._unwritten, f"{settings.to_label}: cannot be written ({error.strerror or error})"])
            )
            self._to_label = {}

    @property
    def _sampled(self) -> str:
        """Say where the replies are that people are to label; empty if none were asked for."""
        path = self._run.settings.to_label if names_model(self._run.config) else None
        if path is None:
            return ""
        from pytest_llmpref.report.wording import plural, short_path  # noqa: PLC0415 - see the class

        return f"to label {short_path(path)}: {plural(len(self._to_label), 'reply', 'replies')}"

    @cached_property
    def _gate_states(self) -> dict[str | None, GateState]:
        """The state of each model's gates, and under ``None`` that of the run; empty if there is no gate."""
        if names_model(self._run.config):
            found, control = self._gates.states(self._claims), self._run.settings.control
            return {model: gating.under_control(state, control) for model, state in found.items()}
        state = self._gates.without_model()
        return {} if state is None else {None: state}

    @property
    def gate(self) -> GateState | None:
        """The state of this run's gates; ``None`` if none was collected."""
        state = self._gate_states.get(None)
        return gating.unwritten(state) if state is not None and self._unwritten else state

    def _tell_junit(self) -> None:
        """Write the state of the gates into JUnit's XML, as a property of the suite."""
        from _pytest.junitxml import xml_key  # noqa: PLC0415 - for runs that measure

        if self.gate is not None and (xml := self._run.config.stash.get(xml_key, None)) is not None:
            xml.add_global_property("llmpref.gate", self.gate.state)

    @cached_property
    def results(self) -> "Results":
        """What results.json holds; asked for when the run has ended.

        Raises
        ------
        LLMPrefError
            If the run's workers died before they told how the run was set up.
        """
        import msgspec  # noqa: PLC0415 - see the class

        from pytest_llmpref.study.records import results_record  # noqa: PLC0415

        if self._run_record is None:
            raise LLMPrefError("results.json was not written: no worker told how the run was set up; run again")
        found = results_record(
            msgspec.structs.replace(self._run_record, part=self._part, asked=sorted(self._asked)),
            self._entities,
            self._measures,
            self._claims_by_model(),
            {model: gating.as_record(state) for model, state in self._gate_states.items()},
            self._run.secrets,
            self._judges,
            self._imported,
        )
        if self._run.earlier is None:
            return found
        return msgspec.structs.replace(found, comparison=self._compared(self._run.earlier, found))

    def _claims_by_model(self) -> "dict[str, list[ClaimRecord]]":
        claims: dict[str, list[ClaimRecord]] = {}
        for test in self._claims.values():
            claims.setdefault(test.model, []).extend(test.claims)
        return claims

    def _compared(self, earlier: "Results", found: "Results") -> "ComparisonRecord":
        from pytest_llmpref.comparison.comparing import compare_results  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.wording import short_path  # noqa: PLC0415

        path = self._run.settings.baseline
        return compare_results(earlier, found, "" if path is None else short_path(path))

    def show(self, reporter: Any) -> None:  # noqa: ANN401 - pytest's terminal reporter, which is private
        """Show measures, claims and the state of the gates, which stands last."""
        _show_problems(reporter, self._problems, self._run.config)
        if not self._runs_tests:
            return
        if self._measures or self._claims or (names_model(self._run.config) and self._gates.any):
            try:
                self._show_results(reporter)
            except Exception as error:  # noqa: BLE001 - pytest would end in a traceback, and show no gate
                self._unwritten = self._unwritten or f"nothing can be shown ({type(error).__name__}: {error})"
                self._show_failure(reporter)
        else:
            self._show_unasked(reporter, nothing_else=True)
            self._show_gate(reporter)

    def _show_unasked(self, reporter: Any, *, nothing_else: bool) -> None:  # noqa: ANN401 - as above
        """Say which tests measured nothing, in a run that names a model: without one, the last line says it of all."""
        if not names_model(self._run.config) or self._run.config.option.verbose < 0:
            return
        from pytest_llmpref.report.wording import for_terminal  # noqa: PLC0415 - see the class

        for line in self._unasked.lines(nothing_else=nothing_else):
            reporter.write_line(for_terminal(line), yellow=True)

    def _show_failure(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import write_text  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.wording import short_path  # noqa: PLC0415

        path = self._folder / "results.json"
        write_text(reporter, self._unwritten, red=True)
        write_text(reporter, f"results  {short_path(path)}")
        self._show_gate(reporter)

    def _show_gate(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import gate_lines  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.wording import for_terminal  # noqa: PLC0415

        if self.gate is not None:
            for text, markup in gate_lines(gating.as_record(self.gate)):
                reporter.write_line(for_terminal(text), **markup)

    def _show_results(self, reporter: Any) -> None:  # noqa: ANN401 - as above
        from pytest_llmpref.report.terminal import last_lines, show_results, write_text  # noqa: PLC0415 - see the class
        from pytest_llmpref.report.wording import for_terminal  # noqa: PLC0415

        results = gating.unwritten_results(self.results, self._gate_states) if self._unwritten else self.results
        show_results(reporter, results, self._run.config.option.verbose)
        if results.comparison is not None:
            from pytest_llmpref.report.comparison import comparison_lines  # noqa: PLC0415

            baseline = for_terminal(results.comparison.baseline)
            reporter.section(f"llmpref: compared with {baseline}", sep="=", bold=True)
            for line in comparison_lines(results.comparison):
                reporter.write_line(line)
        self._tell_github(reporter, results)
        write_text(reporter, self._unwritten, red=True)
        write_text(reporter, self._sampled)
        self._show_unasked(reporter, nothing_else=False)
        verbosity = self._run.config.option.verbose
        for text, markup in last_lines(results, self._folder, self._full, verbosity):
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


def _show_problems(reporter: Any, problems: Iterable[str], config: pytest.Config) -> None:  # noqa: ANN401 - as above
    """Show what workers of pytest-xdist found wrong before the first test. Without workers, pytest does so."""
    if not problems or config.getoption("dist", "no") == "no":
        return
    from pytest_llmpref.report.terminal import write_text  # noqa: PLC0415 - see the class

    for problem in problems:
        write_text(reporter, f"ERROR: {problem}", red=True, bold=True)


class HookWarning(pytest.PytestWarning):
    """A hook that was told of the results raised an error."""


def tell(config: pytest.Config, results: "Results", folder: Path) -> None:
    """Tell of each claim, and of the results as a whole. An error of a hook is none of the run's.

    Parameters
    ----------
    config
        Of the run.
    results, folder
        The results, and the folder of their files.
    """
    for name, told in _told(results, folder):
        try:
            getattr(config.pluginmanager.hook, name)(**told)
        except Exception as error:  # noqa: BLE001 - of another package, and the verdicts must still be shown
            said = f"{name} raised {type(error).__name__}: {error}; the results are written all the same"
            config.issue_config_time_warning(HookWarning(said), stacklevel=2)


def _told(results: "Results", folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for model, found in results.models.items():
        for claim in found.claims:
            yield "pytest_llmpref_claim", {"model": model, "claim": claim}
    yield "pytest_llmpref_run_finished", {"results": results, "folder": folder}
