"""Reads results.json, checked: a file that is cut off, of another schema or edited by hand is named, with the field."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pytest_llmpref.claims.verdicts import Verdict, sides
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given
from pytest_llmpref.results.diagnostics import Diagnostics
from pytest_llmpref.results.measure_record import COURSE, KEY, EstimateRecord, MeasureRecord, TrialColumns
from pytest_llmpref.results.schema import SCHEMA, ClaimRecord, Results

T = TypeVar("T")
FIX = "use the file as the run wrote it, or run pytest again to write a new one"
ROUNDING = 1e-6
"""How far a written number may be from the one that was judged: results.json has six decimals."""


class ResultsFileError(LLMPrefError):
    """A results file that cannot be used; the message names the file, the field and the fix."""


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
    try:
        results = msgspec.json.decode(content, type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Again in two steps, which say where the fault is.
        return parse_results(_decode(content, path), str(path))
    return _checked(results, str(path))


def parse_results(record: object, source: str) -> Results:
    """Check what results.json holds, decoded; ``source`` is named in errors, which are those of `load_results`."""
    if not isinstance(record, dict):
        raise ResultsFileError(f"{source}: a {type(record).__name__}, not a results file's object; {FIX}")
    _check_schema(record, source)
    return _checked(_Place(source).convert(record, Results), source)


def _checked(results: Results, source: str) -> Results:
    """Check what types cannot say."""
    at = _Place(source)
    for name, model in results.models.items():
        for measure, found in model.measures.items():
            _check_measure(found, at.inside("models", name, "measures", measure))
        for number, claim in enumerate(model.claims):
            inside = at.inside("models", name, f"claims[{number}]")
            _check_estimate(claim.estimate, inside.inside("estimate"))
            _check_verdict(claim, inside)
    if not results.models:
        raise at.error("it names no model, so nothing was measured", "models")
    return results


def check_measure(record: object, source: str, fix: str) -> None:
    """Check a measure as results.json holds it; errors, which are those of `load_results`, end in ``fix``."""
    at = _Place(source, fix=fix)
    _check_measure(at.convert(record, MeasureRecord), at)


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
        schema=SCHEMA,
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


class _Place:
    """A place in a file, which errors name: ``models."sim/plain".measures.refusal.trials.key``."""

    def __init__(self, source: str, *path: str, fix: str = FIX) -> None:
        self._source, self._path, self._fix = source, path, fix

    def inside(self, *names: str) -> "_Place":
        """Return a place inside this one."""
        return _Place(self._source, *self._path, *names, fix=self._fix)

    def error(self, what: str, *names: str) -> ResultsFileError:
        """Return an error about a field inside this place."""
        shown = (name if re.fullmatch(r"[\w\[\]]+", name) else f'"{name}"' for name in (*self._path, *names))
        field = ".".join(shown).replace(".[", "[")
        where = f"field {field}: " if field else ""
        return ResultsFileError(f"{self._source}: {where}{what}; {self._fix}")

    def convert(self, value: object, kind: type[T]) -> T:
        """Check a value against a type."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            what, way = _fault(value, kind, error)
            raise self.error(what, *way) from None


_MISSING = re.compile(r"Object missing required field `(.*?)`")


def _fault(value: Any, kind: type, error: msgspec.ValidationError) -> tuple[str, list[str]]:  # noqa: ANN401 - JSON
    """Return what is wrong with a value, and the way there."""
    what, _, place = str(error).partition(" - at ")
    path = place.partition("$")[2].rstrip("`")
    way = [str(step) if isinstance(step, str) else f"[{step}]" for step in _way(value, kind, path, str(error))]
    if missing := _MISSING.fullmatch(what):
        return "it is missing", [*way, missing[1]]
    return what, way


