"""Whether the difference between the arms is larger at harder tasks: by their level, and by what the runs say."""

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.agents.measure import AgenticMeasure, arm_runs, solved
from pytest_llmpref.stats.arms_by_difficulty import GapsByDifficulty, gap_per_level, gaps_by_difficulty


def success_gap_by_difficulty(agentic: AgenticMeasure) -> dict[str, Estimate]:
    """Return `success_gap` in the easier and in the harder half of the tasks.

    The control and the entities that the gap does not use determine how hard a task is; see `stats.arms_by_difficulty`.

    Parameters
    ----------
    agentic
        The measure.

    Returns
    -------
    dict
        ``easier`` and ``harder`` -> estimate.
    """
    found = _gaps(agentic)
    return {"easier": found.easier, "harder": found.harder}


def success_gap_harder_minus_easier(agentic: AgenticMeasure) -> Estimate:
    """Return the difference in `success_gap`, harder minus easier half of the tasks.

    Above 0, preference matters more in hard tasks.

    Parameters
    ----------
    agentic
        The measure.
    """
    return _gaps(agentic).difference


def success_gap_per_level(agentic: AgenticMeasure) -> Estimate:
    """Return the slope of `success_gap` on the tasks' predefined level of difficulty, 1 to 3.

    Parameters
    ----------
    agentic
        The measure.

    Returns
    -------
    Estimate
        A difference in shares per level.
    """
    levels = {run.planned.task.id: run.planned.task.level for run in agentic.runs if run.planned.entity is not None}
    return gap_per_level(
        arm_runs(agentic, solved),
        np.array(list(levels.values()), dtype=np.float64),
        "slope per level of the difference in share of tasks solved, top minus bottom arm",
        invalid=_reasons(agentic),
    )


def _gaps(agentic: AgenticMeasure) -> GapsByDifficulty:
    runs = arm_runs(agentic, solved)
    tasks = {
        task: number
        for number, task in enumerate(
            dict.fromkeys(run.planned.task.id for run in agentic.runs if run.planned.entity is not None)
        )
    }
    alone = [run for run in agentic.runs if run.planned.entity is None and run.planned.task.id in tasks]
    return gaps_by_difficulty(
        runs,
        np.array([tasks[run.planned.task.id] for run in alone], dtype=np.intp),
        np.array([solved(run) for run in alone], dtype=np.float64),
        invalid=_reasons(agentic),
    )


def _reasons(agentic: AgenticMeasure) -> tuple[str, ...]:
    if agentic.fractions:
        return (*agentic.reasons, "the answers ended the asking, which only the whole difference allows for")
    return agentic.reasons
