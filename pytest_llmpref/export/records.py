"""Results as rows: trials, measures and claims, one table each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cassettes.interaction import Interaction
from pytest_llmpref.models.opening import is_imported
from pytest_llmpref.results.measure_record import MeasureRecord, TrialColumns
from pytest_llmpref.results.schema import ModelRecord, Results

TABLES: Mapping[str, Mapping[str, type]] = {
    "trials": {
        "model": str,
        "measure": str,
        "key": str,
        "control": bool,
        "entity_1": str,
        "entity_2": str,
        "outcome": str,
        "attempts": int,
        "course": str,
        "score": float,
        "first_is_a": bool,
        "wording": int,
        "repetition": int,
        "question": str,
        "framing": str,
        "correct": bool,
        "text": str,
        "context": str,
        "drawing": int,
        "arm_1": str,
        "arm_2": str,
        "entities": str,
        "arms": str,
        "task": str,
    },
    "measures": {
        "model": str,
        "measure": str,
        "entity": str,
        "name": str,
        "group": str,
        "value": float,
        "low": float,
        "high": float,
        "n": int,
        "valid": bool,
        "reasons": str,
    },
    "claims": {
        "model": str,
        "nodeid": str,
        "entity": str,
        "measures": str,
        "label": str,
        "value": float,
        "low": float,
        "high": float,
        "level": float,
        "n": int,
        "unit": str,
        "method": str,
        "relation": str,
        "threshold": float,
        "verdict": str,
        "gate": bool,
        "exploratory": bool,
        "fails": bool,
        "reasons": str,
    },
}
"""Table -> its columns, and the type of each. A value may be missing everywhere."""
_LISTS: Mapping[str, tuple[str, str]] = {"entities": ("entity_1", "entity_2"), "arms": ("arm_1", "arm_2")}
"""Column of lists -> the columns of the first and the second in each."""
_JOINED = "; "
Record = dict[str, Any]


def rows_of(results: Results, table: str) -> Iterator[Record]:
    """Yield the rows of a table.

    Parameters
    ----------
    results
        Of a run.
    table
        One of `TABLES`.
    """
    for name, model in results.models.items():
        if table == "claims":
            yield from _claims(name, model)
            continue
        for measure, record in model.measures.items():
            rows = trials_of(record) if table == "trials" else _estimates(results, record)
            yield from ({"model": name, "measure": measure, **row} for row in rows)


def trials_of(record: MeasureRecord) -> Iterator[Record]:
    """Yield the trials of a measure; none in files that hold none.

    Parameters
    ----------
    record
        The measure.
    """
    columns = record.columns
    if columns is None:
        return
    held = {name: getattr(columns, name) for name in TrialColumns.__struct_fields__}
    for number in range(len(columns.key)):
        row = {name: None if column is None else column[number] for name, column in held.items()}
        for name, pair in _LISTS.items():
            listed = row[name] or ()
            row |= {name: _JOINED.join(listed) or None, **dict(zip(pair, (*listed, None, None), strict=False))}
        yield row


def _estimates(results: Results, record: MeasureRecord) -> Iterator[Record]:
    for entity, found in (*record.entities.items(), (None, record.control)):
        if found is None:
            continue
        known = results.entities.get(entity or "")
        yield {
            "entity": entity or "control",
            "name": known.name if known else None,
            "group": known.group if known else None,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "valid": record.valid,
            "reasons": _JOINED.join(record.reasons),
        }


def _claims(name: str, model: ModelRecord) -> Iterator[Record]:
    for claim in model.claims:
        estimate = claim.estimate
        yield {
            "model": name,
            "nodeid": claim.nodeid,
            "entity": claim.entity,
            "measures": _JOINED.join(claim.measures),
            "label": estimate.label,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "level": estimate.level,
            "n": estimate.n,
            "unit": estimate.unit,
            "method": estimate.method,
            "relation": claim.relation,
            "threshold": claim.threshold,
            "verdict": claim.verdict.value,
            "gate": claim.gate,
            "exploratory": claim.exploratory,
            "fails": claim.fails,
            "reasons": _JOINED.join(claim.reasons),
        }


def transcripts(folder: Path, model: str) -> Mapping[str, Interaction]:
    """Return what is recorded of a model, by key: the whole question, and the whole reply; nothing of imported data.

    Parameters
    ----------
    folder
        Of the cassettes.
    model
        Its name.

    Raises
    ------
    CassetteError
        If the recording cannot be read.
    """
    if is_imported(model):
        return {}
    return {one.key: one for one in Cassette.open(folder, model).interactions()}
