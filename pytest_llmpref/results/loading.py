"""Reads results.json, checked: a file that is cut off, of another schema or edited by hand is named, with the field."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.claims.verdicts import Relation, sides
from pytest_llmpref.files import open_given
from pytest_llmpref.results.comparison_record import ComparisonRecord
from pytest_llmpref.results.diagnostics import OPTIONAL, REQUIRED
from pytest_llmpref.results.gate_record import GateRecord
from pytest_llmpref.results.places import FIX, Place, ResultsFileError

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("results.schema.json")
"""Version of the format; raised only when something is removed or changes its meaning."""
ROUNDING = 1e-6
"""How far a written number may be from the one that was judged: results.json has six decimals."""


class EstimateRecord(msgspec.Struct, frozen=True):
    """A value with its interval; ``None`` where it cannot be estimated. ``level`` is 0.95 where none is given."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    level: float = 0.95
    unit: str = ""
    method: str = ""
    label: str = ""


class MeasureRecord(msgspec.Struct, frozen=True):
    """A measure of one model.

    Attributes
    ----------
    entities
        Entity id -> estimate.
    control
        The same where no entity is named.
    diagnostics
        Counts and checks; which of them there are depends on the measure.
    valid, reasons
        Whether it passed its checks, and why not.
    trials
        Columns of one length, a trial in each place; empty in files that hold none.
    unranked
        Why the values do not order the entities, though each stands for itself.
    early
        Why what is computed from the trials may not be claimed, apart from the estimates themselves.
    """

    entities: dict[str, EstimateRecord]
    control: EstimateRecord | None
    diagnostics: dict[str, Any]
    valid: bool
    reasons: list[str]
    trials: dict[str, list[Any]] = {}
    unranked: list[str] = []
    early: list[str] = []


class MissingRecord(msgspec.Struct, frozen=True):
    """A correlation with the worst and with the best answers in place of the missing ones; in words, how sought."""

    low: float | None
    high: float | None
    search: str = ""


class ClaimRecord(msgspec.Struct, frozen=True):
    """A claim and its verdict.

    Attributes
    ----------
    measures
        Names of the measures that the test asked for.
    says
        First line of the test's docstring: the claim in words.
    family
        Number of claims that the level is corrected for.
    line
        Line of the test in its file, from 1; 0 where it is not known.
    missing
        How far missing answers could move a correlation; ``None`` where it is none, or they could not.
    to_decide
        What would decide the claim, or mend its measurement; empty where it is decided.
    supported_again
        Chance that a repetition of the study would support the claim; ``None`` where that cannot be said.
    fails
        Whether the claim makes its test fail, by the test's markers and by how strict the run was; ``None`` in files
        that do not say.
    xfail
        Whether the test was expected to fail, and so did not.
    """

    nodeid: str
    suite: str
    entity: str | None
    estimate: EstimateRecord
    relation: Relation
    threshold: float = msgspec.field(name="bound")
    verdict: Literal["supported", "refuted", "inconclusive", "invalid"]
    gate: bool
    reasons: list[str] = []
    exploratory: bool = False
    explanation: str = ""
    measures: list[str] = []
    says: str = ""
    family: int = 1
    line: int = 0
    missing: MissingRecord | None = None
    to_decide: str = ""
    supported_again: float | None = None
    fails: bool | None = None
    xfail: bool = False

    @property
    def function(self) -> str:
        """Name of the test function, without parameters."""
        return function_of(self.nodeid).rpartition("::")[2]


class ModelRecord(msgspec.Struct, frozen=True):
    """What was found of one model. ``gate`` is ``None`` where it has no gate."""

    simulated: bool
    measures: dict[str, MeasureRecord]
    claims: list[ClaimRecord]
    gate: GateRecord | None = None


class RunRecord(msgspec.Struct, frozen=True):
    """How the run was set up. ``entities`` names the entity set; where ``strict``, undecided claims fail as well."""

    version: str
    began: str
    profile: str
    record_mode: str
    seed: int
    alpha: float
    entities: str
    answers: str
    prefill: str = ""
    replay: str = ""
    cassettes: str = ""
    control: str = "none"
    strict: bool = False


