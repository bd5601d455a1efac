"""Behavioural tests of language models: does what a model likes show in what it does.

All that suites, hooks and plugins of your own need is imported from here. Each name is loaded when it is first used,
since this package is imported in every pytest run of an environment that has it. Type checkers read ``__init__.pyi``.
"""

from typing import Any

_HOMES = {
    "AgenticMeasure": "experiments.agentic.measure",
    "Attempt": "experiments.trials",
    "Baseline": "report.baseline",
    "CallFailedError": "models.chat",
    "Cell": "experiments.protocols",
    "ChatModel": "models.chat",
    "Claim": "claims",
    "Conditions": "experiments.experiment",
    "Entity": "entities",
    "EntityExperiment": "experiments.about_entities",
    "EntitySet": "entities",
    "Estimate": "estimates",
    "Experiment": "experiments.experiment",
    "Interval": "intervals",
    "IntervalMethod": "intervals",
    "Item": "items",
    "ItemSet": "items",
    "LLMPrefError": "errors",
    "Measure": "experiments.measure",
    "Message": "models.chat",
    "ModelUnavailableError": "models.chat",
    "Normal": "intervals",
    "Outcome": "experiments.trials",
    "PairExperiment": "experiments.pairs",
    "Plan": "experiments.asking",
    "Profile": "profiles",
    "Reason": "experiments.reasons",
    "Replies": "experiments.asking",
    "Reply": "models.chat",
    "Request": "models.chat",
    "TestPolicy": "policy",
    "Tool": "models.chat",
    "ToolCall": "models.chat",
    "Trial": "experiments.trials",
    "Verdict": "claims",
    "Wilson": "intervals",
    "accuracy_slope": "experiments.boolq_measure",
    "asking_diagnostics": "experiments.measure",
    "attempt_key": "experiments.asking",
    "attenuation_corrected": "stats.attenuation",
    "between_extremes": "experiments.boolq_measure",
    "change": "experiments.changes",
    "change_in_rho": "experiments.changes",
    "coverage_reasons": "experiments.measure",
    "effort_gap": "experiments.agentic.measure",
    "entity_experiment": "experiments.about_entities",
    "excess_refusals": "experiments.refusal_measure",
    "first_attempt": "experiments.asking",
    "minus_control": "experiments.boolq_measure",
    "missing_bounds": "experiments.bounds",
    "outcome_diagnostics": "experiments.measure",
    "over_entities": "stats.resampling",
    "pair_experiment": "experiments.pairs",
    "propensity": "experiments.refusal_measure",
    "read_choice": "experiments.replies",
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
"""Public name -> the module that defines it."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported under the name
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as the module's docstring says

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
