from pytest_llmpref.charts import Chart, Drawing
from pytest_llmpref.claims.claim import Claim, Threshold, ledger
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Interval, IntervalMethod, Normal, Wilson
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.comparison.baseline import Baseline
from pytest_llmpref.comparison.changes import change, change_in_rho
from pytest_llmpref.config.entities import Entity, EntitySet
from pytest_llmpref.config.items import Item, ItemSet
from pytest_llmpref.config.policy import TestPolicy
from pytest_llmpref.config.profiles import Profile
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.agents.by_difficulty import (
    success_gap_by_difficulty,
    success_gap_harder_minus_easier,
    success_gap_per_level,
)
from pytest_llmpref.experiments.agents.measure import AgenticMeasure, effort_gap, success_gap
from pytest_llmpref.experiments.asking import attempt_key, first_attempt
from pytest_llmpref.experiments.behaviour import (
    Behaviour,
    Calibrating,
    ClaimKind,
    Compared,
    Finding,
    Gate,
    Planned,
    Scenario,
)
from pytest_llmpref.experiments.contexts.alignment import own_slope, two_by_two
from pytest_llmpref.experiments.contexts.by_context import (
    change_in_share,
    change_in_slope,
    choice_slope,
    priming_effect,
)
from pytest_llmpref.experiments.contexts.effects import (
    causal_effect,
    dose_response,
    effect_per_preference,
    negative_control,
    positive_control,
    with_assay_sensitivity,
)
from pytest_llmpref.experiments.contexts.experiment import context_experiment, context_reading
from pytest_llmpref.experiments.contexts.measure import in_context
from pytest_llmpref.experiments.effort.measure import exhorted_share, preferred_share
from pytest_llmpref.experiments.experiment import Conditions, Experiment, Plan, Rounds
from pytest_llmpref.experiments.measure import (
    Measure,
    asking_diagnostics,
    coverage_reasons,
    interval_record,
    outcome_diagnostics,
    reliability_reasons,
    share,
)
from pytest_llmpref.experiments.paired.measure import declined_gap, hedged_gap
from pytest_llmpref.experiments.pairs.experiment import PairExperiment, pair_experiment
from pytest_llmpref.experiments.pairs.formats import agreement, at_first, chosen_at_once
from pytest_llmpref.experiments.pairs.habit import pull_of_liking, share_right
from pytest_llmpref.experiments.pairs.protocols import Cell, robustness
from pytest_llmpref.experiments.reading.by_entity import minus_control, minus_others
from pytest_llmpref.experiments.reading.by_preference import (
    accuracy_slope,
    accuracy_slope_by_difficulty,
    between_extremes,
    harder_minus_easier,
    top_minus_bottom,
    yes_slope,
)
from pytest_llmpref.experiments.refusal.by_preference import excess_refusals, reason_trends, superadditivity
from pytest_llmpref.experiments.refusal.measure import propensity
from pytest_llmpref.experiments.replies.measure import declined_minus_others
from pytest_llmpref.experiments.scoring import EntityExperiment, entity_experiment
from pytest_llmpref.experiments.stopping import stopping_record
from pytest_llmpref.experiments.trials import Replies, Trial
from pytest_llmpref.experiments.worst_case import worst_case
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
from pytest_llmpref.models.simulated.tastes import Tastes
from pytest_llmpref.notebooks import OpenStudy, SavedResults, load_results, open_study
from pytest_llmpref.parsing.open_answers import OpenAnswer, read_open_answer
from pytest_llmpref.parsing.outcome import Attempt, Outcome, Reason
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.yes_no import read_yes_no
from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.attenuation import attenuation_corrected
from pytest_llmpref.stats.change import changed, share_correlation
from pytest_llmpref.stats.grouped import partial_spearman, within_groups
from pytest_llmpref.stats.noise import residuals
from pytest_llmpref.stats.own_statistic import over_entities
from pytest_llmpref.stats.reliability import split_half
from pytest_llmpref.stats.sequential import SequentialShare

__all__ = [
    "AgenticMeasure",
    "Attempt",
    "Baseline",
    "Behaviour",
    "Calibrating",
    "CallFailedError",
    "Cell",
    "Chart",
    "ChatModel",
    "Claim",
    "ClaimKind",
    "Compared",
    "Conditions",
    "Drawing",
    "Entity",
    "EntityExperiment",
    "EntitySet",
    "Estimate",
    "Experiment",
    "Finding",
    "Gate",
    "Interval",
    "IntervalMethod",
    "Item",
    "ItemSet",
    "LLMPrefError",
    "Measure",
    "Message",
    "ModelUnavailableError",
    "Normal",
    "OpenAnswer",
    "OpenStudy",
    "Outcome",
    "PairExperiment",
    "Plan",
    "Planned",
    "Profile",
    "Reason",
    "Replies",
    "Reply",
    "Request",
    "Rounds",
    "SavedResults",
    "Scenario",
    "SequentialShare",
    "Tastes",
    "TestPolicy",
    "Threshold",
    "Tool",
    "ToolCall",
    "Trial",
    "Verdict",
    "Wilson",
    "accuracy_slope",
    "accuracy_slope_by_difficulty",
    "agreement",
    "asking_diagnostics",
    "at_first",
    "attempt_key",
    "attenuation_corrected",
    "between_extremes",
    "causal_effect",
    "change",
    "change_in_rho",
    "change_in_share",
    "change_in_slope",
    "changed",
    "choice_slope",
    "chosen_at_once",
    "context_experiment",
    "context_reading",
    "coverage_reasons",
    "declined_gap",
    "declined_minus_others",
    "dose_response",
    "effect_per_preference",
    "effort_gap",
    "entity_experiment",
    "excess_refusals",
    "exhorted_share",
    "first_attempt",
    "harder_minus_easier",
    "hedged_gap",
    "in_context",
    "interval_record",
    "ledger",
    "load_results",
    "minus_control",
    "minus_others",
    "negative_control",
    "open_study",
    "outcome_diagnostics",
    "over_entities",
    "own_slope",
    "pair_experiment",
    "partial_spearman",
    "positive_control",
    "preferred_share",
    "priming_effect",
    "propensity",
    "pull_of_liking",
    "read_choice",
    "read_open_answer",
    "read_yes_no",
    "reason_trends",
    "reliability_reasons",
    "residuals",
    "robustness",
    "share",
    "share_correlation",
    "share_right",
    "spearman",
    "split_half",
    "stopping_record",
    "success_gap",
    "success_gap_by_difficulty",
    "success_gap_harder_minus_easier",
    "success_gap_per_level",
    "superadditivity",
    "top_minus_bottom",
    "two_by_two",
    "with_assay_sensitivity",
    "within_groups",
    "worst_case",
    "yes_slope",
]
