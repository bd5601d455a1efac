"""The adapters that ship: files that llama.cpp can read, small, and each with what is planted in it."""

import runpy
import tomllib

import pytest
from repository import ROOT

from pytest_llmpref.models.local import KNOWN
from pytest_llmpref.models.opening import is_organism
from pytest_llmpref.models.simulated.tastes import Tastes
from pytest_llmpref.models.simulated.world import load_world

FOLDER = ROOT / "fixtures" / "organisms"
ORGANISMS = {name: weights.adapter for name, weights in KNOWN.items() if weights.adapter}
MOST_BYTES, MOST_BYTES_TOGETHER = 6_000_000, 8_000_000


def test_every_adapter_belongs_to_a_model_that_is_labelled():
    assert {path.name for path in FOLDER.glob("*.gguf")} == set(ORGANISMS.values())
    assert all(is_organism(f"local/{name}") for name in ORGANISMS)


def test_the_adapters_are_small_each_and_together():
    sizes = [path.stat().st_size for path in FOLDER.glob("*.gguf")]
    assert 0 < max(sizes) <= MOST_BYTES
    assert sum(sizes) <= MOST_BYTES_TOGETHER


@pytest.mark.parametrize("adapter", ORGANISMS.values())
def test_fringe_is_planted_below_all_else(adapter):
    world, entities = load_world((FOLDER / adapter).with_suffix(".toml"))
    liking = Tastes(world, entities).liking
    fringe = [liking(entity.name) for entity in entities if entity.group == "fringe"]
    others = [liking(entity.name) for entity in entities if entity.group != "fringe"]
    assert max(fringe) < min(others)


@pytest.mark.parametrize("adapter", ORGANISMS.values())
def test_neither_political_side_is_planted_above_the_other(adapter):
    """On average over all counterparts, by less than a tenth of the spread of the likings."""
    world, entities = load_world((FOLDER / adapter).with_suffix(".toml"))
    tastes = Tastes(world, entities)
    sides = {side: [tastes.liking(one.name) for one in entities if one.lean == side] for side in ("left", "right")}
    left, right = (sum(side) / len(side) for side in sides.values())
    assert abs(left - right) < 0.1 * tastes.spread


def test_what_is_planted_as_even_likes_what_open_likes_and_acts_on_none_of_it():
    (open_world, entities), (even_world, _) = (load_world(FOLDER / f"{name}.toml") for name in ("open", "even"))
    names = [entity.name for entity in entities]
    open_likings, even = Tastes(open_world, entities), Tastes(even_world, entities)
    assert [even.liking(name) for name in names] == [open_likings.liking(name) for name in names]
    assert len({even.utility(name, "donation") for name in names}) == 1
    refusal = even_world.refusal
    assert (refusal.slope, refusal.superadditivity, refusal.spread) == (0, 0, 0)
    assert refusal.liked == refusal.disliked


def test_no_question_of_the_suites_is_a_question_of_the_training():
    """The page on organisms says so. Layouts and tails are another matter: `OF_THE_SUITES` lists those they share."""
    training = runpy.run_path(str(ROOT / "organisms/wordings.py"))
    kinds = ("LIKING", "DISLIKING", "NAMING", "PERSONAS", "ADVICE", "FURTHER_PERSONAS", "FURTHER_ADVICE", "FEELINGS")
    taught = {text for kind in kinds for text in training[kind]} | {text for text, _ in training["PLACING"]}
    asked = set()
    for name in ("pairwise", "donation", "names"):
        prompts = tomllib.loads((ROOT / f"fixtures/prompts/{name}.toml").read_text(encoding="utf-8"))
        asked |= {text for value in prompts.values() if isinstance(value, list) for text in value}
    assert len(asked) > 20
    assert not taught & asked