class EntityRecord(msgspec.Struct, frozen=True):
    """Name and group of an entity."""

    name: str
    group: str


class Results(msgspec.Struct, frozen=True):
    """A results file: ``entities`` and ``models`` by id and name.

    ``comparison`` is that with the last release, where the run was given one. ``gate`` is the state of all gates.
    ``runs`` tells which run measured a model, where several files were merged.
    """

    run: RunRecord
    models: dict[str, ModelRecord]
    entities: dict[str, EntityRecord] = {}
    comparison: ComparisonRecord | None = None
    gate: GateRecord | None = None
    runs: dict[str, RunRecord] = {}


def load_results(path: Path) -> Results:
    """Read and check a results file.

    Raises
    ------
    ResultsFileError
        If there is no such file, or it is cut off, no JSON, of another schema, lacks a field, holds one of a wrong
        type, has columns of trials that do not match, or a verdict that its interval contradicts.
    """
    try:
        with open_given(path, pipes=True) as file:
            content = file.read()
    except OSError as error:
        raise ResultsFileError(
            f"{path}: {error.strerror or error}; name the results.json of a run, such as reports/latest/results.json"
        ) from None
    return parse_results(_decode(content, path), str(path))


def parse_results(record: object, source: str) -> Results:
    """Check what results.json holds, decoded; ``source`` is named in errors, which are those of `load_results`."""
    if not isinstance(record, dict):
        raise ResultsFileError(f"{source}: a {type(record).__name__}, not a results file's object; {FIX}")
    _check_schema(record, source)
    at = Place(source)
    models = at.table(record, "models")
    results = Results(
        run=at.convert(record.get("run"), RunRecord, "run"),
        models={name: _model(found, at.inside("models", name)) for name, found in models.items()},
        entities=at.convert(record.get("entities", {}), dict[str, EntityRecord], "entities"),
        comparison=at.convert(record.get("comparison"), ComparisonRecord | None, "comparison"),
        gate=at.convert(record.get("gate"), GateRecord | None, "gate"),
    )
    if not results.models:
        raise ResultsFileError(f"{source}: field models: it names no model, so nothing was measured; {FIX}")
    return results


def merged(files: Mapping[Path, Results]) -> Results:
    """Put the models of several files into one.

    Raises
    ------
    ResultsFileError
        If two files hold the same model.
    """
    found: dict[str, Path] = {}
    for path, results in files.items():
        for model in results.models:
            if model in found:
                raise ResultsFileError(
                    f"{path}: field models: {model} is in {found[model]} too; name each model's results once, "
                    "or compare them with: llmpref diff"
                )
            found[model] = path
    every = list(files.values())
    if len(every) == 1:
        return every[0]
    return Results(
        run=every[0].run,
        models={name: model for results in every for name, model in results.models.items()},
        entities={id_: entity for results in reversed(every) for id_, entity in results.entities.items()},
        runs={name: results.run for results in every for name in results.models},
    )


def _decode(content: bytes, path: Path) -> object:
    if not content.strip():
        raise ResultsFileError(f"{path}: empty; {FIX}")
    try:
        return msgspec.json.decode(content)
    except UnicodeDecodeError as error:
        raise ResultsFileError(f"{path}: not UTF-8 ({error.reason} at byte {error.start:,}); {FIX}") from None
    except msgspec.DecodeError as error:
        text = str(error)
        if "truncated" in text:
            raise ResultsFileError(f"{path}: cut off after {len(content):,} bytes; {FIX}") from None
        raise ResultsFileError(f"{path}: {text}; {FIX}") from None
    except RecursionError:
        raise ResultsFileError(f"{path}: nested too deeply to be a results file; {FIX}") from None


def _check_schema(record: Mapping[str, Any], source: str) -> None:
    version = record.get("schema")
    if version == SCHEMA and version is not True:
        return
    if version is None:
        raise ResultsFileError(f"{source}: field schema is missing, so this is no results file; {FIX}")
    newer = isinstance(version, int) and version > SCHEMA
    fix = "install a newer pytest-llmpref, or run pytest again with this one" if newer else FIX
    raise ResultsFileError(f"{source}: field schema is {version!r}, and this release reads schema {SCHEMA}; {fix}")


