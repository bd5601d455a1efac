"""Comparison with the last release: planted changes, what has no counterpart, the command, and claims in a suite."""

import asyncio
import json
import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from planted import PlantedModel
from scipy import stats

from pytest_llmpref import change, change_in_rho, propensity, spearman
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.cli import main
from pytest_llmpref.comparison.baseline import measures_of
from pytest_llmpref.comparison.comparing import _family, compare_results
from pytest_llmpref.config.entities import EntitySet, load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Advice, Preference
from pytest_llmpref.experiments.ranking.experiment import direct_ranking
from pytest_llmpref.experiments.reading.experiment import boolq
from pytest_llmpref.experiments.refusal.experiment import refusals
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.report.comparison import _form, _table, comparison_lines
from pytest_llmpref.report.summary import summary
from pytest_llmpref.results.comparison_record import ChangeRecord, QuestionsRecord
from pytest_llmpref.results.loading import parse_results
from pytest_llmpref.results.schema import ClaimRecord, RunRecord, encoded
from pytest_llmpref.secrets import Secrets
from pytest_llmpref.study.records import measure_record, results_record

SET = load_entities()
ENTITIES = EntitySet("twenty", SET.source, SET.entities[:20])
CONDITIONS = Conditions("sim/it", ENTITIES, load_profile("standard"), seed=0, answers="auto", prefill="cue")
NAMES = [entity.name for entity in ENTITIES]
IDS = list(ENTITIES.ids)
UTILITIES = dict(zip(NAMES, np.random.default_rng(1).permutation(np.linspace(-1.5, 1.5, 20)), strict=True))
BEST, SECOND = sorted(range(20), key=lambda number: -UTILITIES[NAMES[number]])[:2]
FALL = 2.5
RUN_OF_AGENT = Trial((Attempt("0" * 32, Outcome.CHOICE, "done"),), (IDS[0],), score=1.0)
RUN = {
    "version": "0", "began": "2026-01-01T00:00:00+00:00", "profile": "standard", "record_mode": "none",
    "seed": 0, "alpha": 0.05, "entities": "twenty", "answers": "auto",
}  # fmt: skip


class Release(PlantedModel):
    """Chooses by utility, drawn anew for each release; refuses some entities at a rate."""

    def __init__(self, draw, utilities=UTILITIES, refused=()):
        super().__init__(utilities)
        self.draw, self.refused = draw, refused

    async def ask(self, request):
        drawn = replace_key(request, self.draw)
        text = request.messages[-1].content
        if "Answer:" not in text and "Option" in text and any(name in text for name in self.refused):
            return Reply("I'm sorry, but I can't help with that.", "stop")
        return await super().ask(drawn)


def replace_key(request, draw):
    return msgspec.structs.replace(request, repetition=request.repetition + 1000 * draw)


EXPERIMENTS = (Preference().experiment, direct_ranking, Advice().experiment, refusals)


def measured(model, conditions=CONDITIONS, experiments=EXPERIMENTS):
    found = {}
    for experiment in (make() for make in experiments):
        plan = experiment.plan(conditions)
        replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
        measure = experiment.analyse(conditions, plan, replies)
        found[measure.name] = measure
    return found


def results(measures, name="sim/it", claims=()):
    found = {key: measure_record(one) for key, one in measures.items()}
    typed = msgspec.convert(claims, list[ClaimRecord])
    return json.loads(encoded(results_record(RunRecord(**RUN), {}, {name: found}, {name: typed}, {}, Secrets([]))))


@pytest.fixture(scope="module")
def old():
    return measured(Release(0))


@pytest.fixture(scope="module")
def same():
    return measured(Release(1))


@pytest.fixture(scope="module")
def other():
    """A release that likes the best entity far less, and turns away who names the second best."""
    return measured(Release(2, {**UTILITIES, NAMES[BEST]: UTILITIES[NAMES[BEST]] - FALL}, refused=[NAMES[SECOND]]))


def is_exactly_reported(estimate):
    """Whether a file's interval at one level tells those at all others: of normal errors, and not of skewed ones."""
    return isinstance(estimate.interval_method, Normal) and estimate.interval_method.df == math.inf


