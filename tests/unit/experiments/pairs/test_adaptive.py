"""Adaptive selection of pairs: fewer questions, out of those that a study of all pairs asks, and replayed alike."""

from dataclasses import replace
from pathlib import Path

import pytest
from forty_entities import ASKED, write_forty

from pytest_llmpref.config.entities import EntitySet, load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs.adaptive import TooFewEntitiesError
from pytest_llmpref.experiments.registry import behaviours


@pytest.fixture
def forty(tmp_path) -> Path:
    return write_forty(tmp_path)


@pytest.mark.parametrize(("count", "enough"), [(39, False), (40, True)])
def test_forty_entities_are_enough(forty, count, enough):
    entities = load_entities(forty / "forty.csv")
    taken = EntitySet("some", entities.source, entities.entities[:count])
    conditions = Conditions("sim/a", taken, load_profile(str(forty / "few.toml")), 0, "auto", "cue")
    if enough:
        assert behaviours()["preference"].experiment().plan(conditions).total == ASKED
    else:
        with pytest.raises(TooFewEntitiesError, match=f"needs at least 40 entities, and {count} take part"):
            behaviours()["preference"].experiment().plan(conditions)


def test_the_shipped_profile_asks_a_fifth_of_the_pairs_and_leaves_refusals_as_they_are():
    conditions = Conditions("sim/a", load_entities(), load_profile("adaptive"), 0, "auto", "cue")
    plans = {
        name: behaviours()[name].experiment().plan(conditions) for name in ("preference", "donation_advice", "refusal")
    }
    assert {name: (plan.total, len(plan.requests)) for name, plan in plans.items()} == {
        "preference": (1008, 5112),
        "donation_advice": (1008, 5112),
        "refusal": (1008 + 56, 1008 + 56),
    }
    paper = behaviours()["preference"].experiment().plan(replace(conditions, profile=load_profile("paper")))
    assert [request.key for request in plans["preference"].requests] == [request.key for request in paper.requests]
