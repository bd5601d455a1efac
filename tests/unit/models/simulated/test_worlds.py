"""Worlds: every shipped one can be used, and a bad one is refused with the file, the key and what is allowed."""

import textwrap

import pytest

from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.models.simulated.tastes import Tastes
from pytest_llmpref.models.simulated.world import WorldError, load_world, world_file

SHIPPED = sorted(path.stem for path in (data_folder("fixtures") / "worlds").glob("*.toml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_world_can_be_used_and_says_what_it_is_for(name):
    model = SimulatedModel(f"sim/{name}")
    assert len(model.world.note) > 20
    assert len(model.entities) == 72


BAD = {
    "spelling = 1": ("spelling: unknown key", "the keys are note, seed, entities, utilities, choice"),
    "[choice]\nnois = 1": ("choice.nois: unknown key", "the keys are noise, position, label, incoherence, drift"),
    "[choice]\nnoise = 0": ("choice.noise: is 0; write ", "a number above 0"),
    "[choice]\nnoise = inf": ("choice.noise: is inf; write ", "a number above 0"),
    "[choice]\nposition = nan": ("choice.position: is nan; write ", "a number"),
    "[choice]\nincoherence = -1": ("choice.incoherence: is -1; write ", "a number of at least 0"),
    "choice = 3": ("choice: is 3; write ", "a table"),
    "[refusal]\nbase = 1.5": ("refusal.base: is 1.5; write ", "a number from 0 to 1"),
    "[refusal]\nbase = true": ("refusal.base: is true; write ", "a number from 0 to 1"),
    "[refusal.liked]\nboredom = 1": ("refusal.liked.boredom: unknown key; write one of ", "personal decision"),
    "[refusal.liked]\nother = -1": ("refusal.liked.other: is -1; write ", "a number of at least 0"),
    "[refusal.disliked]\nother = 0": ("refusal.disliked", "give one reason a weight above 0"),
    "[agent]\nskil = 1": (
        "agent.skil: unknown key",
        "the keys are skill, difficulty, slope, harder, noise, effort",
    ),
    "[agent]\nskill = 2": ("agent.skill: is 2; write ", "a number from 0 to 1"),
    "[agent]\neffort = 0": ("agent.effort: is 0; write ", "a number above 0"),
    "[agent]\neffort_spread = -1": ("agent.effort_spread: is -1; write ", "a number of at least 0"),
    "[agent]\neffort_slope = 'much'": ("agent.effort_slope: is 'much'; write ", "a number"),
    "[donation]\nfollows = 2": ("donation.follows: is 2; write ", "a number from -1 to 1"),
    "[replies]\nmanner = 'rude'": ("replies.manner: is 'rude'; write ", "one of chatty, markdown, terse"),
    "[replies]\nlogprobs = 'yes'": ("replies.logprobs: is 'yes'; write ", "true or false"),
    "seed = 'x'": ("seed: is 'x'; write ", "a whole number"),
    "[utilities.groups.health]\nmen = 1": ("utilities.groups.health.men: unknown key", "the keys are mean, spread"),
    "[utilities.groups.helth]\nmean = 1": ("utilities.groups: 'helth' is not in the entity set 'default'", "health"),
    "[utilities.entities]\nunicef = 'much'": ("utilities.entities.unicef: is 'much'; write ", "a number"),
    "[utilities.entities]\nUnicef = 1": ("utilities.entities: 'Unicef' is not in the entity set", "allowed: unicef"),
    "entities = 'none.toml'": ("none.toml", "no such file"),
    "seed =": ("is not valid TOML",),
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_world_is_refused_with_file_key_and_what_is_allowed(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its kind is compared below
        load_world(path)
    message = str(caught.value)
    assert type(caught.value).__name__ in {"WorldError", "EntityFileError"}
    assert all(part in message for part in BAD[text]), message
    if isinstance(caught.value, WorldError):
        assert str(path) in message


def test_all_that_is_wrong_with_a_world_is_said_at_once(tmp_path):
    (tmp_path / "mine.toml").write_text(f"seed = 0.5\n[choice]\nnois = 1\nnoise = 0x{'f' * 5000}\n[agent]\nskill = 2\n")
    with pytest.raises(WorldError) as caught:
        load_world(tmp_path / "mine.toml")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "seed", "choice.nois", "choice.noise", "agent.skill"
    ]  # fmt: skip


def test_a_name_that_means_no_world_lists_those_that_there_are():
    with pytest.raises(ModelUnavailableError) as caught:
        world_file("sim/paper-z")
    assert all(f"sim/{name}" in str(caught.value) for name in SHIPPED)


def test_utilities_are_by_id_by_name_by_group_and_of_unknown_names(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        textwrap.dedent("""
        [utilities.entities]
        unicef = 5.0
        "the American Red Cross" = 4.0
        [utilities.groups.humanitarian]
        mean = 1.0
        spread = 0.5
        [utilities.unknown]
        mean = -3.0
        spread = 0.1
    """)
    )
    tastes = SimulatedModel(f"sim/{path}").tastes
    assert (tastes.liking("UNICEF"), tastes.liking("American Red Cross")) == (5.0, 4.0)
    others = [tastes.liking(entity.name) for entity in SimulatedModel(f"sim/{path}").entities]
    assert others[2:9] != [1.0] * 7
    assert abs(sum(others[2:9]) / 7 - 1) < 0.8
    assert abs(tastes.liking("the Fund for What Nobody Knows") + 3) < 0.5
    assert tastes.liking("a fund") != tastes.liking("another fund")


@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("follows", [1.0, 0.5])
def test_the_strength_of_advice_scales_what_decides_between_two_options(tmp_path, strength, follows):
    def differences(strength, purpose):
        path = tmp_path / "mine.toml"
        path.write_text(f"[utilities.groups]\nhealth = {{ spread = 1.0 }}\n[donation]\n{follows=}\n{strength=}\n")
        world, entities = load_world(path)
        tastes, names = Tastes(world, entities), [one.name for one in entities if one.group == "health"]
        return [tastes.utility(name, purpose) - tastes.utility(names[0], purpose) for name in names[1:]]

    whole = differences(1.0, "donation")
    assert min(map(abs, whole)) > 0
    assert differences(strength, "donation") == pytest.approx([strength * one for one in whole])
    assert differences(strength, "liking") == differences(1.0, "liking")
