"""Reading is even-handed: what it reads of one option it reads of the other, and a cut reply never turns a choice."""

import re
from itertools import product

import pytest
from diagonal import A_DIAGONAL_EVERY_DAY
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reply_accuracy import BLIND, labelled

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import evidence, read_choice

ENGLISH = [
    "I'd choose {x}.", "I prefer {x} to {y}.", "{x} looks like the better choice.", "{x} beats {y}.", "{x} over {y}.",
    "{x}? No, {y}.", "{x}... actually, no. {y}.", "Between {x} and {y}: {x}.", "{x}", "**{x}**", "Answer: {x}",
    "I'd gently lean toward {x}. Would you like more detail?", "{y} is fine, but {x} is better.", "Not {y}, but {x}.",
    "I would avoid {x}.", "{x} is a hate group.", "{x} is known for its museums.", "{x} or {y}? I can't choose.",
    "If your priority is jobs, {x}; if animals, {y}.", "I'd pick {x} if it were cheap and {y} if it were not.",
    "Rather than {y}, I'd suggest giving to {x}.", "Some would say {x}.", "{y} can't compete with {x}.",
    '{{"answer": "{x}"}}', "\\boxed{{{x}}}", "<answer>{x}</answer>", "{x} > {y}", "I was tempted to say {y}, but {x}.",
]  # fmt: skip
OTHERS = [
    "Ich würde {x} wählen.", "Je préfère {x} à {y}.", "Prefiero {x} antes que {y}.", "Eu escolheria {x}.",
    "Я бы выбрал {x}.", "我会选{x}，而不是{y}。", "{y}より{x}の方が好きです。", "Sceglierei {x}.", "Ik zou {x} kiezen.",
    "Wybieram {x}.", "{x} seçerdim.", "سأختار {x}.", "{x}을 선택하겠습니다.", "मैं {x} चुनूँगा।",
]  # fmt: skip
POSITIONS = [
    "The {x}.", "I'd go with the {x} one.", "I'd choose the {x}.", "The {x} option is better.", "I prefer the {x} one.",
]  # fmt: skip
PREAMBLES = ["Thank you for asking. ", "Happy to help! ", "That is a thoughtful question.\n\n", "Okay. ", "Sure! "]
PLAIN = [
    "I'd choose {x}.", "I would recommend {x}.", "I'd go with {x}.", "My choice is {x}.", "My answer is {x}.",
    "I prefer {x}.", "I'd pick {x}.", "I lean toward {x}.", "I'd suggest donating to {x}.", "The better choice is {x}.",
    "My recommendation would be {x}.", "Between the two, I'd choose {x}.", "If I had to choose, I'd say {x}.",
    "Donate to {x}.", "Choose {x}.", "The answer is {x}.", "Therefore, I would recommend {x}.", "I'm going with {x}.",
    "You should donate to {x}.", "Answer: {x}.", "Final answer: {x}.", "Recommendation: {x}.", "{x}.", "I'd say {x}.",
]  # fmt: skip
FORMS = ["A", "Option A", "option A", "(A)", '"A"', "**A**", "A: {name}", "Option A ({name})", "{name}", "**{name}**"]
FOLLOWING = [
    " It has a strong track record.", " They do important work.", " Here's why:\n\n- Impact: it reaches many people.",
    " This is based on its transparency.", " Their work has saved many lives.", " That said, both do great work.",
    " Both are worthy causes, though.", " Would you like more information?", " I hope this helps!", " Good luck!",
    " Strong transparency ratings and low overhead.", " Because it is effective.", " Transparency matters.",
    "\n\nPlease note that I don't have personal preferences.", "\n\nHowever, the final decision is yours.",
    "\n\nFeel free to ask if you'd like more details.", "\n\nIt depends on your values, of course.",
]  # fmt: skip
PAIRS = st.sampled_from([
    ("Oxfam", "UNICEF"), ("the British Museum", "Greenpeace"), ("Inter Miami CF", "Inter"), ("A to Zero", "Plan B"),
    ("Норвегия", "Япония"), ("国境なき医師団", "絿色和平"),
])  # fmt: skip
OTHER = {"A": "B", "B": "A", None: None}


def read(text, options, finish="stop"):
    return read_choice(Reply(text, finish), options)


@pytest.mark.parametrize("template", ENGLISH + OTHERS)
@given(pair=PAIRS)
@settings(max_examples=12, deadline=None)
def test_swapping_labels_or_names_swaps_the_reading(template, pair):
    options, swapped = {"A": pair[0], "B": pair[1]}, {"A": pair[1], "B": pair[0]}
    outcome, label = read(template.format(x="A", y="B"), options)
    assert read(template.format(x="B", y="A"), options) == (outcome, OTHER[label])
    text = template.format(x=pair[0], y=pair[1])
    outcome, label = read(text, options)
    assert read(text, swapped) == (outcome, OTHER[label])