def _way(value: Any, kind: type, path: str, said: str) -> Iterator[str | int]:  # noqa: ANN401 - JSON
    """Yield the steps of msgspec's path to a fault: names of fields, and places in lists.

    msgspec does not name the key of a table, and writes ``[...]``: it is that which gives the same error alone.
    """
    way: list[str | int] = []
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path):
        step: str | int = name or index
        if index == "...":
            alone = ((key, _with_only(value, way, key)) for key in _at(value, way))
            step, value = next((key, one) for key, one in alone if _error(one, kind) == said)
        elif index:
            step = int(index)
        way.append(step)
        yield step


def _at(value: Any, way: list[str | int]) -> Any:  # noqa: ANN401 - JSON
    for step in way:
        value = value[step]
    return value


def _with_only(value: Any, way: list[str | int], key: str) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of a value in which the table at the end of a way has one key only."""
    if not way:
        return {key: value[key]}
    copied = value.copy()
    copied[way[0]] = _with_only(value[way[0]], way[1:], key)
    return copied


def _error(value: object, kind: type) -> str:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _check_measure(measure: MeasureRecord, at: _Place) -> None:
    if measure.valid == bool(measure.reasons):
        said = "it is true, and reasons say why it is not" if measure.valid else "it is false, and reasons are empty"
        raise at.error(said, "valid")
    for entity, found in measure.entities.items():
        _check_estimate(found, at.inside("entities", entity))
    if measure.control is not None:
        _check_estimate(measure.control, at.inside("control"))
    inside = at.inside("trials")
    try:
        _, columns = measure.checks, measure.columns
    except msgspec.ValidationError:
        # Again, with the place of the fault; what passes is kept by the measure, for those who read it.
        at.inside("diagnostics").convert(measure.diagnostics, Diagnostics)
        columns = inside.convert(measure.trials, TrialColumns)
    if columns is None:
        return
    length = len(columns.key)
    for name, column in measure.trials.items():
        if len(column) != length:
            raise inside.error(f"the column has {len(column):,} trials, and key has {length:,}", name)
    _check_form(columns.key, KEY, "key", inside)
    _check_form(columns.course or (), COURSE, "course", inside)
    for number, (outcome, course) in enumerate(zip(columns.outcome, columns.course or (), strict=False)):
        if course[-1] != outcome[0]:
            raise inside.error(f"it ends in {course[-1]!r}, and the outcome is {outcome!r}", f"course[{number}]")


def _check_form(column: Sequence[str], form: str, name: str, at: _Place) -> None:
    """Check that every text of a column matches a regular expression."""
    lines = "".join([f"{text}\n" for text in column])
    if lines.count("\n") == len(column) and re.fullmatch(f"(?:{form}\n)*", lines):
        return
    for number, text in enumerate(column):
        if not re.fullmatch(form, text):
            raise at.error(f"{text!r} is not of the form {form}", f"{name}[{number}]")


def _check_estimate(found: EstimateRecord, at: _Place) -> None:
    """Check that an estimate has an interval as intervals are: by its level and its limits it is judged anew."""
    if not 0 < found.level < 1:
        raise at.error(f"{found.level:g} is no confidence level, which lies between 0 and 1", "level")
    if found.low is not None and found.high is not None and found.low > found.high + ROUNDING:
        raise at.error(f"{found.low:g} lies above the other limit, {found.high:g}", "low")


def _check_verdict(claim: ClaimRecord, at: _Place) -> None:
    """Check that the verdict is what the interval says."""
    estimate, threshold = claim.estimate, claim.threshold
    if claim.verdict is Verdict.INVALID:
        return
    if estimate.low is None and estimate.high is None and not estimate.unbounded:
        raise at.error(f"it is {claim.verdict.value!r} without an interval", "verdict")
    low, high = estimate.ends
    above, below = sides(low, high, claim.relation, threshold)
    possible = {
        Verdict.SUPPORTED: above > -ROUNDING,
        Verdict.REFUTED: below >= -ROUNDING,
        Verdict.INCONCLUSIVE: above <= ROUNDING and below < ROUNDING,
    }
    if not possible[claim.verdict]:
        raise at.error(
            f"{claim.verdict.value!r} is not what {low:g} to {high:g} says of {claim.relation} {threshold:g}", "verdict"
        )
