"""A provider that fails in every way, at three calls in ten: every trial is accounted for, and none comes out wrong.

``pytest -m slow tests/test_faults.py`` asks 10,000 questions, and prints the time beside what the faults force.
"""

import pytest
from faulty_provider import FAULTS, ask_faulty

from pytest_llmpref.models.retrying import Outage


@pytest.mark.parametrize("trials", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_trial_is_accounted_for_and_none_comes_out_wrong(tmp_path, monkeypatch, trials):
    if trials < 1000:
        monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_INITIAL", 0.02)
    account = ask_faulty(tmp_path, trials, share=0.3)
    print(account)
    assert account.outcomes.total() == trials
    assert set(account.outcomes) <= {"stop", "error"}
    assert account.wrong == 0
    assert account.unrecorded == 0
    assert account.outcomes["error"] >= account.given_up, "a call of which every try failed is an error"
    assert account.outcomes["error"] <= account.given_up + account.late, "and nothing else is"
    assert account.faults.keys() == {*FAULTS, "slow drip"}
    assert account.late >= 0


def test_an_outage_is_waited_out_and_no_question_is_lost_but_those_that_told_of_it(tmp_path, monkeypatch):
    """The provider answers a while, then turns all in flight and some tries after these away, then answers again."""
    monkeypatch.setattr("faulty_provider.IN_FLIGHT", 16)
    monkeypatch.setattr("faulty_provider.TRIES", 2)
    monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_INITIAL", 0.01)
    monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_FIRST", 0.05)
    monkeypatch.setattr("pytest_llmpref.models.retrying.WAIT_MOST", 0.1)
    told = []
    account = ask_faulty(tmp_path, 100, share=0.0, out=range(40, 120), outage=Outage(60.0, told.append))
    assert account.outcomes.total() == 100
    # Ten failures in a row tell of the outage; answers that were still under way, of 16, may start the row anew.
    assert account.outcomes["error"] <= 10 + 16
    assert account.wrong == account.unrecorded == 0
    assert told[0].startswith("openai/served is out (")
    assert "the service is unavailable" in told[0]
    assert "answers again after" in told[-1]
    assert account.calls > 100 + 40
