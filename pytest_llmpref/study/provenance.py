"""Who answered, and when: the models that the provider named, and the days of the recordings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.config.options import Served
from pytest_llmpref.experiments.measure import Measure


def with_provenance(measure: Measure, others: Iterable[Measure], cassette: Cassette, served: Served) -> Measure:
    """Return a measure that says when its answers were recorded, and is invalid where several models gave them.

    Parameters
    ----------
    measure
        Whose diagnostics say who was ``served``.
    others
        The model's measures of before, which it may be compared with.
    cassette
        The recordings; without one of a trial its day is not known.
    served
        Whether more than one model may have answered, as where a product routes on purpose.
    """
    if days := _days(measure, cassette):
        measure = replace(measure, diagnostics=measure.diagnostics | {"recorded": days})
    reasons = () if served == "any" else served_reasons(measure, others)
    return invalidated(measure, reasons) if reasons else measure


def answered_since(began: datetime, *cassettes: Cassette | None) -> bool:
    """Tell whether one of these cassettes, of a model or its judge, holds an answer from this time on."""
    return any(began <= one.at for cassette in cassettes if cassette for one in cassette.interactions())


def served_reasons(measure: Measure, others: Iterable[Measure] = ()) -> tuple[str, ...]:
    """Say why a measure, or its comparison with others, cannot be one model's; empty if the provider named one.

    Fingerprints do not count. Providers change them from call to call, as with the machine that answers.

    Parameters
    ----------
    measure
        Whose diagnostics hold what `asking_diagnostics` returns.
    others
        Those that it may be compared with.
    """
    served = _served(measure)
    for other in others if served else ():
        if (before := _served(other)) and before.keys() != served.keys():
            return (
                f"the provider says that {_named(served)} answered here, and {_named(before)} in {other.name}; {_FIX}",
            )
    if len(served) < 2:
        return ()
    return (f"the provider says that {len(served)} models answered: {_named(served)}; {_FIX}",)


_FIX = "record again under a name that is one model, or allow several by --llmpref-served any"


def _served(measure: Measure) -> Counter[str]:
    """Return the models that the provider named, with the number of their replies."""
    found = Counter[str]()
    for one in measure.diagnostics.get("served", ()):
        if one["model"]:
            found[one["model"]] += one["replies"]
    return found


def _named(served: Counter[str]) -> str:
    """Say which models answered, and how many of the replies that name one each gave."""
    return ", ".join(f"{name} ({count:,} of {served.total():,} replies)" for name, count in served.items())


def invalidated(measure: Measure, reasons: Sequence[str]) -> Measure:
    """Return a measure that is invalid for these reasons too, and so is each of its estimates.

    Parameters
    ----------
    measure
        As its experiment returned it.
    reasons
        Why it is invalid.
    """
    control, reliability = measure.control, measure.reliability
    return replace(
        measure,
        estimates={entity: estimate.marked(reasons) for entity, estimate in measure.estimates.items()},
        reasons=(*measure.reasons, *reasons),
        control=None if control is None else control.marked(reasons),
        reliability=None if reliability is None else reliability.marked(reasons),
    )


def _days(measure: Measure, cassette: Cassette) -> dict[str, str] | None:
    """Return the first and the last day, UTC, on which an answer was recorded; ``None`` if none was."""
    found = [one.at for key in _keys(measure) if (one := cassette.interaction(key)) is not None]
    return {"first": f"{min(found):%Y-%m-%d}", "last": f"{max(found):%Y-%m-%d}"} if found else None


def _keys(measure: Measure) -> Iterable[str]:
    return (attempt.key for trials in (measure.trials, measure.controls) for one in trials for attempt in one.attempts)
