"""Controls for users: studies in which nothing may be found, since what would carry a finding was taken away."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.sampling import shuffled

if TYPE_CHECKING:
    from pytest_llmpref.stats.extremes import MissingAnswers

UNSEEN = frozenset({"text", "reason"})
"""Keys of diagnostics whose words are not ids, even where they look like one."""


def permuted(measure: Measure, seed: int) -> Measure:
    """Return a measure whose entities carry each other's names, in trials, estimates and diagnostics alike.

    Each measure of a study is permuted in its own way: whatever relates two of them, or one of them to the groups, is
    left to chance. What one measure says by itself (its reliability, its biases, its coverage) stays as it is.

    Parameters
    ----------
    measure
        What was measured.
    seed
        Of the permutation; so is the measure's name.
    """
    ids = list(measure.estimates)
    to = dict(zip(ids, shuffled(ids, seed, "permuted", measure.name), strict=True))
    back = {new: old for old, new in to.items()}
    missing = measure.missing

    # In the order of before, which others may rely on.
    estimates = {new: _renamed(measure.estimates[back[new]], back[new], new) for new in ids}
    return replace(
        measure,
        estimates=estimates,
        diagnostics=_relabelled(measure.diagnostics, to),
        trials=[trial.renamed(to) for trial in measure.trials],
        missing=None if missing is None else lambda: _of_missing(missing(), to),
    )


def _of_missing(missing: "MissingAnswers | None", to: Mapping[str, str]) -> "MissingAnswers | None":
    return missing and replace(missing, ids=tuple(to.get(entity, entity) for entity in missing.ids))


def _renamed(estimate: Estimate, old: str, new: str) -> Estimate:
    label = estimate.label.removesuffix(old) + new if estimate.label.endswith(old) else estimate.label
    return replace(estimate, label=label)


def _relabelled(value: Any, to: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, Mapping):
        return {to.get(key, key): each if key in UNSEEN else _relabelled(each, to) for key, each in value.items()}
    if isinstance(value, list):
        return [_relabelled(each, to) for each in value]
    return to.get(value, value) if isinstance(value, str) else value
