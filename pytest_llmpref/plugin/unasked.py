"""Tests that were skipped since what they measure is not asked for, or not recorded: told on the last screen.

Gates are told there already, with the reason.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_llmpref.experiments.registry import behaviours
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

    def lines(self, *, nothing_else: bool) -> Iterator[str]:
        """Yield how many tests of which files were not asked, for each reason.

        Parameters
        ----------
        nothing_else
            Whether the screen shows nothing else. If not, what no run asks without its option is left out: it is no
            news, and pytest's ``-rs`` lists it.
        """
        from pytest_llmpref.report.wording import plural, wrapped  # noqa: PLC0415 - at the end of a run

        usual = set() if nothing_else else _off_by_default()
        files: dict[str, dict[str, int]] = {}
        for nodeid, why in self._reasons.items():
            if why in usual:
                continue
            # The first line of a reason stands by itself.
            counts = files.setdefault(why.splitlines()[0].removesuffix(":"), {})
            name = nodeid.partition("::")[0].rpartition("/")[2]
            counts[name] = counts.get(name, 0) + 1
        for why, counts in files.items():
            yield from wrapped(
                f"NOT ASKED: {plural(sum(counts.values()), 'test')} of {', '.join(counts)} ({why})", then="  "
            )


def _off_by_default() -> set[str]:
    """Return why behaviours are off in a run that gives no option."""
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    from pytest_llmpref.config.options import default_settings  # noqa: PLC0415

    settings = default_settings(began=datetime.now(UTC))
    return {one.off(settings) for one in behaviours().values()}
