"""What people read, written beside results.json."""

from pathlib import Path

from pytest_llmpref.report.loading import Results
from pytest_llmpref.report.page import write_page
from pytest_llmpref.report.summary import summary


def write_reports(results: Results, folder: Path) -> list[Path]:
    """Write ``report.html`` and ``summary.md``, and return their paths."""
    page, text = folder / "report.html", folder / "summary.md"
    write_page(results, page)
    draft = text.with_suffix(".md.part")
    draft.write_text(summary(results), encoding="utf-8")
    draft.replace(text)
    return [page, text]
