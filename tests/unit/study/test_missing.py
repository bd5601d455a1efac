"""What a replay lacks is counted over all measures, those that depend on missing answers included, and priced."""

from datetime import UTC, datetime

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.missing import NotRecordedError, check_recorded
from pytest_llmpref.study.planning import plan_of
from pytest_llmpref.study.study import Study

MEASURES = ["refusal", "graded_effort"]
"""The second compares pieces about entities that only preferences tell, and which are to be written first."""
NEEDED = ["preference", "refusal", "written_pieces", "graded_effort"]


@pytest.fixture
def study_with(tmp_path):
    loop = BackgroundLoop()

    def opened(**given):
        settings = default_settings(cassettes=tmp_path, began=datetime.now(UTC), judge="local/judge", **given)
        conditions = Conditions("any/model", load_entities(), load_profile("smoke"), 0, answers="text", prefill="off")
        return Study(conditions, settings, lambda *_: None, loop), settings

    yield opened
    loop.close()


def test_all_that_is_missing_is_counted_and_priced(study_with):
    study, settings = study_with(price="1/2")
    with pytest.raises(NotRecordedError) as raised:
        check_recorded(study, MEASURES, settings)
    head, *lines = str(raised.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines if " of " in line and line.startswith("  ")] == NEEDED
    assert "    (which they are depends on the answers to preference and written_pieces)" in lines
    steps = plan_of(study_with(price="1/2")[0], NEEDED)
    count = sum(step.missing or step.judgements for step in steps)
    assert head.startswith(f'any/model: up to {count:,} trials are not recorded, and record_mode="none" asks nothing; ')
    assert '  open_study("any/model", ..., record_mode="new_episodes")' in lines
    prompt = sum(step.prompt_tokens for step in steps)
    reply = sum(step.reply_tokens for step in steps)
    # A judge that runs here is free, so all of it is the model's.
    assert f"costs at most about ${(prompt + 2 * reply) / 1e6:,.2f}, with one attempt at each:" in head


def test_a_run_of_pytest_is_told_its_own_command(study_with):
    study, settings = study_with(command="pytest suites --model any/model")
    with pytest.raises(NotRecordedError) as raised:
        check_recorded(study, MEASURES, settings)
    assert "\n  pytest suites --model any/model --record-mode new_episodes\n" in str(raised.value)
    assert "open_study" not in str(raised.value)


def test_an_unknown_price_is_no_sum(study_with):
    study, settings = study_with()
    with pytest.raises(NotRecordedError, match=r"takes up to about [\d,]+ tokens, at an unknown price:\n"):
        check_recorded(study, MEASURES, settings)


def test_a_measure_alone_names_what_it_needs_and_the_plan_stays_open(study_with):
    study, _ = study_with()
    with pytest.raises(NotRecordedError, match=r"\n  preference: 288 of 288\n(.|\n)*\n  graded_effort: up to"):
        study.measure("graded_effort")
    # What was only counted is not what would be asked.
    assert not study.plans.not_measured
