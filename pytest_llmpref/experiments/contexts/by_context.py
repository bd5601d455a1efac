"""What a context does that is about no entity: to how choices follow preference, and to how often something happens.

Asked to be neutral, a model may choose at random. Then no strengths can be told apart there, and a correlation with
them says nothing; but that choices do not follow preference any more is a finding: their slope on it is 0.
"""

import math
from collections.abc import Sequence

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.contexts.priming import FILLER, PRIMED, SAID
from pytest_llmpref.experiments.contexts.trials import (
    ContextTrial,
    Outcomes,
    SomeInContext,
    of_context,
    score,
    trials_in_contexts,
)
from pytest_llmpref.experiments.measure import Measure, coverage_reasons, outcome_diagnostics
from pytest_llmpref.experiments.pairs.measure import bias_reasons, comparisons_of
from pytest_llmpref.experiments.trials import trials_as
from pytest_llmpref.stats.slopes import slope_over_pairs

Pair = tuple[str, str]


def choice_slope(measure: Measure, preferences: Measure, context: str) -> Estimate:
    """Return how much more often an entity is chosen in a context per standard deviation of preference.

    A slope in shares: at 0.2, the preferred one of two entities that lie one standard deviation apart is chosen in 70%
    of cases. At 0, choices are unrelated to preference. Below 0, they go against it.

    Parameters
    ----------
    measure
        A measure of choices in contexts, such as ``pressed_advice``.
    preferences
        The preferences of the same model, asked without a context.
    context
        Id of the context.

    Returns
    -------
    Estimate
        The interval is about other entities of the kind. Noise in the preferences shrinks the slope towards 0, equally
        in all contexts.

    Raises
    ------
    LookupError
        If the measure has no such context.
    TypeError
        If the measure is not about choices in contexts.

    Examples
    --------
    >>> from pytest_llmpref import choice_slope, open_study
    >>> with open_study("sim/test-aware", profile="smoke") as study:
    ...     choice_slope(study.observed_advice, study.preferences, "test")
    <slope of observed_advice in test on preference 0.0639..., 95% [0.0278..., 0.100...], n=72 entities>
    """
    chosen = _lead_of_first(measure, context)
    label = f"slope of {measure.name} in {context} on {preferences.name}"
    reasons = [*_reasons(measure, context), *_preference_reasons(preferences)]
    return _slope(chosen, preferences, label).marked(reasons)


def change_in_slope(measure: Measure, preferences: Measure, new: str, old: str = "filler") -> Estimate:
    """Return the difference in `choice_slope` between two contexts, new minus old, over the pairs asked in both.

    Parameters
    ----------
    measure, preferences
        As in `choice_slope`.
    new, old
        Ids of the contexts.

    Returns
    -------
    Estimate
        In the unit of `choice_slope`; for other entities of the kind.

    Examples
    --------
    >>> from pytest_llmpref import change_in_slope, open_study
    >>> with open_study("sim/test-aware", profile="smoke") as study:
    ...     change_in_slope(study.observed_advice, study.preferences, "test")
    <difference in slope of observed_advice on preference, test minus filler -0.135..., 95% [-0.177..., -0.0931...],
    n=72 entities>
    """
    there, before = _lead_of_first(measure, new), _lead_of_first(measure, old)
    gained = {pair: there[pair] - before[pair] for pair in there if pair in before}
    label = f"difference in slope of {measure.name} on {preferences.name}, {new} minus {old}"
    reasons = [*_reasons(measure, new), *_reasons(measure, old), *_preference_reasons(preferences)]
    return _slope(gained, preferences, label).marked(reasons)


def change_in_share(measure: Measure, new: str, old: str = "filler") -> Estimate:
    """Return the difference in a share between two contexts, new minus old, over the same questions.

    The share depends on the measure: refusals in ``pressed_refusals``, correct answers in ``observed_reading``, and
    replies that the conversation looked like a test in ``seen_as_test``.

    Parameters
    ----------
    measure
        A measure in contexts that counts something other than choices.
    new, old
        Ids of the contexts.

    Returns
    -------
    Estimate
        0.1 is ten percentage points; for other entities of the kind. Raises
    ------
    LookupError
        If the measure has no such context.
    TypeError
        If the measure counts choices: every question ends in exactly one.

    Examples
    --------
    >>> from pytest_llmpref import change_in_share, open_study
    >>> with open_study("sim/test-aware", profile="smoke") as study:
    ...     change_in_share(study.pressed_refusals, "hurried")
    <difference in pressed_refusals, hurried minus filler -0.00347..., 95% [-0.066..., 0.0592...], n=72 entities>
    """
    looked_at = measure.diagnostics.get("contexts", {}).get("looked_at")
    if looked_at in {None, "chosen"}:
        raise TypeError(f"{measure.name} has no shares to compare: give a measure such as seen_as_test")
    there, before = (_shares(measure, context, looked_at) for context in (new, old))
    label = f"difference in {measure.name}, {new} minus {old}"
    return _mean({pair: there[pair] - before[pair] for pair in there if pair in before}, label).marked(
        f"{measure.name}: {reason}" for reason in measure.reasons
    )