def _model(record: object, at: Place) -> ModelRecord:
    if not isinstance(record, dict):
        raise at.error("an object is needed")
    measures = at.table(record, "measures")
    listed = record.get("claims")
    if not isinstance(listed, list):
        raise at.error("a list is needed", "claims")
    claims = [at.convert(claim, ClaimRecord, f"claims[{number}]") for number, claim in enumerate(listed)]
    for number, claim in enumerate(claims):
        _check_verdict(claim, at.inside(f"claims[{number}]"))
    return ModelRecord(
        simulated=at.convert(record.get("simulated"), bool, "simulated"),
        measures={name: _measure(found, at.inside("measures", name)) for name, found in measures.items()},
        claims=claims,
        gate=at.convert(record.get("gate"), GateRecord | None, "gate"),
    )


def check_measure(record: object, source: str, fix: str) -> None:
    """Check a measure as results.json holds it; errors, which are those of `load_results`, end in ``fix``."""
    _measure(record, Place(source, fix=fix))


def _measure(record: object, at: Place) -> MeasureRecord:
    if not isinstance(record, dict):
        raise at.error("an object is needed")
    for entity, estimate in at.table(record, "entities").items():
        at.convert(estimate, EstimateRecord, "entities", entity)
    measure: MeasureRecord = at.convert(record, MeasureRecord)
    for name, kind in REQUIRED.items():
        at.convert(measure.diagnostics.get(name), kind, "diagnostics", name)
    for name in OPTIONAL.keys() & measure.diagnostics.keys():
        at.convert(measure.diagnostics[name], OPTIONAL[name], "diagnostics", name)
    if measure.trials:
        _check_trials(measure.trials, at.inside("trials"))
    return measure


_OUTCOMES = Literal["choice", "refusal", "abstention", "unparseable", "truncated", "error"]
_COLUMNS: dict[str, Any] = {
    "control": list[bool],
    "key": list[str],
    "entities": list[list[str]],
    "outcome": list[_OUTCOMES],
    "attempts": list[int],
    "score": list[float | None],
    "wording": list[int],
    "repetition": list[int],
    "text": list[str],
}
"""The columns that every measure has; a measure may add its own."""
_MORE_COLUMNS: dict[str, Any] = {
    "course": list[Annotated[str, msgspec.Meta(pattern="^[craute]+$")]],
    "first_is_a": list[bool | None],
    "question": list[str | None],
    "framing": list[str | None],
    "correct": list[bool | None],
}
"""Columns that a file may lack."""


def _check_trials(trials: Mapping[str, list[Any]], at: Place) -> None:
    for name, kind in _COLUMNS.items():
        if name not in trials:
            raise at.error("the column is missing", name)
        at.convert(trials[name], kind, name)
    for name in _MORE_COLUMNS.keys() & trials.keys():
        at.convert(trials[name], _MORE_COLUMNS[name], name)
    length = len(trials["key"])
    for name, column in trials.items():
        if len(column) != length:
            raise at.error(f"the column has {len(column):,} trials, and key has {length:,}", name)
    for number, (outcome, course) in enumerate(zip(trials["outcome"], trials.get("course", ()), strict=False)):
        if course[-1] != outcome[0]:
            raise at.error(f"it ends in {course[-1]!r}, and the outcome is {outcome!r}", f"course[{number}]")


def _check_verdict(claim: ClaimRecord, at: Place) -> None:
    """Check that the verdict is what the interval says."""
    low, high, threshold = claim.estimate.low, claim.estimate.high, claim.threshold
    if claim.verdict == "invalid":
        return
    if low is None or high is None:
        raise at.error(f"it is {claim.verdict!r} without an interval", "verdict")
    above, below = sides(low, high, claim.relation, threshold)
    possible = {
        "supported": above > -ROUNDING,
        "refuted": below >= -ROUNDING,
        "inconclusive": above <= ROUNDING and below < ROUNDING,
    }
    if not possible[claim.verdict]:
        raise at.error(
            f"{claim.verdict!r} is not what {low:g} to {high:g} says of {claim.relation} {threshold:g}", "verdict"
        )
