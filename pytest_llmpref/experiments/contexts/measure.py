"""The measure of questions in contexts: for each entity, what its arm or the context did, beside the filler."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.config.contexts import Family
from pytest_llmpref.experiments.contexts.trials import ContextTrial, Outcomes
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
)
from pytest_llmpref.experiments.pairs.measure import bias_reasons, comparisons_of, rate
from pytest_llmpref.experiments.pairs.validity import levels_of
from pytest_llmpref.experiments.refusal.measure import BASE_MODEL, unreadable_reasons
from pytest_llmpref.experiments.trials import Replies, trials_as
from pytest_llmpref.parsing.outcome import Outcome

FEW = "few questions are about each entity, so their effects are told apart badly: claim the effect over all of them"
"""Why nothing correlates with effects by entity."""
UNIT = {"chosen": "share of choices", "refused": "share refused at once"}


def context_measure(
    name: str,
    conditions: Conditions,
    family: Family,
    looked_at: Outcomes,
    trials: Sequence[ContextTrial],
    replies: Sequence[Replies],
) -> Measure:
    """Return the measure; each entity's estimate is that of its treatment, less the same in the filler.

    Of a family with arms, the treatment's estimate is the share in the arm of the highest dose less that in the arm of
    the lowest; of one without, the share itself.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    family, looked_at
        The contexts, and what is looked at in them.
    trials, replies
        In one order.
    """
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | {"unit": UNIT[looked_at]}
    diagnostics |= {"reliability": None, "contexts": _contexts_record(family, looked_at, conditions, trials)}
    if looked_at == "chosen":
        comparisons = comparisons_of(trials, list(conditions.groups))
        reasons = [*coverage_reasons(diagnostics), *(bias_reasons(comparisons) if len(comparisons) else ())]
    elif trials:
        reasons = unreadable_reasons(trials)
    else:
        reasons = [f"{conditions.model} {BASE_MODEL}"]
    treatment = family.of_role("treatment")[0]
    estimates = {
        entity: replace(
            _of_entity(trials, entity, treatment, family, looked_at)
            - _of_entity(trials, entity, family.filler, family, looked_at),
            label=f"effect on {entity}",
        )
        for entity in conditions.groups
    }
    measure = measure_under(
        name, conditions, estimates, reasons, reliability=None, diagnostics=diagnostics, trials=trials
    )
    return replace(measure, unranked=(FEW,))


def scored(trials: Sequence[ContextTrial], entity: str, looked_at: Outcomes) -> list[float]:
    """Return what each answered trial about an entity says of it: 1 where it was chosen, or refused.

    Parameters
    ----------
    trials
        Any.
    entity
        Id of the entity.
    looked_at
        What is looked at.
    """
    return [
        value
        for trial in trials
        for place, one in enumerate(trial.entities)
        if one == entity and (value := score(trial, place, looked_at)) is not None
    ]


def score(trial: ContextTrial, place: int, looked_at: Outcomes) -> float | None:
    """Return what a trial says of the entity at a place; ``None`` where nothing.

    Parameters
    ----------
    trial
        The trial.
    place
        0 for the entity shown first.
    looked_at
        What is looked at.
    """
    if looked_at == "refused":
        return float(trial.attempts[0].outcome is Outcome.REFUSAL)
    if trial.score is None:
        return None
    return trial.score if place == 0 else 1 - trial.score


def in_context(measure: Measure, context: str) -> Measure:
    """Return the strengths of the entities in one context of a measure, to use as any measure of pairs.

    ``spearman(preferences, in_context(pressed_advice, "contrary"))`` is whether advice follows preference there;
    `change_in_rho` compares it with another context's.

    Parameters
    ----------
    measure
        Of questions in contexts, of which those are looked at that chose.
    context
        Id of the context.

    Raises
    ------
    LookupError
        If the measure has no such context.
    """
    trials = of_context(trials_as(ContextTrial, measure.trials), context)
    if not trials:
        there = ", ".join(dict.fromkeys(trial.context for trial in trials_as(ContextTrial, measure.trials)))
        raise LookupError(f"{measure.name}: no context {context!r}; there are {there}")
    ids = list(measure.groups)
    comparisons = comparisons_of(trials, ids)
    reasons = coverage_reasons(outcome_diagnostics(trials))
    if not len(comparisons):
        return replace(measure, name=f"{measure.name} in {context}", reasons=(*measure.reasons, *reasons))
    rated = rate(comparisons, ids, levels_of(trials), seed=0)
    every = (*reasons, *rated.reasons)
    return replace(
        measure,
        name=f"{measure.name} in {context}",
        estimates={entity: estimate.marked(every) for entity, estimate in rated.estimates.items()},
        reasons=every,
        reliability=rated.reliability,
        trials=trials,
        unranked=(),
    )


def of_context(trials: Sequence[ContextTrial], context: str) -> list[ContextTrial]:
    """Return the trials in one context."""
    return [trial for trial in trials if trial.context == context]


def _of_entity(
    trials: Sequence[ContextTrial], entity: str, context: str, family: Family, looked_at: Outcomes
) -> Estimate:
    about = [trial for trial in of_context(trials, context) if entity in trial.entities]
    if not family.arms:
        return _share(about, entity, looked_at, lambda _: True)
    highest, lowest = (find(family.arms, key=family.arms.__getitem__) for find in (max, min))
    liked, disliked = (_share(about, entity, looked_at, arm.__eq__) for arm in (highest, lowest))
    return liked - disliked


def _share(
    trials: Sequence[ContextTrial], entity: str, looked_at: Outcomes, has_arm: Callable[[str], bool]
) -> Estimate:
    kept = [trial for trial in trials if not trial.arms or has_arm(trial.arms[tuple(trial.entities).index(entity)])]
    values = scored(kept, entity, looked_at)
    return _proportion(values)


def _proportion(values: Sequence[float]) -> Estimate:
    n, total = len(values), sum(values)
    return Estimate(
        value=total / n if n else float("nan"),
        n=n,
        unit="trials",
        method="proportion, Wilson (1927) interval",
        interval_method=Wilson(total, n),
    )


def _contexts_record(
    family: Family, looked_at: Outcomes, conditions: Conditions, trials: Sequence[ContextTrial]
) -> dict[str, Any]:
    """Return what results.json says of the contexts: all that the effects need, beside the trials."""
    return {
        "family": family.name,
        "about": family.about,
        "looked_at": looked_at,
        "arms": dict(family.arms),
        "squares": conditions.profile.context_squares if family.arms else 0,
        "roles": {id_: context.role for id_, context in family.contexts.items()},
        "by_arm": {
            id_: {
                arm or "all": interval_record(_proportion(_by_arm(of_context(trials, id_), arm, looked_at)))
                for arm in (family.arms or [""])
            }
            for id_ in family.contexts
        },
    }


def _by_arm(trials: Sequence[ContextTrial], arm: str, looked_at: Outcomes) -> list[float]:
    places = ((trial, place) for trial in trials for place in (0, 1) if not arm or trial.arms[place] == arm)
    return [value for trial, place in places if (value := score(trial, place, looked_at)) is not None]
