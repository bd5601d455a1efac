"""What changed between two measurements of one behaviour, paired by entity, pair, order and question.

Where both asked the same questions, both are estimated anew from these alone, and the interval of the change uses how
far the errors of the two go together. Where they did not, the reported estimates are compared as independent ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import NoReturn

import numpy as np

from pytest_llmpref.claims.claim import Claim
from pytest_llmpref.claims.estimates import AbsoluteEstimate, Estimate
from pytest_llmpref.config.entities import Entity
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.stats.association import (
    HasGroups,
    HasLeaveOneOut,
    HasValues,
    groups_of,
    spearman,
)
from pytest_llmpref.stats.change import changed, rho_correlation
from pytest_llmpref.stats.sampled import sampled_parts

Estimates = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Matching:
    """What two measurements have in common: questions, and ids of entities."""

    questions: int
    new_questions: int
    old_questions: int
    entities: tuple[str, ...]
    new_entities: tuple[str, ...]
    old_entities: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Change:
    """The change, new minus old, for each entity in both. Comparing it with a number claims something about the mean.

    Attributes
    ----------
    name
        "change in" and the name of the measure.
    estimates
        Entity id -> estimate of the change.
    overall
        Change in the mean over all questions; ``None`` if there is none: the mean Elo, for example, is always the same.
    control
        Change in the control, if there is one.
    reasons, unranked
        As for a measure, from either release.
    matching
        What both releases have in common.
    """

    name: str
    estimates: Estimates
    overall: Estimate | None
    control: Estimate | None
    reasons: tuple[str, ...]
    matching: Matching
    unranked: tuple[str, ...] = ()

    def __getitem__(self, entity: Entity | str) -> Estimate:
        """Return the change for an entity, or for an entity id.

        Raises
        ------
        KeyError
            If it is not in both.
        """
        return self.estimates[entity if isinstance(entity, str) else entity.id]

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Entity id -> the change's value."""
        return {entity: estimate.value for entity, estimate in self.estimates.items()}

    def __lt__(self, threshold: float) -> Claim:
        return self._whole() < threshold

    def __gt__(self, threshold: float) -> Claim:
        return self._whole() > threshold

    def __abs__(self) -> AbsoluteEstimate:
        return abs(self._whole())

    def _whole(self) -> Estimate:
        return self._refuse() if self.overall is None else self.overall

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"{self.name} has no overall value: its mean is the same by definition. Claim something about an entity, "
            "change(new, old)[entity], or about both rankings, spearman(new, old)"
        )


@lru_cache(maxsize=64)
def change(new: Measure, old: Measure) -> Change:
    """Return the change in a behaviour from an earlier measurement to a new one.

    ``change(new, old)[entity]`` is an estimate. Comparing the whole with a number makes a claim about the mean change.

    Parameters
    ----------
    new, old
        The measures, such as ``refusals`` and ``baseline.refusals``.

    Raises
    ------
    ValueError
        If the two measure different behaviours.

    Examples
    --------
    >>> from pytest_llmpref import open_study
    >>> with open_study("sim/paper-a", profile="smoke") as new, open_study("sim/paper-b", profile="smoke") as old:
    ...     moved = change(new.preferences, old.preferences)
    >>> moved["unicef"]
    <change in Elo of unicef ..., n=... trials>
    """
    if new.name != old.name:
        raise ValueError(f"change({new.name}, {old.name}): only two measurements of one behaviour can be compared")
    now, before = ([trial.asked for trial in side.trials] for side in (new, old))
    # In one order: then the same answers give the same estimates to the last digit, and no change that is rounding.
    asked_now, asked_before = dict.fromkeys(now), set(before)
    # A file may tell nothing of an entity that its trials name: as one edited by hand, or of another package.
    # Measures that tell nothing of any, such as one gap between two sides, have nothing to miss.
    told, whole = new.estimates.keys() & old.estimates.keys(), not (new.estimates or old.estimates)
    usable = {
        question for question, trial in zip(now, new.trials, strict=True) if whole or told.issuperset(trial.entities)
    }
    number = {question: index for index, question in enumerate(filter((usable & asked_before).__contains__, asked_now))}
    one, two = _in_order(new.trials, now, number), _in_order(old.trials, before, number)
    matching = _match(new, old, len(number), len(asked_now), len(asked_before))
    found, overall = behaviour_of(new.name).changes(one, two, matching.entities) if one else ({}, None)
    if early := (*new.early, *(f"baseline: {reason}" for reason in old.early)):
        # What the answers ended has its intervals from then, which no comparison of its questions would have.
        found, overall = {}, None if overall is None else overall.marked(early)
    if not found:
        found = {entity: _independent(new[entity], old[entity], entity) for entity in matching.entities}
    reasons = tuple(
        dict.fromkeys([*new.reasons, *(f"baseline: {reason}" for reason in old.reasons), *_lists(new, old)])
    )
    control = None
    if new.control is not None and old.control is not None:
        control = _independent(new.control, old.control, "the control").marked(reasons)
    return Change(
        name=f"change in {new.name}",
        estimates={entity: estimate.marked(reasons) for entity, estimate in found.items()},
        overall=None if overall is None else overall.marked(reasons),
        control=control,
        reasons=reasons,
        matching=matching,
        unranked=tuple(dict.fromkeys([*new.unranked, *(f"baseline: {reason}" for reason in old.unranked)])),
    )


