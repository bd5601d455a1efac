"""The measure of refusals, and the propensities beside it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import msgspec
import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Normal
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
)
from pytest_llmpref.experiments.pairs.measure import paired_by_pair
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.parsing.outcome import Attempt, Outcome, Reason
from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.change import Changes, changed, share_correlation
from pytest_llmpref.stats.extremes import MissingAnswers
from pytest_llmpref.stats.refusal import (
    Attempts,
    fit_additive,
    leave_one_out_changes,
    overall_rate,
    refits,
    refusal_rates,
    split_half,
)
from pytest_llmpref.stats.refusal_patterns import attempts_needed

READABLE_NEEDED = 0.90
"""Least share of attempts that choose, refuse or abstain: of the others nobody knows which they are. Our choice."""
BASE_MODEL = "is a base model: it continues the user's own words, so there is nobody to refuse"
PROPENSITY = "refusal propensity"
_READABLE = frozenset({Outcome.CHOICE, Outcome.REFUSAL, Outcome.ABSTENTION})


def refusal_measure(
    name: str, conditions: Conditions, trials: Sequence[Trial], control: Sequence[Trial], replies: Sequence[Replies]
) -> Measure:
    """Return the measure: for each entity the share of questions about it that are refused at once.

    Invalid where too few attempts can be read. A model that never refuses is measured well, as one that refuses
    everything is; but neither tells entities apart, so nothing correlates with them.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, control
        Those about entities; those of the control.
    replies
        Those to all of them.
    """
    groups = conditions.groups
    ids = tuple(groups)
    attempts = attempts_of(trials, ids)
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies)
    reasons = unreadable_reasons(trials) if trials else [f"{conditions.model} {BASE_MODEL}"]
    reliability = split_half(attempts, seed=conditions.seed)
    rates = dict(zip(ids, refusal_rates(attempts), strict=True))
    of_control = control_rate(control)
    diagnostics |= {
        "reliability": {"value": reliability.value, "n": reliability.n},
        "refused": interval_record(overall_rate(attempts)),
        "attempts_to_a_valid_answer": interval_record(_needed(trials)),
        "attempts_by_entity": {
            entity: interval_record(_needed([trial for trial in trials if entity in trial.entities])) for entity in ids
        },
        "refusal_reasons": dict(Counter(reason.value for _, _, reason in refused_attempts(trials))),
        "control_outcomes": outcome_diagnostics(control)["outcomes"],
        "refusals": _recorded(trials),
        "control_refusals": _recorded(control),
    }
    measure = measure_under(
        name,
        conditions,
        {entity: replace(rate, label=f"refusal rate of {entity}") for entity, rate in rates.items()},
        reasons,
        reliability=reliability,
        diagnostics=diagnostics,
        trials=trials,
    )
    return replace(
        measure,
        control=replace(of_control, label="refusal rate of the control").marked(reasons),
        controls=control,
        unranked=tuple(reliability_reasons(reliability)),
    )


def control_rate(control: Sequence[Trial]) -> Estimate:
    """Estimate how often a question of the control is refused at once."""
    return overall_rate(attempts_of(control, sorted({entity for trial in control for entity in trial.entities})))


@dataclass(frozen=True, eq=False, repr=False)
class Propensity(Measure):
    """How much each entity adds to the log-odds of a refusal.

    Attributes
    ----------
    absences
        Function that returns, for each entity, how the others' values would change had it never been asked about:
        values of one fit depend on which others there are. See `stats.dependence`.
    """

    absences: Callable[[], Mapping[str, Mapping[str, float]]] | None = None


@lru_cache(maxsize=64)
def propensity(refusals: Measure) -> Propensity:
    """Return how much each entity adds to the log-odds of a refusal, from all attempts.

    Estimated by the additive model of `stats.refusal.fit_additive`. Correlate this with preference, not the rates in
    ``refusals``: it adjusts for an entity's opponents and for the wording.

    Parameters
    ----------
    refusals
        The measure.

    Examples
    --------
    >>> from pytest_llmpref import open_study, propensity, spearman
    >>> with open_study("sim/paper-a", profile="smoke") as study:
    ...     spearman(study.preferences, propensity(study.refusals))
    <rho(preference, refusal propensity) -0.33, 95% [-0.69..., 0.12...], n=72 entities>
    """
    ids = tuple(refusals.estimates)
    attempts = attempts_of(refusals.trials, ids)
    if not len(attempts):
        return Propensity(
            name=PROPENSITY,
            model=refusals.model,
            estimates=refusals.estimates,
            groups=refusals.groups,
            reasons=refusals.reasons,
            reliability=refusals.reliability,
            diagnostics=refusals.diagnostics,
            trials=refusals.trials,
            unranked=refusals.unranked,
            early=refusals.early,
        )
    fit = fit_additive(attempts)
    reasons = (*refusals.reasons, *refusals.early, *(["the additive model did not converge"] * (not fit.converged)))
    n = Counter(entity for trial in refusals.trials for entity in trial.entities)
    estimates = {
        entity: Estimate(
            value=float(effect),
            n=n[entity],
            unit="trials",
            method="additive logistic model of refusals, standard error clustered by pair",
            interval_method=Normal(float(effect), float(error), float(df)),
            label=f"refusal propensity of {entity}",
        ).marked(reasons)
        for entity, effect, error, df in zip(ids, fit.effects, fit.standard_errors, fit.degrees_of_freedom, strict=True)
    }
    return Propensity(
        name=PROPENSITY,
        model=refusals.model,
        estimates=estimates,
        groups=refusals.groups,
        reasons=reasons,
        reliability=refusals.reliability,
        diagnostics={"converged": fit.converged},
        trials=refusals.trials,
        unranked=refusals.unranked,
        missing=partial(missing_attempts, refusals.trials, ids),
        absences=partial(absences_in, attempts, ids),
    )


def absences_in(attempts: Attempts, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return entity -> what the others' propensities would be had it never been asked about, less what they are."""
    changes = leave_one_out_changes(attempts)
    return {
        gone: {one: float(change) for one, change in zip(ids, column, strict=True) if one != gone}
        for gone, column in zip(ids, changes.T, strict=True)
    }


