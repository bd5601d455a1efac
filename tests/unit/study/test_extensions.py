"""What other packages bring, checked before it is used."""

import re
from pathlib import Path

import pytest

from pytest_llmpref import Behaviour, entity_experiment, pair_experiment
from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.registry import SHIPPED
from pytest_llmpref.experiments.trials import PromptError
from pytest_llmpref.study.extensions import checked_extensions


def named(measure, fixture="", **others):
    return type("Named", (Behaviour,), {"measure": measure, "fixture": fixture, **others})()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"models": [{"sim": print}]}, "pytest_llmpref_models: 'sim' cannot begin"),
        ({"models": [{"ac/me": print}]}, "pytest_llmpref_models: 'ac/me' cannot begin"),
        ({"models": [["acme"]]}, "pytest_llmpref_models: a mapping from names is needed, not list"),
        ({"models": [{1: print}]}, "pytest_llmpref_models: 1 is no name"),
        ({"entity_sets": [{"ours": "ours.csv"}]}, "pytest_llmpref_entity_sets: 'ours' is 'ours.csv'; a pathlib.Path"),
        ({"entity_sets": [{"ours.csv": Path("x")}]}, "pytest_llmpref_entity_sets: 'ours.csv' is no name for a set"),
        ({"behaviours": [[named("x", "study")]]}, "pytest_llmpref_behaviours: Named: 'study' is a fixture of ours"),
        ({"behaviours": [[named("two words")]]}, "pytest_llmpref_behaviours: Named: 'two words' cannot be its measure"),
        ({"behaviours": [[named("x", "class")]]}, "pytest_llmpref_behaviours: Named: 'class' cannot be its fixture"),
        ({"behaviours": [["warmth"]]}, "pytest_llmpref_behaviours: 'warmth' is no Behaviour"),
        ({"behaviours": [{"warmth": print}]}, "pytest_llmpref_behaviours: a list of Behaviours is needed, not dict"),
        ({"behaviours": [SHIPPED, [named("refusal")]]}, "another behaviour has the measure 'refusal'"),
        ({"behaviours": [SHIPPED, [named("x", "refusals")]]}, "another behaviour has the fixture 'refusals'"),
        ({"behaviours": [SHIPPED, [named("x", is_reference=True)]]}, "2 behaviours have is_reference"),
    ],
)
def test_what_is_wrong_is_named_with_its_hook(given, said):
    with pytest.raises(ExtensionError, match=re.escape(said)):
        checked_extensions(**({"models": [], "entity_sets": [], "behaviours": []} | given), taken={"study"})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pair_experiment("x", []), "x: questions must be a list"),
        (lambda: pair_experiment("x", "Which?"), "x: questions must be a list"),
        (lambda: pair_experiment("x", ["Which?"], form="{question} {first}"), "lacks {first_label}"),
        (lambda: pair_experiment("x", ["Which?"], form="{"), "is no form"),
        (lambda: entity_experiment("x", ["Praise {entity}.", "Praise them."], len), "'Praise them.' lacks {entity}"),
        (lambda: entity_experiment("x", ["Praise {entity} to {whom}."], len), "has the unknown slot {whom}"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_said(make, said):
    with pytest.raises(PromptError, match=re.escape(said)):
        make()
