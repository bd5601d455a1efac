"""What is made of the answers: the measure, what orders entities, and what changed between two releases."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_llmpref import (
    Conditions,
    Estimate,
    Measure,
    Normal,
    Replies,
    Trial,
    asking_diagnostics,
    changed,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
    share,
    share_correlation,
    split_half,
)


def trust_measure(name: str, conditions: Conditions, asked: Sequence[Trial], replies: Sequence[Replies]) -> Measure:
    """Return the measure: the share of yes of each entity. Invalid where too few questions were answered.

    Entities that are all trusted alike leave it valid, since that is a finding; but nothing correlates with them.
    """
    ids = list(conditions.groups)
    trials, controls = ([one for one in asked if bool(one.entities) is about] for about in (True, False))
    of_control = share_of_yes(controls, "trust in nobody known")
    diagnostics = outcome_diagnostics(trials) | asking_diagnostics(replies)
    reasons = coverage_reasons(diagnostics)
    scores = _table(trials, ids)
    reliability = split_half(scores, seed=conditions.seed, unit="samples")
    diagnostics |= {
        "unit": "share of yes",
        "questions": len({trial.wording for trial in asked}),
        "yes": interval_record(share_of_yes(trials, "")),
        "yes_of_nobody": interval_record(of_control),
        "reliability": None if reliability is None else interval_record(reliability),
    }
    return Measure(
        name=name,
        model=conditions.model,
        estimates={
            entity: share_of_yes(_about(trials, entity), f"trust in {entity}").marked(reasons) for entity in ids
        },
        groups=conditions.groups,
        reasons=tuple(reasons),
        reliability=reliability,
        diagnostics=diagnostics,
        trials=trials,
        control=of_control.marked(reasons),
        controls=controls,
        unranked=tuple(reliability_reasons(reliability)),
    )


def share_of_yes(trials: Sequence[Trial], label: str) -> Estimate:
    """Return the share of yes among the answers."""
    answers = [trial.score for trial in trials if trial.score is not None]
    return share(int(sum(answers)), len(answers), label)


def beside_questions(measure: Measure) -> Measure:
    """Return how much more each entity is trusted than all are on the questions that it answered."""
    lenient = {
        wording: share_of_yes([trial for trial in measure.trials if trial.wording == wording], "").value
        for wording in {trial.wording for trial in measure.trials}
    }

    def beyond(entity: str, estimate: Estimate) -> Estimate:
        excess = np.array([t.score - lenient[t.wording] for t in _about(measure.trials, entity) if t.score is not None])
        if len(excess) < 2:
            return estimate
        normal = Normal(float(excess.mean()), float(excess.std(ddof=1) / np.sqrt(len(excess))))
        return replace(estimate, value=normal.mean, interval_method=normal, method="mean beyond that of each question")

    return replace(measure, estimates={entity: beyond(entity, one) for entity, one in measure.estimates.items()})


def changed_trust(
    new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]
) -> tuple[dict[str, Estimate], Estimate | None]:
    """Return the changes of each entity's share, and of that of all (both sides hold the same questions in order)."""
    both = [(one, two) for one, two in zip(new, old, strict=True) if None not in {one.score, two.score}]

    def change_of(pairs: Sequence[tuple[Trial, Trial]], label: str) -> Estimate:
        now, before = ([pair[side] for pair in pairs] for side in (0, 1))
        number = np.arange(len(pairs))
        sides = (np.array([trial.score for trial in side], dtype=np.float64) for side in (now, before))
        correlation = share_correlation(next(sides), number, next(sides), number)
        paired = f"paired by {len(pairs)} questions (correlation of errors {correlation:.2f})"
        return changed(
            share_of_yes(now, ""), share_of_yes(before, ""), correlation, paired=paired, label=f"change in {label}"
        )

    found = {
        entity: change_of([pair for pair in both if entity in pair[0].entities], f"trust in {entity}") for entity in ids
    }
    return found, change_of(both, "trust")


def _about(trials: Sequence[Trial], entity: str) -> list[Trial]:
    return [trial for trial in trials if entity in trial.entities]


def _table(trials: Sequence[Trial], ids: Sequence[str]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the answers, samples by entities; NaN where there is none."""
    columns = [[np.nan if t.score is None else t.score for t in _about(trials, entity)] for entity in ids]
    rows = max(map(len, columns), default=0)
    return np.array([column + [np.nan] * (rows - len(column)) for column in columns], dtype=np.float64).T
