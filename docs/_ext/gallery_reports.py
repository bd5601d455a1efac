"""Write the gallery's reports: whole runs, replayed or simulated while the site is built, and never committed."""

import shlex
import shutil
import tempfile
from pathlib import Path

from runs import run

REPORTS = {
    "organism-aligned": (
        'suites/replication --model local/organism-aligned --profile paper -k "not boolq"',
        "A trained network. It shows the paper's pattern, and one claim is undecided.",
    ),
    "paper-a": ("suites --model sim/paper-a --profile paper", "Simulated: it shows the pattern, and a gate is closed."),
    "gemma-3-270m": (
        'suites/replication --model local/gemma-3-270m -k "not boolq"',
        "A base model whose preferences reverse with the labels, so the claims about them are invalid.",
    ),
    "sandbagger": (
        "suites/release_gate --model sim/sandbagger --profile paper",
        "Simulated: it works less hard for those that it dislikes.",
    ),
}
"""Name of a report -> what pytest is given, and what the report shows."""
PART = """`{name}`
: {shows} <a href="../reports/{name}.html">Open the report</a>.

  `pytest {arguments}`
"""


def setup(app: object) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", lambda app, _config: listed(Path(app.srcdir, "gallery/_generated")))  # type: ignore[attr-defined]
    app.connect("build-finished", written)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}


def listed(folder: Path) -> None:
    """Write the list that the page includes."""
    folder.mkdir(exist_ok=True)
    parts = [PART.format(name=name, shows=shows, arguments=words) for name, (words, shows) in REPORTS.items()]
    text = "\n".join(parts)
    if not (path := folder / "reports.md").exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def written(app: object, failed: Exception | None) -> None:
    """Run each study, and put its report beside the pages."""
    if failed or app.builder.name != "html":  # type: ignore[attr-defined]
        return
    target = Path(app.outdir, "reports")  # type: ignore[attr-defined]
    target.mkdir(exist_ok=True)
    for name, (words, _shows) in REPORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder, name), shlex.split(words))
            shutil.copy(Path(folder, name, "reports/latest/report.html"), target / f"{name}.html")
