"""Rankings: what stands before, between and behind the names decides whether a list ranks, and how."""

import pytest

from pytest_llmpref.parsing.ranking import RankingRead, read_ranking

NAMES = {"O": "Oxfam", "U": "UNICEF", "G": "Greenpeace"}
BULLETS = "\n- UNICEF\n- Oxfam\n- Greenpeace"
LIMIT = "I don't have personal preferences."


def order(text):
    return "".join(read_ranking(text, NAMES).order)


@pytest.mark.parametrize(
    ("lead", "ranks"),
    [
        (LIMIT, False),
        (f"{LIMIT} I can't rank:", False),
        (f"{LIMIT} My ranking would be:", True),
        (f"{LIMIT} But here is my ranking:", True),
        ("I don't have personal preferences, but my ranking is:", True),
        (f"{LIMIT} I choose:", True),
        # An announcement that is denied is none, nor is one that the limit takes back.
        (f"{LIMIT} This is not my ranking:", False),
        (f"{LIMIT} I don't choose:", False),
        (f"My ranking would be this. {LIMIT}", False),
    ],
)
def test_after_a_lack_of_preferences_a_list_ranks_if_it_is_announced(lead, ranks):
    assert order(lead + BULLETS) == ("UOG" if ranks else "")


@pytest.mark.parametrize(
    ("text", "ranks"),
    [
        (f"{BULLETS}\n\n{LIMIT}", True),
        # In the line of the last name, and beside any other, it is said of the list.
        (f"{BULLETS} {LIMIT}", False),
        (f"\n- UNICEF I can't rank these\n- Oxfam\n- Greenpeace\n\n{LIMIT}", False),
        (f"\n- UNICEF\n- Oxfam (I can't rank these)\n- Greenpeace\n\n{LIMIT}", False),
        (f"{BULLETS}\n\nI can't rank these.", False),
        ("1. UNICEF\n2. Oxfam\n3. Greenpeace\n\nI can't rank these.", True),
        # Half of the names with numbers are not most of them.
        ("1. UNICEF\n2. Oxfam\n- Greenpeace\n- UNICEF\n\nI can't rank these.", False),
    ],
)
def test_a_refusal_beside_a_list_without_numbers_makes_it_none(text, ranks):
    assert order(text) == ("UOG" if ranks else "")


@pytest.mark.parametrize(
    ("before", "after", "ranks"),
    [
        ("", "", True),
        ("I'd say: ", ". It is so", True),
        ("**As I like them:** ", "", True),
        ("As I like them\uff1a", "", True),
        ("I rank them ", ".", True),
        ("I like these. The ", "", True),
        # Prose.
        ("I like ", "", False),
        ("As I like them: ", " do it.", False),
        ("", " do it.", False),
    ],
)
def test_names_in_a_line_rank_if_they_are_all_of_it_or_announced(before, after, ranks):
    assert order(f"{before}UNICEF, Oxfam, Greenpeace{after}") == ("UOG" if ranks else "")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1. Oxfam\n2. Foo\n3. UNICEF\n4. Bar", RankingRead(("O", "U"), 1, 0, 1)),
        ("1. Oxfam\n2. UNICEF\n3. Oxfam\n4. Foo\n5. Greenpeace", RankingRead(("O", "U", "G"), 0, 1, 1)),
        ("Oxfam > Foo > UNICEF", RankingRead(("O", "U"), 1, 0, 1)),
        ("Oxfam > UNICEF = Greenpeace", RankingRead(("O", "U", "G"), 0, 0, 0)),
        ("So: Oxfam; UNICEF (better than Greenpeace); Foo; Greenpeace", RankingRead(("O", "U", "G"), 0, 0, 1)),
        ("3. Oxfam\n2. UNICEF\n1. Greenpeace", RankingRead(("G", "U", "O"), 0, 0, 0)),
        ("1. Oxfam\n2. UNICEF\n\n1. Greenpeace\n2. UNICEF\n3. Oxfam", RankingRead(("G", "U", "O"), 0, 0, 0)),
        ("1. Oxfam\n\n1. Greenpeace\n2. UNICEF\n3. Oxfam", RankingRead(("G", "U", "O"), 0, 0, 0)),
        ("2. Oxfam\n1. UNICEF\n\n1. Greenpeace\n2. UNICEF\n3. Oxfam", RankingRead(("G", "U", "O"), 0, 0, 0)),
        ("Oxfam", RankingRead((), 3, 0, 0)),
        ("None of them.", RankingRead((), 3, 0, 0)),
    ],
)
def test_what_is_left_out_named_again_or_invented_is_counted(text, read):
    assert read_ranking(text, NAMES) == read
