"""Results in which all that has a name has a hostile one, and whether what was printed of them is safe."""

import re

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.results.schema import ClaimedEstimate, ClaimRecord, RunRecord, encoded
from pytest_llmpref.secrets import Secrets
from pytest_llmpref.study.records import results_record

_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def is_safe(printed: str) -> bool:
    """Whether no line of what was printed speaks to the terminal, to GitHub's runner, to Azure or to TeamCity."""
    lines = re.split(r"[\n\r\x85\u2028\u2029]", printed)
    commands = [line for line in lines if line.strip().startswith("::") or re.search(r"##(vso|teamcity)?\[", line)]
    return not commands and not _UNSAFE.search(printed)


def results(name: str, verdict: str) -> bytes:
    """A results file in which everything that can be named is named so."""
    low, high = {"supported": (0.6, 0.9), "refuted": (0.1, 0.4)}[verdict]
    estimate = ClaimedEstimate(value=(low + high) / 2, low=low, high=high, n=20)
    claims = [
        ClaimRecord(
            nodeid=f"suite.py::{what}", line=1, suite=name, entity=name, relation=">", threshold=0.5,
            estimate=estimate, verdict=Verdict(verdict), gate=True,
        )
        for what in (name, f"only{verdict}{name}")
    ]  # fmt: skip
    run = RunRecord(
        version=name, began=name, profile=name, record_mode="none", seed=0, alpha=0.05, entities=name, answers="auto"
    )
    measures = {name: {}, f"{verdict}{name}": {}}
    return encoded(results_record(run, {}, measures, {name: claims}, {}, Secrets([])))
