"""Behavioural tests of language models: does what a model likes show in what it does.

The statistics that suites name are imported from here; they are loaded when first used, since this package is
imported in every pytest run of an environment that has it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmpref.estimates import Claim, Estimate, Verdict
    from pytest_llmpref.experiments.about_entities import entity_experiment
    from pytest_llmpref.experiments.agentic.measure import effort_gap, success_gap
    from pytest_llmpref.experiments.boolq_measure import (
        accuracy_slope,
        between_extremes,
        minus_control,
        top_minus_bottom,
        yes_slope,
    )
    from pytest_llmpref.experiments.bounds import missing_bounds
    from pytest_llmpref.experiments.changes import change, change_in_rho
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.experiments.pairs import pair_experiment
    from pytest_llmpref.experiments.protocols import robustness
    from pytest_llmpref.experiments.refusal_measure import (
        excess_refusals,
        propensity,
        reason_trends,
        superadditivity,
    )
    from pytest_llmpref.stats.association import spearman, within_groups
    from pytest_llmpref.stats.attenuation import attenuation_corrected
    from pytest_llmpref.stats.resampling import over_entities
    from pytest_llmpref.stats.residuals import residuals

__all__ = [
    "Claim",
    "Estimate",
    "Experiment",
    "Verdict",
    "accuracy_slope",
    "attenuation_corrected",
    "between_extremes",
    "change",
    "change_in_rho",
    "effort_gap",
    "entity_experiment",
    "excess_refusals",
    "minus_control",
    "missing_bounds",
    "over_entities",
    "pair_experiment",
    "propensity",
    "reason_trends",
    "residuals",
    "robustness",
    "spearman",
    "success_gap",
    "superadditivity",
    "top_minus_bottom",
    "within_groups",
    "yes_slope",
]

_HOMES = {
    "Claim": "estimates",
    "Estimate": "estimates",
    "Experiment": "experiments.experiment",
    "Verdict": "estimates",
    "accuracy_slope": "experiments.boolq_measure",
    "attenuation_corrected": "stats.attenuation",
    "between_extremes": "experiments.boolq_measure",
    "change": "experiments.changes",
    "change_in_rho": "experiments.changes",
    "effort_gap": "experiments.agentic.measure",
    "entity_experiment": "experiments.about_entities",
    "excess_refusals": "experiments.refusal_measure",
    "minus_control": "experiments.boolq_measure",
    "missing_bounds": "experiments.bounds",
    "over_entities": "stats.resampling",
    "pair_experiment": "experiments.pairs",
    "propensity": "experiments.refusal_measure",
    "reason_trends": "experiments.refusal_measure",
    "residuals": "stats.residuals",
    "robustness": "experiments.protocols",
    "spearman": "stats.association",
    "success_gap": "experiments.agentic.measure",
    "superadditivity": "experiments.refusal_measure",
    "top_minus_bottom": "experiments.boolq_measure",
    "within_groups": "stats.association",
    "yes_slope": "experiments.boolq_measure",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported under the name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as the module's docstring says

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
