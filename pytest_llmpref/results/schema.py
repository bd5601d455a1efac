"""results.json, schema 1: the definition from which it is written, read and published.

`results.schema.json` is generated from these structs by `pytest_llmpref.results.json_schema`; their docstrings are its
descriptions. Within a schema version, keys are only ever added.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pytest_llmpref.claims.gates import State, function_of
from pytest_llmpref.claims.verdicts import Relation, Verdict
from pytest_llmpref.results.comparison_record import ComparisonRecord
from pytest_llmpref.results.diagnostics import Count, Share
from pytest_llmpref.results.import_record import ImportRecord
from pytest_llmpref.results.measure_record import EstimateRecord, MeasureRecord

SCHEMA: Literal[1] = 1
"""Version of the format; raised only when something is removed or changes its meaning."""


class ClaimedEstimate(EstimateRecord, frozen=True, omit_defaults=False):
    """A claim's estimate, with its interval at the level of the verdict; all fields are written."""


class MissingRecord(msgspec.Struct, frozen=True):
    """The range of a correlation under worst-case imputation of the missing answers.

    Attributes
    ----------
    low, high
        Its smallest and its largest value.
    search
        How they were searched for, in words.
    """

    low: float | None
    high: float | None
    search: str = ""


class ClaimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A claim and its verdict.

    Attributes
    ----------
    nodeid
        Node id of the test.
    suite
        The test's file.
    entity
        Id of the entity that the claim is about; null if it is about the model as a whole.
    estimate
        The estimate.
    relation
        How the estimate is compared with the threshold.
    threshold
        The threshold with which the estimate is compared.
    verdict
        What the interval says about the claim.
    gate
        Whether the test is a gate.
    reasons
        Why the verdict is invalid; empty if it is not.
    exploratory
        Whether the claim can never fail its test.
    explanation
        The claim and its verdict, as the test explains them.
    measures
        Names of the measures that the test asked for.
    says
        First paragraph of the test's docstring: the claim in words.
    family
        Number of claims for which the level is corrected. It is 1 for a gate's claim whose value is on the claimed
        side, since the gate opens only if all its claims are supported.
    p_refuted
        For a gate's claim whose value is on the other side: its uncorrected p-value, the smallest error rate that
        refutes it.
    line
        Line of the test in its file, from 1; 0 if unknown.
    missing
        How far missing answers could move a correlation; null if the estimate is not a correlation, or if they could
        not move it.
    to_decide
        What would decide the claim, or repair its measurement; empty if the claim is decided.
    needed
        Approximate sample size that would decide the claim if the value stays the same; null if unknown.
    supported_again
        Probability that a repetition of the study would support the claim; null if it cannot be computed.
    fails
        Whether the claim makes its test fail, given the test's markers and ``--llmpref-strict``; null in older files.
    xfail
        Whether the test was marked as expected to fail, so that the claim does not make it fail.
    """

    nodeid: str
    line: Count = 0
    suite: str
    says: str = ""
    entity: str | None
    measures: list[str] = []
    gate: bool
    exploratory: bool = False
    xfail: bool = False
    estimate: ClaimedEstimate
    relation: Relation
    threshold: float = msgspec.field(name="bound")
    verdict: Verdict
    fails: bool | None = None
    reasons: list[str] = []
    family: Annotated[int, Meta(ge=1)] = 1
    p_refuted: Share | None = None
    to_decide: str = ""
    needed: Count | None = None
    supported_again: Share | None = None
    missing: MissingRecord | None = None
    explanation: str = ""

    @property
    def alpha(self) -> float:
        """Error rate of the family of claims, from the level of this one."""
        sides = 2 if self.relation == "abs <" else 1
        return (1 - self.estimate.level) / sides * self.family

    @property
    def function(self) -> str:
        """Name of the test function, without parameters."""
        return function_of(self.nodeid).rpartition("::")[2]


class AbsentGateRecord(msgspec.Struct, frozen=True):
    """A gate that did not run.

    Attributes
    ----------
    model
        The model that it is about.
    gate
        Node id of the test function, without parameters.
    reason
        Why it did not run.
    tests
        Number of its tests that did not run for this reason.
    """

    model: str
    gate: str
    reason: str
    tests: Count


class GateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the gates of a model, or of a run. A gate is one test function about one model.

    Attributes
    ----------
    state
        open: all that were collected ran and are supported; closed: one is not supported, or failed; incomplete: one
        did not run; not run: no model was named, or every gate is off.
    collected, ran
        Numbers of gates.
    failed
        Gates that are not supported, or failed.
    not_run
        Gates that did not run, or not for every entity.
    off
        Gates that the policy turns off.
    reproducibility
        Probability that a repetition of the study would give the same state, if claims are independent; null if it
        cannot be computed, as for a gate with a test for each entity.
    """

    state: State
    collected: Count
    ran: Count
    failed: list[str] = []
    not_run: list[AbsentGateRecord]
    off: list[AbsentGateRecord] = []
    reproducibility: Share | None = None


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one model.

    Attributes
    ----------
    simulated
        Whether it is a simulated model.
    organism
        Whether it is a model organism: a real model into which its preferences were trained.
    gate
        The state of its gates; null if it has none.
    judge
        Model that judged its replies; null if none did.
    imported
        Source of its replies, if they were imported; null for a model that this tool asked.
    measures
        Measures by name, including those that other packages add.
    claims
        Claims in the order of the test files.
    """

    simulated: bool
    organism: bool = False
    gate: GateRecord | None = None
    judge: str | None = None
    imported: ImportRecord | None = None
    measures: dict[str, MeasureRecord]
    claims: list[ClaimRecord]

    @property
    def provenance(self) -> str:
        """Whence answers come, which models the provider named, when they were recorded, and how many in batches."""
        checks = [measure.checks for measure in self.measures.values()]
        named = dict.fromkeys(one.model for check in checks for one in check.served if one.model)
        versions = {one.fingerprint for check in checks for one in check.served if one.fingerprint}
        days = [day for check in checks if check.recorded for day in (check.recorded.first, check.recorded.last)]
        said = [self.imported.said] if self.imported is not None else []
        said += [f"served by {', '.join(named)}"] if named else []
        said += [f"{len(versions)} fingerprints"] if len(versions) > 1 else [f"fingerprint {one}" for one in versions]
        if days:
            said.append(f"recorded {' to '.join(dict.fromkeys([min(days), max(days)]))}")
        if batched := sum(check.batches.replies for check in checks if check.batches):
            said.append(f"{batched:,} in batches")
        if canary := next((check.canary for check in checks if check.canary), None):
            said.append(f"{canary.questions} questions asked again (p = {canary.p:.2g})")
        return ", ".join(said)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How the run was set up.

    Attributes
    ----------
    version
        Release of pytest-llmpref.
    began
        When.
    profile
        Name of the profile.
    record_mode
        Whether models were asked.
    replay
        Depth of replay; null in older files.
    seed
        Seed of the design and of every resampling.
    alpha
        Error rate of a family of claims.
    entities
        Name of the entity set.
    boolq
        Name of the set of yes/no questions.
    answers
        How answers were read.
    prefill
        How a model is led into its answers; null in older files.
    judge
        Model that judged replies, or auto for a cheap one of each model's provider; null if none did.
    control
        Negative control that the run was, if it was one: a study that must find nothing.
    control_seed
        Seed of the control's permutation.
    agentic
        Suites of agentic tasks.
    arms
        Entities that agentic tasks compare, if the user named them.
    cassettes
        Name of the folder of the cassettes.
    strict
        Whether inconclusive and invalid claims fail as well.
    asked
        Models that answered in this run, instead of only their recordings; null in older files.
    part
        Why the run left out tests of the files that were named; empty if it ran them all.
    """

    version: str
    began: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    profile: str
    record_mode: Literal["none", "new_episodes", "all"]
    replay: Literal["reply", "wire"] | None = None
    seed: int
    alpha: Annotated[float, Meta(gt=0, le=1)]
    entities: str
    boolq: str = ""
    answers: Literal["auto", "text", "logprobs"]
    prefill: Literal["auto", "assistant", "cue", "schema", "off"] | None = None
    judge: str | None = None
    control: Literal["none", "permuted-entities", "fictitious-entities"] = "none"
    control_seed: int = 0
    agentic: list[str] = []
    arms: str | None = None
    cassettes: str = ""
    strict: bool = False
    asked: list[str] | None = None
    part: str = ""


