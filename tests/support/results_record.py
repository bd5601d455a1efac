"""A whole results.json, and its parts changed by hand."""

import copy
import json

ESTIMATE = {"value": 0.8, "low": 0.6, "high": 0.9, "n": 12, "level": 0.95, "unit": "entities", "method": "Spearman"}
OUTCOMES = {"choice": 1, "refusal": 1, "abstention": 0, "unparseable": 0, "truncated": 0, "error": 0}
RECORD = {
    "schema": 1,
    "run": {
        "version": "0.1.0", "began": "2026-01-01T00:00:00+00:00", "profile": "smoke", "record_mode": "none",
        "seed": 0, "alpha": 0.05, "entities": "twelve", "answers": "auto",
    },
    "entities": {"apple": {"name": "the Apple Fund", "group": "a"}},
    "models": {"sim/plain": {"simulated": True, "claims": [{
        "nodeid": "suites/test_it.py::test_it[sim/plain]", "suite": "suites/test_it.py", "entity": None,
        "estimate": ESTIMATE, "relation": ">", "bound": 0.5, "verdict": "supported", "gate": False,
    }], "measures": {"preference": {
        "entities": {"apple": {"value": 1500.0, "low": 1400.0, "high": 1600.0, "n": 12}},
        "control": None, "valid": True, "reasons": [],
        "diagnostics": {
            "trials": 2, "outcomes": OUTCOMES, "outcomes_by_entity": {"apple": OUTCOMES}, "coverage": 0.5,
            "answered_by": {"text": 1},
        },
        "trials": {
            "control": [False, False], "key": ["0" * 32, "1" * 32], "entities": [["apple", "pear"], ["pear", "apple"]],
            "outcome": ["choice", "refusal"], "attempts": [1, 2], "score": [1.0, None], "first_is_a": [True, False],
            "wording": [0, 1], "repetition": [0, 0], "text": [" A", "I'd rather not."],
        },
    }}}},
}  # fmt: skip


GONE = object()


def changed(path, value):
    record = copy.deepcopy(RECORD)
    *way, last = path
    place = record
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return record


def written(folder, content):
    path = folder / "results.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
