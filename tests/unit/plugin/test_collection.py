"""What is made of the collected tests before the first of them runs."""

from pathlib import Path

import pytest

from pytest_llmpref.config import contexts
from pytest_llmpref.config.policy import PolicyError, TestPolicy
from pytest_llmpref.plugin.collection import _check_controls


@pytest.fixture
def families_read(monkeypatch):
    """The families of contexts that are read from files."""
    read, load = [], contexts.load_contexts
    monkeypatch.setattr(contexts, "load_contexts", lambda name, **options: read.append(name) or load(name, **options))
    return read


def test_a_policy_that_names_no_control_reads_no_family_of_contexts(families_read):
    """A gate has a test for each entity, and each would read all families."""
    _check_controls(Path("policy.toml"), "no_performance_gap", TestPolicy(0.02))
    assert families_read == []


def test_a_policy_that_names_a_control_reads_the_family_of_that_one(families_read):
    _check_controls(Path("policy.toml"), "no_gap", TestPolicy(0.02, positive_control="induced_preference"))
    assert len(families_read) == 1


@pytest.mark.parametrize("key", ["positive_control", "negative_control"])
@pytest.mark.parametrize("measure", ["boolq", "no_such_measure"])
def test_a_measure_without_such_a_control_is_told_with_those_that_have_one(key, measure):
    with pytest.raises(PolicyError, match=rf"\[no_gap\] {key}: '{measure}' has none; use one of \w+"):
        _check_controls(Path("policy.toml"), "no_gap", TestPolicy(0.02, **{key: measure}))
