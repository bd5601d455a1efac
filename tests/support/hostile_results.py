"""Results whose names and replies try to break out of the report."""

import copy

import msgspec
from results_record import OUTCOMES, RECORD

from pytest_llmpref.comparison.comparing import compare_results
from pytest_llmpref.results.loading import parse_results

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "{{ 7 * 7 }} {% raw %}",
    "\"'><img src=x onerror=window.hacked=3>",
    "\u202eevil\u2066 RTL \u05d0\u05d1",
    "x" * 100_000,
    "javascript:window.hacked=4",
    "<!-- ]]> &lt;b&gt;",
    "datum.entity || window.alert(1)",
    "@trials@ ${window.hacked=5}",
    "\u0000 \u0007 control",
    "the Apple Fund",
]


ENTITIES = {f"e{n}": {"name": name, "group": "ab"[n % 2] + "<i>"} for n, name in enumerate(HOSTILE)}
REPLIES = [" A", "I refuse: <b>bold</b> </td><script>window.hacked = 6</script>", "needle in a haystack"]


def measured(shift, unit):
    pairs = [[f"e{a}", f"e{b}"] for a in range(12) for b in range(12) if a != b]
    outcomes = ["choice", "refusal", "unparseable"]
    return {
        "entities": {
            f"e{n}": {"value": unit * (n + shift), "low": unit * (n - 1), "high": unit * (n + 2), "n": 22}
            for n in range(12)
        },
        "control": {"value": 3 * unit, "low": 0.0, "high": 5 * unit, "n": 10}, "valid": True, "reasons": [],
        "diagnostics": {
            "trials": len(pairs), "outcomes": OUTCOMES, "outcomes_by_entity": {"e0": OUTCOMES}, "coverage": 0.9,
            "answered_by": {"text": 1}, "position_bias": {"value": 0.6, "low": 0.5, "high": 0.7, "n": 9},
            "reliability": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 12}, "cost": 1.5, "unpriced": 3,
        },
        "trials": {
            "control": [False] * len(pairs), "key": [f"{n:032x}" for n in range(len(pairs))], "entities": pairs,
            "outcome": [outcomes[n % 3] for n in range(len(pairs))], "attempts": [1] * len(pairs),
            "score": [1.0 if n % 3 == 0 else None for n in range(len(pairs))], "first_is_a": [True] * len(pairs),
            "wording": [0] * len(pairs), "repetition": [0] * len(pairs),
            "text": [REPLIES[n % 3] for n in range(len(pairs))],
        },
    }  # fmt: skip


def hostile_record():
    record = copy.deepcopy(RECORD)
    record["entities"] = ENTITIES
    whole, each = record["models"]["sim/plain"]["claims"][0], []
    whole |= {"measures": ["preference", "donation_advice"], "says": HOSTILE[0], "explanation": HOSTILE[1], "line": 3}
    whole["estimate"] = whole["estimate"] | {"label": f"rho({HOSTILE[3]}, {HOSTILE[4]})"}
    whole["missing"] = {"low": 0.31, "high": 0.87}
    for n in range(12):
        one = copy.deepcopy(whole) | {"nodeid": f"suites/test_it.py::test_each[e{n}]", "entity": f"e{n}", "gate": True}
        each.append(one | ({"verdict": "inconclusive", "bound": 0.7} if n % 4 == 0 else {}))
    model = {
        "simulated": False, "claims": [whole, *each],
        "measures": {
            "preference": measured(0, 50.0), "donation_advice": measured(0.3, 40.0), "refusal": measured(0.1, 0.01),
        },
    }  # fmt: skip
    model["measures"]["refusal"]["diagnostics"]["refusals"] = [
        {"key": f"{900 + n:032x}", "entities": [f"e{n}", f"e{n + 1}"], "reason": "policy", "text": REPLIES[1]}
        for n in range(6)
    ]
    record["models"] = {"sim/<b>evil</b>": model | {"simulated": True}, "maker/two": copy.deepcopy(model)}
    return record


def compared_record():
    """The hostile record beside an earlier one, in which one entity was liked less, and a claim was supported."""
    record, old = hostile_record(), hostile_record()
    old["entities"] = record["entities"]
    earlier = old["models"]["maker/two"]
    for name in ("value", "low", "high"):
        earlier["measures"]["preference"]["entities"]["e0"][name] -= 400.0
    earlier["claims"][1] |= {"verdict": "supported", "bound": 0.5}
    del earlier["measures"]["refusal"], old["models"]["sim/<b>evil</b>"]
    comparison = compare_results(parse_results(old, "old"), parse_results(record, "new"))
    return record | {"comparison": msgspec.to_builtins(comparison)}
