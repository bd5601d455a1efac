"""How long report, diff and plan take, whole processes, five simulated models at profile paper; beside each its peer.

The targets: 5 s and 3 MB for the report, 2 s for the comparison, 1 s for the plan. ``--results FILE`` takes a
results.json that is there already, instead of running the suites first, which takes a minute.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODELS = [f"sim/paper-{letter}" for letter in "abcde"]
RUNS = 5
# Without bytecode files every import is compiled anew, which no user's machine does.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # litellm would look for its price list in the network
LLMPREF = "from pytest_llmpref.cli import run; run()"
PLAN = ("plan", "--profile", "paper", "--model")


def measured(folder: Path) -> Path:
    """Run the replication suite on the five models, and return its results.json."""
    named = [f"--model={model}" for model in MODELS]
    where = [f"--rootdir={folder}", "--report-dir=reports", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", ROOT / "suites/replication", *named, "--profile=paper", *where]
    subprocess.run([str(part) for part in command], cwd=folder, env=ENVIRONMENT, capture_output=True, check=False)
    return folder / "reports/latest/results.json"


def timed(folder: Path, *arguments: object) -> tuple[float, float]:
    """Return seconds of wall and of processor that a Python process takes: the medians of several."""
    found = []
    for _ in range(RUNS):
        began, before = time.perf_counter(), os.times()
        command = [sys.executable, "-c", *map(str, arguments)]
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=False)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        found.append((time.perf_counter() - began, used))
    return statistics.median(wall for wall, _ in found), statistics.median(used for _, used in found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args().results
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new = given.resolve() if given else measured(folder)
        old, load = folder / "old.json", "import json, sys; [json.load(open(name)) for name in sys.argv[1:]]"
        old.write_bytes(new.read_bytes())
        timed(folder, LLMPREF, "report", new, "--output", folder)  # the charting library's script is bundled once
        rows = [
            ("report of five models", timed(folder, LLMPREF, "report", new, "--output", folder)),
            ("  peer: json.load of its file", timed(folder, load, new)),
            ("diff of five models", timed(folder, LLMPREF, "diff", old, new)),
            ("  peer: json.load of its files", timed(folder, load, old, new)),
            ("plan of a model that is not recorded", timed(folder, LLMPREF, *PLAN, "openai/gpt-4.1-nano")),
            ("plan of a recorded model", timed(ROOT, LLMPREF, *PLAN, "local/gemma-3-270m")),
            ("  peer: import litellm", timed(folder, "import litellm")),
        ]
        for title, (wall, used) in rows:
            print(f"{title:<40}{wall:>7.2f} s wall{used:>7.2f} s of processor")
        print(f"report.html: {(folder / 'report.html').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
