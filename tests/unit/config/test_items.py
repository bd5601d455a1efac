"""Yes/no questions: the bundled ones tell nothing by themselves, and files are read or named for what is wrong."""

import json
import math
import re
import sys
from collections import Counter

import pytest
from repository import ROOT
from scipy import stats

from pytest_llmpref.config.items import Item, ItemFileError, load_items
from pytest_llmpref.experiments.participants import alternating

BUNDLED = load_items().items
REAL = ROOT.parent / "shared" / "data" / "boolq-dev-1000.jsonl"
ROW = {"question": "does the ferry sail on sundays", "passage": "The ferry sails daily.", "answer": True}
NEGATIONS = {"no", "not", "never", "without", "nor", "none", "nobody", "nothing", "cannot", "only", "any", "ever"}
FEATURES = {
    "bag of words": lambda item: set(item.question.split()),
    "first word": lambda item: {item.question.split()[0]},
    "first two words": lambda item: {" ".join(item.question.split()[:2])},
    "length of the question": lambda item: {len(item.question.split()) // 3},
    "negations": lambda item: set(item.question.split()) & NEGATIONS,
    "length of the passage": lambda item: {len(item.passage.split()) // 8},
}


def naive_bayes(items, features):
    """Chance that a classifier trained on all other items tells a yes from a no: leave-pair-out area under the curve.

    Leaving one item out would leave the classes uneven, which by itself tells what was left out (Airola et al. 2011).
    """
    sides = [[features(item) for item in items if item.answer is answer] for answer in (True, False)]
    seen = [Counter(word for words in side for word in words) for side in sides]
    right = 0.0
    for yes in sides[0]:
        for no in sides[1]:
            score = [
                sum(math.log((seen[0][w] - (w in yes) + 1) / (seen[1][w] - (w in no) + 1)) for w in words)
                for words in (yes, no)
            ]
            right += 0.5 if abs(score[0] - score[1]) < 1e-9 else score[0] > score[1]
    return right / (len(sides[0]) * len(sides[1]))


def test_the_bundled_set_is_balanced_and_without_repetition():
    assert len(BUNDLED) >= 60
    assert 2 * sum(item.answer for item in BUNDLED) == len(BUNDLED)
    for field in ("id", "question", "passage"):
        assert len({getattr(item, field).casefold() for item in BUNDLED}) == len(BUNDLED)
    assert all(60 <= len(item.passage.split()) <= 110 for item in BUNDLED)
    assert all(item.passage.isascii() and item.question.isascii() for item in BUNDLED)


@pytest.mark.parametrize("name", FEATURES)
def test_a_question_does_not_give_its_answer_away(name):
    # A guesser is above this in one of a hundred sets (Mann and Whitney 1947).
    yes = no = len(BUNDLED) / 2
    most = 0.5 + stats.norm.ppf(0.99) * math.sqrt((yes + no + 1) / (12 * yes * no))
    assert naive_bayes(BUNDLED, FEATURES[name]) <= most


def test_the_check_finds_a_leak():
    leaky = [Item(f"{n}", "p", f"is {'ever' if n % 2 else 'it'} so {n}", bool(n % 2)) for n in range(64)]
    assert naive_bayes(leaky, FEATURES["bag of words"]) > 0.9
    assert naive_bayes(leaky, FEATURES["negations"]) > 0.7


def test_passages_are_as_long_for_yes_as_for_no():
    yes, no = ([len(item.passage.split()) for item in BUNDLED if item.answer is answer] for answer in (True, False))
    assert stats.mannwhitneyu(yes, no).pvalue > 0.05


def test_a_selection_is_balanced_and_a_prefix_of_a_larger_one():
    answers = {f"q{n}": n % 3 > 0 for n in range(30)}
    whole = alternating(answers, None, seed=1)
    assert sorted(whole) == sorted(answers)
    assert whole == alternating(dict(reversed(answers.items())), None, seed=1)
    assert whole != alternating(answers, None, seed=2)
    for count in (4, 12, 20):
        assert alternating(answers, count, seed=1) == whole[:count]
        assert sum(answers[id_] for id_ in whole[:count]) == count / 2


def write(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def test_both_json_formats_give_the_same_question(tmp_path):
    query = {"query": f"Passage: {ROW['passage']}\nQuestion: {ROW['question']}?", "choices": ["no", "yes"], "gold": 1}
    own = load_items(write(tmp_path / "own.jsonl", ROW, {**ROW, "question": "is it so?", "answer": False}))
    other = load_items(write(tmp_path / "query.jsonl", query, {**query, "choices": ["yes", "no"], "gold": 0}))
    assert other.items == own.items[:1]
    assert other.duplicates == 1
    assert own.items[1].question == "is it so"
    assert own.name == "own.jsonl"


@pytest.mark.parametrize("field", ["answer", "label"])
@pytest.mark.parametrize("written", [(True, False), (1, 0), (1.0, 0.0), ("Yes", "No"), ("true", "FALSE"), ("1", "0 ")])
def test_an_answer_is_read_as_sets_write_it(tmp_path, field, written):
    rows = [{"question": f"is it {n}", "passage": "p", "idx": n, field: answer} for n, answer in enumerate(written)]
    assert [item.answer for item in load_items(write(tmp_path / "it.jsonl", *rows)).items] == [True, False]


def test_superglues_parquet_is_read(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    rows = [{"question": f"is it {n}", "passage": "p", "idx": n, "label": 1 - n} for n in (0, 1)]
    pd.DataFrame(rows).to_parquet(tmp_path / "it.parquet")
    assert [item.answer for item in load_items(str(tmp_path / "it.parquet")).items] == [True, False]


def test_parquet_is_read(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame([ROW, {**ROW, "passage": "A\nB", "answer": False}]).to_parquet(tmp_path / "it.parquet")
    items = load_items(str(tmp_path / "it.parquet")).items
    assert [item.answer for item in items] == [True, False]
    assert items[1].passage == "A B"
    (tmp_path / "no.parquet").write_bytes(b"nonsense")
    with pytest.raises(ItemFileError, match="not a Parquet file"):
        load_items(str(tmp_path / "no.parquet"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["{not json"], "line 1: not JSON"),
        (["9" * 5000], "line 1: not JSON"),
        (["[" * 100_000], "line 1: not JSON"),
        (['"a text"'], "line 1: not a JSON object"),
        ([{**ROW, "question": 5}], "line 1: question: is 5; write the question, in quotes"),
        (
            [{"query": "Passage: a\nQuestion: b?", "choices": ["no", "yes"], "gold": 1.0}],
            "gold: is 1.0; write the index",
        ),
        ([{"query": "Passage: a\nQuestion: b?", "choices": ["no", "yes"], "gold": True}], "gold: is true; write the"),
        ([[1, 2]], "line 1: not a JSON object"),
        ([ROW, {**ROW, "question": ""}], "line 2: question: is ''; write the question"),
        ([{"question": "is it"}], "line 1: passage: missing; write the passage"),
        ([{**ROW, "passage": "x" * 50_000}], "passage: has 50,000 characters; shorten it to at most 10,000"),
        ([{"question": "q", "passage": "p"}], "answer: missing; write true or false"),
        ([{**ROW, "answer": "maybe"}], "answer: is 'maybe'; write true or false"),
        ([{**ROW, "answer": 2}], "answer: is 2; write true or false"),
        ([{**ROW, "answer": [True]}], "answer: is a list; write true or false"),
        ([{**ROW, "label": 0}], "answer: is true, and label 0; delete the wrong one"),
        ([{"question": "q", "passage": "p", "label": -1}], "label: is -1, as in SuperGLUE's test set, which hides"),
        ([ROW, {**ROW, "answer": False}], "line 2: line 1 is the same question with another answer"),
        (
            [{"query": "no passage", "choices": ["no", "yes"], "gold": 0}],
            "query: is 'no passage'; write \"Passage: ...\", then on a new line",
        ),
        (
            [{"query": "Passage: a\nQuestion: b?", "choices": ["A", "B"], "gold": 0}],
            'choices: is \'a, b\'; write ["no", "yes"]',
        ),
        ([{"query": "Passage: a\nQuestion: b?", "choices": ["no", "yes"], "gold": 2}], "gold: is 2"),
        ([], "no questions"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_line_and_field(tmp_path, rows, expected):
    path = write(tmp_path / "bad.jsonl", *rows)
    with pytest.raises(ItemFileError, match=re.escape(expected)) as error:
        load_items(path)
    assert "bad.jsonl" in str(error.value)


def test_a_missing_file_another_kind_and_a_set_that_was_not_downloaded_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(ItemFileError, match="no such file"):
        load_items(str(tmp_path / "none.jsonl"))
    with pytest.raises(ItemFileError, match=r"give a \.jsonl or \.parquet file"):
        load_items(str(tmp_path / "none.csv"))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(ItemFileError, match="needs huggingface-hub; pip install"):
            load_items("dev")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ItemFileError, match="run: llmpref boolq download"):
        load_items("dev")


@pytest.mark.skipif(not REAL.is_file(), reason="BoolQ's development set is not beside this checkout")
def test_the_real_set_is_read():
    items = load_items(str(REAL))
    assert len(items.items) + items.duplicates == 1000
    assert sum(item.answer for item in items.items) == pytest.approx(625, abs=3)
