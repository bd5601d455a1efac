"""A study goes on with the design that its recording was made under; a new recording takes the newest."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from stored import MODEL, REPLY, question

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.profiles import NEWEST_DESIGN, load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Preference
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.study import Study


@pytest.fixture
def study_of(tmp_path):
    loop = BackgroundLoop()

    def opened(*, design="auto", profile=NEWEST_DESIGN):
        conditions = Conditions(
            MODEL, load_entities(), replace(load_profile("smoke"), design=profile), 0, answers="text", prefill="cue"
        )
        settings = default_settings(cassettes=tmp_path, design=design, began=datetime.now(UTC))
        return Study(conditions, settings, lambda *_: None, loop)

    yield opened
    loop.close()


def recorded_under(folder, design, number=1):
    cassette = Cassette.open(folder, MODEL)
    cassette.design = design
    cassette.append(question(number), REPLY)


def test_a_new_recording_takes_the_profiles_design(study_of):
    assert study_of().conditions.profile.design == NEWEST_DESIGN == 2
    assert study_of(profile=1).conditions.profile.design == 1


@pytest.mark.parametrize("version", [1, 2])
def test_a_study_goes_on_with_the_design_of_its_recording(study_of, tmp_path, version):
    recorded_under(tmp_path, version)
    study = study_of(profile=3 - version)
    assert study.conditions.profile.design == study.cassette.design == version


def test_the_newest_design_of_a_recording_is_gone_on_with(study_of, tmp_path):
    recorded_under(tmp_path, 1, 1)
    recorded_under(tmp_path, 2, 2)
    assert study_of().conditions.profile.design == 2


def test_an_option_forces_a_design(study_of, tmp_path):
    recorded_under(tmp_path, 1)
    assert study_of(design="2").conditions.profile.design == 2
    assert study_of(design="1", profile=2).conditions.profile.design == 1


def test_what_is_recorded_from_then_on_says_its_design(study_of, tmp_path):
    study = study_of()
    study.cassette.append(question(3), REPLY)
    assert Cassette.open(tmp_path, MODEL).designs == {2}


def test_questions_follow_the_design(study_of):
    one, two = (study_of(design=version).plans["preference"] for version in ("1", "2"))
    assert len(one.requests) == len(two.requests)
    assert {request.key for request in one.requests} != {request.key for request in two.requests}


def test_a_run_that_goes_on_with_an_older_design_says_so():
    (said,) = Preference().remarks({"design": 1})
    assert "design 1" in said
    assert "--llmpref-design 2" in said
    assert list(Preference().remarks({"design": 2})) == []
