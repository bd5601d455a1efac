"""Controls for users: over a real recording, permuted entities give nothing; invented names neither."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from repository import ROOT

from pytest_llmpref import spearman, within_groups, worst_case
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs.measure import comparisons_of
from pytest_llmpref.experiments.participants import permuted
from pytest_llmpref.stats.association import spearman_estimate
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.study import Study

SEEDS = 200


@pytest.fixture(scope="module")
def gemma():
    """Preferences and advice of the real recording of Gemma at profile paper."""
    settings = default_settings(cassettes=ROOT / "cassettes", began=datetime.now(UTC))
    conditions = Conditions("local/gemma-3-270m", load_entities(), load_profile("paper"), 0, "auto", "cue")
    study = Study(conditions, settings, lambda *_: None, BackgroundLoop())
    yield study.measure("preference"), study.measure("donation_advice")
    study.close()


def test_permuted_entities_of_a_real_recording_give_nothing(gemma):
    # Values are what correlates; to permute thousands of trials 400 times takes half a minute.
    # The recording is invalid, since its order does not survive another format; here it is only numbers that correlate.
    preferences, advice = (replace(measure, trials=(), diagnostics={}, reasons=()) for measure in gemma)
    assert (spearman(preferences, advice) > 0.5).verdict == "supported"
    found = {"> 0": 0, "< 0": 0, "> 0.5": 0, "within groups > 0": 0}
    for seed in range(SEEDS):
        mixed = permuted(preferences, seed), permuted(advice, seed)
        rho = spearman(*mixed)
        found["> 0"] += bool(rho > 0)
        found["< 0"] += bool(rho < 0)
        found["> 0.5"] += bool(rho > 0.5)
        found["within groups > 0"] += bool(within_groups(*mixed) > 0)
    # Measured: 3, 2, 0 and 3.
    # By chance, each of the one-sided claims at the two-sided level of 95% is supported 2.5% of the time: 5 of 200,
    # and more than 12 with a probability of 0.2%.
    assert found["> 0.5"] == 0
    assert max(found.values()) <= 12, found


def test_a_permuted_measure_says_of_each_entity_what_another_said_of_itself(gemma):
    preferences, _ = gemma
    mixed = permuted(preferences, 3)
    assert list(mixed.estimates) == list(preferences.estimates)
    assert sorted(mixed.values.values()) == sorted(preferences.values.values())
    assert mixed.values != preferences.values
    old = {value: entity for entity, value in preferences.values.items()}
    to = {old[value]: entity for entity, value in mixed.values.items()}
    assert [tuple(map(to.get, trial.entities)) for trial in preferences.trials] == [t.entities for t in mixed.trials]
    assert mixed.diagnostics["win_rate"] == {to[e]: rate for e, rate in preferences.diagnostics["win_rate"].items()}
    assert mixed.diagnostics["coverage"] == preferences.diagnostics["coverage"]
    assert mixed["unicef"].label == "Elo of unicef"
    # Nothing is missing from these preferences, so their bounds are the value itself.
    bounds = worst_case(mixed, permuted(preferences, 4))
    assert bounds.low.value == bounds.high.value == spearman(mixed, permuted(preferences, 4)).value


def with_each(measure, scores):
    """Yield a measure's strengths with each score in place of its missing answers."""
    ids = list(measure.estimates)
    for score in scores:
        filled = [msgspec.structs.replace(t, score=score) if t.score is None else t for t in measure.trials]
        yield bradley_terry(comparisons_of(filled, ids)).elo


def test_a_permuted_measure_has_its_missing_answers_under_the_names_of_now(gemma):
    preferences, advice = gemma
    mixed = permuted(advice, 3)
    firmest = max(filter(None, (trial.score for trial in advice.trials)))
    levels = (0.5 + step * (firmest - 0.5) for step in (-1, -0.5, 0, 0.5, 1))
    likings = list(preferences.values.values())
    found = [spearman_estimate(likings, elo).value for elo in with_each(mixed, levels)]
    bounds = worst_case(preferences, mixed)
    assert (bounds.low.value, bounds.high.value) == pytest.approx((min(found), max(found)))
    assert bounds.low.value < bounds.high.value


def test_the_missing_answer_of_a_real_recording_moves_rho_as_far_as_the_firmest_of_the_others_could(gemma):
    preferences, advice = (replace(measure, halves=None) for measure in gemma)
    value, bounds = spearman(preferences, advice).value, worst_case(preferences, advice)
    # One of 5,112 answers is missing. The others are probabilities from 0.171 to 0.896 of the entity shown first.
    scores = [trial.score for trial in advice.trials]
    assert scores.count(None) == 1
    assert bounds.search == "all 5 assignments of 1 missing answer"
    assert bounds.low.method.endswith(
        f"(Manski 1990): {bounds.search}, each one of 5 probabilities from 0.104 to 0.896"
    )
    found = tuple(round(each, 4) for each in (bounds.low.value, value, bounds.high.value))
    assert found == (0.7451, 0.7489, 0.7539)

    def rho(score):
        (elo,) = with_each(advice, [score])
        return spearman_estimate(list(preferences.values.values()), elo).value

    assert rho(1 - max(filter(None, scores))) == pytest.approx(bounds.low.value)
    # Had the model been certain, as it never was: rho is 0.739 to 0.754. When the recording lacked one answer more,
    # the same reading of the two gave 0.7145 to 0.7507, about a value of 0.7470.

    crossed, moved = spearman(*gemma).value, worst_case(*gemma)
    shift = crossed - value
    assert shift == pytest.approx(-0.0225, abs=1e-4)
    assert moved.low.value == pytest.approx(bounds.low.value + shift)
    assert moved.high.value == pytest.approx(bounds.high.value + shift)
    assert [round(rho(score), 4) for score in (0.0, 1.0)] == [0.7391, 0.7537]
