"""Reading replies to questions with two options, beside the one pattern with which inspect-ai finds a letter.

``python tests/benchmarks/bench_reading.py`` reads the half ``development`` of all blind replies, each of which it has
never seen, which compiles the phrases that the replies need; and then some of those in English after other sentences,
so that each has 1,000 characters. The peer looks through the same long replies.
"""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai.scorer import AnswerPattern

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from reply_accuracy import SETS, labelled

from pytest_llmpref import Reply, read_choice

PADDING = (
    "It was founded many years ago and has grown a great deal since then. The staff number a few hundred, and reports "
    "appear every spring. Some people know it well, others have hardly heard of it. "
) * 6
LONG = 1000
"""Characters of a long reply."""


def milliseconds(rows: list[dict[str, Any]], read: Callable[[dict[str, Any]], object]) -> float:
    """Return the CPU time of one reply."""
    began = time.process_time()
    for row in rows:
        read(row)
    return 1000 * (time.process_time() - began) / len(rows)


def by_rules(row: dict[str, Any]) -> object:
    """Read a reply by our rules."""
    return read_choice(Reply(row["text"], row["finish"]), {"A": row["a"], "B": row["b"]})


def by_pattern(row: dict[str, Any]) -> object:
    """Look for a letter as inspect-ai does."""
    return re.search(AnswerPattern.LETTER, row["text"])


def padded(row: dict[str, Any]) -> dict[str, Any]:
    """Return a reply with sentences before it."""
    return row | {"text": f"{PADDING[: LONG - len(row['text'])].rpartition('.')[0]}. {row['text']}"}


def main() -> None:
    """Print all figures."""
    rows = [
        row
        for path in SETS.values()
        for row in labelled(path)
        if row["half"] == "development" and row["question"] == "choice"
    ]
    english = [row for row in rows if row["language"] == "en" and len(row["text"]) < LONG // 2]
    long = [padded(row) for row in english[::5]]
    print(f"{len(rows)} replies, the first time: {milliseconds(rows, by_rules):.2f} ms each")
    print(f"{len(long)} replies of 1,000 characters: {milliseconds(long, by_rules):.2f} ms each")
    print(f"inspect-ai's pattern of a letter: {milliseconds(long, by_pattern):.4f} ms each")


if __name__ == "__main__":
    main()
