"""The trials as a page carries them: columns of small numbers and a table of texts, within a budget of bytes."""

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import msgspec

from pytest_llmpref.results.diagnostics import refused_attempts
from pytest_llmpref.results.loading import MeasureRecord, Results

KEY_LENGTH = 8
"""Characters of a key that a page carries: enough to find its line in a cassette."""
KEY_BYTES = KEY_LENGTH / 2 * 4 / 3
"""What a key takes at least: its characters are hexadecimal digits, each as likely as another; in base64."""
KNOWN = frozenset(
    [
        "control",
        "key",
        "entities",
        "outcome",
        "attempts",
        "course",
        "score",
        "first_is_a",
        "wording",
        "repetition",
        "text",
    ]
)
"""Columns that every measure has; what a measure adds is shown beside its replies."""
STEPS = ((300, 1), (160, 1), (80, 1), (80, 3), (80, 10), (40, 30), (0, 100))
"""What is tried until the budget holds: characters of a reply, and which part of the plain choices is carried."""


def packed(content: object) -> str:
    """Return a value as JSON, gzipped, in base64."""
    # No time of writing in the header: the same results make the same page.
    return base64.b64encode(gzip.compress(msgspec.json.encode(content), 6, mtime=0)).decode()


def packed_trials(results: Results, budget: int) -> str:
    """Return all trials, packed; replies are clipped, then plain choices thinned out, until ``budget`` bytes hold.

    What is left out is counted, so that the page can say so.
    """
    measures = [measure for model in results.models.values() for measure in model.measures.values() if measure.trials]
    text = ""
    for longest, part in STEPS:
        # Of very many trials, most steps are ruled out by the keys alone, which no packing makes smaller.
        keys = sum(_carried(one, part) for one in measures) * KEY_BYTES
        if keys <= budget and len(text := packed(trials(results, longest, part))) <= budget:
            break
    return text or packed(trials(results, *STEPS[-1]))


def trials(results: Results, longest: int, part: int) -> dict[str, Any]:
    """Return the trials of each model and measure as columns, with replies of at most ``longest`` characters.

    Of the trials that ended in a choice every ``part``-th is kept, of the others all.
    """
    measures = [measure for model in results.models.values() for measure in model.measures.values()]
    ids = list(dict.fromkeys([*results.entities, *(entity for measure in measures for entity in measure.entities)]))
    texts = _Texts(longest)
    names = [results.entities[entity].name if entity in results.entities else entity for entity in ids]
    index = {entity: number for number, entity in enumerate(ids)}
    models = {
        name: {title: _columns(one, index, texts, part) for title, one in model.measures.items() if one.trials}
        for name, model in results.models.items()
    }
    return {"ids": ids, "names": [_clip(name, 200) for name in names], "models": models, "texts": texts.listed}


class _Texts:
    """Texts by number, each once."""

    def __init__(self, longest: int) -> None:
        self.listed: list[str] = []
        self._longest = longest
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        clipped = _clip(text, self._longest)
        if clipped not in self._numbers:
            self._numbers[clipped] = len(self.listed)
            self.listed.append(clipped)
        return self._numbers[clipped]


def _carried(measure: MeasureRecord, part: int) -> int:
    """Return how many trials and refused attempts a page carries."""
    return len(_kept(measure, part)) + len(refused_attempts(measure.diagnostics))


def _kept(measure: MeasureRecord, part: int) -> list[int]:
    """Return the rows of the trials that a page carries."""
    # A refused attempt is listed by itself, with its reason, whether or not it was the last one of its trial.
    listed = {refusal["key"] for refusal in refused_attempts(measure.diagnostics)}
    return [
        row
        for row, (key, outcome) in enumerate(zip(measure.trials["key"], measure.trials["outcome"], strict=True))
        if key not in listed and (outcome != "choice" or row % part == 0)
    ]


def _columns(measure: MeasureRecord, index: Mapping[str, int], texts: _Texts, part: int) -> dict[str, Any]:
    table = measure.trials
    refused = refused_attempts(measure.diagnostics)
    listed = {refusal["key"] for refusal in refused}
    kept = _kept(measure, part)
    more = {name: column for name, column in table.items() if name not in KNOWN}

    def numbered(value: object) -> object:
        return texts.number(value) if isinstance(value, str) else value

    columns: dict[str, Any] = {
        "key": [table["key"][row][:KEY_LENGTH] for row in kept],
        "entities": [[index[e] for e in table["entities"][row] if e in index] for row in kept],
        "outcome": [texts.number(table["outcome"][row]) for row in kept],
        "attempts": [table["attempts"][row] for row in kept],
        "score": [None if (score := table["score"][row]) is None else round(score, 3) for row in kept],
        "control": [int(table["control"][row]) for row in kept],
        "text": [texts.number(table["text"][row]) for row in kept],
        "more": {name: [numbered(column[row]) for row in kept] for name, column in more.items()},
        "words": [name for name, column in more.items() if any(isinstance(value, str) for value in column)],
        "left_out": len(table["key"]) - len(kept) - len(listed & set(table["key"])),
    }
    if refused:
        columns["refused"] = {
            "key": [refusal["key"][:KEY_LENGTH] for refusal in refused],
            "entities": [[index[e] for e in refusal["entities"] if e in index] for refusal in refused],
            "reason": [texts.number(refusal["reason"]) for refusal in refused],
            "text": [texts.number(refusal["text"]) for refusal in refused],
        }
    return columns


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: max(longest - 1, 0)]}\u2026"
