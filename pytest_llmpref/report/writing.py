"""What people read, written beside results.json."""

from pathlib import Path

from pytest_llmpref.files import explained, write_whole
from pytest_llmpref.report.loading import Results, ResultsFileError
from pytest_llmpref.report.page import page
from pytest_llmpref.report.summary import summary


def write_reports(results: Results, folder: Path) -> list[Path]:
    """Write ``report.html`` and ``summary.md``, and return their paths.

    Raises
    ------
    ResultsFileError
        If one cannot be written; it names the file.
    """
    texts = {folder / "report.html": page(results), folder / "summary.md": summary(results)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_whole(path, text.encode(), f"{path.name}.part")
    except OSError as error:
        fix = "make the folder writable or free disk space, and write it again with: llmpref report"
        raise ResultsFileError(explained(error, "write", fix)) from error
    return list(texts)