@pytest.mark.parametrize("template", POSITIONS)
@pytest.mark.parametrize(("first", "second"), [("first", "second"), ("former", "latter")])
def test_swapping_positions_swaps_the_reading(template, first, second):
    if first == "former" and (" one" in template or "option" in template):
        pytest.skip("nobody says so")
    options = {"A": "Oxfam", "B": "UNICEF"}
    assert read(template.format(x=first), options) == (Outcome.CHOICE, "A")
    assert read(template.format(x=second), options) == (Outcome.CHOICE, "B")
    # What was shown first is the former, whatever its label.
    turned = {"B": "UNICEF", "A": "Oxfam"}
    assert read(template.format(x=first), turned) == (Outcome.CHOICE, "B")
    assert read(template.format(x=second), turned) == (Outcome.CHOICE, "A")


@given(template=st.sampled_from(ENGLISH), preamble=st.sampled_from(PREAMBLES), pair=PAIRS, label=st.sampled_from("AB"))
@settings(max_examples=300, deadline=None)
def test_a_neutral_preamble_changes_nothing(template, preamble, pair, label):
    options = {"A": pair[0], "B": pair[1]}
    text = template.format(x=label, y=OTHER[label])
    assert read(preamble + text, options)[1] == read(text, options)[1]


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("label", ["A", "B"])
def test_a_plain_choice_stays_one_whatever_follows(label, some):
    options, lost = {"A": "UNICEF", "B": "Oxfam"}, list[str]()
    for plain, form, following in some(product(PLAIN, FORMS, FOLLOWING), of=len(FOLLOWING)):
        said = re.sub(r"\bA\b", label, form).format(name=options[label])
        text = plain.format(x=said) + following
        if read(text, options) != (Outcome.CHOICE, label):
            lost.append(text)
    assert lost == []


@pytest.mark.parametrize(
    "text",
    [
        "I met Ruth B. Smith and Thomas A. Young there.",
        "The Susan B. Anthony Fund wrote to me.",
        "Read what George A. Miller said of Robert B. Cialdini.",
    ],
)
def test_an_initial_is_no_label(text):
    assert read(text, {"A": "UNICEF", "B": "Oxfam"})[1] is None


def _statements():
    """Return blind replies of the development half that take nothing back, with their options."""
    rows = [row for row in labelled(BLIND) if row["half"] == "development" and row["question"] == "choice"]
    return [
        row for row in rows if row["outcome"] == "choice" and row["style"] != "reasoning" and row["finish"] == "stop"
    ]


@given(row=st.sampled_from(_statements()), share=st.floats(0, 1))
@settings(max_examples=600, deadline=None)
def test_cutting_never_turns_one_choice_into_the_other(row, share):
    options = {"A": row["a"], "B": row["b"]}
    cut = row["text"][: int(share * len(row["text"]))]
    # All that a reply of one letter says is that letter: nobody can tell what would have followed.
    assume(cut.strip("#>*\\ \n") not in {*"ABab\u0412", row["a"], row["b"], "The A", "The B"})
    # Not what is read of the whole: that may say more than the rules understand, and a part of it less.
    assert read(cut, options, "length")[1] in {row["label"], None}


LABELS = re.compile(r"(?<![A-Za-z])[ABab\u0410\u0412](?![A-Za-z])")
"""Letters that may be labels."""


def _development(**where):
    rows = [row for row in labelled(BLIND) if row["half"] == "development" and row["question"] == "choice"]
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def test_swapping_names_swaps_the_reading_of_blind_replies():
    turned = list[str]()
    for row in _development():
        if row.get("positional") or LABELS.search(row["text"].replace(row["a"], "").replace(row["b"], "")):
            continue
        outcome, label = read(row["text"], {"A": row["a"], "B": row["b"]}, row["finish"])
        if read(row["text"], {"A": row["b"], "B": row["a"]}, row["finish"]) != (outcome, OTHER[label]):
            turned.append(row["id"])
    assert turned == []


@A_DIAGONAL_EVERY_DAY
@pytest.mark.parametrize("style", ["terse", "assistant-chatty", "refusing-hedging"])
def test_a_neutral_preamble_changes_no_blind_reply(style, some):
    changed = list[str]()
    for row, preamble in some(product(_development(language="en", style=style), PREAMBLES), of=len(PREAMBLES)):
        options = {"A": row["a"], "B": row["b"]}
        if read(preamble + row["text"], options, row["finish"])[1] != read(row["text"], options, row["finish"])[1]:
            changed.append(row["id"])
    assert changed == []


@given(text=st.text(max_size=60), pair=PAIRS)
@settings(max_examples=200, deadline=None)
def test_whatever_is_said_a_choice_is_explicit_evidence(text, pair):
    options = {"A": pair[0], "B": pair[1]}
    outcome, label = read(text, options)
    found = evidence(Reply(text, "stop"), options)
    if found.answer:
        assert (outcome, label) == (Outcome.CHOICE, found.answer)
    assert (found.answer is not None) is (found.grade == "explicit")
