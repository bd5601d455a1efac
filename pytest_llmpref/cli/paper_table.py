"""``llmpref paper-table``: the replication suite on five simulated models, beside what the paper reports."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pytest_llmpref.errors import LLMPrefError


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser("paper-table", help="measure five simulated models, and print the paper's table")
    command.add_argument("--profile", default="paper", help="how large each study is (default: paper)")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from pytest_llmpref.report.paper_table import MODELS, table_lines  # noqa: PLC0415 - for those who want the table
    from pytest_llmpref.resources import data_folder  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        # A run like any user's, in an empty folder: no ini file and no recording has a part in it.
        command = [sys.executable, "-m", "pytest", str(data_folder("suites") / "replication"), "-q"]
        command += ["--rootdir", folder, "-c", str(Path(folder) / "pytest.ini"), "-p", "no:cacheprovider"]
        command += ["--profile", options.profile, "--report-dir", "reports"]
        for name in MODELS:
            command += ["--model", f"sim/paper-{name}"]
        (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        print(f"measuring five simulated models at profile {options.profile} ...", file=sys.stderr, flush=True)
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603 - our own
        path = Path(folder) / "reports" / "latest" / "results.json"
        # 1: claims were refuted, which the table shows.
        if run.returncode > 1 or not path.is_file():
            raise LLMPrefError(
                f"the suites did not run:\n{(run.stderr or run.stdout).decode('utf-8', 'replace').strip()[-2000:]}"
            )
        results = load_results(path)
    print("\n".join(table_lines(results)))
