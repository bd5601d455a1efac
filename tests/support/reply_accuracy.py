"""How often replies are read as a reader labelled them.

``python tests/support/reply_accuracy.py FILE.toml`` prints a matrix and what is read otherwise. With ``development`` or
``test`` instead of a file, it prints those of a half of the blind replies, and none of its texts; with ``second``,
``third``, ``fourth``, ``fifth``, ``sixth`` or ``contrasts`` after that, those of another set.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.replies import read_choice, refusal_reason
from pytest_llmpref.parsing.yes_no import read_yes_no

OUTCOMES = [Outcome.CHOICE, Outcome.REFUSAL, Outcome.ABSTENTION, Outcome.UNPARSEABLE, Outcome.TRUNCATED]
BLIND = Path(__file__).parents[1] / "replies" / "blind" / "replies.toml"
SECOND, THIRD, FOURTH, FIFTH, SIXTH, CONTRASTS = (
    BLIND.with_name(f"{name}.toml") for name in ("second", "third", "fourth", "fifth", "sixth", "contrasts")
)
"""Written by others, later: whoever wrote the rules of then saw one half of these alone, and the other half decided."""
SETS = {
    "": BLIND, "second": SECOND, "third": THIRD, "fourth": FOURTH, "fifth": FIFTH, "sixth": SIXTH,
    "contrasts": CONTRASTS,
}  # fmt: skip


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


@dataclass(frozen=True)
class Half:
    """How a half of the blind replies was read; it knows no text, so that nothing can show one.

    Attributes
    ----------
    confusion
        (outcome by the author, outcome by rules) -> number of replies.
    choices, read
        Choices, and those of them that were read, by language, by style, and by grade where other readers gave one.
    reversed_, false
        Templates of which a choice was read as the other one; and templates of refusals, abstentions and other
        replies of which one was read as a choice. By the number of replies.
    templates, others
        Templates of choices, and of other replies.
    """

    confusion: Counter[tuple[str, str]]
    choices: Counter[str]
    read: Counter[str]
    reversed_: Counter[str]
    false: Counter[str]
    templates: frozenset[str]
    others: frozenset[str]

    def share(self, keys: Iterable[str]) -> tuple[int, int]:
        """Return the number of choices read, and of choices, in some languages or styles."""
        keys = list(keys)
        return sum(self.read[key] for key in keys), sum(self.choices[key] for key in keys)


@cache
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


@cache
def half(name: str, replies: Path = BLIND) -> Half:
    """Read a half of the blind replies, ``development`` or ``test``."""
    rows = [row for row in labelled(replies) if row["half"] == name]
    confusion: Counter[tuple[str, str]] = Counter()
    choices, read, reversed_, false = (Counter[str]() for _ in range(4))
    for row in rows:
        outcome, label = _read(row)
        confusion[row["outcome"], outcome.value] += 1
        if row["outcome"] == "choice":
            groups = (row["language"], row["style"], *([row["grade"]] if "grade" in row else []))
            choices.update(groups)
            read.update(groups if label == row["label"] else ())
            reversed_.update([row["template"]] if label not in {None, row["label"]} else [])
        else:
            false.update([row["template"]] if outcome is Outcome.CHOICE else [])
    templates = frozenset(row["template"] for row in rows if row["outcome"] == "choice")
    others = frozenset(row["template"] for row in rows) - templates
    return Half(confusion, choices, read, reversed_, false, templates, others)


def _read(row: dict[str, Any]) -> tuple[Outcome, str | None]:
    reply = Reply(row["text"], row["finish"])
    if row["question"] == "choice":
        return read_choice(reply, {"A": row["a"], "B": row["b"]})
    outcome, says_yes = read_yes_no(reply)
    return outcome, None if says_yes is None else ("yes" if says_yes else "no")


def upper_limit(found: int, of: int) -> float:
    """Return the one-sided 95% upper limit (Clopper and Pearson 1934) of a share."""
    return float(binomtest(found, of, alternative="less").proportion_ci(0.95, "exact").high)


def markdown(confusion: Counter[tuple[str, str]]) -> str:
    """Return a confusion matrix as Markdown, one row for each outcome by the reader."""
    names = [outcome.value for outcome in OUTCOMES]
    lines = [f"| labelled \\ read as | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {was} | {' | '.join(str(confusion[was, read]) for read in names)} |" for was in names]
    return "\n".join(lines)


def summed_up(found: Accuracy) -> str:
    """Return the matrix of an accuracy, and what it comes to."""
    right = found.total - len(found.wrong)
    return (
        f"{markdown(found.confusion)}\n\n{right} of {found.total} right ({found.share:.1%}), the label of a choice "
        f"included.\nReasons of refusals: {found.reasons[0]} of {found.reasons[1]} right."
    )


def table(found: Half) -> str:
    """Return what a half of the blind replies comes to, with 95% intervals."""
    lines = [
        markdown(found.confusion),
        "",
        "| choices | read | of | share | interval (Wilson) |",
        "|---|---|---|---|---|",
    ]
    groups = {key: [key] for key in sorted(found.choices)}
    groups["languages but English"] = [key for key in found.choices if len(key) == 2 and key != "en"]
    for name, keys in groups.items():
        read, of = found.share(keys)
        if not of:
            continue
        low, high = binomtest(read, of).proportion_ci(0.95, "wilson")
        lines.append(f"| {name} | {read} | {of} | {read / of:.1%} | {low:.1%} to {high:.1%} |")
    for name, wrong, templates in (
        ("choices read as the other one", found.reversed_, found.templates),
        ("other replies read as a choice", found.false, found.others),
    ):
        limit = upper_limit(len(wrong), len(templates))
        lines.append(
            f"\n{name}: {len(wrong)} of {len(templates)} templates ({wrong.total()} replies), below {limit:.1%}"
        )
    return "\n".join(lines)


def main(name: str, of: str = "") -> None:
    """Print what the command prints for these words."""
    if name in {"development", "test"}:
        print(table(half(name, SETS[of])))
    else:
        of_file = accuracy(labelled(Path(name)))
        print(summed_up(of_file), *of_file.wrong, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
