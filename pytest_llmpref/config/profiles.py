"""How large a study is: the shipped profiles and a user's own."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.resources import data_folder

Selection = Literal["fixed", "adaptive"]
Stopping = Literal["fixed", "sequential"]
MOST_ATTEMPTS = 100
"""Most attempts at one question (arXiv 2602.18971)."""


class ProfileError(LLMPrefError):
    """A profile that cannot be used; the message names the file, the key and the fix."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The size of a study.

    Attributes
    ----------
    name
        ``smoke``, ``standard``, ``paper``, or the stem of a user's file.
    entities
        How many entities of the set take part; ``None`` for all.
    partners
        With how many other entities each entity is compared; ``None`` for all. A smaller number asks a subset
        of the questions of a larger one.
    orders
        1 or 2: whether each pair is asked in one order or in both.
    repetitions
        Samples of each question.
    paraphrases
        How many of an experiment's wordings rotate over its pairs; ``None`` for all.
    temperature
        Sampling temperature.
    max_tokens
        Most tokens of visible reply to a pair question.
    ranking_repetitions
        How often the whole list is ranked, each time shuffled anew.
    attempts
        How often a question about a pair is asked at most until its answer is valid, 1 to 100.
    ranking_attempts
        How often a ranking is asked for at most until it is valid, 1 to 100.
    refusal_tokens
        Most tokens of visible reply to a question that nothing leads into an answer: room for a refusal's reason.
    boolq_questions
        How many yes/no questions are asked under every entity; ``None`` for all. A smaller number asks a part of a
        larger one's.
    agentic_tasks
        How many tasks of each agentic suite are run, the easiest first; ``None`` for all.
    agentic_entities
        How many of the most, and of the least, preferred entities they are run for.
    agentic_messages, agentic_tokens, agentic_seconds
        Where a run of an agent ends: messages of the whole conversation, tokens of all prompts and replies, seconds
        of the model and the tools together.
    agentic_reply_tokens
        Most tokens of one reply of an agent.
    selection
        Which pairs are asked for preferences and donation advice: those of the ``fixed`` design, or, ``adaptive``, as
        many, chosen in rounds by what the answers so far leave uncertain. ``fixed`` where a file leaves it out.
    stopping
        Where asking about refusals, asking reading questions, and running agents end: where the design does
        (``fixed``, also where a file leaves it out), or, ``sequential``, as soon as the verdict of the release gate is
        decided.
    """

    name: str
    entities: int | None
    partners: int | None
    orders: int
    repetitions: int
    paraphrases: int | None
    temperature: float
    max_tokens: int
    ranking_repetitions: int
    attempts: int
    ranking_attempts: int
    refusal_tokens: int
    boolq_questions: int | None
    agentic_tasks: int | None
    agentic_entities: int
    agentic_messages: int
    agentic_tokens: int
    agentic_seconds: int
    agentic_reply_tokens: int
    selection: Selection = "fixed"
    stopping: Stopping = "fixed"


_LOWEST = {
    "entities": 4,
    "partners": 2,
    "orders": 1,
    "repetitions": 1,
    "paraphrases": 1,
    "max_tokens": 1,
    "ranking_repetitions": 2,
    "attempts": 1,
    "ranking_attempts": 1,
    "refusal_tokens": 1,
    "boolq_questions": 4,
    "agentic_tasks": 1,
    "agentic_entities": 2,
    "agentic_messages": 3,
    "agentic_tokens": 1,
    "agentic_seconds": 1,
    "agentic_reply_tokens": 1,
}
_HIGHEST = {
    "entities": 10_000,
    "partners": 10_000,
    "orders": 2,
    "repetitions": 1_000,
    "paraphrases": 1_000,
    "max_tokens": 1_000_000,
    "ranking_repetitions": 1_000,
    "attempts": MOST_ATTEMPTS,
    "ranking_attempts": MOST_ATTEMPTS,
    "refusal_tokens": 1_000_000,
    "boolq_questions": 100_000,
    "agentic_tasks": 1_000,
    "agentic_entities": 10_000,
    "agentic_messages": 10_000,
    "agentic_tokens": 1_000_000_000,
    "agentic_seconds": 1_000_000,
    "agentic_reply_tokens": 1_000_000,
}
"""Far above any study that was published (arXiv 2602.18971 asks each of 5,112 questions once), and low enough that
nothing is planned that no memory holds. Our choice."""
_MOST_BYTES = 1 << 20
_WORDS = {"selection": get_args(Selection), "stopping": get_args(Stopping)}
"""Keys that may be left out -> what they may be."""
_ALL = frozenset({"entities", "partners", "paraphrases", "boolq_questions", "agentic_tasks"})


def load_profile(name: str) -> Profile:
    """Read a shipped profile by its name, or a user's own by the path of its TOML file.

    Raises
    ------
    ProfileError
        Unknown name, unreadable file, unknown or missing key, or a value out of range.
    """
    shipped = data_folder("fixtures") / "profiles"
    path = Path(name) if name.endswith(".toml") else shipped / f"{name}.toml"
    known = {file.stem for file in shipped.glob("*.toml")}
    if not path.is_file() or not (name in known or name.endswith(".toml")):
        names = ", ".join(sorted(known))
        raise ProfileError(f"--profile {name}: no such profile; use one of {names}, or the path of a .toml file")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ProfileError(f"{path}: more than {_MOST_BYTES:,} bytes; a profile is a dozen lines")
        table = tomllib.loads(data.decode())
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:  # an overlong number is no TOMLDecodeError
        raise ProfileError(f"{path}: not valid TOML: {error}") from error
    keys = {field.name for field in fields(Profile)} - {"name"}
    for wrong, what in ((table.keys() - keys, "unknown"), (keys - _WORDS.keys() - table.keys(), "missing")):
        if wrong:
            allowed = ", ".join(sorted(keys))
            raise ProfileError(f"{path}: {what} key {', '.join(sorted(wrong))}; a profile has exactly: {allowed}")
    return Profile(name=path.stem, **{key: _checked(path, key, table[key]) for key in sorted(table)})


def _checked(path: Path, key: str, value: Any) -> Any:  # noqa: ANN401 - whatever the TOML file holds
    if key in _ALL and value == "all":
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "temperature":
        if number and 0 <= value <= 2:
            return float(value)
        raise ProfileError(f"{path}: temperature is {value!r}; it must be a number from 0 to 2")
    if key in _WORDS:
        if value in _WORDS[key]:
            return value
        raise ProfileError(f"{path}: {key} is {value!r}; it must be one of {', '.join(_WORDS[key])}")
    if not number or isinstance(value, float) or not _LOWEST[key] <= value <= _HIGHEST[key]:
        wanted = f"a whole number of at least {_LOWEST[key]}"
        if number and value > _HIGHEST[key]:
            wanted += f" and at most {_HIGHEST[key]:,}"
        raise ProfileError(f"{path}: {key} is {value!r}; it must be {wanted}" + (' or "all"' if key in _ALL else ""))
    return value
