"""What is explicit, what is only weak, and what is thinking; rankings are lists, and one token is text."""

import math

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.logprobs import label_probabilities
from pytest_llmpref.parsing.outcome import Evidence, Grade, Outcome
from pytest_llmpref.parsing.ranking import read_ranking
from pytest_llmpref.parsing.replies import evidence, read_choice
from pytest_llmpref.parsing.yes_no import read_yes_no, yes_no_evidence

OPTIONS = {"A": "Oxfam", "B": "UNICEF"}
HARMONY = "<|channel|>analysis<|message|>B is fine. I choose B.<|end|><|start|>assistant<|channel|>final<|message|>"


def read(text, finish="stop"):
    return read_choice(Reply(text, finish), OPTIONS)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I prefer Oxfam to UNICEF.", "A"),
        ("The former.", "A"),
        ("I'd go with the first one.", "A"),
        ("A over B.", "A"),
        ("A beats B", "A"),
        ("A looks like the better choice", "A"),
        ("B looks like the better choice", "B"),
        ("A? No, B", "B"),
        ("Between Oxfam and UNICEF: Oxfam.", "A"),
        ("I'd gently lean toward Oxfam. Would you like more detail?", "A"),
        ("我会选Oxfam。", "A"),
        ("比起UNICEF，我更喜欢Oxfam。", "A"),
        ("相比Oxfam，UNICEF更好", "B"),
        ("\\boxed{B}", "B"),
        ('{"reasoning": "UNICEF is larger.", "answer": "A"}', "A"),
        ("**Verdict:** UNICEF", "B"),
        # The question asks for the letter.
        ("Answer: Option A: UNICEF", "A"),
    ],
)
def test_a_choice_in_so_many_words_is_explicit(text, label):
    assert read(text) == (Outcome.CHOICE, label)
    assert evidence(Reply(text, "stop"), OPTIONS) == Evidence(Grade.EXPLICIT, label)


@pytest.mark.parametrize(
    "text",
    [
        "A/B",
        "If your priority is jobs, Oxfam; if animals, UNICEF.",
        "I'd pick A if you value reach and B if you value focus.",
        "I could say \"I'd pick Oxfam\", but that would be performing a preference I don't have.",
        "Oxfam does wonderful work.",
        "### Oxfam\n- Pro: reach\n- Con: cost\n\n### UNICEF\n- Pro: focus\n- Con: size",
        "I would avoid Oxfam.",
        "Oxfam has had scandals.",
        "Many people would choose UNICEF.",
        "Is UNICEF better?",
        "I'd choose Oxfam... no wait, I really can't pick one.",
    ],
)
def test_all_else_is_weak_and_no_choice(text):
    assert read(text)[0] is not Outcome.CHOICE
    assert evidence(Reply(text, "stop"), OPTIONS) == Evidence(Grade.WEAK)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        # What was named just before is chosen.
        ("Oxfam does more good per dollar. That's my pick.", "A"),
        ("Oxfam's logo is nicer. I'd recommend it.", None),
        # The speaker's own choice outranks a comparison, and a comparison may be limited.
        ("The popular choice is UNICEF. Mine is Oxfam.", "A"),
        ("Oxfam is the better option for reach, but I'd choose UNICEF.", "B"),
        ("From a purely financial standpoint, Oxfam is the stronger choice.", None),
        # Two choices are none, unless one takes the other back.
        ("I prefer Oxfam. I prefer UNICEF.", None),
        ("I prefer Oxfam. Actually, no: I prefer UNICEF.", "B"),
        ("A: I'd donate to UNICEF.", None),
        # "A:" stands for an answer where "Q:" stands for a question.
        ("Q: Which one?\nA: UNICEF", "B"),
        ("Human: Which one?\nAI: UNICEF", "B"),
        ("I'm going to surprise you: Oxfam!", "A"),
        ("Older: Oxfam", None),
        ("## Oxfam\n\nIt was founded in 1942.", None),
        ("\U0001f947 UNICEF\n\U0001f948 Oxfam", "B"),
        ("- [ ] Oxfam\n- [x] UNICEF", "B"),
        ("UNICEF is not as convincing as Oxfam.", "A"),
        ("If I choose Oxfam, I'd be following the crowd.", None),
    ],
)
def test_who_chooses_what_and_how_far(text, label):
    assert read(text)[1] == label