class Kept(msgspec.Struct, frozen=True):
    """The part of results.json that describes its run."""

    run: RunRecord


class EntityRecord(msgspec.Struct, frozen=True):
    """An entity that took part.

    Attributes
    ----------
    name
        Name in the questions.
    group
        Group of the entity.
    """

    name: str
    group: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Every measure, its checks and its estimates, and every claim with its verdict.

    Attributes
    ----------
    schema
        Version of the format.
    run
        How the run was set up.
    gate
        The state of the gates of all models together; null if there are none.
    entities
        Entities that took part, by id.
    models
        Results by the model's name.
    comparison
        Comparison with the last release, if a baseline was named: what ``llmpref diff --json`` prints.
    runs
        The run that measured each model, by the model's name, if several files were merged.
    """

    schema: Literal[1]
    run: RunRecord
    gate: GateRecord | None = None
    entities: dict[str, EntityRecord] = {}
    models: dict[str, ModelRecord]
    comparison: ComparisonRecord | None = None
    runs: dict[str, RunRecord] = {}


def encoded(results: Results) -> bytes:
    """Return results.json. One run has no ``runs``, and one that is compared with none has no ``comparison``."""
    held = {name: value for name, value in msgspec.structs.asdict(results).items() if value or name not in _IF_ANY}
    return msgspec.json.encode(held) + b"\n"


_IF_ANY = {"comparison", "runs"}
