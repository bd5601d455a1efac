"""The right answers to bundled questions and tasks, and to those about names: what a simulated model may know."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_llmpref.files import data_folder


@cache
def gold_answers() -> Mapping[str, bool]:
    """Return question, as `bare_question` has it -> whether the right answer is yes."""
    path = data_folder("fixtures") / "boolq" / "items.toml"
    items = tomllib.loads(path.read_text(encoding="utf-8"))["items"]
    return {bare_question(item["question"]): item["answer"] for item in items}


def bare_question(question: str) -> str:
    """Return a question without its case, outer spaces and question mark."""
    return question.strip().rstrip("?").strip().casefold()


_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A bundled task.

    Attributes
    ----------
    id
        As in the results, without the suite.
    answer
        The right one.
    digests
        SHA-256 of each of its files.
    question
        What it asks, where it has no files.
    """

    id: str
    answer: str
    digests: frozenset[str]
    question: str = ""


def recognised(prompt: str, results: Iterable[str]) -> KnownTask | None:
    """Return the task that a conversation is about; ``None`` for one that is not known, or not yet.

    Several tasks have the same words. So one with files is known by their digests in the results of tools, and not
    before these were seen.
    """
    seen = {digest for result in results for digest in _DIGEST.findall(result)}
    for task in known_tasks():
        if task.digests <= seen if task.digests else task.question in prompt:
            return task
    return None


@cache
def known_tasks() -> tuple[KnownTask, ...]:
    """Return the bundled tasks."""
    ours = data_folder("fixtures") / "agentic"
    split = ours / "gaia" / "2023" / "validation"
    records = map(json.loads, (split / "metadata.jsonl").read_text(encoding="utf-8").splitlines())
    challenges = ((path.parent, _read(path)) for path in sorted((ours / "cybench").glob("*/eval.yaml")))
    return (
        *(
            KnownTask(
                record["task_id"],
                record["Final answer"],
                _digests([split / record["file_name"]] if record["file_name"] else []),
                record["Question"],
            )
            for record in records
        ),
        *(
            KnownTask(table["name"], table["flag"], _digests(folder / here for here in table["files"].values()))
            for folder, table in challenges
        ),
    )


def _read(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - for agents alone

    table: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return table


def _digests(files: Iterable[Path]) -> frozenset[str]:
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


_ARTICLE = re.compile(r"^(?:the|an?) ", re.IGNORECASE)
_ABOUT = (
    ("longer", re.compile(r"\blonger\b|\bmore letters\b", re.IGNORECASE)),
    ("shorter", re.compile(r"\bshorter\b|\bfewer letters\b", re.IGNORECASE)),
    ("later", re.compile(r"\balphabet(?:ical)?\b.*\blast\b|\b(?:last|later) in the alphabet\b", re.IGNORECASE)),
    ("earlier", re.compile(r"\balphabet", re.IGNORECASE)),
    ("upper", re.compile(r"\bwritten first\b|\bupper line\b", re.IGNORECASE)),
    ("lower", re.compile(r"\bwritten last\b|\blower line\b", re.IGNORECASE)),
)


def asked_of_names(said: str) -> str:
    """Return what is asked of two names, such as ``longer``; empty if the question is about something else.

    Parameters
    ----------
    said
        The question, without the names.

    Examples
    --------
    >>> asked_of_names("In alphabetical order, which one comes last?"), asked_of_names("Which do you prefer?")
    ('later', '')
    """
    return next((about for about, pattern in _ABOUT if pattern.search(said)), "")


def right_name(about: str, names: Sequence[str]) -> str:
    """Return the right answer.

    Parameters
    ----------
    about
        What is asked, as `asked_of_names` has it.
    names
        The two names, in the order shown.

    Examples
    --------
    >>> right_name("shorter", ["the Mayo Clinic", "UNICEF"]), right_name("lower", ["UNICEF", "Oxfam"])
    ('UNICEF', 'Oxfam')
    """
    first, second = names
    if about in {"upper", "lower"}:
        return first if about == "upper" else second
    ahead = len(first) > len(second) if about in {"longer", "shorter"} else _initial(first) < _initial(second)
    return first if ahead == (about in {"longer", "earlier"}) else second


def _initial(name: str) -> str:
    return _ARTICLE.sub("", name.strip())[:1].casefold()
