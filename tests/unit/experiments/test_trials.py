"""Trials: what all behaviours have, what each adds, and how they come back from results.json."""

import msgspec
import pytest

from pytest_llmpref import (
    Attempt,
    Behaviour,
    Measure,
    Outcome,
    Trial,
    change,
    outcome_diagnostics,
    pair_experiment,
    top_minus_bottom,
)
from pytest_llmpref.comparison.baseline import measure_of
from pytest_llmpref.experiments import registry
from pytest_llmpref.experiments.pairs.names import NameTrial
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.ranking.experiment import RankingTrial
from pytest_llmpref.experiments.reading.trials import ReadingTrial
from pytest_llmpref.experiments.trials import RecordedTrial, column
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.study.records import measure_record

IDS = ("one", "two", "three", "four")
SAID = (Attempt("k", Outcome.CHOICE, "A"),)


def pairs(turn=0):
    """Every ordered pair twice, chosen by the alphabet but for some."""
    asked = [(a, b, form) for a in IDS for b in IDS if a != b for form in (None, "by_name")]
    chosen = [float((a < b) ^ ((number + turn) % 5 == 0)) for number, (a, b, _) in enumerate(asked)]
    return [
        PairTrial(SAID, (a, b), "text", score, number % 2, 0, bool(number % 2), form)
        for number, ((a, b, form), score) in enumerate(zip(asked, chosen, strict=True))
    ]


def measure(name, trials, controls=()):
    checks = outcome_diagnostics(trials)
    return Measure(name, "x", {}, dict.fromkeys(IDS, "g"), (), None, checks, trials, controls=controls)


def read_back(found):
    """A measure as a later run reads it from results.json."""
    record = msgspec.json.decode(msgspec.json.encode(measure_record(found)))
    return measure_of(found.name, "x", msgspec.convert(record, MeasureRecord), found.groups)


def test_trials_of_a_behaviour_come_back_as_its_own():
    asked = pairs()
    back = read_back(measure("preference", asked)).trials
    assert {type(trial) for trial in back} == {PairTrial}
    assert [trial.asked for trial in back] == [trial.asked for trial in asked]
    assert [trial.score for trial in back] == [trial.score for trial in asked]
    reading = [ReadingTrial(SAID, ("one",), "text", 1.0, question="q1", framing="entity", correct=True)]
    controls = [ReadingTrial(SAID, (), "text", 0.0, question="q1", framing="no_entity", correct=False)]
    found = read_back(measure("boolq", reading, controls))
    assert [*found.trials, *found.controls] == [
        msgspec.structs.replace(trial, answered_by=None) for trial in (*reading, *controls)
    ]


def test_trials_of_a_behaviour_that_is_not_here_keep_every_column():
    found = measure("far_away", pairs())
    back = read_back(found).trials
    assert {type(trial) for trial in back} == {RecordedTrial}
    for name in ("first_is_a", "framing", "question", "correct"):
        assert column(back, name) == column(found.trials, name)
    # Nobody here knows what they mean: their estimates are compared as they were reported, and nothing is paired.
    assert registry.behaviour_of("far_away").changes(back, back, IDS) == ({}, None)
    assert change(read_back(found), read_back(found)).matching.questions == len(found.trials)


def test_a_pair_experiment_of_another_package_is_compared_pair_by_pair():
    class Warmth(Behaviour):
        measure = fixture = "warmth"

        def experiment(self):
            return pair_experiment("warmth", ["Which is warmer?"])

    class Plain(Behaviour):
        measure = fixture = "plain"

        def experiment(self):
            return object()

    new, old = pairs(), pairs(turn=1)
    found, overall = Warmth().changes(new, old, IDS)
    assert list(found) == list(IDS)
    assert all("paired by 24 questions" in estimate.method for estimate in found.values())
    assert overall is None
    assert Warmth().trial() is PairTrial
    # The default knows no behaviour: an experiment that says nothing has nothing compared.
    assert Plain().changes(new, old, IDS) == ({}, None)
    assert Plain().trial() is Trial


def test_a_measure_of_another_behaviour_is_refused_in_words():
    with pytest.raises(TypeError, match="a trial is of class PairTrial, not ReadingTrial: give a measure"):
        top_minus_bottom(measure("preference", pairs()), measure("preference", pairs()))


def test_other_names_reach_all_that_a_trial_says():
    to = dict(zip(IDS, [*IDS[1:], IDS[0]], strict=True))
    assert PairTrial(SAID, ("one", "four")).renamed(to).entities == ("two", "one")
    ranked = RankingTrial(SAID, IDS, ranking=("two", "one")).renamed(to)
    assert (ranked.entities, ranked.ranking) == (("two", "three", "four", "one"), ("three", "two"))


def test_a_frame_has_the_columns_of_the_behaviour():
    every = ["key", "outcome", "course", "text", "entities", "answered_by", "score", "wording", "repetition"]
    assert list(measure("length", [Trial(SAID, ("one",), score=3.0)]).to_frame()) == every
    frame = measure("preference", pairs()).to_frame()
    assert list(frame) == [*every, "first_is_a", "form"]
    assert frame.form.notna().sum() == len(frame) / 2
    refused = Attempt("first", Outcome.REFUSAL, "No.")
    (course,) = measure("length", [Trial((refused, *SAID), ("one",), score=3.0)]).to_frame().course
    assert course == "rc"


def test_fields_that_are_not_recorded_leave_the_others_in_their_places():
    """A question about names inherits a field that it does not record, which must not take the next one's value."""
    said = (("longer", True), ("shorter", False))
    asked = [NameTrial(SAID, ("one", "two"), "text", 1.0, fact=fact, correct=right) for fact, right in said]
    back = read_back(measure("name_questions", asked)).trials
    assert [(trial.form, trial.fact, trial.correct) for trial in back] == [(None, *one) for one in said]
    assert [trial.asked for trial in back] == [trial.asked for trial in asked]
