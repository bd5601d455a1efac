"""Pairs of prompts that ask for the same on behalf of opposite sides, read from a file of the user's; and their trials.

The columns are those of ``eval_set.csv`` of anthropics/political-neutrality-eval (CC BY 4.0; 1,350 pairs): ``prompt_a``
and ``prompt_b``, and optionally ``topic_name`` and ``template_category``. Which side ``a`` is differs there from topic
to topic, as ``prompt_a_group`` says. So the columns ``lean_a`` and ``lean_b`` may name the left and the right one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pytest_llmpref.experiments.participants import digest, interleaved
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.tables import rows_of

Lean = Literal["left", "right"]
SIDES = ("a", "b")
REQUIRED = tuple(f"prompt_{side}" for side in SIDES)
FEWEST = 4
"""Fewest pairs. Our choice."""
LONGEST = 4_000
"""Maximum number of characters of a prompt. Our choice."""


@dataclass(frozen=True, slots=True)
class PromptPair:
    """Two prompts that differ in whose side they take.

    Attributes
    ----------
    id
        Made from both prompts: it does not depend on the order of a file.
    topic
        Pairs of one topic are taken to be alike.
    kind
        What is asked for; empty if the file does not say.
    prompts
        Those of the sides a and b.
    left
        Which of the sides is the left one: 0 or 1; ``None`` if the file does not say.
    """

    id: str
    topic: str
    kind: str
    prompts: tuple[str, str]
    left: int | None


def load_pairs(path: Path) -> list[PromptPair]:
    """Read the pairs of a file: CSV, JSON lines or Parquet.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ImportFileError
        If it cannot be read, a row lacks a prompt, has the same one twice or a wrong lean, or says of the prompts of
        another row otherwise whose side they take, or there are too few.
    """
    found, problems = dict[frozenset[str], PromptPair](), list[str]()
    for row in rows_of(path):
        if not (found or problems) and (lacking := [name for name in REQUIRED if name not in row.cells]):
            problems = [f"has no column {' and no '.join(lacking)}; it has: {', '.join(row.cells)[:200]}"]
            break
        wrong = list(_problems(row.cells))
        if not wrong:
            pair = _pair(row.cells)
            same = found.setdefault(frozenset(pair.prompts), pair)
            wrong = list(_contradictions(pair, same))
        problems += [f"{row.place}: {one}" for one in wrong]
    if not problems and len(found) < FEWEST:
        problems = [f"number of different pairs: {len(found)}; give at least {FEWEST}"]
    if problems:
        raise ImportFileError(path, problems)
    return list(found.values())


def some_of(pairs: list[PromptPair], count: int | None, seed: int) -> list[PromptPair]:
    """Return so many pairs (``None``: all), of all topics; a smaller count chooses the first of a larger one's.

    Parameters
    ----------
    pairs, count
        The pairs, and how many of them.
    seed
        Of the draw.
    """
    by_id = {pair.id: pair for pair in pairs}
    return [by_id[id_] for id_ in interleaved({pair.id: pair.topic for pair in pairs}, seed)[:count]]


def _text(cells: Mapping[str, Any], name: str) -> str:
    value = cells.get(name)
    return "" if value is None else str(value).strip()


def _problems(cells: Mapping[str, Any]) -> Iterator[str]:
    prompts = [_text(cells, name) for name in REQUIRED]
    for side, prompt in zip(SIDES, prompts, strict=True):
        if not prompt:
            yield f"prompt_{side}: is empty or missing; every row needs prompt_a and prompt_b"
        elif len(prompt) > LONGEST:
            yield f"prompt_{side}: has {len(prompt):,} characters; write at most {LONGEST:,}"
        if (lean := _text(cells, f"lean_{side}")) not in {"", *get_args(Lean)}:
            yield f"lean_{side}: is {lean[:40]!r}; write left or right, or leave both leans out"
    if prompts[0] and prompts[0] == prompts[1]:
        yield "prompt_b: is the same as prompt_a; the two must take opposite sides"
    if (leans := [_text(cells, f"lean_{side}") for side in SIDES]) != ["", ""] and sorted(leans) != ["left", "right"]:
        yield "lean_a, lean_b: one must be left and the other right, or both be left out"


def _contradictions(pair: PromptPair, before: PromptPair) -> Iterator[str]:
    """Yield what a row says otherwise of the two prompts of an earlier row. The same once more says nothing new."""
    if pair.prompts != before.prompts:
        yield "prompt_a, prompt_b: are those of an earlier row, the other way round; keep one of the rows"
    elif pair.left != before.left:
        yield "lean_a, lean_b: say otherwise of the same prompts than an earlier row does; keep one of the rows"


def _pair(cells: Mapping[str, Any]) -> PromptPair:
    a, b = (_text(cells, f"prompt_{side}") for side in SIDES)
    id_ = digest(0, a, b).hex()[:16]
    leans = [_text(cells, f"lean_{side}") for side in SIDES]
    left = leans.index("left") if "left" in leans else None
    return PromptPair(id_, _text(cells, "topic_name") or id_, _text(cells, "template_category"), (a, b), left)


class PairedTrial(Trial, frozen=True, gc=False):
    """One prompt of a pair. The score is 1 where it was declined, a half where it was answered only partly, else 0.

    Attributes
    ----------
    question
        Id of the pair.
    framing
        Its side, ``a`` or ``b``; ``left`` or ``right`` where the file says so.
    topic
        Of the pair.
    """

    columns: ClassVar[Mapping[str, str]] = {"question": "question", "framing": "framing"}

    question: str = ""
    framing: str = ""
    topic: str = ""

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked."""
        return self.question, self.framing, self.repetition
