"""Runs are kept by date, and ``REPORT_DIR/latest`` holds the newest full one.

``latest`` is a folder of copies. Symbolic links would need rights on Windows, and links among reports are not followed.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmpref.claims.gates import GateState
from pytest_llmpref.config.options import DATED
from pytest_llmpref.files import explained, open_to_read, refuse_linked_folder, write_whole
from pytest_llmpref.plugin import gating
from pytest_llmpref.plugin.distribution import why_stopped

if TYPE_CHECKING:
    from pytest_llmpref.config.options import Settings

WRITTEN = ("results.json", "report.html", "summary.md")
"""What ``latest`` holds, too."""
CHOOSING = (
    "--deselect", "--last-failed", "--lf", "--stepwise", "--sw", "--stepwise-skip", "--sw-skip", "--stepwise-reset",
    "--sw-reset", "--ignore", "--ignore-glob",
)  # fmt: skip
"""Options of pytest that leave tests out, beside those that name a part."""


def part_of(session: pytest.Session, gate: GateState | None) -> str:
    """Say why a run has not run all the tests of the files that were named; empty of a full run.

    What the ini file's ``addopts`` leaves out does not count: it is the same in every run.

    Parameters
    ----------
    session
        The run, which has ended.
    gate
        The state of its gates.
    """
    if chosen := gating.chosen_by(session.config):
        return f"chosen by {chosen}"
    given = [str(word).partition("=")[0] for word in session.config.invocation_params.args]
    if chosen := next((flag for flag in CHOOSING if flag in given), ""):
        return f"chosen by {chosen}"
    if ended := why_stopped(session):
        return ended
    if session.exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        return "ended early"
    if gate is not None and any(absent.gate == gating.UNKNOWN for absent in gate.not_run):
        return "some tests could not be collected"
    return ""


def keep(settings: "Settings", part: str) -> tuple[Path, str]:
    """Copy a run to ``latest``, unless it is a part and a full run is there; and delete the oldest runs.

    Parameters
    ----------
    settings
        Of the run, which is written.
    part
        Why it is not a full run; empty if it is one.

    Returns
    -------
    folder
        Where the run's results are best looked up: in ``latest``, or else in its own folder.
    full
        When the full run began that ``latest`` keeps; empty if this run is there.

    Raises
    ------
    ResultsFileError
        If ``latest`` cannot be written.
    """
    _delete_oldest(settings.report_dir, settings.keep_runs)
    latest = settings.report_dir / "latest"
    if part and (full := _began_in_full(latest)):
        return settings.run_dir, full
    from pytest_llmpref.results.loading import ResultsFileError  # noqa: PLC0415 - for runs that measure

    try:
        refuse_linked_folder(latest)
        latest.mkdir(exist_ok=True)
        for name in WRITTEN:
            _copy(settings.run_dir / name, latest / name)
    except OSError as error:
        raise ResultsFileError(explained(error, "write", "make the folder writable or free disk space")) from None
    return latest, ""


def _copy(source: Path, target: Path) -> None:
    """Copy a file in one step; where there is none, leave no earlier one that could be taken for this run's."""
    try:
        with open_to_read(source) as file:
            content = file.read()
    except FileNotFoundError:
        target.unlink(missing_ok=True)
    else:
        write_whole(target, content, f"{target.name}.part")


def _began_in_full(latest: Path) -> str:
    """Return when the full run began whose results a folder holds; empty if it holds none."""
    import msgspec  # noqa: PLC0415 - for runs that measure

    from pytest_llmpref.results.schema import Kept  # noqa: PLC0415

    try:
        with open_to_read(latest / "results.json") as file:
            run = msgspec.json.decode(file.read(), type=Kept).run
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if run.part else run.began


def _delete_oldest(report_dir: Path, count: int) -> None:
    runs = [path for path in report_dir.iterdir() if DATED.fullmatch(path.name) and not path.is_symlink()]
    for path in sorted(runs)[:-count]:
        # What cannot be deleted, such as a file that is open on Windows, goes after a later run.
        with suppress(OSError):
            shutil.rmtree(path)
