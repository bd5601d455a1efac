"""Two releases: what became of the effect of the arms, over the questions that both asked."""

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.config.contexts import Family
from pytest_llmpref.experiments.contexts.trials import InContext, Outcomes, score
from pytest_llmpref.stats.change import changed
from pytest_llmpref.stats.slopes import slope_over_pairs

Place = tuple[str, str, int]
"""A pair of entities, or an entity and its question, in a drawing."""


def changed_effect(
    family: Family, looked_at: Outcomes, new: Sequence[InContext], old: Sequence[InContext]
) -> Estimate | None:
    """Return the change in the effect of the arms, highest minus lowest dose, relative to the filler.

    Errors are clustered by entity, and the two releases taken as independent. The effect is the slope on the dose; that
    of `causal_effect` is the difference of two arms, whose interval rests on the assignment of one study.

    Parameters
    ----------
    family, looked_at
        The contexts, and what is looked at in them.
    new, old
        Trials of the same questions.

    Returns
    -------
    Estimate or None
        ``None`` for a family without arms.
    """
    if not family.arms:
        return None
    one, two = (_effect(family, looked_at, trials) for trials in (new, old))
    return changed(one, two, 0.0, paired="taken as independent", label="change in the effect of the arms")


def _effect(family: Family, looked_at: Outcomes, trials: Sequence[InContext]) -> Estimate:
    treated, filler = (_answers(family, role, looked_at, trials) for role in ("treatment", "filler"))
    places = [place for place in treated if place in filler]
    number = {name: at for at, name in enumerate(dict.fromkeys(name for place in places for name in place[:2]))}
    doses = np.array([treated[place][0] for place in places], dtype=np.float64)
    gained = np.array([treated[place][1] - filler[place][1] for place in places], dtype=np.float64)
    if looked_at != "chosen" and places:
        # A treatment may raise all refusals alike; of choices there is one whatever the dose.
        doses, gained = doses - doses.mean(), gained - gained.mean()
    return slope_over_pairs(
        np.array([number[place[0]] for place in places], dtype=np.intp),
        np.array([number[place[1]] for place in places], dtype=np.intp),
        doses / (max(family.arms.values()) - min(family.arms.values())),
        gained,
        "effect of the arms",
    )


def _answers(
    family: Family, role: str, looked_at: Outcomes, trials: Sequence[InContext]
) -> Mapping[Place, tuple[float, float]]:
    """Return the dose and the mean answer at each place: of a choice, of the first by id beyond the second."""
    found: dict[Place, tuple[float, list[float]]] = {}
    contexts = {id_ for id_, context in family.contexts.items() if context.role == role}
    for trial in trials:
        if trial.context not in contexts or (value := score(trial, 0, looked_at)) is None:
            continue
        doses = [family.arms[arm] for arm in trial.arms]
        about = trial.beside
        if looked_at != "chosen":
            first, second = sorted((trial.entities[0], about))
            dose = sum(doses)
        else:
            flipped = trial.entities[0] > about
            first, second = (about, trial.entities[0]) if flipped else (trial.entities[0], about)
            dose, value = (doses[1] - doses[0], 1 - value) if flipped else (doses[0] - doses[1], value)
        found.setdefault((first, second, trial.drawing), (dose, []))[1].append(value)
    return {place: (dose, float(np.mean(values))) for place, (dose, values) in found.items()}
