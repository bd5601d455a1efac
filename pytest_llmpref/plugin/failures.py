"""pytest's list of failures, where one test fails for many entities: the first few whole, the others in brief."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

WHOLE = 3
"""How many failures of one test function are shown whole."""
_ROWS = ("  value ", "  interval ")
"""The rows of a claim's text that are shown in brief; the others are alike for many entities."""


@contextmanager
def in_brief(reporter: Any) -> Iterator[None]:  # noqa: ANN401 - pytest's terminal reporter is private
    """Show at most `WHOLE` failures of each test function whole, unless the run is verbose.

    Only what the terminal shows is shortened: JUnit's XML and other plugins' reports have been written from the whole
    texts, and the reports have them again afterwards.

    Parameters
    ----------
    reporter
        pytest's terminal reporter, whose list of failures is drawn meanwhile.
    """
    whole = {report: report.longrepr for report in _others(reporter) if reporter.verbosity <= 0}
    for report, text in whole.items():
        report.longrepr = f"{_brief(str(text))}\n(-v shows the whole text of all)"
    try:
        yield
    finally:
        for report, text in whole.items():
            report.longrepr = text


def _others(reporter: Any) -> Iterator[pytest.TestReport]:  # noqa: ANN401 - as above
    """Yield the failed reports of claims beyond the first few of each test function."""
    seen: dict[str, int] = defaultdict(int)
    for report in reporter.stats.get("failed", ()):
        if not hasattr(report, "llmpref_verdict") or not isinstance(report.longrepr, str):
            continue
        function = report.nodeid.partition("[")[0]
        seen[function] += 1
        if seen[function] > WHOLE:
            yield report


def _brief(text: str) -> str:
    """Return the claim, its value and its interval, and what stands below: the model's nature, a closed gate."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("  ") or line.startswith(_ROWS))
