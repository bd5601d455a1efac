"""How long the report of five models at profile paper takes, beside plotly's page of the same charts' points.

Run it with a results file: ``pytest suites --model sim/paper-a ... --profile paper --record-mode new_episodes`` and
then ``python tests/benchmarks/bench_report.py reports/latest/results.json``. The target: 5 s, and 3 MB.
"""

import sys
import tempfile
import time
from pathlib import Path

from pytest_llmpref.report.loading import load_results
from pytest_llmpref.report.writing import write_reports


def ours(path: Path, folder: Path) -> tuple[float, int]:
    began = time.perf_counter()
    page, _ = write_reports(load_results(path), folder)
    return time.perf_counter() - began, page.stat().st_size


def plotly(path: Path, folder: Path) -> tuple[float, int] | None:
    """The scatters of each model by plotly's ``write_html``, its script inside; no transcripts, and no ladder."""
    try:
        from plotly.graph_objects import Figure, Scatter
    except ImportError:
        return None
    began = time.perf_counter()
    results = load_results(path)
    page = folder / "plotly.html"
    parts = []
    for model in results.models.values():
        preference = model.measures["preference"].entities
        for measure in model.measures.values():
            shared = [entity for entity in measure.entities if entity in preference]
            x, y = [preference[one].value for one in shared], [measure.entities[one].value for one in shared]
            figure = Figure(Scatter(x=x, y=y, mode="markers", text=shared))
            parts.append(figure.to_html(full_html=False, include_plotlyjs=not parts))
    page.write_text("\n".join(parts), encoding="utf-8")
    return time.perf_counter() - began, page.stat().st_size


def main() -> None:
    path = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(path, folder)  # the charting library's script is bundled once
        for title, found in (("report.html", ours(path, folder)), ("plotly", plotly(path, folder))):
            shown = "not installed" if found is None else f"{found[0]:.2f} s, {found[1] / 1e6:.2f} MB"
            print(f"{title:<12} {shown}")


if __name__ == "__main__":
    main()
