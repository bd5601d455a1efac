"""The right answers to the bundled yes-or-no questions: what a simulated model may know about the world."""

import tomllib
from collections.abc import Mapping
from functools import cache

from pytest_llmpref.resources import data_folder


@cache
def gold_answers() -> Mapping[str, bool]:
    """Return question, as `bare_question` has it -> whether the right answer is yes."""
    path = data_folder("fixtures") / "boolq" / "items.toml"
    items = tomllib.loads(path.read_text(encoding="utf-8"))["items"]
    return {bare_question(item["question"]): item["answer"] for item in items}


def bare_question(question: str) -> str:
    """Return a question without its case, outer spaces and question mark."""
    return question.strip().rstrip("?").strip().casefold()
