"""Whether a model names whom it likes whatever is asked: what questions about names say, beside those about advice.

References
----------
Efron and Stein 1981
Gelman 2008
Lipsitch et al. 2010
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal, Wilson
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
)
from pytest_llmpref.experiments.pairs.names import NameTrial
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.trials import Replies, trials_as
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.clustering import own_design_effects
from pytest_llmpref.stats.slopes import shares_beside_worth, slope_over_pairs, slope_per_two_sd

Choices = tuple[IntArray, IntArray, FloatArray]
"""Numbers of the two entities of each question, and the probability that the first was chosen; shape (t,) each."""
UNRANKED = "whom a model names in questions that the names alone answer is no preference"


def name_measure(name: str, conditions: Conditions, trials: Sequence[NameTrial], replies: Sequence[Replies]) -> Measure:
    """Return how often each entity is named, and how often the answers are right.

    Answers that all go by place, or by label, are no fault: they are right half the time, and follow no liking.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, replies
        In one order.
    """
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies)
    reasons = coverage_reasons(diagnostics)
    measure = measure_under(
        name,
        conditions,
        _shares(trials, list(conditions.groups)),
        reasons,
        reliability=None,
        diagnostics=diagnostics | {"reliability": None, "design": conditions.profile.design},
        trials=trials,
    )
    right = interval_record(share_right(measure)) if trials else None
    return replace(measure, unranked=(UNRANKED,), diagnostics=measure.diagnostics | {"share_right": right})


def share_right(measure: Measure) -> Estimate:
    """Return the share of questions about names whose more likely answer is right.

    Parameters
    ----------
    measure
        ``name_questions``.

    Returns
    -------
    Estimate
        From 0 to 1; the interval is about other entities of the kind. Around 0.5, the model did not read the questions.
        A `pull_of_liking` near 0 then shows that it has no habit of naming entities that it likes, but not that it
        reads.

    Raises
    ------
    TypeError
        If the measure is not about names.

    Examples
    --------
    >>> from pytest_llmpref import open_study, share_right
    >>> with open_study("sim/habit", profile="smoke") as study:
    ...     share_right(study.name_questions)
    <share of correct name_questions 0.506..., 95% [0.449..., 0.564...], n=288 trials>
    """
    chosen = [trial for trial in trials_as(NameTrial, measure.trials) if trial.correct is not None]
    by_pair: dict[frozenset[str], list[bool]] = {}
    for trial in chosen:
        by_pair.setdefault(frozenset(trial.entities), []).append(bool(trial.correct))
    number = {entity: place for place, entity in enumerate(measure.groups)}
    ends = [sorted(number[entity] for entity in pair) for pair in by_pair]
    first, second = (np.array([end[place] for end in ends], dtype=np.intp) for place in (0, 1))
    right = np.array([np.mean(answers) for answers in by_pair.values()], dtype=np.float64)
    found = slope_over_pairs(first, second, np.ones(len(right)), right, f"share of correct {measure.name}")
    value, n = float(np.mean([bool(trial.correct) for trial in chosen])) if chosen else math.nan, len(chosen)
    # As many independent questions as scatter so; at least one a pair, at most all.
    error = found.interval_method.se if isinstance(found.interval_method, Normal) else math.nan
    worth = min(max(value * (1 - value) / error**2, len(right)), n) if error > 0 else float(len(right))
    method = f"proportion, Wilson (1927) interval at {worth:.0f} effective questions (clustered by entity)"
    return Estimate(value, n, "trials", method, Wilson(value * worth, worth), found.invalid, found.label).marked(
        f"{measure.name}: {reason}" for reason in measure.reasons
    )


def pull_of_liking(measure: Measure, preferences: Measure, *, beyond: Measure | None = None) -> Estimate:
    """Return how much more often an entity is named per two standard deviations of the model's own preference.

    A difference in shares against an average opponent. For ``name_questions``, it is the size of a habit: the model
    names entities that it likes, whatever is asked. With ``beyond``, the pull on that measure is subtracted for each
    entity, which removes this habit.

    Parameters
    ----------
    measure
        A measure of choices between two entities, such as ``donation_advice`` and ``name_questions``.
    preferences
        The model's own preference: ``preferences``.
    beyond
        The negative control to subtract: ``name_questions``.

    Returns
    -------
    Estimate
        The interval is about other entities of the kind. Noise in the measured preference shrinks the value towards 0.

    Raises
    ------
    TypeError
        If a measure is not about choices between two entities.

    References
    ----------
    Lipsitch et al. 2010

    Examples
    --------
    >>> from pytest_llmpref import open_study, pull_of_liking
    >>> with open_study("sim/habit", profile="smoke") as study:
    ...     pull_of_liking(study.name_questions, study.preferences)
    <pull of liking on name_questions 0.367..., 95% [0.297..., 0.437...], n=72 entities>
    """
    measures = [measure] if beyond is None else [measure, beyond]
    label = f"pull of liking on {measure.name}" + ("" if beyond is None else f" beyond {beyond.name}")
    ids = list(measure.groups)
    liked = np.array([preferences.values.get(entity, math.nan) for entity in ids])
    choices = [_choices(trials_as(PairTrial, one.trials), ids) for one in measures]
    found = pull_over_entities(liked, choices, list(measure.groups.values()), label)
    reasons = [f"{one.name}: {reason}" for one in measures for reason in (*one.reasons, *one.early, *_chosen(one))]
    reasons += [f"{preferences.name}: {reason}" for reason in (*preferences.reasons, *preferences.unranked)]
    if preferences in measures:
        reasons.append(
            f"{preferences.name} is not independent of itself: relate what the model likes to another measure"
        )
    if beyond is measure:
        reasons.append(f"{measure.name} is its own control: give name_questions as beyond")
    return found.marked(reasons)


def pull_over_entities(liked: FloatArray, choices: Sequence[Choices], groups: Sequence[str], label: str) -> Estimate:
    """Return the slope of shares per two standard deviations of liking; for two measures, of their difference.

    Two more questions are counted in the error, as if they came out otherwise: so it is not 0 if all answers are
    alike (as in `slope_over_pairs`). One whose entities lie as far apart as two usually do moves a slope over n
    questions by the square root of 2, divided by n.

    Parameters
    ----------
    liked
        The model's own preference, shape (n,).
    choices
        Of one measure or of two.
    groups
        Group of each entity.
    label
        What is estimated.
    """
    shares = [shares_beside_worth(*one, liked) for one in choices]
    beyond = shares[0] - shares[1] if len(shares) > 1 else shares[0]
    found = slope_per_two_sd(liked, beyond, groups, label, spread_is_sampled=True)
    method = found.interval_method
    if not isinstance(method, Normal):
        return found
    more = sum(4 / len(score) ** 2 for _, _, score in choices)
    return replace(found, interval_method=Normal(method.mean, math.hypot(method.se, math.sqrt(more)), method.df))


def _chosen(measure: Measure) -> list[str]:
    """Say that the answers chose the pairs; empty if they did not."""
    if measure.diagnostics.get("selection") != "adaptive":
        return []
    # Close pairs make the shares against the average entity lie further apart than other pairs do.
    return ['its pairs were chosen by the answers: use a profile with selection = "fixed"']


def _choices(trials: Sequence[PairTrial], ids: Sequence[str]) -> Choices:
    number = {entity: place for place, entity in enumerate(ids)}
    chosen = [trial for trial in trials if trial.score is not None]
    first, second = (np.array([number[trial.entities[at]] for trial in chosen], dtype=np.intp) for at in (0, 1))
    return first, second, np.array([trial.score for trial in chosen], dtype=np.float64)


def _shares(trials: Sequence[NameTrial], ids: Sequence[str]) -> dict[str, Estimate]:
    """Return the share of its questions in which each entity is named; Wilson's interval, clustered by pair."""
    first, second, scores = _choices(trials, ids)
    n = len(ids)
    entity, named = np.r_[first, second], np.r_[scores, 1 - scores]
    pair = np.tile(np.minimum(first, second) * n + np.maximum(first, second), 2)
    asked, won = np.bincount(entity, minlength=n), np.bincount(entity, named, n)
    pairs = np.array([len(np.unique(pair[entity == number])) for number in range(n)])
    # Of an entity whose answers are all alike, nobody knows how alike those about a pair are: count each pair.
    effects = own_design_effects(entity, pair, named > 0.5, n, otherwise=np.maximum(asked / np.maximum(pairs, 1), 1.0))
    return {
        id_: _share(id_, float(one), int(of), float(effect))
        for id_, one, of, effect in zip(ids, won, asked, effects, strict=True)
    }


