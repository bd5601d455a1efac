"""Two results files compared: what changed from the old one to the new one, how sure that is, what has no match."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference
from pytest_llmpref.claims.verdicts import is_worse
from pytest_llmpref.comparison.baseline import counterparts, measures_of
from pytest_llmpref.comparison.changes import Change, change, change_in_rho
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of, reference
from pytest_llmpref.results.comparison_record import (
    AnsweredSides,
    ChangeRecord,
    ClaimsComparison,
    ComparedRecord,
    ComparisonRecord,
    DifferenceRecord,
    EntitiesRecord,
    MeasureComparison,
    ModelComparison,
    QuestionsRecord,
    RunSide,
    ThresholdChange,
    ValidSides,
    VerdictChange,
    VerdictSide,
)
from pytest_llmpref.results.loading import ResultsFileError
from pytest_llmpref.results.measure_record import written
from pytest_llmpref.results.schema import ClaimRecord, ModelRecord, Results, RunRecord
from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.change import holm_adjusted, p_value

ALPHA = 0.05
"""Error rate of each family of changes."""


def compare_results(old: Results, new: Results, baseline: str = "") -> ComparisonRecord:
    """Return the comparison of two results files; ``baseline`` names the old one.

    It holds each model that is in both, and names the others.

    Raises
    ------
    ResultsFileError
        If one of them is a negative control, and the other is not the same one.
    """
    if why := why_incomparable(old.run, new.run.control, new.run.control_seed):
        raise ResultsFileError(f"{baseline}: {why}" if baseline else why)
    pairs = counterparts(old.models, new.models)
    models = {name: _compare_models(old, earlier, new, name) for name, earlier in pairs.items()}
    return ComparisonRecord(
        old=_side(old.run),
        new=_side(new.run),
        alpha=ALPHA,
        models=models,
        old_only=[name for name in old.models if name not in pairs.values()],
        new_only=[name for name in new.models if name not in pairs],
        changed=any(model.changed for model in models.values()),
        baseline=baseline,
    )


def why_incomparable(old: RunRecord, control: str, control_seed: int) -> str:
    """Say why a run cannot be compared with an earlier one; empty if it can.

    Where entities are permuted, no value is that of the entity under whose name it stands: what differs is no change.

    Parameters
    ----------
    old
        The earlier run.
    control, control_seed
        The negative control that the new run is, or ``none``, and the seed of its permutation.
    """
    permuted = "permuted-entities" in {old.control, control}
    if old.control == control and (not permuted or old.control_seed == control_seed):
        return ""
    sides = [
        f"{name} (seed {seed})" if name == "permuted-entities" else name
        for name, seed in ((old.control, old.control_seed), (control, control_seed))
    ]
    return (
        f"the earlier run has the negative control {sides[0]}, and the new one {sides[1]}, so what differs is no "
        "change of a model; compare runs with the same --llmpref-control"
    )


def _side(run: RunRecord) -> RunSide:
    return RunSide(run.began, run.profile, run.entities, run.control)


def _compare_models(old: Results, earlier: str, new: Results, name: str) -> ModelComparison:
    """Compare the measures and the claims of one model, whose name was ``earlier`` in the old run.

    Families, each corrected by Holm at `ALPHA`: the entities of one measure; the means over all questions; the
    correlations with preference. Intervals are of 95% each, and uncorrected.
    """
    old_model, new_model = old.models[earlier], new.models[name]
    before, now = measures_of(old, earlier), measures_of(new, name)
    changes = {measure: change(found, before[measure]) for measure, found in now.items() if measure in before}
    measures = {measure: _measure(found, before[measure], now[measure]) for measure, found in changes.items()}
    overall = _family({measure: found.overall for measure, found in changes.items() if found.overall is not None})
    rho = _correlations(before, now)
    claims = _claims(old_model.claims, new_model.claims)
    families = [overall, rho, *(measure.changes for measure in measures.values())]
    answered = AnsweredSides(_answered_by(old_model), _answered_by(new_model))
    return ModelComparison(
        old=earlier,
        simulated=new_model.simulated or old_model.simulated,
        organism=new_model.organism or old_model.organism,
        measures=measures,
        measures_old_only=[measure for measure in before if measure not in now],
        measures_new_only=[measure for measure in now if measure not in before],
        overall=overall,
        rho=rho,
        claims=claims,
        changed=bool(claims.changed) or any(one.moved for family in families for one in family.values()),
        answered=answered if old_model.provenance or new_model.provenance else None,
    )


def _answered_by(model: ModelRecord) -> str:
    """Say who answered, and when; empty if unknown."""
    return model.provenance or ("a simulated model" if model.simulated else "")


def _measure(found: Change, old: Measure, new: Measure) -> MeasureComparison:
    matching = found.matching
    return MeasureComparison(
        questions=QuestionsRecord(matching.questions, matching.old_questions, matching.new_questions),
        entities=EntitiesRecord(len(matching.entities), list(matching.old_entities), list(matching.new_entities)),
        valid=ValidSides(old.valid, new.valid),
        reasons=list(found.reasons),
        agreement=ComparedRecord(**_fields(spearman(new, old))),
        control=None if found.control is None else DifferenceRecord(**_fields(found.control), **_sides(found.control)),
        changes=_family(found.estimates, told=found.reasons),
    )


def _correlations(old: Mapping[str, Measure], new: Mapping[str, Measure]) -> dict[str, ChangeRecord]:
    """Compare the correlation of preference with every other behaviour that both have: a control is none."""
    liked = reference().measure
    if liked not in old or liked not in new:
        return {}
    return _family(
        {
            name: change_in_rho((new[liked], _ordering(new[name])), (old[liked], _ordering(old[name])))
            for name in new
            if name in old and name != liked and not behaviour_of(name).is_control
        }
    )


def _ordering(measure: Measure) -> Measure:
    """Return what is correlated with preference."""
    return behaviour_of(measure.name).ordering(measure)


def _family(estimates: Mapping[str, Estimate], told: Collection[str] = ()) -> dict[str, ChangeRecord]:
    """Test that each change is 0; what is invalid is shown, and not tested. Reasons ``told`` elsewhere are left out."""
    p = [math.nan if estimate.invalid else p_value(estimate) for estimate in estimates.values()]
    adjusted = holm_adjusted(p)
    return {
        name: ChangeRecord(
            **_fields(estimate, told),
            **_sides(estimate),
            p=written(one),
            p_holm=written(holm),
            moved=bool(holm < ALPHA),
        )
        for (name, estimate), one, holm in zip(estimates.items(), p, adjusted, strict=True)
    }


def _claims(old: Sequence[ClaimRecord], new: Sequence[ClaimRecord]) -> ClaimsComparison:
    before, now = _numbered(old), _numbered(new)
    both = [(before[key], claim) for key, claim in now.items() if key in before]
    changed = [_verdicts(earlier, claim) for earlier, claim in both if earlier.verdict != claim.verdict]
    return ClaimsComparison(
        both=len(both),
        changed=sorted(changed, key=lambda one: not one.worse),
        thresholds=[
            ThresholdChange(claim.nodeid, earlier.threshold, claim.threshold)
            for earlier, claim in both
            if earlier.threshold != claim.threshold
        ],
        old_only=[claim.nodeid for key, claim in before.items() if key not in now],
        new_only=[claim.nodeid for key, claim in now.items() if key not in before],
    )


def _numbered(claims: Sequence[ClaimRecord]) -> dict[tuple[str, str | None, int], ClaimRecord]:
    """Return claims by test, entity, and place among those of the same test: the test's id names the model too."""
    seen: Counter[tuple[str, str | None]] = Counter()
    found = {}
    for claim in claims:
        test = (claim.nodeid.split("[")[0], claim.entity)
        found[(*test, seen[test])] = claim
        seen[test] += 1
    return found


def _verdicts(old: ClaimRecord, new: ClaimRecord) -> VerdictChange:
    before, now = (VerdictSide(one.verdict, one.estimate.value, one.threshold) for one in (old, new))
    return VerdictChange(new.nodeid, new.entity, new.gate, before, now, worse=is_worse(new.verdict, old.verdict))


def _fields(estimate: Estimate, told: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of a `ComparedRecord`."""
    interval = estimate.interval()
    return {
        "value": written(estimate.value),
        "low": written(interval.low),
        "high": written(interval.high),
        "n": estimate.n,
        "unit": estimate.unit,
        "reasons": [reason for reason in estimate.invalid if reason not in told],
    }


def _sides(estimate: Estimate) -> dict[str, Any]:
    """Return the fields that a `DifferenceRecord` has beside these: on the questions, or entities, that both have."""
    method = estimate.interval_method
    if not isinstance(method, Difference):
        return {}
    return {
        "new": written(method.a.value),
        "old": written(method.b.value),
        "correlation": written(method.correlation),
    }
