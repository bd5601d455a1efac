"""What other packages' experiments return, checked before a claim rests on it: reports read it long after the tests."""

from dataclasses import replace

import msgspec

from pytest_llmpref.errors import ExtensionError, LLMPrefError
from pytest_llmpref.experiments.measure import Measure, outcome_diagnostics
from pytest_llmpref.results.loading import check_measure
from pytest_llmpref.study.records import measure_record


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
    for field in ("reasons", "unranked", "early"):
        if isinstance(getattr(found, field), str):
            raise _unusable(name, f"`{field}` is one string", "give a tuple of strings")
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
