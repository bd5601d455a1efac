"""How often replies to open questions are read as they are labelled, by people (XSTest) and by a judge (SpeechMap).

``python tests/support/open_accuracy.py test`` prints the half of the prompts that nobody who wrote the rules has read;
``development`` the other one. It prints counts, and none of the texts. The data is not committed: it stands in
``../shared/data``, or in the folder that the variable LLMPREF_TEST_DATA names.
"""

import csv
import gzip
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
from reply_accuracy import BLIND, labelled
from repository import ROOT
from scipy.stats import binomtest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer

DATA = Path(os.environ.get("LLMPREF_TEST_DATA", ROOT.parent / "shared" / "data"))
XSTEST, SPEECHMAP = DATA / "xstest", DATA / "speechmap-sample.jsonl.gz"
IS_THERE = XSTEST.is_dir() and SPEECHMAP.is_file()
NOT_THERE = f"XSTest and SpeechMap are not in {DATA}, and must not be committed: LLMPREF_TEST_DATA names another folder"
PEOPLE = {
    "1_full_compliance": "full compliance",
    "2_full_refusal": "full refusal",
    "3_partial_refusal": "partial refusal",
}
JUDGE = {"COMPLETE": OpenAnswer.ANSWERED, "EVASIVE": OpenAnswer.PARTLY, "DENIAL": OpenAnswer.DECLINED}
BLOCKED = "blocked"
"""Label of what the provider's moderation blocked, or where it failed."""
MODELS = ("gpt4", "llama2orig", "mistralinstruct")
READ = (OpenAnswer.ANSWERED, OpenAnswer.PARTLY, OpenAnswer.DECLINED)


@dataclass(frozen=True)
class Read:
    """One reply as it was labelled and read; it knows no text, so that nothing can show one."""

    model: str
    language: str
    label: str
    answer: OpenAnswer


def half_of(prompt: str) -> str:
    """Return the half of a prompt, by its hash: all replies to it, in whatever language, are in one half."""
    return "test" if hashlib.sha256(prompt.encode()).digest()[0] % 2 else "development"


@cache
def xstest(half: str) -> tuple[Read, ...]:
    """Read the replies of XSTest to the prompts of a half."""
    return tuple(_xstest(half))


def _xstest(half: str) -> Iterator[Read]:
    for model in MODELS:
        with (XSTEST / f"{model}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if half_of(row["prompt"]) == half:
                    answer = read_open_answer(Reply(row["completion"], "stop"))
                    yield Read(model, "en", PEOPLE[row["final_label"]], answer)


@cache
def speechmap(half: str) -> tuple[Read, ...]:
    """Read the replies of SpeechMap to the questions of a half."""
    return tuple(_speechmap(half))


def _speechmap(half: str) -> Iterator[Read]:
    with gzip.open(SPEECHMAP) as file:
        for line in file:
            row = msgspec.json.decode(line)
            if half_of(row["question_id"]) == half:
                answer = read_open_answer(Reply(row["reply"] or "", row["finish_reason"] or "stop"))
                yield Read(row["model"], row["language"], JUDGE.get(row["label"], BLOCKED), answer)


def share(rows: Iterable[Read], label: str, answer: OpenAnswer) -> tuple[int, int]:
    """Return how many of the replies with a label were read so, and how many there are."""
    answers = [row.answer for row in rows if row.label == label]
    return answers.count(answer), len(answers)


def said(found: int, of: int) -> str:
    """Return a share with its 95% interval (Wilson 1927)."""
    if not of:
        return "-"
    low, high = binomtest(found, of).proportion_ci(0.95, "wilson")
    return f"{found} of {of}, {found / of:.1%} ({low:.1%} to {high:.1%})"


def matrix(rows: Iterable[Read]) -> list[str]:
    """Return a matrix of labels and readings as Markdown."""
    counts = Counter((row.label, row.answer if row.answer in READ else None) for row in rows)
    lines = [
        f"| labelled \\ read as | {' | '.join(READ)} | truncated or empty |",
        f"|---|{'---|' * (len(READ) + 1)}",
    ]
    for label in dict.fromkeys([*PEOPLE.values(), *JUDGE.values(), BLOCKED]):
        numbers = [counts[label, answer] for answer in (*READ, None)]
        lines += [f"| {label} | {' | '.join(map(str, numbers))} |"] if any(numbers) else []
    return lines


def of_people(half: str) -> str:
    """Return what XSTest's annotators and the rules say of the same replies."""
    lines = list[str]()
    for model in MODELS:
        rows = [row for row in xstest(half) if row.model == model]
        found = share(rows, "full refusal", OpenAnswer.DECLINED)
        false = share(rows, "full compliance", OpenAnswer.DECLINED)
        lines += [f"**{model}**\n", *matrix(rows), f"\nFull refusals read as declined: {said(*found)}."]
        lines += [f"Full compliance read as declined: {said(*false)}.\n"]
    return "\n".join(lines)


def of_judge(half: str) -> str:
    """Return what SpeechMap's judge and the rules say of the same replies."""
    lines, languages = list[str](), sorted({row.language for row in speechmap(half)})
    for language in languages:
        rows = [row for row in speechmap(half) if row.language == language]
        found = share(rows, OpenAnswer.DECLINED, OpenAnswer.DECLINED)
        false = share(rows, OpenAnswer.ANSWERED, OpenAnswer.DECLINED)
        lines += [f"**{language}**\n", *matrix(rows), f"\nDenials read as declined: {found[0]} of {found[1]}."]
        lines += [f"Complete answers read as declined: {false[0]} of {false[1]}.\n"]
    lines += [f"| agreement | {' | '.join(languages)} |", f"|---|{'---|' * len(languages)}"]
    for model in sorted({row.model for row in speechmap(half)}):
        of_model = [row for row in speechmap(half) if row.model == model]
        cells = [_agreement(row for row in of_model if row.language == language) for language in languages]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


def of_choices(half: str) -> str:
    """Return how blind replies to questions with two options are read: refusals to choose, and choices."""
    rows = [row for row in labelled(BLIND) if row["half"] == half and row["outcome"] in {"refusal", "choice"}]
    counts = Counter[tuple[str, str]]()
    declined, templates = Counter[tuple[str, str]](), set[tuple[str, str]]()
    for row in rows:
        key = row["language"], row["outcome"]
        counts[key] += 1
        declined[key] += read_open_answer(Reply(row["text"], row["finish"])) is OpenAnswer.DECLINED
        templates |= {(row["language"], row["template"])} if row["outcome"] == "refusal" else set()
    lines = ["| language | refusals read as declined | templates | choices read as declined |", "|---|---|---|---|"]
    for language in sorted({language for language, _ in counts}):
        refusals, choices = (
            f"{declined[language, outcome]} of {counts[language, outcome]}" for outcome in ("refusal", "choice")
        )
        lines.append(f"| {language} | {refusals} | {sum(one == language for one, _ in templates)} | {choices} |")
    return "\n".join(lines)


def _agreement(rows: Iterable[Read]) -> str:
    judged = [row for row in rows if row.label != BLOCKED]
    return said(sum(row.answer == row.label for row in judged), len(judged))


if __name__ == "__main__":
    print(of_choices(sys.argv[1]))
    if IS_THERE:
        print("", of_people(sys.argv[1]), of_judge(sys.argv[1]), sep="\n")
    else:
        print(NOT_THERE, file=sys.stderr)
