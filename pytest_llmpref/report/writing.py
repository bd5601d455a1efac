"""What people read, written beside results.json."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import NotAFileError, explained, write_whole
from pytest_llmpref.report.page import page
from pytest_llmpref.report.summary import summary
from pytest_llmpref.results.loading import Results

if TYPE_CHECKING:
    from collections.abc import Callable


class ReportError(LLMPrefError):
    """A report could not be drawn or written. results.json was written before, and has everything."""


def write_reports(results: Results, folder: Path) -> list[Path]:
    """Write ``report.html`` and ``summary.md``, and return their paths.

    Where one of them fails, the other is written still, and no earlier one is left to be taken for the new.

    Raises
    ------
    ReportError
        If one of them cannot be drawn or written; the message names the file and the reason.
    """
    drawn: dict[str, Callable[[Results], str]] = {"report.html": page, "summary.md": summary}
    problems = []
    for name, draw in drawn.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Names may hold half a surrogate pair, which UTF-8 cannot express.
            write_whole(folder / name, draw(results).encode("utf-8", "replace"), f"{name}.part")
        except OSError as error:
            # What fails while the report is drawn names no file.
            error.filename = error.filename or str(folder / name)
            problems.append(explained(error, "write", "make the folder writable or free disk space"))
            if not isinstance(error, NotAFileError):
                _leave_no_earlier(folder / name)
        except Exception as error:  # noqa: BLE001 - whatever fails here, the results are written, and it gets a name
            said = str(error) if isinstance(error, LLMPrefError) else f"{type(error).__name__}: {error}"
            problems.append(f"{folder / name}: cannot be drawn ({said})")
            _leave_no_earlier(folder / name)
    if problems:
        again = f"llmpref report {folder / 'results.json'}"
        raise ReportError("\n".join([*problems, f"results.json is complete; to draw its reports again: {again}"]))
    return [folder / name for name in drawn]


def _leave_no_earlier(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
