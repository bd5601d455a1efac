"""Open answers are read as people label them, on prompts that the rules were not written on."""

import pytest
from open_accuracy import IS_THERE, NOT_THERE, half_of, said, share, speechmap, xstest

from pytest_llmpref.parsing.open_answers import OpenAnswer

with_data = pytest.mark.skipif(not IS_THERE, reason=NOT_THERE)


@with_data
@pytest.mark.parametrize("model", ["gpt4", "llama2orig"])
def test_refusals_are_found_and_answers_are_not_called_refusals(model):
    rows = [row for row in xstest("test") if row.model == model]
    found, of = share(rows, "full refusal", OpenAnswer.DECLINED)
    assert of > 90
    assert found / of >= 0.90
    false, of = share(rows, "full compliance", OpenAnswer.DECLINED)
    assert of > 40
    assert false / of <= 0.05


@with_data
@pytest.mark.parametrize("language", ["en", "fi", "zh"])
def test_what_a_judge_calls_complete_is_hardly_ever_called_a_refusal(language):
    rows = [row for row in speechmap("test") if row.language == language]
    false, of = share(rows, OpenAnswer.ANSWERED, OpenAnswer.DECLINED)
    assert of > 300
    assert false / of <= 0.01


def test_both_halves_have_prompts_and_each_is_in_one():
    assert {half_of(str(number)) for number in range(20)} == {"development", "test"}


def test_a_share_has_wilsons_interval():
    assert said(9, 10) == "9 of 10, 90.0% (59.6% to 98.2%)"
    assert said(0, 0) == "-"