def _share(entity: str, named: float, asked: int, effect: float) -> Estimate:
    worth = asked / effect
    return Estimate(
        value=named / asked if asked else math.nan,
        n=asked,
        unit="trials",
        method=f"proportion, Wilson (1927) interval at {worth:.0f} effective questions (clustered by pair)",
        interval_method=Wilson(named / effect, worth),
        invalid=() if asked else (f"no question about {entity} ended in a choice",),
        label=f"share of questions that name {entity}",
    )


def changed_shares(new: Sequence[NameTrial], old: Sequence[NameTrial], ids: Sequence[str]) -> Changes:
    """Return the changes of the shares in which entities are named, paired by pair.

    Parameters
    ----------
    new, old
        Trials of the same questions, in the same order.
    ids
        Of the entities.
    """
    now, before = _shares(new, ids), _shares(old, ids)
    sides = [_choices(trials, ids) for trials in (new, old)]
    return {
        entity: changed(
            now[entity],
            before[entity],
            correlation := share_correlation(*_of(number, *sides[0]), *_of(number, *sides[1])),
            paired=f"paired by pair (correlation of errors {correlation:.2f})",
            label=f"change in {now[entity].label}",
        )
        for number, entity in enumerate(ids)
    }, None


def _of(number: int, first: IntArray, second: IntArray, scores: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return how far an entity was named in each of its questions, and whom it met there."""
    own, met = first == number, second == number
    return np.r_[scores[own], 1 - scores[met]], np.r_[second[own], first[met]]
