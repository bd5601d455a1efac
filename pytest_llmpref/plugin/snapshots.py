"""Blessed rankings, by syrupy: a measure equals its snapshot if no entity moved by more than sampling noise."""

import json
import math
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.results.measure_record import written

ALPHA = 0.05
"""Error rate of the whole comparison: Bonferroni over the entities, each a two-sided test. Our choice."""
_Z95 = NormalDist().inv_cdf(0.975)


class RankingSnapshot(SingleFileSnapshotExtension):
    """A measure as a JSON file: for each entity its value and standard error, in the order of the ranking.

    A measure equals a snapshot if both hold the same entities, both are valid, and no entity's difference is
    significant at `ALPHA` over all of them, given both standard errors.
    """

    _write_mode = WriteMode.TEXT
    file_extension = "ranking.json"

    def serialize(self, data: Any, **_: Any) -> str:  # noqa: ANN401 - syrupy's signature
        """Return the file's text.

        Raises
        ------
        TypeError
            If the data are no measure.
        """
        if not isinstance(data, Measure):
            raise TypeError(f"ranking_snapshot compares measures, such as preferences, not {type(data).__name__}")
        ranking = sorted(data.values, key=lambda entity: -data.values[entity])
        record = {
            "measure": data.name,
            "reasons": list(data.reasons),
            "ranking": {entity: _pair(data, entity) for entity in ranking},
        }
        return json.dumps(record, indent=1) + "\n"

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:  # noqa: ANN401 - syrupy's signature
        """Whether the new measure equals the approved one within sampling noise."""
        new, old = json.loads(serialized_data), json.loads(snapshot_data)
        same = new["measure"] == old["measure"] and new["ranking"].keys() == old["ranking"].keys()
        known = same and _known(new["ranking"]) == _known(old["ranking"]) != set()
        return known and not new["reasons"] and not old["reasons"] and not list(_moved(new["ranking"], old["ranking"]))

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Iterator[str]:  # noqa: ANN401 - syrupy's signature
        """Yield what differs, in words, largest moves first.

        syrupy gives an empty text for what does not exist, and says so itself: nothing was approved yet.
        """
        if not snapshot_data:
            yield "run with --snapshot-update to approve this ranking"
            return
        new, old = json.loads(serialized_data), json.loads(snapshot_data)
        for side, reasons in (("now", new["reasons"]), ("approved", old["reasons"])):
            for reason in reasons:
                yield f"invalid {side}: {reason}"
        for side, one, other in (("now", new, old), ("approved", old, new)):
            if only := [entity for entity in one["ranking"] if entity not in other["ranking"]]:
                yield f"only {side}: {', '.join(only)}"
            if unknown := sorted((_known(other["ranking"]) - _known(one["ranking"])) & one["ranking"].keys()):
                yield f"no value or no error {side}: {', '.join(unknown)}"
        if not _known(new["ranking"]) | _known(old["ranking"]):
            yield "no entity has a value and an error, so nothing was compared"
        moved = sorted(_moved(new["ranking"], old["ranking"]), key=lambda move: -abs(move[1]))
        for entity, z in moved:
            (now, now_error), (before, before_error) = new["ranking"][entity], old["ranking"][entity]
            yield (
                f"{entity}: {before:.4g} (standard error {before_error:.2g}) -> {now:.4g} ({now_error:.2g}), "
                f"{z:+.1f} standard errors"
            )
        yield f"{len(moved)} of {len(new['ranking'])} entities moved; --snapshot-update approves the new ranking"


def _pair(measure: Measure, entity: str) -> tuple[float | None, float | None]:
    value, interval = measure[entity].value, measure[entity].interval()
    # Of an interval with one end, that end tells the error.
    reaches = [reach for reach in (value - interval.low, interval.high - value) if not math.isinf(reach)]
    return written(value), written(sum(reaches) / max(len(reaches), 1) / _Z95)


def _known(ranking: dict[str, Any]) -> set[str]:
    """Return the entities that have a value and an error: of others nobody knows whether they moved."""
    return {entity for entity, pair in ranking.items() if None not in pair}


def _moved(new: dict[str, Any], old: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the entities that moved by more than sampling noise, and by how many standard errors."""
    known = _known(new) & _known(old)
    shared = [entity for entity in new if entity in known]
    limit = NormalDist().inv_cdf(1 - ALPHA / (2 * max(len(shared), 1)))
    for entity in shared:
        (now, now_error), (before, before_error) = new[entity], old[entity]
        error = math.hypot(now_error, before_error)
        z = (now - before) / error if error else 0.0 if now == before else math.copysign(math.inf, now - before)
        if abs(z) > limit:
            yield entity, z
