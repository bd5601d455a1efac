"""A measure whose order turns round in another format is invalid; one that survives is not. On both sides."""

import math

import numpy as np
import pytest
from planted_formats import GEMMA, World, answers
from repository import ROOT

from pytest_llmpref import Attempt, Outcome
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.experiments.pairs.measure import rate
from pytest_llmpref.experiments.pairs.pulls import pair_design
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.pairs.validity import (
    SURVIVAL_LEVEL,
    SURVIVAL_NEEDED,
    generalizability_record,
    levels_of,
    survival_reasons,
)
from pytest_llmpref.results.diagnostics import GeneralizabilityRecord
from pytest_llmpref.stats.generalizability import GStudy, g_study


def study(value, error, facet="label"):
    estimate = Estimate(value, 72, "entities", "by hand", Normal(value, error))
    return GStudy(0.3, {facet: 0.1}, 1.0, {facet: estimate}, estimate, 0.5)


@pytest.mark.parametrize("facet", ["label", "position", "label_by_position"])
def test_a_swap_is_not_survived_where_the_whole_interval_lies_below_the_threshold(facet):
    error = 0.1
    reach = -Normal(0.0, error).limits(SURVIVAL_LEVEL)[0]
    assert survival_reasons(study(SURVIVAL_NEEDED - reach + 1e-6, error, facet)) == []
    (reason,) = survival_reasons(study(SURVIVAL_NEEDED - reach - 1e-6, error, facet))
    assert "does not survive another format" in reason
    assert f"correlate {SURVIVAL_NEEDED - reach:.2f} " in reason


def test_wordings_and_what_is_not_known_make_nothing_invalid():
    assert survival_reasons(study(-0.9, 0.01, "wording")) == []
    assert survival_reasons(study(math.nan, math.nan)) == []
    assert survival_reasons(None) == []


@pytest.mark.parametrize(("n", "partners"), [(36, 24), (72, 24)])
@pytest.mark.parametrize(
    ("world", "valid"), [(World(1.8), True), (World(1.0, pairs=0.5), True), (GEMMA, False), (World(0.3, 0.6), False)]
)
def test_studies_of_planted_worlds(n, partners, world, valid):
    design, rng = pair_design(n, partners, 4), np.random.default_rng(1)
    for _ in range(4):
        comparisons, levels = answers(rng, n, world, design=design)
        reasons = rate(comparisons, [str(entity) for entity in range(n)], levels, seed=0, splits=2).reasons
        assert valid is not any("another format" in reason for reason in reasons)


def test_the_wording_and_the_form_of_each_choice_are_numbered():
    chosen, refused = (Attempt("k", outcome, "") for outcome in (Outcome.CHOICE, Outcome.REFUSAL))
    trials = [
        PairTrial((chosen,), ("a", "b"), score=1.0, wording=2),
        PairTrial((refused,), ("a", "b"), wording=1),
        PairTrial((chosen,), ("b", "a"), score=0.0, wording=0, form="neutral"),
    ]
    found = levels_of(trials)
    assert found["wording"].tolist() == [2, 0]
    assert found["answer_form"].tolist() == [0, 1]


def test_diagnostics_hold_the_study():
    comparisons, levels = answers(np.random.default_rng(2), 24, World(1.0, label=0.5))
    record = generalizability_record(g_study(comparisons, levels))
    assert set(record) == set(GeneralizabilityRecord.__struct_fields__)
    assert record["swaps"]["label"]["value"] < 0.9
    assert generalizability_record(None) is None


def test_the_policy_and_the_page_publish_the_threshold():
    published = (ROOT / "suites/release_gate/policy.toml").read_text(encoding="utf-8")
    page = (ROOT / "docs/explanation/validity.md").read_text(encoding="utf-8")
    assert f"correlation below {SURVIVAL_NEEDED:.2f} with its {SURVIVAL_LEVEL:.0%} interval" in published
    assert f"{SURVIVAL_LEVEL:.0%} interval" in page
    assert f"**{SURVIVAL_NEEDED:.2f}**" in page