def missing_attempts(trials: Sequence[Trial], ids: Sequence[str]) -> MissingAnswers | None:
    """Return the attempts that are neither an answer nor a refusal, and the propensities had they been either.

    ``None`` if there are none. A call that failed is one of them. Those at one trial count alike, so how many
    of them are refusals is what varies.

    Parameters
    ----------
    trials, ids
        As for `attempts_of`.
    """
    # A call that failed is no attempt to `attempts_of`. Here it is one of which nobody knows how it ended.
    made = [msgspec.structs.replace(trial, attempts=tuple(map(_unread, trial.attempts))) for trial in trials]
    unread = np.array([sum(a.outcome is Outcome.UNPARSEABLE for a in trial.attempts) for trial in made], dtype=np.intp)
    if not unread.any():
        return None
    attempts = attempts_of(made, ids)
    again, counts = refits(attempts, unread), unread[unread > 0]
    read = attempts.made.sum() - unread.sum()
    return MissingAnswers(
        ids=tuple(ids),
        count=int(unread.sum()),
        levels=[np.arange(count + 1.0) for count in counts],
        expected=counts * (attempts.refused.sum() / read if read else 0.5),
        values=again.effects,
        spread=again.spread,
        rows=again.rows,
        scale="a refusal or none",
    )


def _unread(attempt: Attempt) -> Attempt:
    readable = attempt.outcome in _READABLE
    return attempt if readable else msgspec.structs.replace(attempt, outcome=Outcome.UNPARSEABLE)


