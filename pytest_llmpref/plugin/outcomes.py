"""From the claims that a test made to the outcome that pytest reports."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.claims.claim import Claim, Ledger
from pytest_llmpref.claims.verdicts import COLOURS, LETTERS, Verdict, worst

if TYPE_CHECKING:
    from pytest_llmpref.results.parts import TestClaims


class NoClaimWarning(pytest.PytestWarning):
    """A test uses a measure and claims nothing, so it passes whatever was measured."""


@dataclass(slots=True)
class Measured:
    """A test that measures, while it runs: its claims, attempt by attempt.

    Attributes
    ----------
    ledger
        The claims of the present attempt.
    from_setup
        How many of them fixtures made.
    under_way
        Whether the test's body runs. A report that is made then is that of a subtest.
    told
        How many claims have been reported.
    attempts, reported
        How many attempts have begun, and how many of them the test's report knows.
    error
        What ended the body of the last attempt.
    """

    ledger: Ledger
    from_setup: int = 0
    under_way: bool = False
    told: int = 0
    attempts: int = 0
    reported: int = 0
    error: BaseException | None = None

    def restart(self) -> None:
        """Begin an attempt: the last one counts, and no other."""
        self.ledger.restart()
        self.from_setup = self.told = 0

    @contextmanager
    def body(self) -> Iterator[None]:
        """Run the test's body, which a plugin may do several times after one setup."""
        del self.ledger.entries[self.from_setup :]
        self.told, self.under_way = self.from_setup, True
        self.attempts, self.error = self.attempts + 1, None
        try:
            yield
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.under_way = False

    def claims(self) -> tuple[Sequence[Claim], Sequence[Claim]]:
        """Return the claims that the next report is about: as they were made, and each judged at its share."""
        made, judged = self.ledger.entries, self.ledger.settled()
        if not self.under_way:
            return made, judged
        since, self.told = self.told, len(made)
        return made[since:], judged[since:]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a verdict other than supported does to a test.

    Attributes
    ----------
    gate, exploratory
        The test's markers.
    strict
        Whether inconclusive and invalid claims fail as well.
    nature
        What every failure text says of the model, such as that it is simulated; empty for any other.
    """

    gate: bool
    exploratory: bool
    strict: bool
    nature: str

    def fail(self, verdict: Verdict) -> bool:
        """Return whether a test with this verdict fails."""
        if self.exploratory:
            return False
        return verdict is Verdict.REFUTED or ((self.gate or self.strict) and verdict is not Verdict.SUPPORTED)


def verdict_of(claims: Sequence[Claim]) -> Verdict:
    """Return the verdict of a test: the worst of its claims, so that no ``or`` or ``not`` can hide one."""
    return worst(claim.verdict for claim in claims)


@contextmanager
def without_traceback(call: "pytest.CallInfo[None]", measured: Measured) -> Iterator[None]:
    """Keep pytest from drawing the traceback of a claim that does not hold, which `settle` throws away.

    Drawing takes a millisecond for each such test: longer than all else that is done for it.
    """
    found, made = call.excinfo, measured.ledger.entries
    if found is None or call.when != "call" or measured.under_way or not made or _is_another(found.value, made[-1]):
        yield
        return
    try:
        pytest.fail("a claim does not hold", pytrace=False)
    except pytest.fail.Exception as failed:
        call.excinfo = pytest.ExceptionInfo.from_exception(failed)
    try:
        yield
    finally:
        call.excinfo = found


def settle(
    report: pytest.TestReport,
    error: BaseException | None,
    made: Sequence[Claim],
    judged: Sequence[Claim],
    rules: Rules,
) -> None:
    """Give a test's report the outcome of its claims.

    A refuted claim fails. An inconclusive or invalid one is reported and does not fail, unless the test is a gate or
    the run is strict. An exploratory claim never fails. A test that failed for another reason stays failed. A test
    that was skipped after its claims stays skipped, unless they fail.
    """
    if _failed_otherwise(report, error, made):
        _explain_negation(report, error, made)
        return
    verdict = verdict_of(judged)
    if isinstance(error, pytest.skip.Exception):
        if not rules.fail(verdict):
            return
        error = None
    report.llmpref_verdict = verdict.value  # type: ignore[attr-defined] # travels with the report, from workers too
    if verdict is Verdict.SUPPORTED:
        report.outcome, report.longrepr = "passed", None
        return
    text = _text(error, made, judged, rules)
    if rules.fail(verdict):
        report.outcome = "failed"
        report.longrepr = f"{text}\nGATE CLOSED" if rules.gate else text
    else:
        file, line, _ = report.location
        report.outcome, report.longrepr = "skipped", (file, (line or 0) + 1, text)


def settle_around(report: pytest.TestReport, made: Sequence[Claim], judged: Sequence[Claim], rules: Rules) -> None:
    """Fail a test by the claims that its fixtures made before or after it, where the report does not say so itself."""
    if report.failed or hasattr(report, "wasxfail") or not rules.fail(verdict_of(judged)):
        return
    text = _text(None, made, judged, rules)
    report.outcome, report.longrepr = "failed", f"{text}\nGATE CLOSED" if rules.gate else text


def settle_without_claim(report: pytest.TestReport, compared: Sequence[str]) -> None:
    """Fail a gate that passed, or was expected to fail, and claimed nothing: it tested nothing."""
    why = "an expected failure opens no gate" if hasattr(report, "wasxfail") else "the test made no claim"
    forgotten = [f"  {text} was compared, and not asserted" for text in dict.fromkeys(compared)]
    report.outcome = "failed"
    report.longrepr = "\n".join(
        [f"GATE CLOSED: {why}", *forgotten, "  to do: end the test in a claim: `assert estimate > threshold`"]
    )
    if hasattr(report, "wasxfail"):
        del report.wasxfail


def _failed_otherwise(report: pytest.TestReport, error: BaseException | None, made: Sequence[Claim]) -> bool:
    """Whether a test failed for another reason than its claims: an error, or another assertion, or a strict xfail."""
    if error is None:
        return bool(report.failed)
    if isinstance(error, pytest.skip.Exception):
        return False
    return _is_another(error, made[-1])


def _is_another(error: BaseException, last: Claim) -> bool:
    """Whether an error is not that of the last claim."""
    return not isinstance(error, AssertionError) or last.verdict is Verdict.SUPPORTED


def _explain_negation(report: pytest.TestReport, error: BaseException | None, made: Sequence[Claim]) -> None:
    if isinstance(error, AssertionError) and made[-1].verdict is Verdict.SUPPORTED and "assert not " in str(error):
        report.sections.append(
            (
                "llmpref",
                f"{made[-1]} is supported. {_NO_NEGATION}",
            )
        )


_NO_NEGATION = "A claim cannot be negated: write the opposite comparison, such as `assert estimate < threshold`."


def _text(error: BaseException | None, made: Sequence[Claim], judged: Sequence[Claim], rules: Rules) -> str:
    """Return the failure text: the user's own message, what was found, and how the claims were used."""
    parts = [_message_of(error)] if error is not None else []
    parts += [claim.explain() for claim in judged if claim.verdict is not Verdict.SUPPORTED]
    if error is None and any(claim.verdict is not Verdict.SUPPORTED for claim in made):
        parts.append(f"The test went on after a claim that is not supported. {_NO_NEGATION}")
    elif error is None:
        parts.append(f"Each of the test's {len(judged)} claims is judged at its share of the error rate.")
    text = "\n\n".join(filter(None, parts))
    # Below the claims, since pytest's list of failures shows the first line.
    return f"{text}\nof a {rules.nature}" if rules.nature else text


