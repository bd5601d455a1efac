"""One pytest run: its settings, what packages add to it, what was collected, and the studies under it."""

import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.config.options import Settings
from pytest_llmpref.errors import LLMPrefError, MissingError
from pytest_llmpref.experiments.registry import behaviours, measured_by, register
from pytest_llmpref.plugin import collection, fixtures, gating
from pytest_llmpref.plugin.settings import check_folders, names_model, read_settings, spelled
from pytest_llmpref.study.extensions import Extensions, gathered_extensions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmpref.comparison.baseline import Baseline
    from pytest_llmpref.results.schema import Results
    from pytest_llmpref.secrets import Secrets
    from pytest_llmpref.study.studies import Studies
    from pytest_llmpref.study.study import Progress


class Run:
    """The state behind the hooks. Everything heavy is imported when the first test that measures is collected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        worker = getattr(config, "workerinput", None)
        self.is_worker = worker is not None
        # Workers share the controller's time, so that --record-mode all asks nothing twice.
        self.began = datetime.fromisoformat(worker["llmpref_began"]) if worker else datetime.now(UTC)
        self._families: Counter[tuple[str, ...]] = Counter()
        self.problems: list[LLMPrefError] = []
        """What is wrong with policies and markers."""
        self.everything: dict[str, pytest.Item] = {}
        """The tests that measure among all of the files that were named, selected or not, by node id."""
        self.uncollected: dict[str, str] = {}
        """File that may hold gates, and could not be collected -> why."""
        self._classes: dict[str, pytest.Class] = {}

    @cached_property
    def extensions(self) -> Extensions:
        """What packages add, ours among them; what cannot be used is a usage error."""
        # Not `config.hook`, which up to pytest 8 hides the hooks that there are, and with them those of mistyped names.
        hook = self.config.pluginmanager.hook
        try:
            found = gathered_extensions(hook, taken=vars(fixtures).keys())
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None
        register(found.behaviours)
        return found

    @property
    def measured_by(self) -> "Mapping[str, str]":
        """Fixture -> the measure that it returns."""
        return measured_by()

    def off(self, fixture: str) -> str:
        """Say why tests that use the fixture of a behaviour are off in this run; empty if they are on."""
        behaviour = behaviours().get(self.measured_by.get(fixture, ""))
        if behaviour is None:
            return ""
        try:
            return behaviour.off(self.settings)
        except pytest.UsageError:
            # A run that names a model has said so by now; another's options are none of our business.
            return ""

    def gate_off(self, table: str) -> str:
        """Say why the second gate of a behaviour, with this table in the policy, is off; empty if it is on."""
        for behaviour in behaviours().values():
            if behaviour.entity_gate is not None and behaviour.entity_gate.table == table:
                return behaviour.entity_off(self.settings)
        return ""

    @cached_property
    def settings(self) -> Settings:
        """The settings; an option that is not allowed is a usage error."""
        return read_settings(self.config, self.began, self.extensions.entity_sets)

    @cached_property
    def studies(self) -> "Studies":
        """The studies of this run; a profile or entity set that cannot be used is a usage error."""
        from pytest_llmpref.study.studies import Studies  # noqa: PLC0415 - see the class

        try:
            return Studies(self.settings, self._progress, self.extensions)
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None

    @cached_property
    def earlier(self) -> "Results | None":
        """The results of the last release, where a baseline was named; one that cannot be used is a usage error."""
        if self.settings.baseline is None:
            return None
        from pytest_llmpref.comparison.baseline import check_scores  # noqa: PLC0415 - see the class
        from pytest_llmpref.comparison.comparing import why_incomparable  # noqa: PLC0415 - see the class
        from pytest_llmpref.results.loading import load_results  # noqa: PLC0415

        try:
            found = load_results(self.settings.baseline)
            check_scores(self.settings.baseline, found)
        except LLMPrefError as error:
            raise pytest.UsageError(f"--baseline {error}") from None
        if why := why_incomparable(found.run, self.settings.control, self.settings.control_seed):
            raise pytest.UsageError(f"--baseline {self.settings.baseline}: {why}")
        return found

    def check_settings(self) -> None:
        """Check the settings and folders of a run that names a model; another run's are none of our business.

        Raises
        ------
        pytest.UsageError
            If an option is not allowed, or a folder is reached by a link.
        """
        if names_model(self.config):
            check_folders(self.config, self.settings)

    def check_study(self) -> None:
        """Read profile, entity set, baseline and files of the behaviours in a run that names a model.

        Raises
        ------
        pytest.UsageError
            If one of them cannot be used.
        """
        if names_model(self.config):
            _ = self.studies, self.earlier
            for behaviour in behaviours().values():
                try:
                    behaviour.check(self.settings)
                except LLMPrefError as error:
                    raise pytest.UsageError(spelled(self.config, str(error))) from None

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize a test over models and entities, if it uses them."""
        # Not self.studies.entities: the studies are opened only if the test uses them.
        collection.parametrize(metafunc, lambda: self.settings.models, lambda: self.studies.entities())  # noqa: PLW0108

    def note_collected(self, report: pytest.CollectReport) -> None:
        """Note the tests of a file, whichever of them a node id selects: a family is all that the file collects."""
        if why := gating.why_uncollected(report, self.config.rootpath):
            self.uncollected[report.nodeid] = why
        for node in report.result:
            if isinstance(node, pytest.Item) and collection.model_of(node) is not None:
                self.everything[node.nodeid] = node
            elif isinstance(node, pytest.Class):
                self._classes[node.nodeid] = node

    def register_families(self, items: list[pytest.Item]) -> None:
        """Apply the policies, and count the families and the gates of all that was collected."""
        if names_model(self.config):
            files = {item.path for item in self.everything.values()}
            for node in [node for node in self._classes.values() if node.path in files]:
                # A node id beside it leaves a class unread; the hook notes its tests.
                node.ihook.pytest_make_collect_report(collector=node)
        everything = list((self.everything | {item.nodeid: item for item in items}).values())
        self.problems = [
            *collection.apply_policies(everything, lambda: self.settings.policy, self.off, self.gate_off),
            *gating.marker_problems(everything, self.config.getini("markers")),
        ]
        if names_model(self.config):
            collection.skip_unasked(everything, self.off)
        self._families = collection.family_sizes(everything)
        self.everything = {item.nodeid: item for item in everything}
        if names_model(self.config):
            self.studies.thresholds = collection.gate_thresholds(items, self._families, self.settings.alpha)

    def family_size(self, item: pytest.Item) -> int:
        """Return how many claims the level of a test is corrected for."""
        # A test that is off, or that another plugin added after collection, is in no family.
        return max(1, self._families[collection.family_of(item)])

    def study(self, model: str) -> Any:  # noqa: ANN401 - a Study, imported when needed
        """Return the study of a model.

        Raises
        ------
        MissingError
            If no model was named.
        LLMPrefError
            If its cassette cannot be read.
        """
        if model == collection.NO_MODEL:
            from pytest_llmpref.cassettes.folders import models_in  # noqa: PLC0415 - see the class

            recorded = models_in(self.settings.cassettes)
            known = f" (recorded here: {on_one_line(', '.join(recorded))})" if recorded else ""
            raise MissingError(
                f"no model named: add --model NAME{known}; or record one with --model NAME --record-mode new_episodes"
            )
        return self.studies[model]

    def baseline(self, model: str, groups: "Mapping[str, str]") -> "Baseline":
        """Return what the last release's run measured of a model.

        Raises
        ------
        ResultsFileError
            If it does not hold the model.
        """
        from pytest_llmpref.comparison.baseline import Baseline, earlier_name, measures_of  # noqa: PLC0415 - see the class

        path, earlier = self.settings.baseline, self.earlier
        if path is None or earlier is None:
            raise LLMPrefError("no baseline named: add --baseline FILE")
        name = earlier_name(path, earlier, model, self.settings.models)
        return Baseline(path, measures_of(earlier, name, groups), self.measured_by)

    @cached_property
    def secrets(self) -> "Secrets":
        """What nothing that this run shows or writes may hold. A replay reads no key of the user's."""
        from pytest_llmpref.secrets import Secrets, environment_secrets  # noqa: PLC0415 - see the class

        return Secrets([] if self.settings.record_mode == "none" else environment_secrets())

    def _progress(self, title: str, total: int) -> "Progress":
        from pytest_llmpref.report.progress import AskingProgress  # noqa: PLC0415 - see the class

        return AskingProgress(title, total, self.uncaptured)

    def uncaptured(self) -> AbstractContextManager[Any]:
        """Return a context in which standard error is really shown."""
        capture = self.config.pluginmanager.getplugin("capturemanager")
        sys.stderr.flush()
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()
