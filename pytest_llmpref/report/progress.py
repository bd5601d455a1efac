"""Shows how far the asking is: a live line in a terminal, a line now and then in a log."""

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tqdm import tqdm

from pytest_llmpref.models.chat import Reply

LOG_SECONDS = 10.0
"""Seconds between two lines where standard error is not a terminal."""


LIVE = "  {n_fmt} of {total_fmt} {bar:8} {rate_fmt}, {remaining} left{postfix}"
"""The line of a terminal, below its title: with four digits and what went wrong it keeps to 80 columns."""
LOGGED = "{desc}: {n}/{total}, {rate_fmt}, {remaining} left{postfix}\n"
PACE = re.compile(r",? ?\{rate_fmt\}, \{remaining\} left")
EARLY = 50
"""Trials before which the rate says nothing: the first question goes alone, and what asks it is still starting."""


def progress_bar(title: str, total: int, unit: str) -> "tqdm[Any]":
    """Return tqdm's bar on standard error: a title and one live line in a terminal, a line now and then in a log."""
    terminal = sys.stderr.isatty()
    seconds = 0.5 if terminal else LOG_SECONDS
    if terminal:
        tqdm.write(title, file=sys.stderr)
    return _Bar(
        total=total,
        desc=title,
        unit=unit,
        file=sys.stderr,
        dynamic_ncols=terminal,
        # A log has no width; tqdm would take that of COLUMNS.
        ncols=None if terminal else 1_000,
        mininterval=seconds,
        maxinterval=seconds,
        bar_format=LIVE if terminal else LOGGED,
        # Else tqdm's monitor shows a line, and the next trial another.
        miniters=1,
        leave=True,
    )


class _Bar(tqdm):  # type: ignore[misc] # tqdm has no types
    """tqdm's bar, without rate and time left until the rate says something."""

    @property
    def format_dict(self) -> Any:  # noqa: ANN401 - tqdm's
        """What a line is written from."""
        found = super().format_dict
        early = self.n < EARLY and found["bar_format"]
        return {**found, "bar_format": PACE.sub("", found["bar_format"])} if early else found


class AskingProgress:
    """Trials done, rate, time left, and refusals, errors and cost so far.

    Parameters
    ----------
    title
        Model and measure.
    total
        Trials to ask.
    uncaptured
        Returns a context in which standard error is really shown; entered until ``close``.
    """

    def __init__(self, title: str, total: int, uncaptured: Callable[[], AbstractContextManager[Any]]) -> None:
        self._shown = uncaptured()
        self._shown.__enter__()
        self._refusals = self._errors = self._unpriced = 0
        self._cost = 0.0
        self._bar = progress_bar(title, total, "")

    def __call__(self, reply: Reply, ended: bool, refused: bool) -> None:
        """Count one reply, and the trial if it ended with it."""
        self._refusals += refused
        self._errors += reply.finish == "error"
        self._unpriced += reply.cost is None and reply.finish != "error"
        self._cost += reply.cost or 0.0
        price = f"${self._cost:.2f}" + (f" + {self._unpriced} of unknown price" if self._unpriced else "")
        self._bar.set_postfix_str(f"{self._refusals} refused, {self._errors} failed, {price}", refresh=False)
        self._bar.update(int(ended))

    def tell(self, said: str) -> None:
        """Show what holds up the asking, in a line of its own."""
        self._bar.write(said, file=sys.stderr)

    def close(self) -> None:
        """Show the last state, and give standard error back."""
        self._bar.close()
        self._shown.__exit__(None, None, None)