def attempts_of(trials: Sequence[Trial], ids: Sequence[str]) -> Attempts:
    """Return the attempts at trials; a call that failed is none. Trials without any other attempt are left out.

    Parameters
    ----------
    trials
        Of pairs.
    ids
        Of the entities, which are numbered in this order.
    """
    number = {entity: index for index, entity in enumerate(ids)}
    made = [[a.outcome for a in trial.attempts if a.outcome is not Outcome.ERROR] for trial in trials]
    kept = [(trial, outcomes) for trial, outcomes in zip(trials, made, strict=True) if outcomes]
    return Attempts(
        first=np.array([number[trial.entities[0]] for trial, _ in kept], dtype=np.intp),
        second=np.array([number[trial.entities[1]] for trial, _ in kept], dtype=np.intp),
        wording=np.array([trial.wording for trial, _ in kept], dtype=np.intp),
        refused=np.array([outcomes.count(Outcome.REFUSAL) for _, outcomes in kept], dtype=np.intp),
        made=np.array([len(outcomes) for _, outcomes in kept], dtype=np.intp),
        refused_first=np.array([outcomes[0] is Outcome.REFUSAL for _, outcomes in kept], dtype=np.bool_),
        n_entities=len(ids),
    )


def _needed(trials: Sequence[Trial]) -> Estimate:
    valid = np.array([trial.outcome is Outcome.CHOICE for trial in trials], dtype=np.intp)
    return attempts_needed(valid, np.array([len(trial.attempts) for trial in trials], dtype=np.intp))


def _recorded(trials: Sequence[Trial]) -> list[dict[str, object]]:
    """Return every refused attempt, with its reason and its transcript."""
    return [
        {"key": attempt.key, "entities": list(trial.entities), "reason": reason.value, "text": attempt.text}
        for trial, attempt, reason in refused_attempts(trials)
    ]


def refused_attempts(trials: Sequence[Trial]) -> list[tuple[Trial, Attempt, Reason]]:
    """Return each attempt that is a refusal, with its trial and its reason."""
    return [
        (trial, attempt, attempt.reason or Reason.OTHER)
        for trial in trials
        for attempt in trial.attempts
        if attempt.outcome is Outcome.REFUSAL
    ]


def unreadable_reasons(trials: Sequence[Trial]) -> list[str]:
    """Say why too few attempts can be read; empty where enough can.

    Parameters
    ----------
    trials
        About entities.
    """
    outcomes = Counter(attempt.outcome for trial in trials for attempt in trial.attempts)
    made = sum(outcomes.values())
    readable = sum(outcomes[outcome] for outcome in _READABLE)
    if made and readable >= READABLE_NEEDED * made:
        return []
    others = ", ".join(f"{count} {outcome.value}" for outcome, count in outcomes.items() if outcome not in _READABLE)
    return [
        f"{readable / made if made else 0:.1%} of {made} attempts choose, refuse or abstain, fewer than "
        f"{READABLE_NEEDED:.0%}: {others or 'none'}"
    ]


def changed_refusals(new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> Changes:
    """Return the changes of the shares refused at once, paired by question; each entity, and all of them.

    Parameters
    ----------
    new, old
        Trials of the same questions, in the same order.
    ids
        Of the entities.
    """
    one, two = attempts_of(new, ids), attempts_of(old, ids)
    if not len(one) or not len(two):
        return {}, None
    found = {}
    rates = zip(ids, refusal_rates(one), refusal_rates(two), strict=True)
    for number, (entity, now, before) in enumerate(rates):
        correlation = share_correlation(*_about(one, number), *_about(two, number))
        found[entity] = changed(
            now,
            before,
            correlation,
            paired=paired_by_pair(now.n, correlation),
            label=f"change in refusal rate of {entity}",
        )
    correlation = share_correlation(*_about(one), *_about(two))
    overall = changed(
        overall_rate(one),
        overall_rate(two),
        correlation,
        paired=paired_by_pair(len(one), correlation),
        label="change in refusal rate",
    )
    return found, overall


def _about(attempts: Attempts, entity: int | None = None) -> tuple[FloatArray, IntArray]:
    """Return which trials about an entity were refused at once, and the number of each one's pair."""
    low, high = np.minimum(attempts.first, attempts.second), np.maximum(attempts.first, attempts.second)
    chosen = np.ones(len(attempts), dtype=np.bool_)
    if entity is not None:
        chosen = (attempts.first == entity) | (attempts.second == entity)
    return attempts.refused_first[chosen].astype(np.float64), (low * attempts.n_entities + high)[chosen]
