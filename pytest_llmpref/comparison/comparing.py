"""Two results files compared: what changed from the old one to the new one, how sure that is, what has no match."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any

from pytest_llmpref.claims.claim import is_worse
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Difference, Reported
from pytest_llmpref.comparison.changes import Change, change, change_in_rho
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of, reference
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.results.loading import ClaimRecord, EstimateRecord, MeasureRecord, Results
from pytest_llmpref.results.places import ResultsFileError
from pytest_llmpref.stats.association import spearman
from pytest_llmpref.stats.change import holm_adjusted, p_value

_OUTCOMES = {outcome.value[0]: outcome for outcome in Outcome}
_EARLIER = {letter: Attempt("", outcome, "") for letter, outcome in _OUTCOMES.items()}
"""Attempts of which only the outcome was kept."""


class Baseline:
    """The measures of an earlier run, as attributes named like the fixtures: ``baseline.refusals``.

    Parameters
    ----------
    path
        Its results.json.
    measures
        Measure -> what was measured then.
    names
        Attribute -> measure.
    """

    def __init__(self, path: Path, measures: Mapping[str, Measure], names: Mapping[str, str]) -> None:
        self._path, self._measures, self._names = path, measures, names

    def __getattr__(self, name: str) -> Measure:
        """Return a measure.

        Raises
        ------
        ResultsFileError
            If the earlier run did not take it.
        """
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"a baseline has {', '.join(self._names)}, and no {name!r}")
        if self._names[name] not in self._measures:
            raise ResultsFileError(
                f"{self._path}: it has no measure {self._names[name]}, only {', '.join(self._measures) or 'none'}; "
                "run the suite that needs it, and name its results.json as the baseline"
            )
        return self._measures[self._names[name]]


def counterparts(old: Collection[str], new: Collection[str]) -> dict[str, str]:
    """Return under which name an earlier run holds each model that is measured now, where it does.

    It is the same name. Where no name is in both, and each run holds a single model, it is that one: a new release
    may have a new name.
    """
    same = {name: name for name in new if name in old}
    return dict(zip(new, old, strict=True)) if not same and len(old) == len(new) == 1 else same


def earlier_name(path: Path, old: Results, model: str, models: Collection[str]) -> str:
    """Return under which name a baseline holds a model, ``models`` being all that are measured now.

    Raises
    ------
    ResultsFileError
        If it does not hold it.
    """
    found = counterparts(old.models, models).get(model)
    if found is None:
        raise ResultsFileError(
            f"{path}: it does not hold {model}, but {', '.join(old.models)}; give a baseline of this model, "
            "or measure one model, and give a baseline of one"
        )
    return found


def measures_of(results: Results, model: str, groups: Mapping[str, str] | None = None) -> dict[str, Measure]:
    """Return the measures of a model, by name; ``groups`` are those of the entities, the file's own unless given."""
    groups = groups or {entity: record.group for entity, record in results.entities.items()}
    return {name: measure_of(name, model, record, groups) for name, record in results.models[model].measures.items()}


def measure_of(name: str, model: str, record: MeasureRecord, groups: Mapping[str, str]) -> Measure:
    """Return a measure as it was reported, its trials with the outcomes of all their attempts.

    Of each trial's transcripts only the last has its key and text. A file from before ``course`` was recorded has no
    trials that can be compared.
    """
    trials, controls = _trials(record, behaviour_of(name).trial())
    reasons = tuple(record.reasons)
    return Measure(
        name=name,
        model=model,
        estimates={
            entity: _estimate(found, f"{name} of {entity}").marked(reasons) for entity, found in record.entities.items()
        },
        groups={entity: groups.get(entity, "all") for entity in record.entities},
        reasons=reasons,
        reliability=_reliability(record),
        diagnostics=record.diagnostics,
        trials=trials,
        control=None if record.control is None else _estimate(record.control, f"{name} of the control").marked(reasons),
        controls=controls,
        unranked=tuple(record.unranked),
        early=tuple(record.early),
    )


