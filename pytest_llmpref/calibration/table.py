"""From rows to the table, as Markdown and as JSON."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_llmpref.calibration.findings import claim_kinds, scenarios
from pytest_llmpref.calibration.overall import overall, summary
from pytest_llmpref.calibration.rows import WIDE, Row, rows
from pytest_llmpref.calibration.running import Calibration, versions

FULL = 2000
"""Studies a cell from which on a rate near 5% is known to half a point."""
_COLUMNS = (
    "cell", "studies", "truth", "coverage", "of valid", "false alarms", "of valid", "promised", "family", "claim",
    "power", "predicted", "inconclusive", "invalid", "misses",
)  # fmt: skip
_PREFACE = """\
Every study here is **simulated**: answers are drawn from planted strengths, asked by the real designs, and analysed by
the code that analyses real ones, validity checks included (split halves are averaged over 8 splits here, over 30 in a
real study). A full factorial would be too large: each world has a main cell, and the others change one factor at a
time; a few corners change several.

- **truth**: the estimand, as stated above each table. *Sample*: the entities stand for their kind, and are drawn anew
  in each study. *Given*: the claim is about these very entities; the truth shown is the mean over them.
- **coverage**: share of the 95% intervals that hold the truth, of measurements valid or not. Target: 95% within 1.5.
  **of valid**: of valid measurements alone, which are those that a claim can be made of.
- **studies**: as many as asked for, or 250, 500 or 1,000 where every row of the cell was settled by then: each coverage
  two standard errors to one side of 93.5% and of 96.5%, each rate of false alarms of what is promised and a point. More
  where an earlier run of the same code took more.
- **false alarms**: how often a claim whose threshold is the truth itself is supported, which is the hardest null; of
  all studies, and **of valid** ones alone. Target: at most 5% and two standard errors; **promised** is what the method
  promises. **family**: how
  often any of the entities' claims in a study is, at the level that Bonferroni gives each.
- **power**: how often **claim** is supported where it is true, among valid measurements. Target: within 5 points of
  what `stats.correlation_power` **predicted**, where 100 studies or more are valid.
