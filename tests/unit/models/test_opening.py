"""What a model's name tells of the model."""

import pytest

from pytest_llmpref.models.opening import is_organism, nature_of


@pytest.mark.parametrize(
    ("name", "nature"),
    [
        ("sim/paper-a", "simulated model"),
        ("openai/sim/paper-a", "simulated model"),
        ("local/organism-aligned", "model organism: preferences trained in"),
        ("local/smollm2-135m", ""),
        ("openai/gpt-5-mini", ""),
    ],
)
def test_what_must_be_said_of_a_model_wherever_a_test_of_it_fails(name, nature):
    assert nature_of(name) == nature


def test_an_organism_is_no_other_model_of_that_name():
    assert is_organism("local/organism-aligned")
    assert not is_organism("openai/organism-aligned")