def priming_effect(measure: Measure) -> Estimate:
    """Return how much more often advice names the entity that the model has just said it likes more.

    The comparison is with advice after the filler, in another conversation. So this is the effect of stating a
    preference, apart from any association between preference and advice.

    Parameters
    ----------
    measure
        ``primed_advice``.

    Returns
    -------
    Estimate
        0.1 is ten percentage points; for other entities of the kind.

    Examples
    --------
    >>> from pytest_llmpref import open_study, priming_effect
    >>> with open_study("sim/primed", profile="smoke") as study:
    ...     priming_effect(study.primed_advice)
    <effect of stating a preference on primed_advice 0.218..., 95% [0.152..., 0.284...], n=72 entities>
    """
    said, primed, filler = (
        {_question(trial): trial.score for trial in _choices(measure, place) if trial.score is not None}
        for place in (SAID, PRIMED, FILLER)
    )
    gained: dict[Pair, list[float]] = {}
    for question in said.keys() & primed.keys() & filler.keys():
        agreeing = [
            said[question] * one + (1 - said[question]) * (1 - one) for one in (primed[question], filler[question])
        ]
        one, other = sorted(question[0])
        gained.setdefault((one, other), []).append(agreeing[0] - agreeing[1])
    reasons = [*_reasons(measure, PRIMED), *_reasons(measure, FILLER)]
    means = {pair: float(np.mean(gains)) for pair, gains in sorted(gained.items())}
    return _mean(means, f"effect of stating a preference on {measure.name}").marked(reasons)


def _mean(values: dict[Pair, float], label: str) -> Estimate:
    """Return the mean over pairs of entities, or of an entity and a question."""
    units = {name: number for number, name in enumerate(dict.fromkeys(name for pair in values for name in pair))}
    first, second = (np.array([units[pair[place]] for pair in values], dtype=np.intp) for place in (0, 1))
    return slope_over_pairs(
        first, second, np.ones(len(values)), np.array(list(values.values()), dtype=np.float64), label
    )


def _shares(measure: Measure, context: str, looked_at: Outcomes) -> dict[Pair, float]:
    """Return, for each pair of entities, or entity and question, how often it happens; all orders alike."""
    found: dict[Pair, list[float]] = {}
    trials = trials_in_contexts(measure)
    for trial in _in(measure, context, trials):
        if (value := score(trial, 0, looked_at)) is not None:
            pair = sorted((trial.entities[0], trial.beside))
            found.setdefault((pair[0], pair[1]), []).append(value)
    return {pair: float(np.mean(values)) for pair, values in found.items()}


def _question(trial: ContextTrial) -> tuple[tuple[str, ...], int, bool | None]:
    """Return what a trial shares with those of other contexts; wordings of other questions differ."""
    return trial.entities, trial.repetition, trial.first_is_a


def _slope(chosen: dict[Pair, float], preferences: Measure, label: str) -> Estimate:
    known = {entity: value for entity, value in preferences.values.items() if not math.isnan(value)}
    place = {entity: number for number, entity in enumerate(known)}
    pairs = [pair for pair in chosen if pair[0] in known and pair[1] in known]
    spread = float(np.std(list(known.values()))) if known else 0.0
    apart = [known[one] - known[other] for one, other in pairs]
    return slope_over_pairs(
        np.array([place[one] for one, _ in pairs], dtype=np.intp),
        np.array([place[other] for _, other in pairs], dtype=np.intp),
        np.array(apart, dtype=np.float64) / (spread or 1.0),
        np.array([chosen[pair] for pair in pairs], dtype=np.float64),
        label,
    )


def _lead_of_first(measure: Measure, context: str) -> dict[Pair, float]:
    """Return, for each pair in the order of its ids, how far above a half the first is chosen; both orders alike."""
    sums: dict[Pair, list[float]] = {}
    for trial in _choices(measure, context):
        if trial.score is None:
            continue
        one, other = trial.entities
        lead = trial.score - 0.5
        sums.setdefault((min(one, other), max(one, other)), []).append(lead if one < other else -lead)
    return {pair: float(np.mean(leads)) for pair, leads in sums.items()}


def _choices(measure: Measure, context: str) -> Sequence[ContextTrial]:
    trials_in_contexts(measure)
    return _in(measure, context, trials_as(ContextTrial, measure.trials))


def _in(measure: Measure, context: str, trials: Sequence[SomeInContext]) -> list[SomeInContext]:
    found = of_context(trials, context)
    if trials and not found:
        there = ", ".join(dict.fromkeys(trial.context for trial in trials))
        raise LookupError(f"{measure.name}: no context {context!r}; there are {there}")
    return found


def _reasons(measure: Measure, context: str) -> list[str]:
    """Say why answers in a context, or beside the filler, cannot be used.

    One-sided choices are a finding where a context asks for them, and a fault of the instrument beside the filler.
    """
    reasons = coverage_reasons(outcome_diagnostics(_choices(measure, context)))
    filler = next(id_ for id_, role in measure.diagnostics["contexts"]["roles"].items() if role == "filler")
    comparisons = comparisons_of(_choices(measure, filler), list(measure.groups))
    biased = bias_reasons(comparisons) if len(comparisons) else ()
    found = [f"{measure.name} in {context}: {reason}" for reason in reasons]
    return [*found, *(f"{measure.name} in {filler}: {reason}" for reason in biased)]


def _preference_reasons(preferences: Measure) -> list[str]:
    return [f"{preferences.name}: {reason}" for reason in (*preferences.reasons, *preferences.unranked)]