- **inconclusive**, **invalid**: shares of the verdicts on **claim**.
"""
_FEW = "Student's t of few groups, or entities, takes what few say of how rho scatters for as little as it may be"
_NO_LESS = "errors are never taken to be smaller than those of independent draws, though estimates of them can be"
_TWO_WAYS = (
    "trials of one question under many entities are never taken to be less alike than independent ones, though "
    "estimates say so half of the time where they are just that"
)
_UNEQUAL = (
    "as if two more tasks, or questions, had been seen that the arms solve unequally, one each way, since there may be "
    "such where hardly any was seen: that counts where tasks are few"
)
WHY_WIDE: Mapping[str, str] = {
    "spearman >": _FEW,
    "spearman <": _FEW,
    "spearman equivalence": _FEW,
    "attenuation_corrected": _FEW,
    "attenuation_corrected equivalence": _FEW,
    "coverage of an entity": "Wilson's interval of few trials",
    "superadditivity": "they cover every model from no floor under the chance of a refusal to as high a one as the "
    f"least refused trials allow, of which one is right; and {_NO_LESS}",
    "reason trend": "errors are never taken to be smaller than those of independent refusals; without that, 94.6 and "
    "94.3% where it is 96.7 and 97.3%, yet 93.0% where preferences are noisy (800 studies each)",
    "refusals beyond the control": "Wilson's interval where a share is near 0: it reaches further up than it must",
    "accuracy slope": _TWO_WAYS,
    "accuracy equivalence": _TWO_WAYS,
    "top minus bottom": f"{_TWO_WAYS}; and {_UNEQUAL}",
    "quarters equivalence": "as for `top minus bottom`",
    "success gap": _UNEQUAL,
    "success gap equivalence": _UNEQUAL,
    "accuracy minus the control": "as if two more questions had gone one way each (Bonett and Price 2012)",
}
"""Kind of claim -> why its intervals hold the truth too often where they do: the lesser evil, and not mended."""


def write(calibration: Calibration, folder: Path, command: str) -> int:
    """Write ``calibration.md`` and ``calibration.json``; return how many rows miss a target."""
    found = list(rows(calibration))
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_markdown(calibration, found, command)) + "\n"
    (folder / "calibration.md").write_text(text, encoding="utf-8", newline="\n")
    record = {
        "schema": 1,
        "command": command,
        "simulated": True,
        "versions": versions(),
        "seed": calibration.seed,
        "studies": calibration.studies,
        "cpu_seconds": round(calibration.cpu_seconds, 1),
        "wall_seconds": [round(seconds, 1) for seconds in calibration.wall_seconds],
        "workers": list(calibration.workers),
        "cells": {name: scenarios()[name].about for name in calibration.tallies},
        "estimands": {kind: {"claim": about.claim, "entities": about.entities, "estimand": about.estimand}
                      for kind, about in claim_kinds().items()},
        "taken": dict(calibration.taken),
        "passed": overall(found).passed,
        "rows": [row.as_dict() for row in found],
    }  # fmt: skip
    (folder / "calibration.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")
    return sum(bool(row.misses) for row in found)


def _markdown(calibration: Calibration, found: Sequence[Row], command: str) -> Iterator[str]:
    yield "# Calibration: how often verdicts are right (simulated models)\n"
    if calibration.studies < FULL:
        yield f"**A short run: {calibration.studies:,} studies a cell or more, not {FULL:,}.** A coverage near 95% is "
        points = 196 * math.sqrt(0.95 * 0.05 / calibration.studies)
        yield f"known to {points:.1f} points only with so many, so rows can miss by chance.\n"
    yield f"`{command}`, {', '.join(f'{name} {number}' for name, number in versions().items())}."
    yield _time(calibration) + "\n"
    yield _PREFACE
    yield from summary(overall(found))
    yield "## Worst cell of each kind of claim\n"
    yield from _table(("kind", "cells", "lowest coverage", "highest", "most false alarms", "rows with a miss"))
    for kind, of_kind in _by_kind(found):
        low, high = (pick(of_kind, key=lambda row: row.coverage) for pick in (min, max))
        worst = max(of_kind, key=lambda row: row.false_alarms if not math.isnan(row.false_alarms) else -1)
        yield _line(
            kind, str(len(of_kind)),
            f"{_percent(low.coverage)} ({low.cell})", f"{_percent(high.coverage)} ({high.cell})",
            f"{_percent(worst.false_alarms)} ({worst.cell})", str(sum(bool(row.misses) for row in of_kind)),
        )  # fmt: skip
    yield "\n## Cells\n"
    yield from _table(("cell", "studies with"))
    for name in calibration.tallies:
        yield _line(name, scenarios()[name].about)
    for kind, of_kind in _by_kind(found):
        about = claim_kinds()[kind]
        yield f"\n## {kind}\n"
        yield f"`{about.claim}`; entities {'as given' if about.entities == 'given' else 'as a sample of their kind'}."
        yield f"Estimand: {about.estimand}.\n"
        if kind in WHY_WIDE and any(WIDE in row.misses for row in of_kind):
            yield f"Why intervals are wide where they are: {WHY_WIDE[kind]}.\n"
        yield from _table(_COLUMNS)
        for row in of_kind:
            yield _line(*_cells(row))


def _by_kind(found: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for kind in claim_kinds():
        if of_kind := [row for row in found if row.kind == kind and not math.isnan(row.coverage)]:
            yield kind, of_kind


def _cells(row: Row) -> tuple[str, ...]:
    relation = claim_kinds()[row.kind].relation
    claim = f"abs < {row.threshold:g}" if relation == "abs <" else f"{relation} {row.threshold:g}"
    return (
        row.cell, f"{row.studies:,}", f"{row.truth:.3g}", _percent(row.coverage), _percent(row.coverage_of_valid),
        _percent(row.false_alarms), _percent(row.false_alarms_of_valid), _percent(row.nominal),
        _percent(row.family_alarms), claim, _percent(row.power), _percent(row.predicted),
        _percent(row.verdicts["inconclusive"]), _percent(row.verdicts["invalid"]), ", ".join(row.misses),
    )  # fmt: skip


def _time(calibration: Calibration) -> str:
    text = f"{calibration.cpu_seconds / 60:.0f} minutes of processor time"
    if calibration.wall_seconds:
        runs = ", ".join(
            f"{seconds / 60:.0f} minutes on {workers} processes"
            for seconds, workers in zip(calibration.wall_seconds, calibration.workers, strict=True)
        )
        text += f"; by the clock: {runs}, on a machine that other work was sharing"
    return text + "."


def _percent(rate: float) -> str:
    return "" if math.isnan(rate) else f"{100 * rate:.1f}%"


def _table(names: Sequence[str]) -> Iterator[str]:
    yield _line(*names)
    yield _line(*("---" for _ in names))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
