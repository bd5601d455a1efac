"""Whether a measure of pairs holds in other formats: strengths must survive a swap of labels, and of order.

A preference that turns round where an entity carries the other label, or is shown in the other place, is a trait of the
format and not of the model (multitrait-multimethod: Campbell and Fiske 1959).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_llmpref.experiments.measure import interval_record
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.stats.arrays import IntArray
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.generalizability import Facet, GStudy, g_study

SURVIVAL_NEEDED = 0.50
"""Least correlation, free of noise, of strengths across a swap: below it, what entities gain by the format has more
than a third of the variance of what holds in all. Our choice."""
SURVIVAL_LEVEL = 0.90
"""Level of the interval that lies below it as a whole where a measure is invalid: an error rate of 5% on one side. A
small study, which does not know, stays valid. Our choice."""
SWAPS: Mapping[Facet, str] = {
    "label": "as A and as B",
    "position": "first and second",
    "label_by_position": "A first and B first",
}
"""Facet that must be survived -> the two formats that are compared."""


def levels_of(trials: Sequence[PairTrial]) -> dict[Facet, IntArray]:
    """Return the wording and the answer form of each trial that ended in a choice, by number.

    Parameters
    ----------
    trials
        With and without a choice.
    """
    chosen = [trial for trial in trials if trial.score is not None]
    wordings = np.array([trial.wording for trial in chosen], dtype=np.intp)
    _, forms = np.unique([trial.form or "" for trial in chosen], return_inverse=True)
    return {"wording": wordings, "answer_form": forms.astype(np.intp)}


def survival_reasons(study: GStudy | None) -> list[str]:
    """Say which swap of the format the order of the entities does not survive; empty if it survives all.

    Parameters
    ----------
    study
        ``None`` if there are too few entities to tell.
    """
    if study is None:
        return []
    fallen = [
        f"{swap.value:.2f} {SWAPS[facet]}"
        for facet in SWAPS
        if (swap := study.swaps.get(facet)) is not None and swap.interval(SURVIVAL_LEVEL).high < SURVIVAL_NEEDED
    ]
    if not fallen:
        return []
    return [
        f"the order does not survive another format: strengths correlate {', '.join(fallen)}; "
        f"{SURVIVAL_NEEDED:.2f} needed"
    ]


def generalizability_record(study: GStudy | None) -> dict[str, Any] | None:
    """Return a generalizability study, ready for JSON; standard deviations are in log-odds.

    Parameters
    ----------
    study
        ``None`` if there are too few entities to tell.
    """
    if study is None:
        return None
    return {
        "entity_sd": _deviation(study.entity),
        "facet_sd": {facet: _deviation(variance) for facet, variance in study.facets.items()},
        "residual_sd": _deviation(study.residual),
        "coefficient": interval_record(study.coefficient),
        "one_format": study.one_format,
        "swaps": {facet: interval_record(found) for facet, found in study.swaps.items()},
        "needed": SURVIVAL_NEEDED,
    }


def formats_of(comparisons: Comparisons, trials: Sequence[PairTrial]) -> dict[str, Any] | None:
    """Return the generalizability study of some trials, ready for JSON; ``None`` if none ended in a choice.

    Parameters
    ----------
    comparisons, trials
        The choices, and the trials that they are from.
    """
    return generalizability_record(g_study(comparisons, levels_of(trials))) if len(comparisons) else None


def _deviation(variance: float) -> float:
    return math.sqrt(max(variance, 0.0))
