"""Characters that cannot be seen: named where they are stray, and let be where Unicode gives them a meaning."""

import pytest

from pytest_llmpref.characters import meaningful, unseen_problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Oxfam", ""),
        ("", ""),
        ("Ox\u200bfam", "character 3 is U+200B (ZERO WIDTH SPACE), which cannot be seen; delete it"),
        ("\u202eOxfam\u200b", "character 1 is U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("Oxfam\x07", "character 6 is U+0007 (control character)"),
        ("a\ud800", "character 2 is U+D800 (control character)"),
        ("a\u3164", "character 2 is U+3164 (HANGUL FILLER)"),
        ("a\u200db", "character 2 is U+200D (ZERO WIDTH JOINER)"),
        ("\u0646\u0645\u06cc\u200c\u0634\u0648\u062f", ""),  # Persian: between letters that would join
        ("\u0d28\u0d4d\u200d", ""),  # Malayalam: after a virama
        ("\U0001f469\u200d\U0001f680", ""),  # a woman who is an astronaut
        ("\u0e01\u200b\u0e02", ""),  # Thai: between words
        ("\u0e01\u200b", "character 2 is U+200B"),
    ],
)
def test_the_first_stray_one_is_named_with_its_place(text, said):
    assert unseen_problem(text).startswith(said)
    assert bool(unseen_problem(text)) == bool(said)


def test_the_tags_of_a_flag_are_meaningful_and_loose_ones_are_not():
    tags = "\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    assert meaningful(f"\U0001f3f4{tags}") == set(range(1, 7))
    assert meaningful(f"a{tags}") == set()
    assert unseen_problem(f"a{tags}").startswith("character 2 is U+E0067")
