from pytest_llmpref.claims import Claim, Verdict
from pytest_llmpref.entities import Entity, EntitySet
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.estimates import Estimate
from pytest_llmpref.experiments.about_entities import EntityExperiment, entity_experiment
from pytest_llmpref.experiments.agentic.measure import AgenticMeasure, effort_gap, success_gap
from pytest_llmpref.experiments.asking import Plan, Replies, attempt_key, first_attempt
from pytest_llmpref.experiments.boolq_measure import (
    accuracy_slope,
    between_extremes,
    minus_control,
    top_minus_bottom,
    yes_slope,
)
from pytest_llmpref.experiments.bounds import missing_bounds
from pytest_llmpref.experiments.changes import change, change_in_rho
from pytest_llmpref.experiments.experiment import Conditions, Experiment
from pytest_llmpref.experiments.measure import Measure, asking_diagnostics, coverage_reasons, outcome_diagnostics
from pytest_llmpref.experiments.pairs import PairExperiment, pair_experiment
from pytest_llmpref.experiments.protocols import Cell, robustness
from pytest_llmpref.experiments.reasons import Reason
from pytest_llmpref.experiments.refusal_measure import excess_refusals, propensity, reason_trends, superadditivity
from pytest_llmpref.experiments.replies import read_choice
from pytest_llmpref.experiments.trials import Attempt, Outcome, Trial
from pytest_llmpref.intervals import Interval, IntervalMethod, Normal, Wilson
from pytest_llmpref.items import Item, ItemSet
from pytest_llmpref.models.chat import (
    CallFailedError,
    ChatModel,
    Message,
    ModelUnavailableError,
    Reply,
    Request,
    Tool,
    ToolCall,
)
from pytest_llmpref.policy import TestPolicy
from pytest_llmpref.profiles import Profile
from pytest_llmpref.report.baseline import Baseline
from pytest_llmpref.stats.association import spearman, within_groups
from pytest_llmpref.stats.attenuation import attenuation_corrected
from pytest_llmpref.stats.resampling import over_entities
from pytest_llmpref.stats.residuals import residuals

__all__ = [
    "AgenticMeasure",
    "Attempt",
    "Baseline",
    "CallFailedError",
    "Cell",
    "ChatModel",
    "Claim",
    "Conditions",
    "Entity",
    "EntityExperiment",
    "EntitySet",
    "Estimate",
    "Experiment",
    "Interval",
    "IntervalMethod",
    "Item",
    "ItemSet",
    "LLMPrefError",
    "Measure",
    "Message",
    "ModelUnavailableError",
    "Normal",
    "Outcome",
    "PairExperiment",
    "Plan",
    "Profile",
    "Reason",
    "Replies",
    "Reply",
    "Request",
    "TestPolicy",
    "Tool",
    "ToolCall",
    "Trial",
    "Verdict",
    "Wilson",
    "accuracy_slope",
    "asking_diagnostics",
    "attempt_key",
    "attenuation_corrected",
    "between_extremes",
    "change",
    "change_in_rho",
    "coverage_reasons",
    "effort_gap",
    "entity_experiment",
    "excess_refusals",
    "first_attempt",
    "minus_control",
    "missing_bounds",
    "outcome_diagnostics",
    "over_entities",
    "pair_experiment",
    "propensity",
    "read_choice",
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