def test_a_measure_comes_back_from_results_json_as_it_was(old):
    back = measures_of(parse_results(results(old), "it"), "sim/it", CONDITIONS.groups)
    for name, measure in old.items():
        assert back[name].values == pytest.approx(measure.values, abs=1e-5)
        for entity in IDS:
            for level in (0.95, 0.999) if is_exactly_reported(measure[entity]) else (0.95,):
                now, before = back[name][entity].interval(level), measure[entity].interval(level)
                assert (now.low, now.high) == pytest.approx((before.low, before.high), abs=1e-4)
        assert [one.outcome for trial in back[name].trials for one in trial.attempts] == [
            one.outcome for trial in measure.trials for one in trial.attempts
        ]
        assert back[name].reasons == measure.reasons
        assert back[name].unranked == measure.unranked
        assert len(back[name].controls) == len(measure.controls)
    # Halves of the pairs are not in a file, so what is read back is correlated over whole measures.
    whole = replace(old["preference"], halves=None)
    assert spearman(back["preference"], old["donation_advice"]).value == pytest.approx(
        spearman(whole, old["donation_advice"]).value
    )
    assert propensity(back["refusal"]).values == pytest.approx(propensity(old["refusal"]).values)


def test_the_same_model_asked_again_has_not_changed(old, same):
    found = compare_results(parse_results(results(old), "old"), parse_results(results(same), "new"))
    preference = found.models["sim/it"].measures["preference"]
    assert preference.questions == QuestionsRecord(both=380, old_only=0, new_only=0)
    assert not found.changed
    assert preference.agreement.value > 0.8


def test_questions_about_whom_a_file_tells_nothing_are_compared_with_none(old, same):
    """As a file that was edited by hand; each entity was in 38 of 380 questions."""
    for name in old:
        lacking = replace(
            same[name], estimates={id_: one for id_, one in same[name].estimates.items() if id_ != IDS[0]}
        )
        for found in (change(lacking, old[name]), change(old[name], lacking)):
            assert sorted(found.estimates) == sorted(IDS[1:])
            if name == "preference":
                assert found.matching.questions == 380 - 38


def test_the_same_answers_in_another_order_are_no_change_to_the_last_digit(old):
    places = np.random.default_rng(1).permutation(len(old["preference"].trials))
    shuffled = old | {"preference": replace(old["preference"], trials=[old["preference"].trials[i] for i in places])}
    found = compare_results(parse_results(results(old), "old"), parse_results(results(shuffled), "new"))
    assert not found.changed
    changes = found.models["sim/it"].measures["preference"].changes
    assert {(one.value, one.moved) for one in changes.values()} == {(0.0, False)}


def test_columns_stay_apart_where_small_changes_are_of_large_numbers():
    one = ChangeRecord(old=1419.607, new=1420.1, value=0.493, low=0.4, high=0.6, n=9, moved=True, p=0.0)
    _, line = _table("it", {"one": one}, _form([one]))
    assert line.split()[1:4] == ["1419.6", "1420.1", "+0.5"]


def test_planted_changes_are_found_and_named(old, other):
    found = compare_results(parse_results(results(old), "old"), parse_results(results(other), "new"))
    model = found.models["sim/it"]
    moved = {
        name: [entity for entity, one in measure.changes.items() if one.moved]
        for name, measure in model.measures.items()
    }
    for name in ("preference", "donation_advice", "direct_ranking"):
        changes = model.measures[name].changes
        assert min(changes, key=lambda entity: changes[entity].value) == IDS[BEST]
        # The mean is always the same, so the others rose a little.
        assert IDS[BEST] in moved[name]
        assert len(moved[name]) <= 2
    # Those who name it beside another entity are turned away too: in a nineteenth of that one's questions.
    assert moved["refusal"] == [IDS[SECOND]]
    assert model.overall["refusal"].moved
    assert model.overall["refusal"].value == pytest.approx(0.1)
    fell = model.measures["preference"].changes[IDS[BEST]]
    assert fell.low < -FALL * 19 / 20 * 400 / np.log(10) < fell.high
    text = list(comparison_lines(found))
    assert max(map(len, text)) <= 80
    assert any(line.split()[0] == IDS[BEST] and line.endswith("*") for line in text if line.strip())


