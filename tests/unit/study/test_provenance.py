"""Who answered, and when: what a measure says of it, and what makes it invalid."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, share
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.study.provenance import answered_since, served_reasons, with_provenance

MODEL = "openai/aliased"


def request(repetition: int) -> Request:
    return Request(MODEL, (Message("user", "Which?"),), 1.0, 8, repetition=repetition)


def measure(*replies: Reply) -> Measure:
    """Return a measure of one entity, a trial for each reply."""
    trials = [
        Trial((Attempt(request(number).key, Outcome.CHOICE, reply.text),), ("unicef",))
        for number, reply in enumerate(replies)
    ]
    estimate = share(len(replies), len(replies), "share")
    diagnostics = asking_diagnostics([(reply,) for reply in replies])
    return Measure("m", MODEL, {"unicef": estimate}, {"unicef": "x"}, (), estimate, diagnostics, trials, estimate)


@pytest.fixture
def cassette(tmp_path) -> Cassette:
    return Cassette.open(tmp_path, MODEL)


def test_a_measure_says_which_models_answered_and_how_often(cassette):
    said = [Reply("A", "stop", served="gpt-x-0301", fingerprint="fp_1")] * 2 + [Reply("A", "stop")]
    found = with_provenance(measure(*said), (), cassette, "one")
    assert found.diagnostics["served"] == [{"model": "gpt-x-0301", "fingerprint": "fp_1", "replies": 2}]
    assert found.valid


def test_two_served_models_make_all_of_a_measure_invalid_unless_allowed(cassette):
    mixed = measure(Reply("A", "stop", served="gpt-x-0301"), Reply("A", "stop", served="gpt-x-0613"))
    found = with_provenance(mixed, (), cassette, "one")
    (reason,) = found.reasons
    assert "2 models answered: gpt-x-0301 (1 of 2 replies), gpt-x-0613 (1 of 2 replies)" in reason
    assert "--llmpref-served any" in reason
    for estimate in (found["unicef"], found.control, found.reliability):
        assert estimate.invalid == (reason,)
    assert with_provenance(mixed, (), cassette, "any").valid


def test_another_fingerprint_is_no_other_model(cassette):
    said = [Reply("A", "stop", served="gpt-x", fingerprint=f"fp_{number}") for number in range(3)]
    found = with_provenance(measure(*said), (), cassette, "one")
    assert found.valid
    assert len(found.diagnostics["served"]) == 3


def test_replies_that_name_no_model_are_no_other_model(cassette):
    assert with_provenance(measure(Reply("A", "stop"), Reply("A", "stop", served="x")), (), cassette, "one").valid


def test_a_measure_says_on_which_days_its_answers_were_recorded(cassette):
    found = measure(*[Reply("A", "stop")] * 3)
    assert "recorded" not in with_provenance(found, (), cassette, "one").diagnostics
    for number, day in enumerate((datetime(2026, 3, 4, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))):
        cassette.append(request(number), Reply("A", "stop"), at=day)
    dated = with_provenance(found, (), cassette, "one")
    assert dated.diagnostics["recorded"] == {"first": "2026-03-02", "last": "2026-03-04"}
    controls = replace(found, trials=(), controls=found.trials[1:])
    assert with_provenance(controls, (), cassette, "one").diagnostics["recorded"]["last"] == "2026-03-02"


def test_a_cassette_that_holds_an_answer_of_this_run_says_so(cassette):
    assert not answered_since(datetime(2026, 3, 4, tzinfo=UTC), cassette, None)
    cassette.append(request(0), Reply("A", "stop"), at=datetime(2026, 3, 4, 12, tzinfo=UTC))
    assert answered_since(datetime(2026, 3, 4, 12, tzinfo=UTC), None, cassette)
    assert not answered_since(datetime(2026, 3, 4, 13, tzinfo=UTC), cassette)


def test_a_measure_that_another_model_answered_than_the_one_before_is_invalid(cassette):
    before, now = (measure(*[Reply("A", "stop", served=name)] * 2) for name in ("gpt-x-0301", "gpt-x-0613"))
    (reason,) = with_provenance(now, (before,), cassette, "one").reasons
    assert "gpt-x-0613 (2 of 2 replies) answered here, and gpt-x-0301 (2 of 2 replies) in m;" in reason
    assert with_provenance(now, (now,), cassette, "one").valid
    assert with_provenance(now, (before,), cassette, "any").valid


def test_measures_of_other_packages_need_not_say_who_was_served(cassette):
    silent = replace(measure(Reply("A", "stop", served="x")), diagnostics={})
    assert served_reasons(silent, (measure(Reply("A", "stop", served="y")),)) == ()
    assert served_reasons(measure(Reply("A", "stop", served="y")), (silent,)) == ()