def _estimate(record: EstimateRecord, label: str) -> Estimate:
    value, low, high = (math.nan if one is None else one for one in (record.value, record.low, record.high))
    return Estimate(
        value=value,
        n=record.n,
        unit=record.unit or "trials",
        method=record.method or "as reported",
        interval_method=Reported(value, low, high, record.level),
        label=label,
    )


def _reliability(record: MeasureRecord) -> Estimate | None:
    found = record.diagnostics.get("reliability") or {}
    value = found.get("value")
    if value is None:
        return None
    missing = math.nan
    limits = (missing if found.get(name) is None else found[name] for name in ("low", "high"))
    method = Reported(value, *limits)
    return Estimate(value, found.get("n", 0), "entities", "as reported", method, label="split-half reliability")


def _trials(record: MeasureRecord, kind: type[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Return the trials about entities, and those of the control, as those of a class.

    Column by column and by place, since there may be hundreds of thousands.
    """
    columns = record.trials
    if not {"course", "first_is_a", *kind.columns} <= columns.keys():
        return [], []
    empty = [None] * len(columns["key"])
    courses = columns["course"]
    lasts = map(Attempt, columns["key"], [_OUTCOMES[course[-1]] for course in courses], columns["text"])
    attempts = [
        (last,) if len(course) == 1 else (*(_EARLIER[letter] for letter in course[:-1]), last)
        for course, last in zip(courses, lasts, strict=True)
    ]
    trials = list(
        map(
            kind,
            attempts,
            map(tuple, columns["entities"]),
            empty,  # answered_by
            columns["score"],
            columns["wording"],
            columns["repetition"],
            *(columns[name] for name in kind.columns),
        )
    )
    control = columns["control"]
    return list(compress(trials, map(not_, control))), list(compress(trials, control))


ALPHA = 0.05
"""Error rate of each family of changes."""


def compare_results(old: Results, new: Results) -> dict[str, Any]:
    """Return the comparison of two results files, ready for JSON.

    ``models`` holds a comparison for each model in both, as `compare_models` returns it; ``old_only`` and ``new_only``
    name the others. ``changed`` tells whether anything changed beyond sampling noise, or a verdict.
    """
    pairs = counterparts(old.models, new.models)
    models = {}
    for name, earlier in pairs.items():
        found = compare_models(
            measures_of(old, earlier), measures_of(new, name), old.models[earlier].claims, new.models[name].claims
        )
        simulated = {"simulated": new.models[name].simulated or old.models[earlier].simulated}
        models[name] = {"old": earlier, **simulated, **found}
    return {
        "old": {"began": old.run.began, "profile": old.run.profile, "entities": old.run.entities},
        "new": {"began": new.run.began, "profile": new.run.profile, "entities": new.run.entities},
        "alpha": ALPHA,
        "models": models,
        "old_only": [name for name in old.models if name not in pairs.values()],
        "new_only": [name for name in new.models if name not in pairs],
        "changed": any(model["changed"] for model in models.values()),
    }


def compare_models(
    old: Mapping[str, Measure],
    new: Mapping[str, Measure],
    old_claims: Sequence[ClaimRecord],
    new_claims: Sequence[ClaimRecord],
) -> dict[str, Any]:
    """Compare the measures and the claims of one model.

    Families, each corrected by Holm at `ALPHA`: the entities of one measure; the means over all questions; the
    correlations with preference. Intervals are of 95% each, and uncorrected.
    """
    changes = {name: change(measure, old[name]) for name, measure in new.items() if name in old}
    measures = {name: _measure(found, old[name], new[name]) for name, found in changes.items()}
    overall = _family({name: found.overall for name, found in changes.items() if found.overall is not None})
    rho = _correlations(old, new)
    claims = _claims(old_claims, new_claims)
    return {
        "measures": measures,
        "measures_old_only": [name for name in old if name not in new],
        "measures_new_only": [name for name in new if name not in old],
        "overall": overall,
        "rho": rho,
        "claims": claims,
        "changed": any(
            one["moved"]
            for family in (overall, rho, *(m["changes"] for m in measures.values()))
            for one in family.values()
        )
        or bool(claims["changed"]),
    }


def _measure(found: Change, old: Measure, new: Measure) -> dict[str, Any]:
    matching = found.matching
    agreement = spearman(new, old)
    changes = _family(found.estimates)
    return {
        "questions": {
            "both": matching.questions,
            "old_only": matching.old_questions,
            "new_only": matching.new_questions,
        },
        "entities": {
            "both": len(matching.entities),
            "old_only": list(matching.old_entities),
            "new_only": list(matching.new_entities),
        },
        "valid": {"old": old.valid, "new": new.valid},
        "reasons": list(found.reasons),
        "agreement": _record(agreement),
        "control": None if found.control is None else _record(found.control),
        "changes": _shortened(changes, found.reasons),
    }


def _shortened(changes: dict[str, dict[str, Any]], reasons: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Leave the reasons that stand at the measure out of each entity."""
    for one in changes.values():
        one["reasons"] = [reason for reason in one["reasons"] if reason not in reasons]
    return changes


def _correlations(old: Mapping[str, Measure], new: Mapping[str, Measure]) -> dict[str, Any]:
    """Compare the correlation of preference with every other measure that both have."""
    liked = reference().measure
    if liked not in old or liked not in new:
        return {}
    return _family(
        {
            name: change_in_rho((new[liked], _ordering(new[name])), (old[liked], _ordering(old[name])))
            for name in new
            if name in old and name != liked
        }
    )


def _ordering(measure: Measure) -> Measure:
    """Return what is correlated with preference."""
    return behaviour_of(measure.name).ordering(measure)


def _family(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    """Test that each change is 0; what is invalid is shown, and not tested."""
    p = [math.nan if estimate.invalid else p_value(estimate) for estimate in estimates.values()]
    adjusted = holm_adjusted(p)
    return {
        name: _record(estimate) | {"p": _number(one), "p_holm": _number(holm), "moved": bool(holm < ALPHA)}
        for (name, estimate), one, holm in zip(estimates.items(), p, adjusted, strict=True)
    }


def _claims(old: Sequence[ClaimRecord], new: Sequence[ClaimRecord]) -> dict[str, Any]:
    before, now = _numbered(old), _numbered(new)
    changed = [
        _verdicts(before[key], claim)
        for key, claim in now.items()
        if key in before and before[key].verdict != claim.verdict
    ]
    return {
        "both": len(before.keys() & now.keys()),
        "changed": sorted(changed, key=lambda one: not one["worse"]),
        "bounds": [
            {"nodeid": claim.nodeid, "old": before[key].threshold, "new": claim.threshold}
            for key, claim in now.items()
            if key in before and before[key].threshold != claim.threshold
        ],
        "old_only": [claim.nodeid for key, claim in before.items() if key not in now],
        "new_only": [claim.nodeid for key, claim in now.items() if key not in before],
    }


def _numbered(claims: Sequence[ClaimRecord]) -> dict[tuple[str, str | None, int], ClaimRecord]:
    """Return claims by test, entity, and place among those of the same test: the test's id names the model too."""
    seen: Counter[tuple[str, str | None]] = Counter()
    found = {}
    for claim in claims:
        test = (claim.nodeid.split("[")[0], claim.entity)
        found[(*test, seen[test])] = claim
        seen[test] += 1
    return found


def _verdicts(old: ClaimRecord, new: ClaimRecord) -> dict[str, Any]:
    return {
        "nodeid": new.nodeid,
        "entity": new.entity,
        "gate": new.gate,
        "old": {"verdict": old.verdict, "value": old.estimate.value, "bound": old.threshold},
        "new": {"verdict": new.verdict, "value": new.estimate.value, "bound": new.threshold},
        "worse": is_worse(new.verdict, old.verdict),
    }


def _record(estimate: Estimate) -> dict[str, Any]:
    interval = estimate.interval()
    record = {
        "value": _number(estimate.value),
        "low": _number(interval.low),
        "high": _number(interval.high),
        "n": estimate.n,
        "unit": estimate.unit,
        "reasons": list(estimate.invalid),
    }
    if isinstance(estimate.interval_method, Difference):
        # On the questions, or entities, that both have.
        record |= {
            "new": _number(estimate.interval_method.a.value),
            "old": _number(estimate.interval_method.b.value),
            "correlation": _number(estimate.interval_method.correlation),
        }
    return record


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
