"""A provider that fails in every way, at three calls in ten: every trial is accounted for, and none comes out wrong.

``pytest -m slow tests/test_faults.py`` asks 10,000 questions, and prints the time beside what the faults force.
"""

import pytest
from faulty_provider import FAULTS, ask_faulty


@pytest.mark.parametrize("trials", [300, pytest.param(10_000, marks=pytest.mark.slow)])
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
