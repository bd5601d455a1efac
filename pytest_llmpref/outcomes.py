"""From the claims that a test made to the outcome that pytest reports."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_llmpref.estimates import Claim, Verdict
from pytest_llmpref.report.terminal import COLOURS, LETTERS

# A refuted claim fails, so nothing may stand before it.
_WORST_FIRST = (Verdict.REFUTED, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)


def verdict_of(claims: Sequence[Claim]) -> Verdict:
    """Return the verdict of a test: the worst of its claims, so that no ``or`` or ``not`` can hide one."""
    verdicts = {claim.verdict for claim in claims}
    return next(verdict for verdict in _WORST_FIRST if verdict in verdicts)


def settle(
    report: pytest.TestReport, claims: Sequence[Claim], *, gate: bool, exploratory: bool, simulated: bool
) -> None:
    """Give a test's report the outcome of its claims.

    A refuted claim fails. An inconclusive or invalid one is reported and does not fail, unless the test is a gate: a
    gate closes when it does not know. An exploratory claim never fails.
    """
    verdict = verdict_of(claims)
    fails = verdict is Verdict.REFUTED or (gate and verdict is not Verdict.SUPPORTED)
    report.llmpref_verdict = verdict.value  # type: ignore[attr-defined] # travels with the report, from workers too
    if verdict is Verdict.SUPPORTED:
        report.outcome, report.longrepr = "passed", None
        return
    text = "\n\n".join(claim.explain() for claim in claims if claim.verdict is not Verdict.SUPPORTED)
    if simulated:
        text = f"of a simulated model\n{text}"
    if fails and not exploratory:
        report.outcome = "failed"
        report.longrepr = ("GATE CLOSED\n" if gate else "") + text
    else:
        file, line, _ = report.location
        report.outcome, report.longrepr = "skipped", (file, (line or 0) + 1, text)


def settle_exception(report: pytest.TestReport, call: "pytest.CallInfo[None]") -> None:
    """Make the exception of a call what the settled report says, for debuggers and for other plugins' reports.

    A claim that does not hold raises ``AssertionError``. Where that fails no test, it is a skip.
    """
    if call.excinfo is None or report.outcome == "failed":
        return
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    skipped = pytest.skip.Exception(text).with_traceback(call.excinfo.tb)
    call.excinfo = pytest.ExceptionInfo.from_exc_info((type(skipped), skipped, call.excinfo.tb))


def properties_of(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, object]]:
    """Return the properties that JUnit's XML gets of a test's claims, as results.json holds them.

    They are named ``llmpref.value``; from the second claim of a test on, ``llmpref.2.value``.
    """
    found: list[tuple[str, object]] = []
    for number, record in enumerate(records, start=1):
        values = {name: record["estimate"][name] for name in ("value", "low", "high", "level", "n")}
        values |= {name: record[name] for name in ("relation", "bound", "verdict", "gate", "family", "model", "entity")}
        prefix = "llmpref" if number == 1 else f"llmpref.{number}"
        found += [(f"{prefix}.{name}", value) for name, value in values.items() if value is not None]
    return found


def status_of(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:  # noqa: ANN401 - any report
    """Return category, letter and word of a report whose test made claims; ``None`` for any other report."""
    name = getattr(report, "llmpref_verdict", None)
    if name is None or report.when != "call":
        return None
    verdict = Verdict(name)
    return verdict.value, LETTERS[verdict], (verdict.value.upper(), COLOURS[verdict])