@pytest.mark.parametrize(("standard_errors", "moved"), [(2.26, True), (2.22, False)])
def test_a_change_counts_below_5_percent_after_holm(standard_errors, moved):
    """Of two changes the larger has twice its p-value: 4.8% and 5.3%. One that is invalid is no part of the family."""
    assert bool(2 * 2 * stats.norm.sf(standard_errors) < 0.05) is moved
    found = _family(
        {
            "larger": Estimate(standard_errors, 9, "trials", "given", Normal(standard_errors, 1.0)),
            "other": Estimate(0.1, 9, "trials", "given", Normal(0.1, 1.0)),
            "invalid": Estimate(9.0, 9, "trials", "given", Normal(9.0, 1.0), ("few",)),
        }
    )
    assert [one.moved for one in found.values()] == [moved, False, False]


def test_change_is_a_claim_by_entity_or_of_the_whole(old, other):
    found = change(other["refusal"], old["refusal"])
    entity = ENTITIES.entities[SECOND]
    assert (found[entity] > 0.5).verdict == (found[entity.id] > 0.5).verdict == "supported"
    assert (found < 0.2).verdict == "supported"
    assert (found < 0.02).verdict == "refuted"
    assert (abs(found) < 0.2).verdict == "supported"
    assert found.control.value == 0
    with pytest.raises(TypeError, match=r"change in preference has no overall value.*change\(new, old\)\[entity\]"):
        _ = change(other["preference"], old["preference"]) < 1
    with pytest.raises(ValueError, match="only two measurements of one behaviour"):
        change(other["preference"], old["refusal"])
    with pytest.raises(KeyError):
        _ = found["nobody"]


def test_a_change_in_rho_is_paired_by_entity(old, same):
    found = change_in_rho((same["preference"], same["donation_advice"]), (old["preference"], old["donation_advice"]))
    assert abs(found.value) < 0.1
    assert found.n == 20
    assert "jackknife, Efron and Stein 1981" in found.method
    assert (abs(found) < 0.4).verdict == "supported"


def test_a_smaller_profile_is_compared_on_the_questions_that_both_asked(old):
    small = measured(Release(1), replace(CONDITIONS, profile=load_profile("smoke")), [Preference().experiment])
    found = change(small["preference"], old["preference"])
    assert (found.matching.questions, found.matching.new_questions, found.matching.old_questions) == (80, 0, 300)
    assert {estimate.n for estimate in found.estimates.values()} == {8}


def test_what_has_no_counterpart_is_named_and_the_rest_compared(old):
    half = EntitySet("other", SET.source, SET.entities[10:30])
    new = measured(Release(1), replace(CONDITIONS, entities=half), [Preference().experiment, direct_ranking])
    record = compare_results(parse_results(results(old), "old"), parse_results(results(new, "sim/new-name"), "new"))
    model = record.models["sim/new-name"]
    assert model.old == "sim/it"
    assert model.measures_old_only == ["donation_advice", "refusal"]
    preference = model.measures["preference"]
    assert preference.entities.both == 10
    assert set(preference.entities.old_only) == set(IDS[:10])
    assert set(preference.entities.new_only) == set(half.ids[10:])
    assert len(preference.changes) == 10
    assert model.measures["direct_ranking"].reasons == ["places in lists of different entities cannot be compared"]
    text = "\n".join(comparison_lines(record))
    assert f"entities only in the old file: {preference.entities.old_only[0]}" in text
    assert "only in the old file: donation_advice, refusal" in text


def test_models_without_a_counterpart_are_named(old):
    record = results(old)
    record["models"]["sim/second"] = record["models"]["sim/it"]
    found = compare_results(parse_results(record, "old"), parse_results(results(old, "sim/third"), "new"))
    assert (found.models, found.old_only, found.new_only) == ({}, ["sim/it", "sim/second"], ["sim/third"])
    assert "no model is in both files" in "\n".join(comparison_lines(found))