def change_in_rho(new: tuple[HasValues, HasValues], old: tuple[HasValues, HasValues]) -> Estimate:
    """Return how Spearman's rho between two measures changed, over the entities that have all four values.

    Parameters
    ----------
    new, old
        Two measures each, in the same order.

    Returns
    -------
    Estimate
        From -2 to 2; the entities of both releases are paired.

    Examples
    --------
    >>> from pytest_llmpref import open_study
    >>> with open_study("sim/paper-a", profile="smoke") as new, open_study("sim/paper-b", profile="smoke") as old:
    ...     now, before = ((one.preferences, one.donation_advice) for one in (new, old))
    ...     change_in_rho(now, before)
    <change in rho(preference, donation_advice) ..., n=72 entities>
    """
    (x, y), (old_x, old_y) = new, old
    shared = [
        entity
        for entity in x.values
        if all(not np.isnan(side.values.get(entity, np.nan)) for side in (x, y, old_x, old_y))
    ]
    columns = [np.array([side.values[entity] for entity in shared], dtype=np.float64) for side in (x, y, old_x, old_y)]
    now, before = (spearman(_part(a, shared), _part(b, shared)) for a, b in ((x, y), (old_x, old_y)))
    sampled = sampled_parts(groups_of((x, y), shared), len(shared))
    correlation = rho_correlation(*columns, sampled=sampled) if len(shared) > 1 else 0.0
    source = "Pearson and Filon 1898" if sampled is None else "jackknife, Efron and Stein 1981"
    return changed(
        now,
        before,
        correlation,
        paired=f"paired by entity (correlation of errors {correlation:.2f}, {source})",
        label=f"change in {now.label}",
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A measure's values of some of its entities."""

    name: str
    values: Mapping[str, float]
    groups: Mapping[str, str]
    reasons: Sequence[str]
    unranked: Sequence[str]
    absences: Callable[[], Mapping[str, Mapping[str, float]]] | None


def _part(measure: HasValues, entities: Sequence[str]) -> _Part:
    absences = measure.absences if isinstance(measure, HasLeaveOneOut) else None
    values = {entity: measure.values[entity] for entity in entities}
    groups = measure.groups if isinstance(measure, HasGroups) else {}
    return _Part(measure.name, values, groups, measure.reasons, measure.unranked, absences)


Question = tuple[object, ...]


def _in_order(trials: Sequence[Trial], questions: Sequence[Question], number: Mapping[Question, int]) -> list[Trial]:
    """Return the trials whose questions have a number, by that number."""
    found = [(number[question], trial) for trial, question in zip(trials, questions, strict=True) if question in number]
    return [trial for _, trial in sorted(found, key=itemgetter(0))]


def _match(new: Measure, old: Measure, both: int, now: int, before: int) -> Matching:
    return Matching(
        questions=both,
        new_questions=now - both,
        old_questions=before - both,
        entities=tuple(entity for entity in new.estimates if entity in old.estimates),
        new_entities=tuple(entity for entity in new.estimates if entity not in old.estimates),
        old_entities=tuple(entity for entity in old.estimates if entity not in new.estimates),
    )


def _independent(new: Estimate, old: Estimate, what: str) -> Estimate:
    return changed(new, old, 0.0, paired="taken as independent", label=f"change in {new.label or what}")


def _lists(new: Measure, old: Measure) -> list[str]:
    """Say why places in two lists cannot be compared; empty if there are no lists, or the same."""
    lists = any(len(trial.entities) > 2 for trial in new.trials)
    if lists and set(new.estimates) != set(old.estimates):
        return ["places in lists of different entities cannot be compared"]
    return []
