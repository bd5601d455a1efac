"""How long a simulated study at profile paper takes in one process, analysis included.

Run: ``python tests/benchmarks/bench_simulated.py``. The whole pytest process is timed, imports and results.json too.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_llmpref.files import data_folder

RUNS = 3
MODEL = "sim/paper-a"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        suites = data_folder("suites") / "replication"
        command = [sys.executable, "-m", "pytest", str(suites), "--model", MODEL, "--profile", "paper", "-q"]
        command += ["--rootdir", folder, "-c", str(Path(folder) / "pytest.ini"), "--report-dir", "reports"]
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        seconds = []
        for _ in range(RUNS):
            before = time.perf_counter()
            subprocess.run(command, cwd=folder, capture_output=True, check=False)
            seconds.append(time.perf_counter() - before)
        results = json.loads((Path(folder) / "reports/latest/results.json").read_text())
    measures = results["models"][MODEL]["measures"].values()
    trials = sum(len(measure["trials"]["key"]) for measure in measures)
    attempts = sum(measure["diagnostics"]["attempts"] for measure in measures)
    print(f"{MODEL} at profile paper: {trials:,} trials, {attempts:,} attempts")
    print(f"median of {RUNS}: {statistics.median(seconds):.1f} s (all: {', '.join(f'{s:.1f}' for s in seconds)})")


if __name__ == "__main__":
    main()