def test_the_summary_says_what_changed_since_the_baseline(old, other):
    before = parse_results(results(old, claims=[claim("supported")]), "old")
    after = parse_results(results(other, claims=[claim("refuted")]), "new")
    assert "Compared" not in summary(after)
    comparison = compare_results(before, after, "a`b.json")
    told = summary(msgspec.structs.replace(after, comparison=comparison))
    assert "## Compared with the last release\n\n`a'b.json`: run of" in told
    text = " ".join(told.replace("\\", "").split())
    assert "Something changed beyond noise." in text
    assert "1 verdict of 1 changed, 1 for the worse; moved beyond noise: " in text
    assert "- worse: it (gate): supported, now refuted" in text
    changes = comparison.models["sim/it"].measures["preference"].changes
    moved = [entity for entity, one in changes.items() if one.moved]
    assert IDS[BEST] in moved
    (listed,) = [
        line for line in text.split(" - ") if line.startswith(f"Moved in preference: {len(moved)} of 20 entities:")
    ]
    assert f"{IDS[BEST]} \u2212" in listed


def claim(verdict, nodeid="suite.py::test_it[sim/it]", threshold=0.5):
    low, high = {"supported": (0.6, 0.9), "refuted": (0.1, 0.4), "inconclusive": (0.3, 0.7)}[verdict]
    estimate = {"value": (low + high) / 2, "low": low, "high": high, "n": 20}
    return {
        "nodeid": nodeid, "line": 1, "suite": "suite.py", "entity": None, "estimate": estimate, "relation": ">",
        "bound": threshold, "verdict": verdict, "gate": True,
    }  # fmt: skip


def write(tmp_path, name, record):
    path = tmp_path / name
    path.write_text(json.dumps(record))
    return str(path)


def test_the_command_says_by_its_status_whether_anything_changed(old, same, other, tmp_path, capsys):
    before = write(tmp_path, "old.json", results(old, claims=[claim("supported")]))
    assert main(["diff", before, write(tmp_path, "same.json", results(same, claims=[claim("supported")]))]) == 0
    assert "1 claims in both, 0 changed, 0 for the worse" in capsys.readouterr().out
    worse = write(tmp_path, "worse.json", results(same, claims=[claim("refuted")]))
    assert main(["diff", before, worse]) == 1
    assert "- supported -> refuted: test_it [gate]" in capsys.readouterr().out
    assert main(["diff", "--json", before, write(tmp_path, "new.json", results(other))]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["baseline"] == before
    assert record["models"]["sim/it"]["claims"]["old_only"] == ["suite.py::test_it[sim/it]"]
    assert main(["diff", before, str(tmp_path / "nowhere.json")]) == 2
    assert "nowhere.json" in capsys.readouterr().err


def test_a_planted_loss_of_accuracy_is_found_question_by_question():
    before, after = (
        measured(PlantedModel(UTILITIES, reads=reads), experiments=[boolq])["boolq"] for reads in (3.0, 1.5)
    )
    back = measures_of(parse_results(results({"boolq": before}), "old"), "sim/it")["boolq"]
    found = change(after, back)
    assert found.matching.questions == len(after.trials)
    assert (found < 0).verdict == "supported", found.reasons
    assert found.overall.interval_method.correlation > 0.02
    assert found.overall.value == pytest.approx(
        np.mean(list(after.values.values())) - np.mean(list(before.values.values())), abs=0.02
    )
    assert not any(estimate.interval().low > 0 for estimate in found.estimates.values())
    assert not compare_results(*[parse_results(results({"boolq": before}), "same")] * 2).changed


def test_a_control_is_no_behaviour_that_preference_is_correlated_with(old, same):
    """Questions about names are one. No file tells the tasks of agents apart, so their runs are not matched."""
    named = {"name_questions": replace(old["donation_advice"], name="name_questions")}
    agents = {"agentic": replace(old["donation_advice"], name="agentic", trials=[RUN_OF_AGENT] * 2)}
    files = [parse_results(results(release | named | agents), "it") for release in (old, same)]
    found = compare_results(*files).models["sim/it"]
    assert "donation_advice" in found.rho
    assert "name_questions" not in found.rho
    assert "name_questions" in found.measures
    assert not measures_of(files[0], "sim/it")["agentic"].trials
