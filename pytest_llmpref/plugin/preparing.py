"""What happens between collection and the first test: whatever is wrong or missing is said, planned or recorded."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.errors import LLMPrefError, MissingError
from pytest_llmpref.plugin import collection
from pytest_llmpref.plugin.distribution import share_to_prepare
from pytest_llmpref.plugin.settings import names_model, spelled

if TYPE_CHECKING:
    from pytest_llmpref.plugin.run import Run

_NO_BASELINE = "tests compare with the last release: add --baseline FILE, the results.json of its run"
_SHOWING = ("collectonly", "showfixtures", "show_fixtures_per_test", "setupplan")
"""pytest's options that show something instead of running tests and fixtures."""


def only_shows(config: pytest.Config) -> bool:
    """Whether the run shows tests or fixtures, and runs neither."""
    return any(config.getoption(name, False) for name in _SHOWING)


class Preparation:
    """What the selected tests of a run need, and what of it is missing."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._unprepared: dict[str, list[str]] = {}
        self._missing: dict[str, str] = {}
        self.under_way: list[str] = []
        """What is to be said of batches that were submitted, and that the run does not wait for."""

    def prepare(self, items: list[pytest.Item]) -> None:
        """Make sure that every measure can be had, before the first question and before the first test.

        What is only missing skips its tests where other tests are selected too, which run.

        Raises
        ------
        pytest.UsageError
            If a policy cannot be used, or a model cannot be asked; or if every selected test is ours, and no model was
            named, or one cannot be replayed.
        """
        self._check_batches()
        wrong, alone = list[str](), all(collection.is_ours(item) for item in items)
        needed = self._measures_needed(items)
        if needed and names_model(self._run.config) and self._run.settings.labels is not None:
            try:
                self._run.studies.check_labels(needed)
            except LLMPrefError as error:
                wrong.append(self._spelled(error))
        self._unprepared = {model: list[str]() for model in collection.unnamed(items)} | needed
        wrong += self._prepare_models(
            list(share_to_prepare(self._unprepared, lambda: self._run.settings.models, self._run.config))
        )
        missing = list(self._missing.values())
        if self._run.earlier is None and any("baseline" in collection.our_fixtures(item) for item in items):
            missing.insert(0, self._spelled(_NO_BASELINE))
        # Without a model no test of ours runs, so a policy decides nothing.
        if alone or names_model(self._run.config):
            wrong = [str(problem) for problem in self._run.problems] + wrong
        if wrong or (alone and missing):
            # pytest writes an error for each.
            raise pytest.UsageError(*dict.fromkeys([*wrong, *missing]))

    def why_skipped(self, item: pytest.Item) -> str:
        """Say what is missing for a test of ours, and how to get it; empty if nothing is."""
        model = collection.parameters(item).get("model") if "model" in collection.our_fixtures(item) else None
        if model in self._unprepared:
            # Another worker's share, but a test of it came here. What is wrong is the test's own error.
            with suppress(LLMPrefError):
                self._prepare_model(model)
        if model in self._missing:
            return self._missing[model]
        if self._run.earlier is None and "baseline" in collection.our_fixtures(item):
            return self._spelled(_NO_BASELINE)
        return self._why_absent(item)

    def _why_absent(self, item: pytest.Item) -> str:
        """Say which measure of a test imported data cannot give; empty if they give all."""
        model = collection.model_of(item)
        if model is None:
            return ""
        from pytest_llmpref.models.opening import is_imported  # noqa: PLC0415 - for runs that measure

        if not is_imported(model):
            return ""
        try:
            return str(self._run.study(model).source.why_absent(self._measures_needed([item])[model]))
        except LLMPrefError:
            return ""  # the test's own error

    def _prepare_models(self, models: list[str]) -> list[str]:
        """Prepare each, and return what is wrong. Batches of all models are waited for at once."""

        def wrong_with(model: str) -> str:
            try:
                self._prepare_model(model)
            except LLMPrefError as error:
                return self._spelled(error)
            return ""

        if len(models) > 1 and names_model(self._run.config) and self._run.settings.batch != "off":
            with self._run.uncaptured():
                found = self._run.studies.at_once(wrong_with, models)
        else:
            found = list(map(wrong_with, models))
        return list(filter(None, found))

    def _prepare_model(self, model: str) -> None:
        measures = self._unprepared.pop(model)
        try:
            self._run.study(model).prepare(measures)
        except MissingError as error:
            self._missing[model] = self._spelled(error)
        except LLMPrefError as error:
            if not self._notes_under_way(error):
                raise
        except Exception:  # noqa: BLE001, S110 - a fault in an experiment of another package
            # Each test that needs the measure meets it again, and shows the traceback.
            pass

    def _check_batches(self) -> None:
        if not names_model(self._run.config) or (settings := self._run.settings).batch != "submit":
            return
        if self._run.is_worker or not self._run.config.getoption("dist", "no") == "no":
            raise pytest.UsageError("--llmpref-batch submit asks without workers: leave out -n")
        if settings.record_mode == "all":
            raise pytest.UsageError(
                "--llmpref-batch submit collects in a later run, which --record-mode all would ask anew: use "
                "--record-mode new_episodes, and move the cassette away before"
            )

    def _notes_under_way(self, error: LLMPrefError) -> bool:
        """Keep what is to be said of batches under way, if that is what ended the asking."""
        if type(error).__name__ != "BatchesUnderWayError":
            return False
        self.under_way.append(self._spelled(error))
        return True

    def show_under_way(self) -> None:
        """Print which batches were submitted, and what to do next."""
        reporter: Any = self._run.config.pluginmanager.getplugin("terminalreporter")
        reporter.section("llmpref: batches under way; no test is run", sep="=", bold=True)
        for text in self.under_way:
            for line in text.splitlines():
                reporter.write_line(line)

    def _measures_needed(self, items: list[pytest.Item]) -> dict[str, list[str]]:
        wanted = names_model(self._run.config) and self._run.settings.protocols == "all"
        return collection.measures_needed(items, self._run.measured_by, all_protocols=wanted)

    @property
    def plans(self) -> bool:
        """Whether the run prints its plan, and asks nothing."""
        return names_model(self._run.config) and self._run.settings.plan

    def show_plan(self, items: list[pytest.Item] | None) -> None:
        """Print what the collected tests would ask and cost.

        Raises
        ------
        pytest.UsageError
            Under xdist, whose workers cannot print; or if a model's recordings cannot be read.
        """
        from pytest_llmpref.study.planning import plan_lines  # noqa: PLC0415 - see the class

        if items is None or self._run.is_worker:
            raise pytest.UsageError("--llmpref-plan asks nothing, and needs no workers: leave out -n")
        reporter: Any = self._run.config.pluginmanager.getplugin("terminalreporter")
        reporter.section("llmpref: plan; nothing is asked", sep="=", bold=True)
        try:
            for model, measures in self._measures_needed(items).items():
                for line in plan_lines(self._run.study(model), measures, self._run.settings):
                    reporter.write_line(line)
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None

    @property
    def is_shard(self) -> bool:
        """Whether the run records a share of the questions, and runs no test."""
        return names_model(self._run.config) and self._run.settings.shard is not None

    def record_share(self, items: list[pytest.Item] | None) -> None:
        """Ask and record this shard's share of what the collected tests need. A part of the answers has no verdict.

        Raises
        ------
        pytest.UsageError
            Under xdist; if nothing may be asked; or if a model cannot be asked.
        """
        if (shard := self._run.settings.shard) is None or items is None or self._run.is_worker:
            raise pytest.UsageError("--llmpref-shard asks without workers: leave out -n, and set --llmpref-in-flight")
        if self._run.settings.record_mode == "none":
            raise pytest.UsageError("--llmpref-shard asks its share: add --record-mode new_episodes")
        reporter: Any = self._run.config.pluginmanager.getplugin("terminalreporter")
        reporter.section(f"llmpref: shard {shard}; no test is run", sep="=", bold=True)
        try:
            for model, measures in self._measures_needed(items).items():
                for name in measures:
                    asked, share = self._run.study(model).ask_share(name, shard)
                    reporter.write_line(f"{model} {name}: {asked:,} asked of the {share:,} trials of this share")
        except LLMPrefError as error:
            if self._notes_under_way(error):
                self.show_under_way()
                return
            raise pytest.UsageError(str(error)) from None
        reporter.write_line(
            "a share has no verdict: merge the cassettes of all shares by `llmpref cassettes merge FOLDER ...`, "
            "and replay them without --llmpref-shard"
        )

    def _spelled(self, message: object) -> str:
        return spelled(self._run.config, str(message))
