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
    """The estimate that a claim is about, at the level that its verdict rests on; written with all its fields."""


class MissingRecord(msgspec.Struct, frozen=True):
    """A correlation with the worst and with the best answers in place of the missing ones.

    Attributes
    ----------
    low, high
        Its least and its largest value.
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
        Id of the entity that the claim is about; null where it is about the model as a whole.
    estimate
        The estimate.
    relation
        How it is compared with the threshold.
    threshold
        What the estimate is compared with.
    verdict
        What the interval says of the claim.
    gate
        Whether the test is a gate.
    reasons
        Why the verdict is invalid; empty where it is not.
    exploratory
        Whether the claim never fails its test.
    explanation
        The claim and its verdict as the test says it.
    measures
        Names of the measures that the test asked for.
    says
        First paragraph of the test's docstring: the claim in words.
    family
        Number of claims that the level is corrected for. A gate's claim whose value is on the claimed side is corrected
        for none, since the gate opens only if all of its claims are supported.
    p_refuted
        Of a gate's claim whose value is on the other side: smallest error rate, uncorrected, at which it is refuted.
    line
        Line of the test in its file, from 1; 0 where it is not known.
    missing
        How far missing answers could move a correlation; null where it is none, or they could not.
    to_decide
        What would decide the claim, or mend its measurement; empty where it is decided.
    needed
        About the sample size that would decide the claim, if the value stays; null where none is known.
    supported_again
        Chance that a repetition of the study would support the claim; null where that cannot be said.
    fails
        Whether the claim makes its test fail, by the test's markers and by how strict the run was; null in files that
        do not say.
    xfail
        Whether the test was expected to fail, and so did not.
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
        How many of its tests did not run for this reason.
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
        Chance that a repetition of the study would come to the same state, taking claims as independent; null where
        that cannot be said, as of a gate with a test for each entity.
    """

    state: State
    collected: Count
    ran: Count
    failed: list[str] = []
    not_run: list[AbsentGateRecord]
    off: list[AbsentGateRecord] = []
    reproducibility: Share | None = None


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one model.

    Attributes
    ----------
    simulated
        Whether it is a simulated model.
    organism
        Whether it is a model organism: a real model into which its preferences were trained.
    gate
        The state of its gates; null where it has none.
    judge
        Model that judged its replies; null where none did.
    imported
        Where its replies come from, if they were imported; null for a model that this tool asked.
    measures
        By name: the shipped ones, and those that other packages add.
    claims
        In the order of the files.
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
        Depth of replay; null in files that do not say.
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
        What leads a model into its answers; null in files that do not say.
    judge
        Model that judged replies, or auto for a cheap one of each model's provider; null where none did.
    control
        The study in which nothing may be found, if it was one.
    control_seed
        Seed of its permutation.
    agentic
        Suites of agentic tasks.
    arms
        Entities that agentic tasks compare, where the user named them.
    cassettes
        Name of the folder of the cassettes.
    strict
        Whether inconclusive and invalid claims fail as well.
    asked
        Models that answered in this run, rather than their recordings alone; null in files that do not say.
    part
        Why the run did not run all the tests of the files that were named; empty where it did.
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
    """The part of results.json that tells of its run."""

    run: RunRecord


class EntityRecord(msgspec.Struct, frozen=True):
    """An entity that took part.

    Attributes
    ----------
    name
        As questions name it.
    group
        The group of entities that it belongs to.
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
        The state of the gates of all models together; null where there is none.
    entities
        Those that took part, by id.
    models
        What was found, by the model's name.
    comparison
        That with the last release, where a baseline was named: what ``llmpref diff --json`` prints.
    runs
        The run that measured a model, by the model's name, where several files were merged.
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
