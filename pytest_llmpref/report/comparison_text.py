"""A comparison of two results files as text of 80 columns."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.escaping import on_one_line
from pytest_llmpref.report.terminal import WIDTH

MOST_LISTED = 12
"""Entities, claims and names that are listed; all are in the comparison's record."""


def comparison_lines(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines: for each model what changed, verdicts first; at the end what has no counterpart.

    Whatever names the two files hold, no line speaks to the terminal or to the CI.
    """
    yield from map(on_one_line, _lines(comparison))


def _lines(comparison: Mapping[str, Any]) -> Iterator[str]:
    old, new = comparison["old"], comparison["new"]
    yield f"old: {old['began']}, profile {old['profile']}, entities {old['entities']}"
    yield f"new: {new['began']}, profile {new['profile']}, entities {new['entities']}"
    yield "A change is marked * where it is significant at 5%, corrected by Holm over its"
    yield "family; intervals are of 95% each."
    for name, model in comparison["models"].items():
        yield ""
        title = name if model["old"] == name else f"{model['old']} -> {name}"
        yield title + (" (simulated)" if model["simulated"] else "")
        yield from _model_lines(model)
    for side, names in (("old", comparison["old_only"]), ("new", comparison["new_only"])):
        if names:
            yield ""
            yield from _wrapped(f"only in the {side} file, not compared: {_listed(names)}")
    if not comparison["models"]:
        yield ""
        yield "no model is in both files, so nothing was compared"


def _model_lines(model: Mapping[str, Any]) -> Iterator[str]:
    yield from _verdict_lines(model["claims"])
    yield from _table("correlation with preference", model["rho"], ".2f")
    yield from _table("mean over all questions", model["overall"], ".3f")
    for name, measure in model["measures"].items():
        yield from _measure_lines(name, measure)
    for side in ("old", "new"):
        if names := model[f"measures_{side}_only"]:
            yield from _wrapped(f"only in the {side} file: {_listed(names)}")


def _verdict_lines(claims: Mapping[str, Any]) -> Iterator[str]:
    changed = claims["changed"]
    worse = sum(one["worse"] for one in changed)
    yield f"  verdicts: {claims['both']} claims in both, {len(changed)} changed, {worse} for the worse"
    kinds = Counter(
        (one["worse"], one["old"]["verdict"], one["new"]["verdict"], _function(one["nodeid"]), one["gate"])
        for one in changed
    )
    for (is_worse, old, new, function, gate), count in kinds.items():
        only = next(one["entity"] for one in changed if _function(one["nodeid"]) == function)
        whom = f" for {count} entities" if count > 1 else f" for {only}" if only else ""
        text = f"{'-' if is_worse else '+'} {old} -> {new}: {function}{' [gate]' if gate else ''}{whom}"
        yield from _wrapped(text, indent=4)
    if claims["bounds"]:
        yield from _wrapped(f"bounds differ in {len(claims['bounds'])} of them", indent=4)
    for side in ("old", "new"):
        if only := claims[f"{side}_only"]:
            names = list(dict.fromkeys(map(_function, only)))
            yield from _wrapped(f"{len(only)} only in the {side} file: {_listed(names)}", indent=4)


def _function(nodeid: str) -> str:
    return function_of(nodeid).rpartition("::")[2]


def _table(title: str, family: Mapping[str, Mapping[str, Any]], form: str) -> Iterator[str]:
    if not family:
        return
    yield f"  {title:<29}{'old':>8}{'new':>8}{'change':>9}  {'95%':<17}"
    for name, one in family.items():
        if one["value"] is None:
            yield f"    {_cut(name, 27):<27}{'no value on both sides':>25}"
            continue
        interval = f"[{one['low']:+{form}}, {one['high']:+{form}}]" if one["low"] is not None else "no interval"
        mark = " *" if one["moved"] else " invalid" if one["p"] is None else ""
        row = f"    {_cut(name, 27):<27}{_shown(one.get('old'), form):>8}{_shown(one.get('new'), form):>8}"
        yield f"{row}{one['value']:>+9{form}}  {interval}{mark}"


def _measure_lines(name: str, measure: Mapping[str, Any]) -> Iterator[str]:
    questions, entities = measure["questions"], measure["entities"]
    both = f"{questions['both']:,} questions and {entities['both']} entities in both"
    extra = [f"{questions[side]:,} only {side[:3]}" for side in ("old_only", "new_only") if questions[side]]
    yield from _wrapped(f"{name}: {', '.join([both, *extra])}", indent=2)
    for side in ("old", "new"):
        if only := entities[f"{side}_only"]:
            yield from _wrapped(f"entities only in the {side} file: {_listed(only)}", indent=4)
    for reason in measure["reasons"]:
        yield from _wrapped(f"invalid, so nothing is tested: {reason}", indent=4)
    agreement = measure["agreement"]
    if agreement["value"] is not None:
        value, low, high = (agreement[name] for name in ("value", "low", "high"))
        yield f"    ranking, old with new: rho {value:.2f} [{low:.2f}, {high:.2f}]"
    moved = {entity: one for entity, one in measure["changes"].items() if one["moved"]}
    if not measure["reasons"]:
        yield f"    {len(moved)} of {len(measure['changes'])} entities moved"
    largest = sorted(moved, key=lambda entity: -abs(moved[entity]["value"]))[:MOST_LISTED]
    form = _form(moved.values())
    yield from _table("  the largest moves", {entity: moved[entity] for entity in largest}, form)


def _form(changes: Iterable[Mapping[str, Any]]) -> str:
    """Return how to write changes, so that they can be told apart and the columns too: Elo runs to thousands."""
    changes = list(changes)
    if any(abs(one["value"]) >= 10 for one in changes):
        return ".0f"
    return ".1f" if any(abs(one.get("old") or 0) >= 100 for one in changes) else ".3f"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _cut(text: str, width: int) -> str:
    text = on_one_line(text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return wrap(on_one_line(text), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
