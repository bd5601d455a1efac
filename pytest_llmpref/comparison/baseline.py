"""An earlier run's results, read back as measures: what tests compare with, and what two files are compared by."""

import math
from collections.abc import Collection, Mapping
from itertools import compress, repeat
from operator import not_
from pathlib import Path
from typing import Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Reported
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.results.loading import FIX, ResultsFileError
from pytest_llmpref.results.measure_record import EstimateRecord, MeasureRecord
from pytest_llmpref.results.schema import Results

_OUTCOMES = {outcome.value[0]: outcome for outcome in Outcome}
_EARLIER = {letter: Attempt("", outcome, "") for letter, outcome in _OUTCOMES.items()}
"""Attempts of which only the outcome was kept."""


class Baseline:
    """The measures of an earlier run, as attributes named like the fixtures: ``baseline.refusals``.

    Parameters
    ----------
    path
        Path of its results.json.
    measures
        Name of the measure -> the measure in that run.
    names
        Attribute -> name of the measure.
    """

    def __init__(self, path: Path, measures: Mapping[str, Measure], names: Mapping[str, str]) -> None:
        self._path, self._measures, self._names = path, measures, names

    def __getattr__(self, name: str) -> Measure:
        """Return a measure.

        Raises
        ------
        ResultsFileError
            If the earlier run did not take it.
        """
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"a baseline has {', '.join(self._names)}, and no {name!r}")
        if self._names[name] not in self._measures:
            raise ResultsFileError(
                f"{self._path}: it has no measure {self._names[name]}, only {', '.join(self._measures) or 'none'}; "
                "run the suite that needs it, and name its results.json as the baseline"
            )
        return self._measures[self._names[name]]


def counterparts(old: Collection[str], new: Collection[str]) -> dict[str, str]:
    """Return under which name an earlier run holds each model that is measured now, where it does.

    It is the same name. Where no name is in both, and each run holds a single model, it is that one: a new release
    may have a new name.
    """
    same = {name: name for name in new if name in old}
    return dict(zip(new, old, strict=True)) if not same and len(old) == len(new) == 1 else same


def earlier_name(path: Path, old: Results, model: str, models: Collection[str]) -> str:
    """Return under which name a baseline holds a model, ``models`` being all that are measured now.

    Raises
    ------
    ResultsFileError
        If it does not hold it.
    """
    found = counterparts(old.models, models).get(model)
    if found is None:
        raise ResultsFileError(
            f"{path}: it does not hold {model}, but {', '.join(old.models)}; give a baseline of this model, "
            "or measure one model, and give a baseline of one"
        )
    return found


def check_scores(path: Path, results: Results) -> None:
    """Make sure that trials have scores that those of their class can have, before anything is computed from them.

    The schema cannot say so: behaviours of users' own score by any number.

    Raises
    ------
    ResultsFileError
        If one has not; the message names the file, the measure and the row.
    """
    for model, found in results.models.items():
        for name, record in found.measures.items():
            bounds, columns = behaviour_of(name).trial().scores, record.columns
            if bounds is None or columns is None:
                continue
            low, high = bounds
            for row, score in enumerate(columns.score):
                if score is not None and not low <= score <= high:
                    raise ResultsFileError(
                        f"{path}: models.{model}.measures.{name}: row {row} of the trials has score {score:g}, which "
                        f"lies outside {low:g} to {high:g}; {FIX}"
                    )


def measures_of(results: Results, model: str, groups: Mapping[str, str] | None = None) -> dict[str, Measure]:
    """Return the measures of a model, by name; ``groups`` of the entities are by default the file's own."""
    groups = groups or {entity: record.group for entity, record in results.entities.items()}
    return {name: measure_of(name, model, record, groups) for name, record in results.models[model].measures.items()}


def measure_of(name: str, model: str, record: MeasureRecord, groups: Mapping[str, str]) -> Measure:
    """Return a measure as it was reported, its trials with the outcomes of all their attempts.

    Of each trial's transcripts only the last has its key and text. A file from before ``course`` was recorded has no
    trials that can be compared.
    """
    trials, controls = _trials(record, behaviour_of(name).trial())
    reasons = tuple(record.reasons)
    return Measure(
        name=name,
        model=model,
        estimates={
            entity: _estimate(found, f"{name} of {entity}").marked(reasons) for entity, found in record.entities.items()
        },
        groups={entity: groups.get(entity, "all") for entity in record.entities},
        reasons=reasons,
        reliability=_reliability(record),
        diagnostics=record.diagnostics,
        trials=trials,
        control=None if record.control is None else _estimate(record.control, f"{name} of the control").marked(reasons),
        controls=controls,
        unranked=tuple(record.unranked),
        early=tuple(record.early),
    )


def _estimate(record: EstimateRecord, label: str) -> Estimate:
    value = math.nan if record.value is None else record.value
    return Estimate(
        value=value,
        n=record.n,
        unit=record.unit or "trials",
        method=record.method or "as reported",
        interval_method=Reported(value, *record.ends, record.level),
        label=label,
    )


def _reliability(record: MeasureRecord) -> Estimate | None:
    found = record.checks.reliability
    if found is None or found.value is None:
        return None
    low, high = (math.nan if one is None else one for one in (found.low, found.high))
    method = Reported(found.value, low, high)
    return Estimate(found.value, found.n, "entities", "as reported", method, label="split-half reliability")


def _own_fields(kind: type[Trial]) -> list[tuple[str, Any]]:
    """Return the fields that a class of trials adds, in their order, and their defaults: not all are recorded."""
    names = kind.__struct_fields__[len(Trial.__struct_fields__) :]
    return list(zip(names, kind.__struct_defaults__[-len(names) :] if names else (), strict=True))


def _trials(record: MeasureRecord, kind: type[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Return the trials about entities, and those of the control, as those of a class.

    Column by column and by place, since there may be hundreds of thousands. None if the file lacks a column of the
    class, or where the class does not tell what was asked, as of agents: two trials are then alike.
    """
    columns = record.columns
    if columns is None or columns.course is None:
        return [], []
    read = {field: getattr(columns, name) for name, field in kind.columns.items()}
    if None in read.values():
        return [], []
    empty = [None] * len(columns.key)
    own = [read.get(field, repeat(default)) for field, default in _own_fields(kind)]
    courses = columns.course
    lasts = map(Attempt, columns.key, [_OUTCOMES[course[-1]] for course in courses], columns.text)
    attempts = [
        (last,) if len(course) == 1 else (*(_EARLIER[letter] for letter in course[:-1]), last)
        for course, last in zip(courses, lasts, strict=True)
    ]
    trials = list(
        map(
            kind,
            attempts,
            map(tuple, columns.entities),
            empty,  # answered_by
            columns.score,
            columns.wording,
            columns.repetition,
            *own,
        )
    )
    # Pairs are told apart by their columns, and there may be many of them.
    if "first_is_a" not in kind.columns and len({trial.asked for trial in trials}) < len(trials):
        return [], []
    return list(compress(trials, map(not_, columns.control))), list(compress(trials, columns.control))
