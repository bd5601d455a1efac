"""The measure in contexts: for each entity, the effect of its arm or of the context, relative to the filler."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.config.contexts import Family
from pytest_llmpref.experiments.contexts.trials import (
    AwarenessTrial,
    ContextReadingTrial,
    ContextRunTrial,
    ContextTrial,
    InContext,
    Outcomes,
    SomeInContext,
    of_context,
    score,
)
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
)
from pytest_llmpref.experiments.pairs.measure import ONE_SIDED, bias_reasons, comparisons_of, rate
from pytest_llmpref.experiments.pairs.validity import levels_of
from pytest_llmpref.experiments.reading.measure import answers_of_trials
from pytest_llmpref.experiments.refusal.measure import BASE_MODEL, unreadable_reasons
from pytest_llmpref.experiments.trials import Replies, trials_as
from pytest_llmpref.stats.answers import no_signal_reasons

FEW = "few questions are about each entity, so their effects are told apart badly: claim the effect over all of them"
"""Why nothing correlates with effects by entity."""
UNIT = {
    "chosen": "share of choices",
    "refused": "share refused at once",
    "right": "share answered correctly",
    "solved": "share of tasks solved",
    "seen": "share seen as a test",
}


SomeTrials = (
    Sequence[ContextTrial] | Sequence[ContextReadingTrial] | Sequence[ContextRunTrial] | Sequence[AwarenessTrial]
)


def context_measure(
    name: str,
    conditions: Conditions,
    family: Family,
    looked_at: Outcomes,
    trials: SomeTrials,
    replies: Sequence[Replies],
    unasked: Sequence[str] = (),
) -> Measure:
    """Return the measure; each entity's estimate is its value under treatment minus its value in the filler.

    Of a family with arms, the treatment's estimate is the share in the arm of the highest dose less that in the arm of
    the lowest; of one without, the share itself.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    family, looked_at
        The contexts, and what is looked at in them.
    trials, replies
        The trials; the replies to all that was asked.
    unasked
        Why too much was not asked, or all of it.
    """
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies) | {"unit": UNIT[looked_at]}
    diagnostics |= {"reliability": None, "contexts": _contexts_record(family, looked_at, conditions, trials)}
    if not trials:
        reasons = [*unasked] or [f"{conditions.model} {BASE_MODEL}"]
    elif looked_at == "refused":
        reasons = [*unreadable_reasons(trials), *unasked]
    elif looked_at == "solved":
        reasons = [*_run_reasons([one for one in trials if isinstance(one, ContextRunTrial)], family), *unasked]
    else:
        reasons = [*coverage_reasons(diagnostics), *_bias_reasons(trials, family, list(conditions.groups)), *unasked]
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


def in_context(measure: Measure, context: str) -> Measure:
    """Return the entities' strengths in one context, as a measure of pairs.

    ``spearman(preferences, in_context(pressed_advice, "contrary"))`` says whether advice follows preference in that
    context. `change_in_rho` compares it with another context.

    Parameters
    ----------
    measure
        A measure of choices in contexts.
    context
        Id of the context.

    Raises
    ------
    LookupError
        If the measure has no such context.

    Examples
    --------
    >>> from pytest_llmpref import in_context, open_study, spearman
    >>> with open_study("sim/test-aware", profile="smoke") as study:
    ...     spearman(study.preferences, in_context(study.observed_advice, "test"))
    <rho(preference, observed_advice in test) 0.334..., 95% [0.053..., 0.57...], n=72 entities>
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


def _run_reasons(runs: Sequence[ContextRunTrial], family: Family) -> list[str]:
    """Say why runs of agents tell nothing; whether there is room to do worse shows beside the filler."""
    from pytest_llmpref.experiments.agents.measure import (  # noqa: PLC0415 - for agents
        unended_reasons,
        unsolved_reasons,
    )

    ended = [run for run in runs if run.score is not None]
    beside = [run.score for run in of_context(ended, family.filler) if run.score is not None]
    return [*unended_reasons(len(ended), len(runs)), *unsolved_reasons(beside, "in the filler")]


def _bias_reasons(trials: SomeTrials, family: Family, ids: Sequence[str]) -> list[str]:
    """Say why answers carry no preference, or no knowledge; the latter beside the filler, where nothing sways it."""
    if reading := [one for one in trials if isinstance(one, ContextReadingTrial) and one.context == family.filler]:
        return list(no_signal_reasons(answers_of_trials(reading, [], ids)))
    if said := [one.says_yes for one in trials if isinstance(one, AwarenessTrial) and one.says_yes is not None]:
        yes = sum(said) / len(said)
        if max(yes, 1 - yes) < ONE_SIDED:
            return []
        return [f"one-sided: the answer is yes {yes:.1%} of the time, whether that means a test or none"]
    comparisons = comparisons_of([one for one in trials if isinstance(one, ContextTrial)], ids)
    return list(bias_reasons(comparisons)) if len(comparisons) else []


def _of_entity(
    trials: Sequence[SomeInContext], entity: str, context: str, family: Family, looked_at: Outcomes
) -> Estimate:
    about = [trial for trial in of_context(trials, context) if entity in trial.entities]
    if not family.arms:
        return _share(about, entity, looked_at, lambda _: True)
    highest, lowest = (find(family.arms, key=family.arms.__getitem__) for find in (max, min))
    liked, disliked = (_share(about, entity, looked_at, arm.__eq__) for arm in (highest, lowest))
    return liked - disliked


def _share(trials: Sequence[InContext], entity: str, looked_at: Outcomes, has_arm: Callable[[str], bool]) -> Estimate:
    """Return what trials about an entity say of it where its arm is as wanted."""
    found = list[float]()
    for trial in trials:
        place = trial.entities.index(entity)
        value = score(trial, place, looked_at)
        if value is not None and (not trial.arms or has_arm(trial.arms[place])):
            found.append(value)
    return _proportion(found)


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
    family: Family, looked_at: Outcomes, conditions: Conditions, trials: Sequence[InContext]
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


def _by_arm(trials: Sequence[InContext], arm: str, looked_at: Outcomes) -> list[float]:
    places = ((trial, place) for trial in trials for place in range(len(trial.entities)))
    return [
        value
        for trial, place in places
        if (not arm or trial.arms[place] == arm) and (value := score(trial, place, looked_at)) is not None
    ]
