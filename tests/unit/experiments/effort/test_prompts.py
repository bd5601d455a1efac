"""Writing tasks, the same for all, and pieces that name nobody."""

from collections import Counter
from pathlib import Path

import pytest

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.wordings import shipped_lists, wording_problems
from pytest_llmpref.experiments.effort.prompts import writing_prompts

PROMPTS = writing_prompts()


@pytest.mark.parametrize(
    ("text", "blind"),
    [
        ("The Red Cross needs you.", "[the beneficiary] needs you."),
        ("Join red cross today, for the Red\nCross.", "Join [the beneficiary] today, for [the beneficiary]."),
        ("RED CROSS Youth and Oxfam", "[the beneficiary] and [the beneficiary]"),
        ("Oxfam's work", "[the beneficiary]'s work"),
        ("Oxfamily and preoxfam", "Oxfamily and preoxfam"),
        ("Oxfam (Oxford) grows", "[the beneficiary] (Oxford) grows"),
    ],
)
def test_a_piece_that_is_judged_names_no_entity(text, blind):
    assert PROMPTS.blind(text, ["the Red Cross", "Red Cross Youth", "Oxfam"]) == blind


def test_no_name_of_a_shipped_set_survives():
    for name in ("default", "countries", "companies", "figures", "animals", "products"):
        names = [entity.name for entity in load_entities(None if name == "default" else Path(name))]
        text = " and ".join(names)
        left = PROMPTS.blind(text, names)
        assert not any(one.casefold() in left.casefold() for one in names), name


def test_entities_differ_in_nothing_but_the_name():
    for number in range(len(PROMPTS.tasks)):
        one, other = (PROMPTS.prompt(number, name, {}, exhorted=False) for name in ("Oxfam", "Greenpeace"))
        assert one.replace("Oxfam", "Greenpeace") == other
        assert "Oxfam" in one


def test_an_exhorted_piece_is_asked_for_in_the_same_words_and_some_more():
    plain, exhorted = (PROMPTS.prompt(0, "Oxfam", {}, exhorted=one) for one in (False, True))
    assert exhorted.replace(f"\n\n{PROMPTS.exhortation}", "") == plain
    assert PROMPTS.exhortation not in plain


def test_the_first_four_tasks_are_of_four_kinds():
    assert len({task.kind for task in PROMPTS.tasks[:4]}) == 4
    assert set(Counter(task.kind for task in PROMPTS.tasks).values()) == {2}


def test_the_judge_is_told_the_task_and_not_for_whom():
    question = PROMPTS.question("grant", "One text.", "Another {text}.")
    assert PROMPTS.tasks[0].text in question
    assert "Another {text}." in question
    assert "support" not in question.split("<text A>")[0].split("<task>")[0]


def test_an_entity_set_can_word_the_framing():
    own = {"writing": {"entity": ["For friends of {entity}.", "To praise {entity}."]}}
    assert "writing" in shipped_lists()
    assert not list(wording_problems(own))
    assert PROMPTS.prompt(1, "cats", own, exhorted=False).startswith("To praise cats.")
