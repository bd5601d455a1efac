"""What a replay gives, in full: the keys and prompts that a plan asks, and every estimate.

Imported by a suite that `tests/integration/test_golden.py` writes and runs. It uses what users have, fixtures and
measures, but for the plan, of which only a study knows.
"""

import hashlib
import json
from pathlib import Path


def digest(parts):
    """A checksum of texts, in their order."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return found.hexdigest()


def numbers(estimate):
    """Value, 95% interval and sample size of an estimate; a list, ready for JSON."""
    if estimate is None:
        return None
    interval = estimate.interval()
    return [estimate.value, interval.low, interval.high, estimate.n]


def described(study, measure):
    """A measure, its plan and its trials: counts and checksums of what is asked, and the estimates themselves."""
    requests = study.plans[measure.name].requests
    trials = [*measure.trials, *measure.controls]
    return {
        "planned": len(requests),
        "keys": digest(request.key for request in requests),
        "prompts": digest(f"{message.role}: {message.content}" for request in requests for message in request.messages),
        "trials": len(trials),
        "attempts": digest(attempt.key for trial in trials for attempt in trial.attempts),
        "outcomes": digest(attempt.outcome.value for trial in trials for attempt in trial.attempts),
        "scores": digest(repr(trial.score) for trial in trials),
        "reasons": list(measure.reasons),
        "reliability": numbers(measure.reliability),
        "control": numbers(measure.control),
        "estimates": {entity: numbers(estimate) for entity, estimate in measure.estimates.items()},
        "coverage": {entity: numbers(estimate) for entity, estimate in measure.coverage.items()},
    }


def write(study, measures):
    """Write down what measures are, for the test that started this run."""
    found = {measure.name: described(study, measure) for measure in measures}
    Path("golden.json").write_text(json.dumps(found), encoding="utf-8")
