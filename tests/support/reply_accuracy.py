"""How often replies are read as a reader labelled them: prints a table.

Usage: ``python tests/support/reply_accuracy.py FILE.toml``
"""

import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice, refusal_reason

OUTCOMES = [Outcome.CHOICE, Outcome.REFUSAL, Outcome.ABSTENTION, Outcome.UNPARSEABLE, Outcome.TRUNCATED]


@dataclass(frozen=True)
class Accuracy:
    """How replies were read.

    Attributes
    ----------
    confusion
        (outcome by the reader, outcome by rules) -> number of replies.
    wrong
        Replies that were read with another outcome, or with another label, and how.
    reasons
        Right reasons, and refusals that were read as such, whose reason is labelled.
    """

    confusion: Counter[tuple[str, str]]
    wrong: list[str]
    reasons: tuple[int, int]

    @property
    def total(self) -> int:
        return self.confusion.total()

    @property
    def share(self) -> float:
        return 1 - len(self.wrong) / self.total


def labelled(path: Path) -> list[dict[str, Any]]:
    """Return the labelled replies of a file."""
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["reply"]
    return rows


def accuracy(rows: list[dict[str, Any]]) -> Accuracy:
    """Read labelled replies."""
    confusion: Counter[tuple[str, str]] = Counter()
    wrong = []
    right = named = 0
    for row in rows:
        reply = Reply(row["text"], row["finish"])
        outcome, label = read_choice(reply, {"A": row["a"], "B": row["b"]})
        confusion[row["outcome"], outcome.value] += 1
        if (outcome.value, label) != (row["outcome"], row.get("label")):
            wrong.append(
                f"{row['outcome']} {row.get('label', '')} read as {outcome.value} {label or ''}: {row['text']}"
            )
        elif outcome is Outcome.REFUSAL and "reason" in row:
            named += 1
            right += refusal_reason(reply).value == row["reason"]
    return Accuracy(confusion, wrong, (right, named))


def markdown(found: Accuracy) -> str:
    """Return the confusion matrix as Markdown, one row for each outcome by the reader, and what it comes to."""
    names = [outcome.value for outcome in OUTCOMES]
    lines = [f"| labelled \\ read as | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {was} | {' | '.join(str(found.confusion[was, read]) for read in names)} |" for was in names]
    right = found.total - len(found.wrong)
    lines += ["", f"{right} of {found.total} right ({found.share:.1%}), the label of a choice included."]
    lines += [f"Reasons of refusals: {found.reasons[0]} of {found.reasons[1]} right."]
    return "\n".join(lines)


if __name__ == "__main__":
    read = accuracy(labelled(Path(sys.argv[1])))
    print(markdown(read), *read.wrong, sep="\n")
