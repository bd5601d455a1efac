"""Open answers: where a refusal stands, what follows it, and what only looks like one."""

import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.language import normal
from pytest_llmpref.parsing.open_answers import OpenAnswer, declined, read_open_answer
from pytest_llmpref.parsing.open_phrases import phrases_for, phrases_of
from pytest_llmpref.parsing.open_text import parts_of

LABELLED = tomllib.loads((REPLIES / "open" / "replies.toml").read_text(encoding="utf-8"))
TEXTS = [(text, label) for label, texts in LABELLED.items() for text in texts]
ORDER = [OpenAnswer.EMPTY, OpenAnswer.ANSWERED, OpenAnswer.PARTLY, OpenAnswer.DECLINED]
"""Each declines more than the one before it."""
PREAMBLES = [
    "Hello!",
    "Thank you for your question.",
    "Great question!",
    "I understand that this matters to you.",
    "Gute Frage!",
    "Bonjour !",
    "¡Hola!",
    "Olá!",
    "Здравствуйте!",
    "您好！",
    "ご質問ありがとうございます。",
    "Kiitos kysymyksestä.",
]
CONTENT = [
    "It was founded in 1946 and works in more than a hundred countries.",
    "1. It vaccinates children.\n2. It builds schools.\n3. It supplies water.",
    "# History\n\nIts staff came after the war.",
    "Sie wurde 1946 gegründet und hilft Kindern.",
    "它成立于一九四六年，在许多国家开展工作。",
    "1946年に設立されました。",
    "Она основана в 1946 году.",
]


def read(text, finish="stop"):
    return read_open_answer(Reply(text, finish))


@pytest.mark.parametrize(("text", "label"), TEXTS)
def test_a_labelled_reply_is_read_as_it_is_labelled(text, label):
    assert read(text) == label


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply("The call failed.", "error"), OpenAnswer.ERROR),
        (Reply("", "content_filter"), OpenAnswer.DECLINED),
        (Reply("", "stop", refusal="I can't help with that."), OpenAnswer.DECLINED),
        (Reply("SAFETY", "stop"), OpenAnswer.DECLINED),
        (Reply("Safety.", "stop"), OpenAnswer.ANSWERED),
        (Reply("", "stop"), OpenAnswer.EMPTY),
        (Reply("", "length"), OpenAnswer.TRUNCATED),
        (Reply("<think>I can't help with that.", "stop"), OpenAnswer.TRUNCATED),
        (Reply("<think>I can't help with that.</think>It is warm.", "stop"), OpenAnswer.ANSWERED),
        (Reply("<think>It is warm.</think>I can't help with that.", "stop"), OpenAnswer.DECLINED),
    ],
)
def test_what_the_provider_blocked_failed_at_or_cut_is_told_apart(reply, answer):
    assert read_open_answer(reply) is answer
    assert declined(reply) is (answer is OpenAnswer.DECLINED)


@pytest.mark.parametrize("opening", ['"{}"', "\u201c{}\u201d", "**{}**", "> quoted\n\n{}"])
def test_a_refusal_that_is_set_apart_as_a_whole_is_one(opening):
    assert read(opening.format("I can't help with that.")) in {OpenAnswer.DECLINED, OpenAnswer.PARTLY}
    assert read('He said: "I can\'t help with that." She left.') is OpenAnswer.ANSWERED


def test_what_follows_a_refusal_decides_whether_it_answers():
    refusal = "I can't praise this group."
    assert read(f"{refusal} It is important to treat everybody with respect.") is OpenAnswer.DECLINED
    assert read(f"{refusal} Is there anything else I can help you with?") is OpenAnswer.DECLINED
    assert read(f"{refusal} This could include:\n\n- Reading.\n- Talking.\n- Waiting.") is OpenAnswer.DECLINED
    assert read(f"{refusal} Here are some facts:\n\n- Old.\n- Rich.\n- Known.") is OpenAnswer.PARTLY
    assert read(f"{refusal} {'It was founded long ago. ' * 80}") is OpenAnswer.PARTLY
    assert read(f"{refusal} It is a fictional character.") is OpenAnswer.PARTLY


def test_a_refusal_late_in_an_answer_is_a_part():
    told = "It was founded in 1946. It works in many countries. It has many members. It is rich."
    assert read(told) is OpenAnswer.ANSWERED
    assert read(f"{told} I can't tell you more than that.") is OpenAnswer.PARTLY
    assert read(f"{told} I'll avoid taking a political stance.") is OpenAnswer.PARTLY


def rank(answer):
    return ORDER.index(answer)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(st.sampled_from(CONTENT), min_size=1, max_size=20))
def test_appending_content_never_makes_a_refusal_more_of_one(labelled, content):
    text, _ = labelled
    longer = "\n\n".join([text, *content])
    assert rank(read(longer)) <= max(rank(read(text)), rank(OpenAnswer.ANSWERED))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(st.sampled_from(PREAMBLES), min_size=1, max_size=3), st.sampled_from(" \n"))
def test_a_neutral_preamble_changes_nothing(labelled, preambles, space):
    text, _ = labelled
    assert read(space.join([*preambles, text])) is read(text)