def _message_of(error: BaseException) -> str:
    """Return the message that the user gave an assertion, without what pytest adds to it."""
    text = str(error)
    return "" if text.startswith("assert ") else text.partition("\nassert ")[0]


def settle_exception(report: pytest.TestReport, call: "pytest.CallInfo[None]") -> None:
    """Make the exception of a call what the settled report says, for debuggers and for other plugins' reports.

    A claim that does not hold raises ``AssertionError``. Where that fails no test, it is a skip.
    """
    if call.excinfo is None or report.outcome == "failed":
        return
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    skipped = pytest.skip.Exception(text).with_traceback(call.excinfo.tb)
    call.excinfo = pytest.ExceptionInfo.from_exc_info((type(skipped), skipped, call.excinfo.tb))


def properties_of(made: "TestClaims") -> list[tuple[str, object]]:
    """Return the properties that JUnit's XML gets of a test's claims.

    They are named as in results.json: ``llmpref.value``; from the second claim of a test on, ``llmpref.2.value``.
    """
    found: list[tuple[str, object]] = []
    for number, claim in enumerate(made.claims, start=1):
        estimate = claim.estimate
        values: dict[str, object] = {
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "level": estimate.level,
            "n": estimate.n,
            "relation": claim.relation,
            "bound": claim.threshold,
            "verdict": claim.verdict.value,
            "gate": claim.gate,
            "family": claim.family,
            "model": made.model,
            "entity": claim.entity,
        }
        prefix = "llmpref" if number == 1 else f"llmpref.{number}"
        found += [(f"{prefix}.{name}", value) for name, value in values.items() if value is not None]
    return found


def status_of(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:  # noqa: ANN401 - any report
    """Return category, letter and word of a report whose test made claims; ``None`` for any other report.

    A test that passes or fails has pytest's own category, so that its closing line, ``-r`` and other plugins agree. One
    that decided nothing has that of its verdict.
    """
    name = getattr(report, "llmpref_verdict", None)
    # Any other outcome is that of a plugin which runs the test again.
    if name is None or report.when != "call" or report.outcome not in {"passed", "failed", "skipped"}:
        return None
    verdict = Verdict(name)
    category = report.outcome if report.outcome in {"passed", "failed"} else verdict.value
    return category, LETTERS[verdict], (verdict.value.upper(), COLOURS[verdict])
