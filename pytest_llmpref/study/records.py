"""results.json: every measure, its checks and its estimates, and every claim with its verdict.

What other packages' experiments return is checked before a claim rests on it: reports read it long after the tests.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from pytest_llmpref.characters import clipped, whole_text
from pytest_llmpref.claims.claim import Claim
from pytest_llmpref.claims.deciding import what_would_decide
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.errors import ExtensionError, LLMPrefError
from pytest_llmpref.experiments.measure import Measure, outcome_diagnostics
from pytest_llmpref.experiments.registry import in_order
from pytest_llmpref.experiments.trials import Trial, column
from pytest_llmpref.files import NotAFileError, explained, refuse_linked_folder, write_whole
from pytest_llmpref.models.opening import is_organism, is_simulated
from pytest_llmpref.results.import_record import ImportRecord
from pytest_llmpref.results.loading import ResultsFileError, check_measure, parse_results
from pytest_llmpref.results.measure_record import EstimateRecord, MeasureRecord, TrialColumns, written
from pytest_llmpref.results.schema import (
    SCHEMA,
    ClaimedEstimate,
    ClaimRecord,
    EntityRecord,
    GateRecord,
    MissingRecord,
    ModelRecord,
    Results,
    RunRecord,
    encoded,
)
from pytest_llmpref.secrets import Secrets
from pytest_llmpref.stats.closed_form import CONFIDENCE_SEQUENCE, REPEATED_INTERVAL, chance_of_support, on_fisher_scale


def checked_measure(name: str, found: object) -> Measure:
    """Return what the experiment of another package found, with the counts of its trials where it left them out.

    Raises
    ------
    ExtensionError
        If it is no measure of that name, or holds what results.json or a report cannot.
    """
    if not isinstance(found, Measure):
        raise _unusable(name, f"it returned {type(found).__name__}", "return a pytest_llmpref.Measure")
    if found.name != name:
        raise _unusable(name, f"its measure is named {found.name!r}", f"name it {name!r}")
    for listed in ("reasons", "unranked", "early"):
        if isinstance(getattr(found, listed), str):
            raise _unusable(name, f"`{listed}` is one string", "give a tuple of strings")
    try:
        measure = replace(found, diagnostics={**outcome_diagnostics(found.trials), **found.diagnostics})
        record = msgspec.json.decode(msgspec.json.encode(measure_record(measure)))
    except Exception as error:
        why = f"results.json cannot hold its measure ({type(error).__name__}: {error})"
        raise _unusable(name, why, "give what the docstring of pytest_llmpref.Measure says") from error
    try:
        check_measure(record, name, "mend the experiment that returns it")
    except LLMPrefError as error:
        raise ExtensionError(f"pytest_llmpref_behaviours: {error}") from None
    return measure


def _unusable(name: str, why: str, fix: str) -> ExtensionError:
    return ExtensionError(f"pytest_llmpref_behaviours: {name}: {why}; {fix}")


LONGEST_TEXT = 300
"""Characters of a reply that results.json holds; the cassette has all of it."""


def measure_record(measure: Measure) -> MeasureRecord:
    """Return a measure as results.json holds it."""
    columns = _columns(measure.trials, measure.controls)
    return MeasureRecord(
        entities={entity: _estimate_record(estimate) for entity, estimate in measure.estimates.items()},
        control=None if measure.control is None else _estimate_record(measure.control),
        diagnostics=_plain(measure.diagnostics),
        valid=measure.valid,
        reasons=list(measure.reasons),
        unranked=list(measure.unranked),
        early=list(measure.early),
        trials={name: values for name, values in msgspec.structs.asdict(columns).items() if values is not None},
    )


def _columns(trials: Sequence[Trial], controls: Sequence[Trial]) -> TrialColumns:
    """Return trials as columns, in the order of the plan, those of the control last.

    No two outcomes begin with the same letter, so that the letters tell the course of a trial.
    """
    listed = [*trials, *controls]
    return TrialColumns(
        control=[False] * len(trials) + [True] * len(controls),
        key=[trial.key for trial in listed],
        entities=[list(trial.entities) for trial in listed],
        outcome=[trial.outcome.value for trial in listed],
        attempts=[len(trial.attempts) for trial in listed],
        course=[trial.course for trial in listed],
        score=[None if trial.score is None else written(trial.score) for trial in listed],
        first_is_a=column(listed, "first_is_a"),
        wording=[trial.wording for trial in listed],
        repetition=[trial.repetition for trial in listed],
        question=column(listed, "question"),
        framing=column(listed, "framing"),
        correct=column(listed, "correct"),
        # Names and replies of other packages' models may hold half a character.
        text=[whole_text(clipped(trial.text, LONGEST_TEXT)) for trial in listed],
        context=_some(listed, "context"),
        drawing=_some(listed, "drawing"),
        task=_some(listed, "task"),
        arms=_some(listed, "arms"),
    )


def _some(trials: Sequence[Trial], name: str) -> list[Any] | None:
    """Return a column that few measures have; ``None`` if no trial has it."""
    return column(trials, name) if any(name in trial.columns for trial in trials) else None


@dataclass(frozen=True, slots=True)
class ClaimingTest:
    """What results.json says of a test that makes claims.

    Attributes
    ----------
    model
        The model that it is about.
    nodeid, line
        Its node id, and its line in its file, from 1.
    says
        First paragraph of its docstring.
    entity
        Id of the entity that it is about; ``None`` if it is about the model as a whole.
    measures
        Names of the measures that it asks for.
    gate, exploratory, xfail
        Its markers, and whether it was expected to fail, and so did not.
    """

    model: str
    nodeid: str
    line: int
    says: str
    entity: str | None
    measures: tuple[str, ...]
    gate: bool
    exploratory: bool
    xfail: bool = False


def claim_record(claim: Claim, test: ClaimingTest, *, fails: bool) -> ClaimRecord:
    """Return a claim as results.json holds it.

    Parameters
    ----------
    claim
        The claim.
    test
        The test that made it.
    fails
        Whether the claim makes the test fail.
    """
    forecast = what_would_decide(claim)
    return ClaimRecord(
        nodeid=test.nodeid,
        line=test.line,
        suite=test.nodeid.split("::", maxsplit=1)[0],
        says=test.says,
        entity=test.entity,
        measures=list(test.measures),
        gate=test.gate,
        exploratory=test.exploratory,
        xfail=test.xfail,
        estimate=ClaimedEstimate(
            value=written(claim.estimate.value),
            low=written(claim.interval.low),
            high=written(claim.interval.high),
            n=int(claim.estimate.n),
            level=claim.level,
            unit=claim.estimate.unit,
            method=claim.estimate.method,
            label=claim.estimate.label,
            unbounded=math.isinf(claim.interval.low) or math.isinf(claim.interval.high),
        ),
        relation=claim.relation,
        threshold=claim.threshold,
        verdict=claim.verdict,
        fails=fails,
        reasons=list(claim.reasons),
        family=claim.family_size,
        p_refuted=claim.p_refuted if claim.all_must_hold and claim.family_size > 1 else None,
        to_decide=forecast.said,
        needed=forecast.needed,
        supported_again=_supported_again(claim),
        missing=_missing_record(claim),
        explanation=claim.explain(),
    )


def _missing_record(claim: Claim) -> MissingRecord | None:
    from pytest_llmpref.experiments.worst_case import missing_in  # noqa: PLC0415 - a plan needs no numpy

    missing = missing_in(claim.estimate)
    if missing is None:
        return None
    return MissingRecord(written(missing.low.value), written(missing.high.value), missing.search)


def _supported_again(claim: Claim) -> float | None:
    """Return the chance that a repetition of the study would support the claim; ``None`` if it cannot be said."""
    value, interval, threshold = claim.estimate.value, claim.interval, claim.threshold
    if claim.verdict is Verdict.INVALID or not all(map(math.isfinite, (value, interval.low, interval.high))):
        return None
    if any(way in claim.estimate.method for way in (CONFIDENCE_SEQUENCE, REPEATED_INTERVAL)):
        # Asked until the interval just cleared the threshold: how far it does so says nothing of a repetition.
        return None
    low, high = interval.low, interval.high
    if on_fisher_scale(claim.estimate.method, value, low, high, threshold):
        value, low, high, threshold = map(math.atanh, (value, low, high, threshold))
    return written(chance_of_support(value, low, high, level=claim.level, relation=claim.relation, threshold=threshold))


def results_record(
    run: RunRecord,
    entities: Mapping[str, EntityRecord],
    measures: Mapping[str, Mapping[str, MeasureRecord]],
    claims: Mapping[str, Sequence[ClaimRecord]],
    gates: Mapping[str | None, GateRecord],
    secrets: Secrets,
    judges: Mapping[str, str] = MappingProxyType({}),
    imported: Mapping[str, ImportRecord] = MappingProxyType({}),
) -> Results:
    """Put the results of a run together, without any secrets, and check them as a reader would.

    Parameters
    ----------
    run
        How the run was set up.
    entities
        Those that took part, by id.
    measures, claims
        Those of each model.
    gates
        The state of each model's gates, and under ``None`` that of the run's.
    secrets
        What the results may not hold.
    judges
        Model -> the model that judged its replies.
    imported
        Model -> where its replies come from, of those that were imported.

    Raises
    ------
    ResultsFileError
        If they are not what results.json may hold.
    """
    models = {
        model: ModelRecord(
            simulated=is_simulated(model),
            organism=is_organism(model),
            gate=gates.get(model),
            judge=judges.get(model),
            imported=imported.get(model),
            measures=_in_order(measures.get(model, {})),
            claims=sorted(claims.get(model, []), key=_place),
        )
        for model in sorted({*measures, *claims, *filter(None, gates)})
    }
    content = encoded(Results(schema=SCHEMA, run=run, gate=gates.get(None), entities=dict(entities), models=models))
    record = msgspec.json.decode(content)
    return parse_results(secrets.scrub_values(record) if secrets.suspected(content) else record, "this run")


def _place(claim: ClaimRecord) -> tuple[str, int, str]:
    """Return where a claim stands in the files, whichever worker made it first."""
    return claim.suite, claim.line, claim.nodeid


def _in_order(measures: Mapping[str, MeasureRecord]) -> dict[str, MeasureRecord]:
    return {name: measures[name] for name in in_order(measures)}


def write_results(results: Results, folder: Path) -> Path:
    """Write ``results.json`` into a folder, in one step, and return its path.

    Raises
    ------
    ResultsFileError
        If it cannot be written.
    """
    path = folder / "results.json"
    try:
        refuse_linked_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encoded(results), f"{path.name}.part")
    except NotAFileError as error:
        raise ResultsFileError(explained(error, "write", "")) from error
    except OSError as error:
        raise ResultsFileError(
            f"{path}: cannot write ({error.strerror}); make the folder writable or free disk space, and run again: "
            "what was recorded is not asked again"
        ) from error
    return path


def _estimate_record(estimate: Estimate) -> EstimateRecord:
    interval = estimate.interval()
    return EstimateRecord(
        value=written(estimate.value),
        low=written(interval.low),
        high=written(interval.high),
        n=int(estimate.n),
        unbounded=math.isinf(interval.low) or math.isinf(interval.high),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # numbers and arrays of numpy's, and columns of pandas'
        return _plain(value.tolist())
    if isinstance(value, float):
        return written(value)
    return value