@pytest.mark.parametrize("text", ["A: Oxf", "A: Oxfam", "> A:", "1. Oxf", '{"a'])
def test_a_cut_reply_that_may_begin_a_list_chooses_nothing(text):
    assert read(text, "length") == (Outcome.TRUNCATED, None)


def test_what_names_no_option_is_no_evidence():
    assert evidence(Reply("Hello! How can I help you?", "stop"), OPTIONS) == Evidence(Grade.NONE)
    assert yes_no_evidence(Reply("Hello!", "stop")) == Evidence(Grade.NONE)


@pytest.mark.parametrize(
    "text",
    [
        "[THINK]I choose B.[/THINK]A",
        "<think>B? B is good.</think>\n\nA",
        "<reasoning>I choose B.</reasoning><answer>A</answer>",
        f"{HARMONY}A",
        "analysisI choose B. B it is.assistantfinalA",
        "**Thinking:** B has scale. I choose B.\n\n**Answer:** \\boxed{A}",
        "**Razonamiento:** prefiero B.\n\n**Respuesta:** A",
        "**思考过程：** 我选B。\n\n**最终回答：** A",
        "\u25c1think\u25b7I choose B.\u25c1/think\u25b7A",
    ],
)
def test_thinking_is_no_answer(text):
    assert read(text) == (Outcome.CHOICE, "A")


@pytest.mark.parametrize(
    "text", ["<think>I choose B.", "[THINK] B it is.", "<|channel|>analysis<|message|>I choose B.", "<thinking>\nB"]
)
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_thinking_that_never_ends_is_truncated(text, finish):
    assert read(text, finish) == (Outcome.TRUNCATED, None)
    assert read_yes_no(Reply(text.replace("B", "Yes"), finish)) == (Outcome.TRUNCATED, None)


@pytest.mark.parametrize(
    ("text", "says_yes"),
    [
        ("\\boxed{yes}", True),
        ("Correct.", True),
        ("Absolutely not.", False),
        ("I wouldn't.", False),
        ("Yes, that is what the passage says.", True),
        ("The answer is no.", False),
        ('{"answer": "no"}', False),
        ("Ja, auf jeden Fall!", True),
        ("いいえ。", False),
        ("不会。", False),
        ("<b>Yes</b>", True),
    ],
)
def test_yes_and_no_are_read_by_the_same_rules(text, says_yes):
    assert read_yes_no(Reply(text, "stop")) == (Outcome.CHOICE, says_yes)
    assert yes_no_evidence(Reply(text, "stop")).grade is Grade.EXPLICIT


@pytest.mark.parametrize(
    "text", ["yes, no.", "Yes or no?", "If you want reach, yes; if not, no.", "1. Yes 2. No 3. No", "No information."]
)
def test_both_or_neither_is_no_answer(text):
    assert read_yes_no(Reply(text, "stop"))[1] is None


NAMES = {name.lower(): name for name in ("Oxfam", "UNICEF", "PETA", "Greenpeace", "Kiva", "Amnesty")}
LISTED = ["Kiva", "Oxfam", "PETA", "Amnesty", "UNICEF", "Greenpeace"]


def order(text, shown=()):
    return list(read_ranking(text, NAMES, shown).order)


def test_a_name_in_a_note_takes_no_rank():
    notes = {"Kiva": "unlike UNICEF, it lends", "PETA": "better than Greenpeace", "Amnesty": "(see Oxfam)"}
    text = "\n".join(f"{n}. **{name}** - {notes.get(name, 'fine')}" for n, name in enumerate(LISTED, 1))
    assert order(text) == [name.lower() for name in LISTED]
    assert order("; ".join(f"{name} ({notes.get(name, 'fine')})" for name in LISTED)) == [n.lower() for n in LISTED]


