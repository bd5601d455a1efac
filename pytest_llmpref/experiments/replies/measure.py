"""The measure of declined open questions, and one entity's share less that of the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference, MeanOf, Wilson
from pytest_llmpref.experiments.experiment import Conditions, measure_under
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, outcome_diagnostics
from pytest_llmpref.experiments.replies.trials import OpenQuestion, OpenTrial, answer_of
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.stats.clustering import own_design_effects

READABLE_NEEDED = 0.90
"""Least share of replies that answer or decline: of the others nobody knows which they do. Our choice."""
UNRANKED = "how reliably imported replies order the entities is not estimated"


def open_measure(
    name: str,
    conditions: Conditions,
    trials: Sequence[OpenTrial],
    questions: Sequence[OpenQuestion],
    replies: Sequence[Replies],
) -> Measure:
    """Return the measure; invalid where too few replies answer or decline.

    Parameters
    ----------
    name, conditions
        Of the measure; of the study.
    trials, questions, replies
        In one order.
    """
    ids = list(conditions.groups)
    rates = dict(zip(ids, _rates(trials, ids), strict=True))
    answers = Counter(answer_of(question, reply).value for question, (reply,) in zip(questions, replies, strict=True))
    diagnostics: dict[str, Any] = outcome_diagnostics(trials) | asking_diagnostics(replies)
    measure = measure_under(
        name,
        conditions,
        rates,
        _reasons(trials),
        reliability=None,
        diagnostics=diagnostics
        | {"reliability": None, "answers": {one.value: answers[one.value] for one in OpenAnswer}}
        | {"readers": _readers(questions, replies)},
        trials=trials,
    )
    return replace(measure, unranked=(UNRANKED,))


@lru_cache(maxsize=64)
def declined_minus_others(open_refusals: Measure) -> Mapping[str, Estimate]:
    """Return the difference in the share of declined questions, each entity minus the mean of the others.

    0.10 is ten percentage points. The interval assumes independent estimates (`Difference`). If all entities get the
    same questions, it is too wide, never too narrow.

    Parameters
    ----------
    open_refusals
        The measure.

    Returns
    -------
    Mapping
        Entity id -> estimate.
    """
    found = {}
    for entity, rate in open_refusals.estimates.items():
        others = [one for id_, one in open_refusals.estimates.items() if id_ != entity and one.n]
        reasons = list(open_refusals.reasons)
        if not others or not rate.n:
            reasons.append(f"no replies about {'any other' if rate.n else entity}, so there is nothing to compare")
        mean = float(np.mean([one.value for one in others])) if others else float("nan")
        of_others = Estimate(mean, sum(one.n for one in others), "replies", "mean", MeanOf(tuple(others)))
        found[entity] = Estimate(
            value=rate.value - mean,
            n=rate.n + of_others.n,
            unit="replies",
            method="difference of shares, each with Wilson's interval (MOVER, Zou and Donner 2008)",
            interval_method=Difference(rate, of_others),
            label=f"difference in share declined, {entity} minus mean of the others",
        ).marked(reasons)
    return found


def _rates(trials: Sequence[OpenTrial], ids: Sequence[str]) -> list[Estimate]:
    """Return each entity's share of declined replies, of those that can be read; Wilson's interval by question."""
    number = {entity: index for index, entity in enumerate(ids)}
    read = [trial for trial in trials if trial.score is not None]
    # A reply to no known question stands by itself.
    asked = {key: index for index, key in enumerate(dict.fromkeys(trial.question or trial.key for trial in read))}
    entity = np.array([number[trial.entities[0]] for trial in read], dtype=np.intp)
    question = np.array([asked[trial.question or trial.key] for trial in read], dtype=np.intp)
    declined = np.array([trial.score == 1 for trial in read], dtype=np.bool_)
    made, refused = np.bincount(entity, minlength=len(ids)), np.bincount(entity, declined, len(ids))
    sizes = made / np.maximum([len(set(question[entity == index])) for index in range(len(ids))], 1)
    # Of an entity whose replies all ended alike, nobody knows how alike those to a question are: count each question.
    effects = own_design_effects(entity, question, declined, len(ids), otherwise=1.0)
    effects = np.where((refused == 0) | (refused == made), np.maximum(sizes, 1.0), effects)
    return [
        _rate(id_, float(count), int(total), float(effect))
        for id_, count, total, effect in zip(ids, refused, made, effects, strict=True)
    ]


def _rate(entity: str, declined: float, made: int, effect: float) -> Estimate:
    n = made / effect
    return Estimate(
        value=declined / made if made else float("nan"),
        n=made,
        unit="replies",
        method=f"share, Wilson (1927) interval at {n:.0f} effective replies (clustered by question)",
        interval_method=Wilson(declined / effect, n),
        invalid=() if made else (f"no reply about {entity} can be read",),
        label=f"share declined for {entity}",
    )


def _reasons(trials: Sequence[OpenTrial]) -> list[str]:
    if not trials:
        return ["there are no replies: this measure is of imported ones (llmpref import replies)"]
    read = sum(trial.score is not None for trial in trials)
    if read >= READABLE_NEEDED * len(trials):
        return []
    others = Counter(trial.outcome.value for trial in trials if trial.score is None)
    said = ", ".join(f"{count} {outcome}" for outcome, count in others.items())
    return [f"{read / len(trials):.1%} of {len(trials)} replies answer or decline, fewer than 90%: {said}"]


def _readers(questions: Sequence[OpenQuestion], replies: Sequence[Replies]) -> dict[str, Any] | None:
    """Count how often the data and our reader say alike whether a reply declines; ``None`` if none has both."""
    both = [
        (question.row.given == "declined", read_open_answer(reply) is OpenAnswer.DECLINED)
        for question, (reply,) in zip(questions, replies, strict=True)
        if question.row.text and question.row.given
    ]
    if not both:
        return None
    by = "given" if any(question.given for question in questions if question.row.text) else "rules"
    return {"both": len(both), "same": sum(data == ours for data, ours in both), "read_by": by}
