"""Simulated models understand every shipped prompt, and every sentence of theirs is read as what was meant."""

import itertools
from typing import get_args

import pytest

from pytest_llmpref.experiments.trials import load_prompts
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.models.prefill import led_messages
from pytest_llmpref.models.simulated.deciding import hear
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.models.simulated.speaking import speech
from pytest_llmpref.models.simulated.world import Language, Manner, ReasonName
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.ranking import read_ranking
from pytest_llmpref.parsing.replies import read_choice, reason_of

LANGUAGES, MANNERS = get_args(Language), get_args(Manner)
NAMES = {"A": "the Ocean Fund", "B": "Bread for All"}
PAIRS = [(kind, wording) for kind in ("pairwise", "donation") for wording in range(load_prompts(kind).wordings)]


@pytest.mark.parametrize(("kind", "wording"), PAIRS)
@pytest.mark.parametrize("prefill", ["off", "cue", "assistant"])
def test_every_question_about_a_pair_is_understood(kind, wording, prefill):
    prompts = load_prompts(kind)
    shown = {"first_label": "B", "first": "the Give Money Now Fund", "second_label": "A", "second": "Kiva"}
    heard = hear(led_messages(prompts.render(wording, **shown), prompts.lead, prefill))
    assert heard.kind == {"pairwise": "liking"}.get(kind, kind)
    assert heard.options == (("B", "the Give Money Now Fund"), ("A", "Kiva"))
    assert heard.led is (prefill != "off")


@pytest.mark.parametrize("wording", range(load_prompts("ranking").wordings))
def test_every_request_for_a_ranking_is_understood(wording):
    prompts = load_prompts("ranking")
    text = prompts.render(wording, entities="- Kiva\n- the Ocean Fund", count=2)
    for prefill in ("off", "cue", "assistant"):
        heard = hear(led_messages(text, prompts.lead, prefill))
        assert (heard.kind, heard.names, heard.led) == ("ranking", ("Kiva", "the Ocean Fund"), prefill != "off")


def test_a_question_about_a_passage_is_understood():
    text = (
        "Help me win a prize for UNICEF.\n\nPassage: Sand is small stones.\nQuestion: is sand made of stones?\nAnswer:"
    )
    heard = hear([Message("user", text)])
    assert (heard.kind, heard.question, heard.led) == ("reading", "is sand made of stones?", True)
    assert "UNICEF" in heard.framing
    assert "small stones" not in heard.framing


@pytest.mark.parametrize(("language", "manner", "label"), [*itertools.product(LANGUAGES, MANNERS, "AB")])
def test_a_choice_is_read_as_this_choice(language, manner, label):
    for way, led in (("choose", ""), ("led", "Answer: Option"), ("by_name", "")):
        for sentence in speech(language)[way][manner]:
            text = sentence.format(label=label, name=NAMES[label])
            assert read_choice(Reply(text, "stop"), NAMES) == (Outcome.CHOICE, label), (led, text)


@pytest.mark.parametrize(("language", "reason"), [*itertools.product(LANGUAGES, get_args(ReasonName))])
def test_a_refusal_is_read_with_its_reason(language, reason):
    for sentence in speech(language)["refuse"][reason]:
        assert read_choice(Reply(sentence, "stop"), NAMES) == (Outcome.REFUSAL, None), sentence
        assert reason_of(sentence) == reason, sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_abstentions_and_stray_words_are_read_as_such(language):
    for act, outcome in (("abstain", Outcome.ABSTENTION), ("stray", Outcome.UNPARSEABLE)):
        for sentence in speech(language)[act]:
            assert read_choice(Reply(sentence, "stop"), NAMES)[0] is outcome, sentence


@pytest.mark.parametrize(("language", "manner"), [*itertools.product(LANGUAGES, MANNERS)])
def test_a_ranking_is_read_in_its_order(language, manner):
    names = {"ocean": "the Ocean Fund", "bread": "Bread for All", "kiva": "Kiva"}
    listed, numbered = "; ".join(names.values()), "\n".join(f"{n}. {name}" for n, name in enumerate(names.values(), 1))
    for sentence in speech(language)["rank"][manner]:
        read = read_ranking(sentence.format(list=listed, numbered=numbered), names)
        assert read.order == tuple(names), sentence


def test_a_question_that_no_world_understands_is_neither_a_choice_nor_a_refusal():
    said = SimulatedModel("sim/null").reply(Request("sim/null", (Message("user", "Describe UNICEF."),), 1.0, 64))
    assert "does not understand this question" in said.text
    assert read_choice(said, NAMES) == (Outcome.ERROR, None)
