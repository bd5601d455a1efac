"""results.json: every measure, its checks and its estimates, and every claim with its verdict."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_llmpref.estimates import Claim, Estimate
from pytest_llmpref.experiments.measure import Measure

SCHEMA = 1
"""Version of the format; raised only when something is removed or changes its meaning."""
MEASURES = ("preference", "direct_ranking", "donation_advice", "refusal", "boolq", "agentic")
"""Names of the measures, in the order of the report."""
SCHEMA_FILE = Path(__file__).with_name("results.schema.json")


def measure_record(measure: Measure) -> dict[str, Any]:
    """Return a measure as results.json holds it."""
    return {
        "entities": {entity: _estimate_record(estimate) for entity, estimate in measure.estimates.items()},
        "control": None if measure.control is None else _estimate_record(measure.control),
        "diagnostics": _plain(measure.diagnostics),
        "valid": measure.valid,
        "reasons": list(measure.reasons),
    }


def claim_record(
    claim: Claim, *, model: str, nodeid: str, entity: str | None, gate: bool, exploratory: bool
) -> dict[str, Any]:
    """Return a claim as results.json holds it, with the model under which it goes."""
    return {
        "model": model,
        "nodeid": nodeid,
        "suite": nodeid.split("::", maxsplit=1)[0],
        "entity": entity,
        "estimate": {
            "value": _number(claim.estimate.value),
            "low": _number(claim.interval.low),
            "high": _number(claim.interval.high),
            "level": claim.level,
            "n": claim.estimate.n,
            "unit": claim.estimate.unit,
            "method": claim.estimate.method,
        },
        "relation": claim.relation,
        "bound": claim.bound,
        "verdict": claim.verdict.value,
        "reasons": list(claim.reasons),
        "gate": gate,
        "exploratory": exploratory,
        "explanation": claim.explain(),
    }


def results_record(
    run: Mapping[str, Any], measures: Mapping[str, Mapping[str, Any]], claims: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Put results.json together from the measures and the claims of each model."""
    models = sorted({*measures, *claims})
    return {
        "schema": SCHEMA,
        "run": dict(run),
        "models": {
            model: {
                "simulated": model.startswith("sim/"),
                "measures": {name: measures[model][name] for name in MEASURES if name in measures.get(model, {})},
                "claims": sorted(claims.get(model, []), key=lambda claim: str(claim["nodeid"])),
            }
            for model in models
        },
    }


def write_results(record: Mapping[str, Any], report_dir: Path) -> Path:
    """Write ``REPORT_DIR/latest/results.json``, in one step, and return its path."""
    path = report_dir / "latest" / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def _estimate_record(estimate: Estimate) -> dict[str, float | int | None]:
    interval = estimate.interval()
    return {
        "value": _number(estimate.value),
        "low": _number(interval.low),
        "high": _number(interval.high),
        "n": estimate.n,
    }


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return _number(value)
    return value
