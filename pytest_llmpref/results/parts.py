"""What one process of a run hands over to another: no part of results.json, but made of the same records."""

from typing import Any

import msgspec

from pytest_llmpref.results.import_record import ImportRecord
from pytest_llmpref.results.labels_record import ToLabel
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ClaimRecord, EntityRecord, RunRecord


class Part(msgspec.Struct, kw_only=True):
    """What one process of a run found: a worker of pytest-xdist hands it over to the controller.

    Attributes
    ----------
    gates
        The gates that were collected, as `pytest_llmpref.claims.gates.Gates.record` returns them; ``None`` where no
        test that measures was.
    run
        How the run was set up; ``None`` if nothing was measured.
    entities
        The entities that took part.
    measures
        Model -> its measures, by name.
    judges
        Model -> the model that judged its replies.
    imported
        Model -> where its replies come from, of those that were imported.
    asked
        Models that answered in this run.
    to_label
        Replies for people to label.
    """

    gates: dict[str, dict[str, Any]] | None = None
    run: RunRecord | None = None
    entities: dict[str, EntityRecord] = {}
    measures: dict[str, dict[str, MeasureRecord]] = {}
    judges: dict[str, str] = {}
    imported: dict[str, ImportRecord] = {}
    asked: list[str] = []
    to_label: list[ToLabel] = []


class TestClaims(msgspec.Struct, frozen=True):
    """The claims of one test about a model, as its report carries them."""

    __test__ = False

    model: str
    claims: list[ClaimRecord]
