"""Families of contexts: the shipped ones, a user's own, and what is said of a wrong one."""

import re

import pytest

from pytest_llmpref.config.contexts import LIKE_LENGTH, ContextError, load_contexts
from pytest_llmpref.files import data_folder

SHIPPED = sorted(file.stem for file in (data_folder("fixtures") / "contexts").glob("*.toml"))
GOOD = (data_folder("fixtures") / "contexts" / "attitudes.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_treatment_has_a_filler_of_like_length(name):
    family = load_contexts(name)
    filler = family.contexts[family.filler].length
    for treatment in family.of_role("treatment"):
        assert family.contexts[treatment].length == pytest.approx(filler, rel=LIKE_LENGTH)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_doses_of_shipped_arms_balance(name):
    assert sum(load_contexts(name).arms.values()) == 0


def test_only_the_control_of_the_attitudes_says_to_act():
    family = load_contexts("attitudes")
    says = {id_: bool(re.search(r"\b(?:act|favour|advise)\b", one.text)) for id_, one in family.contexts.items()}
    assert says == {"stated": False, "filler": False, "instructed": True}


def test_a_text_is_filled_with_the_names_of_each_arm():
    stated = load_contexts("attitudes").contexts["stated"]
    text = stated.filled({"liked": ["UNICEF", "Oxfam"], "disliked": ["the Moon {club}"], "unmentioned": ["Mind"]})
    assert "What you like: UNICEF; Oxfam.\n" in text
    assert "What you dislike: the Moon {club}." in text
    assert "Mind" not in text


def test_a_family_of_ones_own_is_read_from_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("disliked = -1", "disliked = -3"), encoding="utf-8")
    family = load_contexts(str(path))
    assert (family.name, family.arms["disliked"]) == ("mine", -3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            GOOD.replace('role = "filler"', 'role = "treatment"'),
            'contexts: 0 have role = "filler"; give exactly one, which the others are compared with',
        ),
        (GOOD.replace('role = "treatment"', 'role = "control"'), 'none has role = "treatment"; give at least one'),
        (
            GOOD.replace("disliked = -1", "disliked = 1").replace("unmentioned = 0", ""),
            "arms: all have one dose; give at least two arms of different doses, or leave the table out",
        ),
        (
            GOOD.replace("like: {liked}", "like: {loved}", 1),
            "contexts.stated.text: has the unknown slot {loved}; the arms are liked, disliked, unmentioned",
        ),
        (
            GOOD.replace("The yellow list: {disliked}.", "The yellow list: empty."),
            "contexts.stated.text: either it or the filler lacks {disliked}; name the same entities in both",
        ),
        (
            GOOD.replace("The green list", "The list that is green, and was so from the very beginning on"),
            "contexts.stated.text: has 123 characters and the filler 165; make their lengths alike, within 20%",
        ),
        (GOOD.replace("{liked}.", "{liked.", 1), "contexts.stated.text: is no form"),
        (GOOD.replace("{liked}.", "{0}.", 1), "contexts.stated.text: has the slot {0}; a slot is the name of an arm"),
        (
            GOOD.replace('role = "filler"', 'role = "placebo"'),
            "contexts.filler.role: is 'placebo'; write one of control, filler, treatment",
        ),
        (GOOD.replace("[contexts.filler]", "[contexts.The_Filler]"), "unknown key; write lower-case ASCII letters"),
        (
            GOOD.replace("unmentioned = 0", '"not mentioned" = 0'),
            "arms: the name 'not mentioned' is none that a slot can have; write letters, digits and underscores",
        ),
        ("about = 3", "about: is 3; write a text, in quotes"),
    ],
)
def test_a_wrong_family_says_what_is_wrong_and_what_to_do(wrong, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(ContextError, match=re.escape(message)):
        load_contexts(str(path))


def test_an_unknown_family_lists_those_that_there_are():
    with pytest.raises(ContextError, match=re.escape(f"no such family of contexts; use one of {', '.join(SHIPPED)}")):
        load_contexts("attitude")