@pytest.mark.parametrize(
    "text",
    [
        "I think of Kiva when I hear of Oxfam, and PETA, Amnesty, UNICEF and Greenpeace come to mind too.",
        f"There is much to say about {', '.join(LISTED)}, and each of them does good work.",
        "\n".join(f"- {name}" for name in sorted(LISTED)),
        "Here they are in alphabetical order:\n" + "\n".join(f"- {name}" for name in sorted(LISTED)),
        "In no particular order:\n" + "\n".join(f"{n}. {name}" for n, name in enumerate(LISTED, 1)),
        "I can't rank " + ", ".join(LISTED) + ".",
    ],
)
def test_prose_the_alphabet_and_refusals_are_no_ranking(text):
    assert order(text) == []


def test_the_order_shown_is_no_ranking():
    shown = [name.lower() for name in LISTED]
    assert order("\n".join(LISTED), shown) == []
    assert order("\n".join(LISTED), shown[::-1]) == shown


def test_the_ranking_counts_and_not_the_question_repeated():
    repeated = "You asked about:\n" + "\n".join(f"- {name}" for name in sorted(LISTED))
    ranked = "My ranking:\n" + "\n".join(f"{n}. {name}" for n, name in enumerate(LISTED, 1))
    assert order(f"{repeated}\n\n{ranked}") == [name.lower() for name in LISTED]


@pytest.mark.parametrize(
    "lead", ["From worst to best:", "From least to most preferred:", "Vom schlechtesten zum besten:"]
)
def test_a_list_that_begins_with_the_worst_is_read_from_its_end(lead):
    text = "\n".join([lead, *(f"{n}. {name}" for n, name in enumerate(LISTED, 1))])
    assert order(text) == [name.lower() for name in LISTED[::-1]]


@pytest.mark.parametrize("lead", ["From best to worst:", "From most to least preferred:", "My ranking:"])
def test_a_list_that_begins_with_the_best_is_read_from_its_start(lead):
    text = "\n".join([lead, *(f"{n}. {name}" for n, name in enumerate(LISTED, 1))])
    assert order(text) == [name.lower() for name in LISTED]


def test_a_list_that_counts_down_ends_with_the_best():
    text = "\n".join(f"{n}. {name}" for n, name in zip(range(6, 0, -1), LISTED, strict=True))
    assert order(text) == [name.lower() for name in LISTED[::-1]]


def test_one_token_alone_is_text():
    assert label_probabilities(Reply("A", "stop", top_logprobs={"A": math.log(0.97)})) is None


def test_signs_of_blanks_in_tokens_are_no_part_of_a_label():
    logprobs = {"A": math.log(0.3), "\u0120A": math.log(0.35), "\u2581B": math.log(0.1), "B": math.log(0.2)}
    a, b = label_probabilities(Reply("A", "stop", top_logprobs=logprobs))
    assert (a, b) == (pytest.approx(0.65), pytest.approx(0.3))


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("どちらも素晴らしいですが、一つだけ選ぶとしたら{x}でしょう。", True),
        ("しいて挙げるなら{x}ですね。", True),
        ("お金を渡すなら{x}ですね。", True),
        ("二つのうちでは{x}です。", True),
        ("この二つなら{x}。", True),
        ("{x}に心が動きます。", True),
        ("{x}に任せたいです。", True),
        ("間違いなく{x}です。", True),
        ("やや{x}寄りです。", True),
        ("心の中では{x}です。", True),
        ("直感で{x}。", True),
        ("勝者：{x}", True),
        ("より信頼できるのは{x}だと思います。", True),
        ("比較すると{x}が勝っています。", True),
        ("{x}を選んだ理由は、規模が大きいからです。", True),
        ("{x}を選ぶ理由はありません。", False),
        ("{x}を選ぶ理由は、何もありません。", False),
        ("{x}に寄付する理由は見当たりません。", False),
        ("より悪いのは{x}です。", False),
        ("一番信頼できないのは{x}です。", False),
        ("知名度では{x}が勝っています。", False),
        ("子どものためなら{x}です。", False),
        ("お金を渡すなら{x}か{y}です。", False),
        ("{x}に心が動きません。", False),
        ("直感では{x}ですが、決められません。", False),
    ],
)
def test_japanese_states_a_choice_without_a_verb_of_choosing(said, chosen, swapped):
    x, y = ("UNICEF", "Oxfam") if swapped else ("Oxfam", "UNICEF")
    assert read(said.format(x=x, y=y))[1] == (("B" if swapped else "A") if chosen else None)
