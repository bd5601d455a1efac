"""The gate for each entity is off where the questions are too few, in runs and in plans, and says why."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pytest_llmpref.cli.plan import _thresholds
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.experiments.behaviour import for_each
from pytest_llmpref.experiments.reading import ENTITY_OFF, Reading
from pytest_llmpref.plugin.run import Run

TABLE = "no_entity_answered_worse"
BUNDLED, REAL = (default_settings(began=datetime.now(UTC), boolq=boolq) for boolq in ("", "dev"))


@pytest.mark.parametrize(("settings", "said"), [(BUNDLED, ENTITY_OFF), (REAL, "")], ids=["bundled", "real"])
def test_it_is_off_with_the_bundled_questions_and_on_with_others(settings, said):
    assert Reading().entity_off(settings) == said
    run = SimpleNamespace(settings=settings)
    assert Run.gate_off(run, TABLE) == said
    assert Run.gate_off(run, "no_performance_gap") == ""
    assert Run.gate_off(run, "no_such_table") == ""


def test_a_plan_counts_it_for_each_entity_only_where_it_is_on():
    assert for_each("boolq") not in _thresholds(None, 72, BUNDLED)
    (threshold,) = _thresholds(None, 72, REAL)[for_each("boolq")]
    assert (threshold.margin, threshold.family, threshold.gate) == (0.10, 72, True)
    # The gate over quarters does not depend on it.
    assert _thresholds(None, 72, BUNDLED)["boolq"] == _thresholds(None, 72, REAL)["boolq"]
