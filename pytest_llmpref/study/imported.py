"""The study of an imported model: its plans are what others asked, and its replies are what they got."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.config.options import Settings
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.imported import (
    NOT_TESTABLE,
    ImportableExperiment,
    ImportedRows,
    ImportedTrials,
    Takes,
)
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.readings import readings
from pytest_llmpref.experiments.registry import behaviours
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.imports.store import Imported, entity_set, load_import
from pytest_llmpref.models.chat import Request
from pytest_llmpref.models.opening import is_imported
from pytest_llmpref.results.import_record import ImportRecord
from pytest_llmpref.study.coverage import Gap, Plans, Recorded
from pytest_llmpref.study.missing import NotRecordedError
from pytest_llmpref.study.provenance import invalidated

MOST_NAMED = 3


def entities_of(settings: Settings, given: EntitySet) -> EntitySet:
    """Return the entities of a run: those asked about, where all models are imported and the given set lacks some.

    Parameters
    ----------
    settings
        What the user set.
    given
        The entity set that the settings name.

    Raises
    ------
    NotImportedError, StoredImportError
        If one of them cannot be read.
    """
    if not settings.models or not all(map(is_imported, settings.models)):
        return given
    asked = entity_set({model: load_import(settings.cassettes, model) for model in settings.models})
    return given if set(asked.ids) <= set(given.ids) else asked


def importable(takes: Takes) -> list[str]:
    """Return the names of the measures that imported data can give.

    Parameters
    ----------
    takes
        What the data are.
    """
    experiments = ((name, behaviour.experiment()) for name, behaviour in behaviours().items())
    return [name for name, one in experiments if isinstance(one, ImportableExperiment) and one.takes == takes]


class ImportedStudy:
    """What a study of an imported model has in the place of plans and recordings.

    Parameters
    ----------
    conditions
        Of the study.
    settings
        Of the study: where cassettes are.

    Attributes
    ----------
    conditions
        The same, with every entity of the set: what was asked is not ours to choose.
    cassette
        Of questions of a test's own; others ask nothing.
    judge, judging
        Nobody: what others asked is read as they, or rules, read it.
    plans, recorded
        What others asked, and the replies.

    Raises
    ------
    NotImportedError, StoredImportError
        If nothing was imported under the name, or its file cannot be read.
    LLMPrefError
        If it is about other entities than the study.
    """

    is_asked = False
    judge = ""
    judging: Cassette | None = None

    def __init__(self, conditions: Conditions, settings: Settings) -> None:
        self.cassette = Cassette.open(settings.cassettes, conditions.model)
        self.conditions = replace(conditions, profile=replace(conditions.profile, entities=None))
        self.data = load_import(settings.cassettes, conditions.model)
        ids = set(conditions.entities.ids)
        if others := [one.name for one in self.data.header.entities if one.id not in ids]:
            raise LLMPrefError(
                f"{conditions.model} is about {', '.join(others[:MOST_NAMED])}, and the entity set "
                f"{conditions.entities.name} lacks {'it' if len(others) == 1 else 'these'}: measure imported models "
                "alone, or import them with the file of that set (--entities)"
            )
        self.plans = ImportedPlans(self.conditions, self.data)
        self.recorded = ImportedReplies(self.plans)

    @property
    def record(self) -> ImportRecord:
        """Where the replies come from."""
        return self.data.header.record

    def why_absent(self, measures: Iterable[str]) -> str:
        """Say which of some measures the data cannot give; empty if they give all."""
        return self.plans.why_absent(measures)

    def found(self, name: str, measure: Measure) -> Measure:
        """Return a measure with where its replies come from, and what they cannot tell."""
        trials = self.plans.trials(name)
        diagnostics = measure.diagnostics | {
            "judged": 0,
            "untestable": list(trials.untestable),
            # A measure that reads in its own way compares in its own way too.
            "readers": measure.diagnostics.get("readers") or self._readers(trials, self.record.read_by),
        }
        return invalidated(replace(measure, diagnostics=diagnostics), trials.reasons)

    def _readers(self, trials: ImportedTrials, read_by: str) -> dict[str, Any] | None:
        """Count how often the data and our reader say the same of a reply; ``None`` if none has both."""
        both = same = 0
        for one in readings(trials.plan, trials.replies):
            if one.judge is not None and trials.replies[one.number][one.place].text:
                both += 1
                same += one.judge == one.rules
        return {"both": both, "same": same, "read_by": read_by} if both else None


class ImportedPlans(Plans):
    """The plans of an imported model.

    Parameters
    ----------
    conditions
        Of the study.
    data
        What was imported.
    """

    def __init__(self, conditions: Conditions, data: Imported) -> None:
        super().__init__(conditions, self._not_measured)
        self._data, self._conditions = data, conditions
        self._trials: dict[str, ImportedTrials] = {}

    def __getitem__(self, measure: str) -> Plan[Any]:
        """Return what others asked."""
        return self.trials(measure).plan

    def conditions(self, measure: str) -> Conditions:  # noqa: ARG002 - the same for all
        """Return the conditions of the study."""
        return self._conditions

    def trials(self, measure: str) -> ImportedTrials:
        """Return what others asked, and what they got.

        Raises
        ------
        NotRecordedError
            If the data have no replies for the measure.
        """
        if why := self.why_absent([measure]):
            raise NotRecordedError(why)
        if measure not in self._trials:
            experiment = self.experiment(measure)
            assert isinstance(experiment, ImportableExperiment)  # noqa: S101 - as `why_absent` says
            header = self._data.header
            rows = ImportedRows(self._data.rows[measure], header.wordings.get(measure, ()), header.record.read_by)
            self._trials[measure] = experiment.imported(self._conditions, rows)
        return self._trials[measure]

    def why_absent(self, measures: Iterable[str]) -> str:
        """Say which of some measures the data cannot give; empty if they give all."""
        for name in measures:
            if not isinstance(self.experiment(name), ImportableExperiment):
                return f"{self._conditions.model}: {name} is {NOT_TESTABLE} from imported data"
            if name not in self._data.rows:
                has = ", ".join(self._data.rows)
                return f"{self._conditions.model}: {name} is {NOT_TESTABLE}: the imported data are of {has} alone"
        return ""

    def _not_measured(self, name: str) -> Measure:
        raise NotRecordedError(f"{self._conditions.model}: no measure of imported data depends on {name}")


class ImportedReplies(Recorded):
    """The replies of an imported model: all are there, and none is ever asked for.

    Parameters
    ----------
    plans
        What others asked.
    """

    def __init__(self, plans: ImportedPlans) -> None:
        self._plans = plans

    def complete(self, name: str, plan: Plan[Any]) -> list[Replies]:  # noqa: ARG002 - that of the measure
        """Return the replies to each trial."""
        return list(self._plans.trials(name).replies)

    def gap(self, name: str, plan: Plan[Any]) -> Gap | None:  # noqa: ARG002 - as above
        """Return nothing: what the data lack cannot be asked."""
        return None

    def missing(
        self,
        plan: Plan[Any],  # noqa: ARG002 - as above
        numbers: Iterable[int],  # noqa: ARG002
        replies: list[Replies] | None = None,  # noqa: ARG002
    ) -> dict[int, Request]:
        """Return nothing, as `gap` does."""
        return {}