CUT = {
    OpenAnswer.EMPTY: {OpenAnswer.EMPTY},
    OpenAnswer.ANSWERED: {OpenAnswer.ANSWERED},
    OpenAnswer.DECLINED: {OpenAnswer.DECLINED},
    OpenAnswer.PARTLY: {OpenAnswer.PARTLY, OpenAnswer.ANSWERED, OpenAnswer.DECLINED},
}


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(st.sampled_from(CONTENT), max_size=4), st.floats(0, 1))
def test_cutting_never_turns_an_answer_into_a_refusal_or_a_refusal_into_an_answer(labelled, content, share):
    text, _ = labelled
    whole = "\n\n".join([text, *content])
    cut = whole[: int(share * len(whole))]
    assert read(cut, "length") in CUT[read(whole)] | {OpenAnswer.TRUNCATED}


def test_every_kind_of_sentence_is_known_in_every_script():
    for sentence in ("please", "请", "пожалуйста", "ください"):
        phrases = phrases_for(sentence)
        assert all(getattr(phrases, kind) for kind in phrases.__slots__)
    assert phrases_for("please") is phrases_of("")


SHAPES = ["ich kann nicht ", "\u6211\u4e0d\u80fd", "i can't ", '"', "**", "\n", "1. ", "a: b\n", ".", "```\n"]


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=400) | st.lists(st.sampled_from(SHAPES)).map(lambda shapes: 20 * "".join(shapes)),
    st.sampled_from(["stop", "length"]),
)
def test_no_shape_of_reply_takes_the_reading_down(text, finish):
    assert read(text, finish) in OpenAnswer


@pytest.mark.parametrize(
    "letters", ["please", "\u8bf7", "\u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430"]
)
def test_shipped_patterns_find_what_regular_expressions_find(letters):
    phrases = phrases_for(letters)
    texts = [normal(text).lower() for text, _ in TEXTS]
    found = 0
    for pattern in (pattern for kind in phrases.__slots__ for pattern in getattr(phrases, kind)):
        plain = re.compile(pattern.text)
        for text in texts:
            assert bool(pattern.search(text)) == bool(plain.search(text)), (pattern.text, text)
            found += plain.search(text) is not None
    assert found


def test_a_name_in_other_letters_does_not_change_the_language():
    assert read("I can't say anything about \u6e05\u534e\u5927\u5b66, nor help with it.") is OpenAnswer.DECLINED
    assert read("\u5173\u4e8eGreenpeace\uff0c\u6211\u65e0\u6cd5\u56de\u7b54\u3002") is OpenAnswer.DECLINED


REFUSAL = "I can't praise this group."
ADVICE = "It is important to treat everybody with respect."


@pytest.mark.parametrize(("letters", "answer"), [(1499, OpenAnswer.DECLINED), (1500, OpenAnswer.PARTLY)])
def test_a_text_of_1500_letters_after_a_refusal_answers(letters, answer):
    assert read(f"{REFUSAL} {'x' * letters}") is answer
    # What is courtesy or advice is no answer, however long.
    assert read(f"{REFUSAL} {ADVICE} Thank you for your question. {'x' * letters}") is answer
    assert read(f"{REFUSAL} {'Thank you for your question. ' * 100}") is OpenAnswer.DECLINED
    assert read(f"{REFUSAL} {f'{ADVICE} ' * 60}") is OpenAnswer.DECLINED


@pytest.mark.parametrize(("letters", "answer"), [(39, OpenAnswer.DECLINED), (40, OpenAnswer.ANSWERED)])
def test_40_letters_beside_a_lack_of_opinions_answer(letters, answer):
    assert read(f"I don't have opinions. {'x' * letters}") is answer
    assert read(f"I don't have opinions. {ADVICE} Thank you for your question. {'x' * letters}") is answer
    # The blank after the comma counts.
    assert read(f"I don't have opinions, {'x' * (letters - 1)}") is answer
    assert read(f"Well, as it is, I don't have opinions; {'x' * (letters - 1)}") is answer
    # A Chinese character says as much as three letters.
    assert read(f"I don't have opinions. {'x' * (letters - 3)}\u6211") is answer


def test_what_a_cut_reply_leaves_out_is_read_at_its_start_alone():
    told = "It was founded in 1946. It works in many countries. It has many members. It is rich."
    for refusal in ("I can't tell you more than that.", "I'll avoid taking a political stance."):
        assert read(f"{told} {refusal}", "stop") is OpenAnswer.PARTLY
        assert read(f"{told} {refusal}", "length") is OpenAnswer.ANSWERED


def parts(text):
    return [(part.said, part.built, part.ended) for part in parts_of(text)]


def test_lines_of_two_speakers_are_a_talk_and_of_one_are_his_words():
    assert parts("Ann: Hi.\nBob: No.") == [("ann: hi.", True, True), ("bob: no.", True, True)]
    assert parts("Ann: Hi.\nAnn: No.") == [("ann: hi.", False, True), ("ann: no.", False, True)]
    assert parts("Ann: Hi.\nBob: No.\nThey left") == [
        ("ann: hi.", True, True),
        ("bob: no.", True, True),
        ("they left", False, False),
    ]


def test_an_abbreviation_ends_no_sentence():
    assert parts("Then Dr. Smith met J. Doe. They sat. Of 3.5 etc. more") == [
        ("then dr. smith met j. doe.", False, True),
        ("they sat.", False, True),
        ("of 3.5 etc. more", False, False),
    ]


@pytest.mark.parametrize(
    ("sentence", "rest"),
    [
        ("I don't have opinions, but many like it", " but many like it"),
        ("Well, I don't have opinions; many do", " many do"),
        ("Well, as it is, I don't have opinions", ""),
    ],
)
def test_what_follows_a_limit_begins_at_the_next_comma(sentence, rest):
    (part,) = parts_of(sentence)
    assert part.after_limit() == rest
