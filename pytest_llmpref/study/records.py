"""results.json: every measure, its checks and its estimates, and every claim with its verdict.

What other packages' experiments return, checked before a claim rests on it: reports read it long after the tests.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.claims.claim import Claim
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.errors import ExtensionError, LLMPrefError
from pytest_llmpref.experiments.measure import Measure, outcome_diagnostics
from pytest_llmpref.experiments.registry import in_order
from pytest_llmpref.experiments.trials import Trial, column
from pytest_llmpref.files import NotAFileError, explained, refuse_linked_folder, write_whole
from pytest_llmpref.models.chat import whole_text
from pytest_llmpref.models.opening import is_simulated
from pytest_llmpref.results.loading import SCHEMA, check_measure
from pytest_llmpref.results.places import ResultsFileError
from pytest_llmpref.secrets import Secrets
from pytest_llmpref.stats.closed_form import chance_of_support, on_fisher_scale


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


def measure_record(measure: Measure) -> dict[str, Any]:
    """Return a measure as results.json holds it."""
    return {
        "entities": {entity: _estimate_record(estimate) for entity, estimate in measure.estimates.items()},
        "control": None if measure.control is None else _estimate_record(measure.control),
        "diagnostics": _plain(measure.diagnostics),
        "valid": measure.valid,
        "reasons": list(measure.reasons),
        "unranked": list(measure.unranked),
        "early": list(measure.early),
        "trials": trials_record(measure.trials, measure.controls),
    }


def trials_record(trials: Sequence[Trial], controls: Sequence[Trial]) -> dict[str, list[Any]]:
    """Return trials as columns, in the order of the plan, those of the control last.

    ``key`` is that of the last attempt, whose outcome and text stand beside it; ``course`` holds the first letter of
    each attempt's outcome, and no two outcomes have the same.
    """
    listed = [*trials, *controls]
    return {
        "control": [False] * len(trials) + [True] * len(controls),
        "key": [trial.key for trial in listed],
        "entities": [list(trial.entities) for trial in listed],
        "outcome": [trial.outcome.value for trial in listed],
        "attempts": [len(trial.attempts) for trial in listed],
        "course": ["".join(attempt.outcome.value[0] for attempt in trial.attempts) for trial in listed],
        "score": [None if trial.score is None else _number(trial.score) for trial in listed],
        "first_is_a": column(listed, "first_is_a"),
        "wording": [trial.wording for trial in listed],
        "repetition": [trial.repetition for trial in listed],
        "question": column(listed, "question"),
        "framing": column(listed, "framing"),
        "correct": column(listed, "correct"),
        "text": [_clipped(trial.text) for trial in listed],
    }


def claim_record(claim: Claim, test: Mapping[str, Any], *, fails: bool) -> dict[str, Any]:
    """Return a claim as results.json holds it.

    Parameters
    ----------
    claim
        The claim.
    test
        What is said of the test that made it: ``model``, under which the claim goes, ``nodeid``, ``line``, ``says``,
        ``entity``, ``measures``, ``gate``, ``exploratory`` and ``xfail``.
    fails
        Whether the claim makes the test fail.
    """
    from pytest_llmpref.experiments.worst_case import missing_in  # noqa: PLC0415 - a plan needs no numpy

    missing = missing_in(claim.estimate)
    return {
        **test,
        "suite": test["nodeid"].split("::", maxsplit=1)[0],
        "estimate": {
            "value": _number(claim.estimate.value),
            "low": _number(claim.interval.low),
            "high": _number(claim.interval.high),
            "level": claim.level,
            "n": int(claim.estimate.n),
            "unit": claim.estimate.unit,
            "method": claim.estimate.method,
            "label": claim.estimate.label,
        },
        "relation": claim.relation,
        "bound": claim.threshold,
        "verdict": claim.verdict.value,
        "fails": fails,
        "reasons": list(claim.reasons),
        "family": claim.family_size,
        "to_decide": claim.to_decide,
        "supported_again": _supported_again(claim),
        "missing": missing
        and {"low": _number(missing.low.value), "high": _number(missing.high.value), "search": missing.search},
        "explanation": claim.explain(),
    }


def _supported_again(claim: Claim) -> float | None:
    """Return the chance that a repetition of the study would support the claim; ``None`` where it cannot be said."""
    value, interval, threshold = claim.estimate.value, claim.interval, claim.threshold
    if claim.verdict == "invalid" or not math.isfinite(value):
        return None
    low, high = interval.low, interval.high
    if on_fisher_scale(claim.estimate.method, value, low, high, threshold):
        value, low, high, threshold = map(math.atanh, (value, low, high, threshold))
    found = chance_of_support(value, low, high, level=claim.level, relation=claim.relation, threshold=threshold)
    return _number(found)


def results_record(
    run: Mapping[str, Any],
    entities: Mapping[str, Mapping[str, str]],
    measures: Mapping[str, Mapping[str, Any]],
    claims: Mapping[str, Sequence[Mapping[str, Any]]],
    gates: Mapping[str | None, Mapping[str, Any]],
    secrets: Secrets,
) -> dict[str, Any]:
    """Put results.json together from the entities, and each model's measures, claims and gates, without any secrets.

    ``gates`` holds the state of each model's gates, and under ``None`` that of the run's.
    """
    models = sorted({*measures, *claims, *filter(None, gates)})
    record = {
        "schema": SCHEMA,
        "run": dict(run),
        "gate": gates.get(None),
        "entities": dict(entities),
        "models": {
            model: {
                "simulated": is_simulated(model),
                "gate": gates.get(model),
                "measures": _in_order(measures.get(model, {})),
                "claims": sorted(claims.get(model, []), key=_place),
            }
            for model in models
        },
    }
    if not secrets.suspected(msgspec.json.encode(record)):
        return record
    scrubbed: dict[str, Any] = secrets.scrub_values(record)
    return scrubbed


def _place(claim: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return where a claim stands in the files, whichever worker made it first."""
    return str(claim["suite"]), int(claim["line"]), str(claim["nodeid"])


def _in_order(measures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: measures[name] for name in in_order(measures)}


def write_results(record: Mapping[str, Any], report_dir: Path) -> Path:
    """Write ``REPORT_DIR/latest/results.json``, in one step, and return its path.

    Raises
    ------
    ResultsFileError
        If it cannot be written.
    """
    path = report_dir / "latest" / "results.json"
    try:
        refuse_linked_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(record) + b"\n", f"{path.name}.part")
    except NotAFileError as error:
        raise ResultsFileError(explained(error, "write", "")) from error
    except OSError as error:
        raise ResultsFileError(
            f"{path}: cannot write ({error.strerror}); make the folder writable or free disk space, and run again: "
            "what was recorded is not asked again"
        ) from error
    return path


def _estimate_record(estimate: Estimate) -> dict[str, float | int | None]:
    interval = estimate.interval()
    return {
        "value": _number(estimate.value),
        "low": _number(interval.low),
        "high": _number(interval.high),
        "n": int(estimate.n),
    }


def _number(value: float) -> float | None:
    # A number of numpy's would stay one, and JSON has none of these.
    return round(float(value), 6) if math.isfinite(value) else None


def _clipped(text: str) -> str:
    clipped = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}\u2026"
    # Names and replies of other packages' models may hold half a character.
    return whole_text(clipped)


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # numbers and arrays of numpy's, and columns of pandas'
        return _plain(value.tolist())
    if isinstance(value, float):
        return _number(value)
    return value
