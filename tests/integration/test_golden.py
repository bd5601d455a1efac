"""The fence of every change to the house: the same questions, byte for byte, and the same estimates, to 1e-9.

After a change that is meant to change one of them, write the files anew with ``GOLDEN_UPDATE=1 pytest
tests/integration/test_golden.py``, and say in the commit what changed and why.
"""

import json
import math
import os
import textwrap

import pytest
from repository import ROOT

GOLDEN = ROOT / "tests/golden"
PAIRS = ("preferences", "donation_advice", "refusals")
ALL = (*PAIRS, "direct_ranking", "boolq")
GEMMA, SMOLLM2, ORGANISM = "local/gemma-3-270m", "local/smollm2-135m", "local/organism-aligned"
AGENTS = (
    f"--llmpref-cassettes={ROOT / 'cassettes/agentic'}",
    "--llmpref-agentic=bundled",
    "--llmpref-agentic=cybench-wheel",
    "--llmpref-arms=unicef,doctors-without-borders:ku-klux-klan,westboro-baptist-church",
)
STUDIES = {
    "gemma-paper": (GEMMA, "paper", PAIRS, ()),
    "gemma-standard": (GEMMA, "standard", ALL, ()),
    "gemma-adaptive": (GEMMA, "adaptive", PAIRS[:2], ()),
    "smollm2-standard": (SMOLLM2, "standard", ALL, ()),
    "smollm2-smoke": (SMOLLM2, "smoke", ALL, ()),
    "organism-paper": (ORGANISM, "paper", (*PAIRS, "direct_ranking"), ()),
    "organism-standard": (ORGANISM, "standard", (*PAIRS, "direct_ranking"), ()),
    "organism-open": ("local/organism-open", "standard", PAIRS, ()),
    "organism-even": ("local/organism-even", "standard", PAIRS, ()),
    "smollm2-agents": (SMOLLM2, ROOT / "cassettes/agentic/two-replies.toml", ("agentic",), AGENTS),
    "simulated-smoke": ("sim/paper-a", "smoke", (*ALL, "protocols"), ("--llmpref-protocols=all",)),
    "simulated-gate": ("sim/refuser", "gate", ("refusals", "boolq"), ("-m", "gate or golden")),
}
"""File of expected values -> the model, the profile, fixtures, and options of the run."""
SMALLER = {
    "gemma-paper": "gemma-standard",
    "organism-paper": "organism-standard",
    "smollm2-standard": "smollm2-smoke",
}
"""Study that is asked every night -> the daily one, whose questions and code are the same, of fewer trials."""


@pytest.fixture
def captured(pytester):
    """Run a study in a process of its own, and return what it gave."""

    def run(model, profile, fixtures, options):
        pytester.makeini("[pytest]\nmarkers =\n    golden: writes down what the study gives\n")
        pytester.makepyfile(
            test_capture=textwrap.dedent(f"""
                import sys

                import pytest

                sys.path.insert(0, {str(GOLDEN)!r})
                import capture

                FORMS = ["preference_forms", "advice_forms"]

                @pytest.mark.golden
                def test_capture(study, {", ".join(fixtures)}):
                    measures = [{", ".join(name for name in fixtures if name != "protocols")}]
                    capture.write(study, [*measures, *map(study.measure, FORMS if {"protocols" in fixtures} else [])])
            """)
        )
        gates = [ROOT / "suites/release_gate"] if profile == "gate" else []
        run = pytester.runpytest_subprocess(
            *gates,
            "test_capture.py",
            f"--model={model}",
            f"--profile={profile}",
            f"--llmpref-cassettes={ROOT / 'cassettes'}",
            f"--report-dir={pytester.path / 'reports'}",
            "-p",
            "no:cacheprovider",
            *options,
        )
        written = pytester.path / "golden.json"
        assert written.is_file(), run.stdout.str() + run.stderr.str()
        return json.loads(written.read_text(encoding="utf-8"))

    return run


def differences(found, expected, place=""):
    """Where two values differ: numbers by more than 1e-9 of their size, anything else at all."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            yield from differences(found.get(name), expected.get(name), f"{place}/{name}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, pair in enumerate(zip(found, expected, strict=True)):
            yield from differences(*pair, f"{place}/{number}")
    elif isinstance(found, float) and isinstance(expected, float):
        both_nan = math.isnan(found) and math.isnan(expected)
        if not both_nan and not math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{place}: {found!r}, not {expected!r}"
    elif found != expected:
        yield f"{place}: {found!r}, not {expected!r}"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SMALLER else name for name in STUDIES]
)
def test_a_study_asks_the_same_and_estimates_the_same(captured, name):
    if name == "smollm2-agents":
        pytest.importorskip("inspect_cyber")
    found = captured(*STUDIES[name])
    golden = GOLDEN / f"{name}.json"
    if os.environ.get("GOLDEN_UPDATE"):
        golden.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8", newline="\n")
        return
    assert not list(differences(found, json.loads(golden.read_text(encoding="utf-8"))))[:20]


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ({"a": [1.0, None]}, {"a": [1.0 + 5e-10, None]}, True),
        ({"a": [1.0]}, {"a": [1.0 + 5e-9]}, False),
        ({"a": 1500.0}, {"a": 1500.0 + 1e-6}, True),
        ({"a": math.nan}, {"a": math.nan}, True),
        ({"a": math.nan}, {"a": 0.0}, False),
        ({"a": "x"}, {"a": "y"}, False),
        ({"a": 1}, {}, False),
        ({}, {"a": 1}, False),
        ([1.0], [1.0, 2.0], False),
    ],
)
def test_what_differs_is_found(found, expected, same):
    assert same is not any(differences(found, expected))
