"""Tests that were skipped since what they measure is not asked for, or not recorded: told on the last screen.

Gates are told there already, with the reason.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_llmpref.plugin.collection import is_ours
from pytest_llmpref.plugin.stash import OFF, UNASKED


def note_unasked(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put into the report of a skipped test of ours why it was skipped; workers of pytest-xdist hand it over."""
    gate = OFF in item.stash or item.get_closest_marker("gate") is not None
    if report.skipped and UNASKED in item.stash and is_ours(item) and not gate:
        vars(report)["llmpref_unasked"] = item.stash[UNASKED]


class Unasked:
    """The tests of a run that were skipped so, whichever worker had them."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}  # by node id

    def keep(self, report: Any) -> None:  # noqa: ANN401 - any test's report
        """Keep why a test was skipped; a new attempt forgets the one before."""
        if report.when == "setup":
            self._reasons.pop(report.nodeid, None)
        if why := getattr(report, "llmpref_unasked", ""):
            self._reasons[report.nodeid] = why

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def lines(self) -> Iterator[str]:
        """Yield how many tests of which files were not asked, for each reason."""
        from pytest_llmpref.report.wording import plural, wrapped  # noqa: PLC0415 - at the end of a run

        files: dict[str, dict[str, int]] = {}
        for nodeid, why in self._reasons.items():
            # The first line of a reason stands by itself.
            counts = files.setdefault(why.splitlines()[0].removesuffix(":"), {})
            name = nodeid.partition("::")[0].rpartition("/")[2]
            counts[name] = counts.get(name, 0) + 1
        for why, counts in files.items():
            yield from wrapped(
                f"NOT ASKED: {plural(sum(counts.values()), 'test')} of {', '.join(counts)} ({why})", then="  "
            )
