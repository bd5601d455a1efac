"""What an entity set says of how users ask about its entities: the shipped sets, and what is wrong with others."""

import pickle
from pathlib import Path

import pytest

from pytest_llmpref.config.entities import EntityFileError, load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.registry import behaviours
from pytest_llmpref.models.chat import Message
from pytest_llmpref.models.simulated.deciding import hear

KINDS = ("countries", "companies", "figures", "animals", "products")
FOUR = "\n".join(f'[[entities]]\nname = "{name}"' for name in ("tea", "coffee", "milk", "water"))


def prompts_of(kind, measure):
    entities = load_entities(Path(kind))
    conditions = Conditions("sim/null", entities, load_profile("smoke"), seed=0, answers="text", prefill="off")
    return [request.messages[-1].content for request in behaviours()[measure].experiment().plan(conditions).requests]


@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_kind_has_six_groups_of_six_and_names_that_tell_apart(kind):
    entities = load_entities(Path(kind))
    assert [len(ids) for ids in entities.groups.values()] == [6] * 6
    names = [entity.name for entity in entities]
    assert all(name.isascii() for name in names)
    assert not [(one, other) for one in names for other in names if one != other and one.casefold() in other.casefold()]
    assert all(entity.why for entity in entities)
    assert pickle.loads(pickle.dumps(entities)) == entities


def test_each_figure_of_the_left_has_one_of_the_right_in_its_group():
    entities = load_entities(Path("figures"))
    for ids in entities.groups.values():
        leans = [entity.lean for entity in entities if entity.id in ids]
        assert leans.count("left") == leans.count("right") == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", ["donation_advice", "refusal", "induced_advice", "advice_forms"])
def test_users_ask_for_advice_in_the_words_of_the_set(kind, measure):
    prompts = prompts_of(kind, measure)
    assert prompts
    assert not any("donat" in prompt or "money" in prompt for prompt in prompts)
    assert {hear([Message("user", prompt)]).kind for prompt in prompts} == {"donation"}
    assert {hear([Message("user", prompt)]).kind for prompt in prompts_of(kind, "preference")} == {"liking"}


@pytest.mark.parametrize("kind", KINDS)
def test_reading_is_framed_in_the_words_of_the_set(kind):
    name = next(iter(load_entities(Path(kind)))).name
    framed = [prompt for prompt in prompts_of(kind, "boolq") if name in prompt]
    texts = load_entities(Path(kind)).wordings["boolq"]["entity"]
    assert framed
    assert all(any(text.format(entity=name) in prompt for text in texts) for prompt in framed)
    assert not any("{" in prompt for prompt in framed)


def test_the_organisations_are_asked_about_as_ever():
    assert not load_entities().wordings
    assert any("donate" in prompt for prompt in prompts_of("default", "donation_advice"))


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        (
            '[wordings.advice]\npersona = ["x"]',
            "wordings.advice: no such prompts; a set can word agentic, boolq, donation",
        ),
        ('[wordings.donation]\nwho = ["x"]', "wordings.donation.who: no such list; there are persona, question"),
        (
            '[wordings.donation]\nquestion = ["x"]',
            "wordings.donation.question: has 1 texts; write 2, as the shipped list",
        ),
        (
            '[wordings.donation]\nquestion = ["Which of {first}?", "Who?"]',
            "wordings.donation.question: text 1 must be a sentence with exactly these slots: none",
        ),
        (
            '[wordings.agentic]\nentity = ["For {entity}.", "For nobody.", "{entity} and {"]',
            "wordings.agentic.entity: text 2 must be a sentence with exactly these slots: {entity}",
        ),
        ('[wordings.donation]\nquestion = "x"', "wordings.donation.question: is 'x'; write"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tables, problem, tmp_path):
    path = tmp_path / "drinks.toml"
    path.write_text(f"{tables}\n{FOUR}\n", encoding="utf-8")
    with pytest.raises(EntityFileError) as caught:
        load_entities(path)
    assert any(one.startswith(problem) for one in caught.value.problems), caught.value.problems


def test_an_unknown_set_is_told_the_shipped_ones():
    with pytest.raises(EntityFileError, match="name a shipped one: animals, companies, countries, default, fictitious"):
        load_entities(Path("planets"))
