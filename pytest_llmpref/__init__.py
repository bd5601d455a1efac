"""Behavioural tests of language models: does what a model likes show in what it does.

All that suites, hooks and plugins of your own need is imported from here. Each name is loaded when it is first used,
since this package is imported in every pytest run of an environment that has it. Type checkers read ``__init__.pyi``.
lazy_loader would spare the table below, but reads that file in each of these runs: 1.3 ms where this takes 0.2.
"""

from typing import Any

_HOMES = {
    "AgenticMeasure": "experiments.agents.measure",
    "Attempt": "parsing.outcome",
    "Baseline": "comparison.baseline",
    "Behaviour": "experiments.behaviour",
    "CallFailedError": "models.chat",
    "Cell": "experiments.pairs.protocols",
    "Chart": "charts",
    "ChatModel": "models.chat",
    "Claim": "claims.claim",
    "ClaimKind": "experiments.behaviour",
    "Compared": "experiments.behaviour",
    "Conditions": "experiments.experiment",
    "Drawing": "charts",
    "Entity": "config.entities",
    "EntityExperiment": "experiments.scoring",
    "EntitySet": "config.entities",
    "Estimate": "claims.estimates",
    "Experiment": "experiments.experiment",
    "Finding": "experiments.behaviour",
    "Gate": "experiments.behaviour",
    "Interval": "claims.intervals",
    "IntervalMethod": "claims.intervals",
    "Item": "config.items",
    "ItemSet": "config.items",
    "LLMPrefError": "errors",
    "Measure": "experiments.measure",
    "Message": "models.chat",
    "ModelUnavailableError": "models.chat",
    "Normal": "claims.intervals",
    "OpenAnswer": "parsing.open_answers",
    "OpenStudy": "notebooks",
    "Outcome": "parsing.outcome",
    "PairExperiment": "experiments.pairs.experiment",
    "Plan": "experiments.experiment",
    "Planned": "experiments.behaviour",
    "Profile": "config.profiles",
    "Reason": "parsing.outcome",
    "Replies": "experiments.trials",
    "Reply": "models.chat",
    "Request": "models.chat",
    "Rounds": "experiments.experiment",
    "Scenario": "experiments.behaviour",
    "SequentialShare": "stats.sequential",
    "Tastes": "models.simulated.tastes",
    "TestPolicy": "config.policy",
    "Threshold": "claims.claim",
    "Tool": "models.chat",
    "ToolCall": "models.chat",
    "Trial": "experiments.trials",
    "Verdict": "claims.verdicts",
    "Wilson": "claims.intervals",
    "accuracy_slope": "experiments.reading.measure",
    "asking_diagnostics": "experiments.measure",
    "attempt_key": "experiments.asking",
    "attenuation_corrected": "stats.attenuation",
    "between_extremes": "experiments.reading.measure",
    "causal_effect": "experiments.contexts.effects",
    "change": "comparison.changes",
    "change_in_rho": "comparison.changes",
    "changed": "stats.change",
    "context_experiment": "experiments.contexts.experiment",
    "context_reading": "experiments.contexts.experiment",
    "coverage_reasons": "experiments.measure",
    "declined_minus_others": "experiments.replies.measure",
    "dose_response": "experiments.contexts.effects",
    "effect_per_preference": "experiments.contexts.effects",
    "effort_gap": "experiments.agents.measure",
    "entity_experiment": "experiments.scoring",
    "excess_refusals": "experiments.refusal.measure",
    "first_attempt": "experiments.asking",
    "in_context": "experiments.contexts.measure",
    "interval_record": "experiments.measure",
    "ledger": "claims.claim",
    "minus_control": "experiments.reading.by_entity",
    "minus_others": "experiments.reading.by_entity",
    "negative_control": "experiments.contexts.effects",
    "open_study": "notebooks",
    "outcome_diagnostics": "experiments.measure",
    "over_entities": "stats.association",
    "pair_experiment": "experiments.pairs.experiment",
    "partial_spearman": "stats.grouped",
    "positive_control": "experiments.contexts.effects",
    "propensity": "experiments.refusal.measure",
    "read_choice": "parsing.replies",
    "read_open_answer": "parsing.open_answers",
    "read_yes_no": "parsing.yes_no",
    "reason_trends": "experiments.refusal.measure",
    "reliability_reasons": "experiments.measure",
    "residuals": "stats.noise",
    "robustness": "experiments.pairs.protocols",
    "share": "experiments.measure",
    "share_correlation": "stats.change",
    "spearman": "stats.association",
    "split_half": "stats.reliability",
    "stopping_record": "experiments.measure",
    "success_gap": "experiments.agents.measure",
    "superadditivity": "experiments.refusal.measure",
    "top_minus_bottom": "experiments.reading.measure",
    "with_assay_sensitivity": "experiments.contexts.effects",
    "within_groups": "stats.grouped",
    "worst_case": "experiments.worst_case",
    "yes_slope": "experiments.reading.measure",
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
