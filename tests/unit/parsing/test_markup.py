"""Markup: what it sets apart is dropped or marked as an answer, and all else stays as it was said."""

import pytest

from pytest_llmpref.parsing.language import ANSWER, TITLE
from pytest_llmpref.parsing.markup import plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "It is a non-profit. Non-profits help; non-A and anon-b.",
            "It is a nonprofit. Nonprofits help; non-A and anon-b.",
        ),
        ("I take ~~Oxfam~~ UNICEF, 5 ~ 6 ~~x", "I take   UNICEF, 5 ~ 6 ~~x"),
        ("snake_case __A__ _b_ _", "snake_case A b _"),
        ("`A` *B* **C**", "A B C"),
        ("\u2705 Oxfam\n\u274c\ufe0f UNICEF", "Oxfam \u2705\nUNICEF \u274c"),
        ("# Title\nBody\n## End", f"{TITLE}Title\nBody\nEnd"),
        ("-> A\n=> \u2192 B", "\nA\nB"),
        ("A & B; &amp; &lt;b&gt;A&lt;/b&gt;", "A & B; & A"),
        ("A :) <3 B", "A   B"),
        ("A <3 B", "A  B"),
        ("<b>A</b> <i>B</i>", "A B"),
        ("a < b", "a < b"),
        ("[text](http://x) and [this] (one)", "text and [this] (one)"),
        ("\\textbf{A} and \\alpha", "A and \\alpha"),
        ("{A} {}", "{A} {}"),
    ],
)
def test_markup_is_dropped_and_what_only_looks_like_it_stays(text, said):
    assert plain(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\\boxed{\\text{A}}", f"\n{ANSWER}: A\n"),
        ("So [[A]].", f"So \n{ANSWER}: A\n."),
        ("<answer>A</answer><reason>B</reason>", f"\n{ANSWER}: A\nB"),
        ('{"answer": "A", "reason": "B", "not_chosen": "B"}', f"\n{ANSWER}: A\n"),
        ('{"final-choice": A, "second_choice": B, "chosen": "Oxfam"}', f"\n{ANSWER}: A\n{ANSWER}: Oxfam\n"),
        ('{"reason": "B"}', "\n"),
        ('{"ANSWER": "A", "Not answer": "B", "antwort": "C"}', f"\n{ANSWER}: A\n{ANSWER}: C\n"),
    ],
)
def test_an_answer_that_is_marked_as_one_has_a_sign_before_it(text, said):
    assert plain(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Assistant: Oxfam", "Oxfam"),
        ("Oxfam\nHuman: and you?\nUNICEF", "Oxfam"),
        ("Oxfam</s>UNICEF", "Oxfam"),
        ("B <|im_end|> C", "B "),
        ("[INST] Which? [/INST] A", "A"),
        ("Human: Which one?\nAI: UNICEF", "UNICEF"),
        ("> I always give to X and Y\nOxfam it is", "\nOxfam it is"),
        ("> Oxfam\nUNICEF", "\nOxfam\nUNICEF"),
        # "A:" is an answer after "Q:", and an option beside "B:".
        ("Q: Which?\nA: UNICEF", f"Q: Which?\n{ANSWER}:  UNICEF"),
        ("Q. Which? A. UNICEF", f"Q. Which? {ANSWER}:  UNICEF"),
        ("Q: Which?\nA: Oxfam\nB: UNICEF", "Q: Which?\nA: Oxfam\nB: UNICEF"),
        ("Which?\nA: UNICEF", "Which?\nA: UNICEF"),
        ("I pick A. I pick A. I pick A. ", "I pick A. "),
        ("I pick A. I pick A. So B.", "I pick A. I pick A. So B."),
    ],
)
def test_what_another_says_and_what_is_said_again_are_dropped(text, said):
    assert plain(text) == said
