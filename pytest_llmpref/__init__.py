"""Behavioural tests of language models: does what a model likes show in what it does.

The statistics that suites name are imported from here; they are loaded when first used, since this package is
imported in every pytest run of an environment that has it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmpref.estimates import Claim, Estimate, Verdict
    from pytest_llmpref.experiments.agentic.measure import effort_gap, success_gap
    from pytest_llmpref.experiments.bounds import missing_bounds
    from pytest_llmpref.experiments.changes import change, change_in_rho
    from pytest_llmpref.experiments.refusal_measure import (
        excess_refusals,
        propensity,
        reason_trends,
        superadditivity,
    )
    from pytest_llmpref.stats.association import attenuation_corrected, spearman, within_groups
    from pytest_llmpref.stats.residuals import residuals

__all__ = [
    "Claim",
    "Estimate",
    "Verdict",
    "attenuation_corrected",
    "change",
    "change_in_rho",
    "effort_gap",
    "excess_refusals",
    "missing_bounds",
    "propensity",
    "reason_trends",
    "residuals",
    "spearman",
    "success_gap",
    "superadditivity",
    "within_groups",
]

_HOMES = {
    "Claim": "estimates",
    "Estimate": "estimates",
    "Verdict": "estimates",
    "attenuation_corrected": "stats.association",
    "change": "experiments.changes",
    "change_in_rho": "experiments.changes",
    "effort_gap": "experiments.agentic.measure",
    "excess_refusals": "experiments.refusal_measure",
    "missing_bounds": "experiments.bounds",
    "propensity": "experiments.refusal_measure",
    "reason_trends": "experiments.refusal_measure",
    "residuals": "stats.residuals",
    "spearman": "stats.association",
    "success_gap": "experiments.agentic.measure",
    "superadditivity": "experiments.refusal_measure",
    "within_groups": "stats.association",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported under the name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as the module's docstring says

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
