"""From a test that measures to its report: claims are collected at their family's level, and settle the outcome."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmpref.errors import LLMPrefError, first_line
from pytest_llmpref.plugin import collection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmpref.claims.claim import Claim
    from pytest_llmpref.plugin.outcomes import Measured, Rules
    from pytest_llmpref.plugin.run import Run
    from pytest_llmpref.study.records import ClaimingTest


class Settlement:
    """Settles the reports of tests that measure: outcome, text, properties. Heavy imports wait for the first."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    @contextmanager
    def measuring(self, item: pytest.Item) -> "Iterator[Measured]":
        """Collect the claims that a test makes, at the level of its family; a replay refuses every connection."""
        from pytest_llmpref.cassettes import refuse_sockets  # noqa: PLC0415 - see the class
        from pytest_llmpref.claims.claim import ledger  # noqa: PLC0415
        from pytest_llmpref.plugin.outcomes import Measured  # noqa: PLC0415
        from pytest_llmpref.secrets import scrub_log_records  # noqa: PLC0415

        exploratory = item.get_closest_marker("exploratory") is not None
        family_size = 1 if exploratory else self._run.family_size(item)
        alpha = collection.alpha_of(item, self._run.settings.alpha)
        with ExitStack() as stack:
            if self._run.settings.record_mode == "none":
                stack.enter_context(refuse_sockets())
            else:
                # In each worker, whichever of them asks.
                scrub_log_records()
            gate = item.get_closest_marker("gate") is not None
            measured = Measured(stack.enter_context(ledger(family_size, alpha, all_must_hold=gate)))
            yield measured
            # The traceback of what ended the test would keep its frames, and in them the study with all recordings.
            measured.error = None

    def warn_of_no_claim(self, item: pytest.Item, measured: "Measured") -> None:
        """Warn of a test that used a measure and claimed nothing. A snapshot is a claim of another kind."""
        names = set(getattr(item, "fixturenames", ()))
        if measured.ledger.entries or "ranking_snapshot" in names or not names.intersection(self._run.measured_by):
            return
        from pytest_llmpref.plugin.outcomes import NoClaimWarning  # noqa: PLC0415 - see the class

        item.warn(
            NoClaimWarning(
                f"{item.nodeid} uses a measure and makes no claim, so it passes whatever was measured: "
                "end it in `assert estimate > threshold`"
            )
        )

    def complete(
        self, item: pytest.Item, call: "pytest.CallInfo[None]", report: pytest.TestReport, measured: "Measured"
    ) -> None:
        """Give a test that measures its outcome, and attach its claims to the report."""
        error = None if call.excinfo is None else call.excinfo.value
        if isinstance(error, LLMPrefError):
            report.longrepr = f"{type(error).__name__}: {error}"
            if type(error).__name__ == "BudgetSpentError":
                # pytest repeats it below the error itself.
                item.session.shouldstop = first_line(error)
        self._scrub(report)
        if report.when != "call":
            self._complete_around(item, report, measured)
            return
        from pytest_llmpref.plugin.outcomes import settle, settle_exception, settle_without_claim  # noqa: PLC0415 - as above

        made, judged = measured.claims()
        test = collection.described(item, self._run.measured_by)
        if judged and not hasattr(report, "wasxfail"):
            settle(report, error, made, judged, self._rules(test))
            settle_exception(report, call)
        if not measured.under_way:
            measured.reported = measured.attempts
            if test.gate and (hasattr(report, "wasxfail") or (report.passed and not judged)):
                settle_without_claim(report, measured.ledger.compared)
            self._attach(item, report, judged, test)
            measured.told = len(made)

    def _complete_around(self, item: pytest.Item, report: pytest.TestReport, measured: "Measured") -> None:
        """Keep the claims of fixtures: of a setup after which the test does not run, and those made while tearing down.

        What they spoil fails the test: its own report is gone by then.
        """
        ends = report.when == "teardown" or not report.passed
        if not ends or len(measured.ledger.entries) == measured.told:
            return
        from pytest_llmpref.plugin.outcomes import settle_around  # noqa: PLC0415 - see the class

        made, judged = measured.claims()
        test = collection.described(item, self._run.measured_by)
        settle_around(report, made, judged, self._rules(test))
        self._attach(item, report, judged, test)
        measured.told = len(made)

    def complete_later_attempts(
        self, item: pytest.Item, call: "pytest.CallInfo[None]", report: pytest.TestReport, measured: "Measured"
    ) -> None:
        """Settle a report again where a plugin went on to further attempts while the report of the first was made."""
        if report.when != "call" or measured.under_way or measured.reported == measured.attempts:
            return
        vars(report).pop("llmpref_verdict", None)
        call.excinfo = None if measured.error is None else pytest.ExceptionInfo.from_exception(measured.error)
        self.complete(item, call, report, measured)

    def _rules(self, test: "ClaimingTest") -> "Rules":
        from pytest_llmpref.models.opening import nature_of  # noqa: PLC0415 - see the class
        from pytest_llmpref.plugin.outcomes import Rules  # noqa: PLC0415

        return Rules(
            gate=test.gate,
            exploratory=test.exploratory,
            strict=self._run.settings.strict,
            nature=nature_of(test.model),
        )

    def _attach(
        self, item: pytest.Item, report: pytest.TestReport, claims: "Sequence[Claim]", test: "ClaimingTest"
    ) -> None:
        """Attach a test's claims to its report, and to what JUnit's XML says of it."""
        from pytest_llmpref.plugin.distribution import attach_claims  # noqa: PLC0415 - see the class
        from pytest_llmpref.plugin.outcomes import properties_of  # noqa: PLC0415
        from pytest_llmpref.results.parts import TestClaims  # noqa: PLC0415
        from pytest_llmpref.study.records import claim_record  # noqa: PLC0415

        rules, expected = self._rules(test), hasattr(report, "wasxfail")
        told = replace(test, xfail=expected)
        records = [claim_record(claim, told, fails=rules.fail(claim.verdict) and not expected) for claim in claims]
        made = TestClaims(test.model, records)
        attach_claims(report, made)
        others = [pair for pair in item.user_properties if not pair[0].startswith("llmpref.")]
        item.user_properties[:] = [*others, *properties_of(made)]

    def _scrub(self, report: pytest.TestReport) -> None:
        """Take secrets out of the traceback and the captured output of a test, which JUnit's XML repeats."""
        if report.longrepr is not None and not isinstance(report.longrepr, tuple):
            shown = str(report.longrepr)
            if (scrubbed := self._run.secrets.scrub(shown)) != shown:
                report.longrepr = scrubbed
        report.sections = [(name, self._run.secrets.scrub(text)) for name, text in report.sections]
