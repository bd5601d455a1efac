"""Two checkouts beside each other, as whole processes that take turns: so that other jobs slow down both alike.

``python tests/benchmarks/bench_whole_process.py --before PATH --after PATH`` measures

- the replay of 10,234 trials of Gemma (that of ``bench_replay.py``),
- the replay of 40,250 trials of a simulated model, all experiments (that of ``bench_scale.py``, recorded once, with the
  package that runs this file),
- the start of a run that does not use the plugin, with it and with ``-p no:llmpref``.

The environment needs what both checkouts need; each is imported from its own folder. CPU, user and system, says more
than the clock where other jobs run, and the least of several runs more than their median.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench_scale import model_names, record, write_inputs
from whole_runs import ENVIRONMENT, FINISHED, ROOT, Taken

QUIET = ["-p", "no:hypothesispytest"]
"""Plugins of the development environment: this one imports its library at the end of every run."""
STARTS = 4
"""Starts are short, so there are so many times as many."""


def check_checkout(path: Path) -> Path:
    """Return the folder of a checkout, from which the package is really imported."""
    path = path.resolve()
    program = "import pytest_llmpref; print(pytest_llmpref.__file__)"
    environment = ENVIRONMENT | {"PYTHONPATH": str(path)}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    if not Path(found.strip()).is_relative_to(path):
        raise SystemExit(f"{path}: the package is imported from {found.strip()}; name the folder of a checkout")
    return path


def in_turn(
    checkouts: Mapping[str, Path], options: Sequence[str], runs: int, *, says: str, folder: Path | None = None
) -> dict[str, Taken]:
    """Run pytest in each checkout by turns, once before for the file cache."""
    taken = {name: Taken() for name in checkouts}
    for number in range(runs + 1):
        for name, checkout in checkouts.items():
            (taken[name] if number else Taken()).run(options, says=says, checkout=checkout, folder=folder)
    return taken


def show(what: str, taken: Mapping[str, Taken]) -> None:
    """Print the figures of one run in each checkout, and how they compare."""
    print(what)
    for name, found in taken.items():
        print(f"  {name:<7}{found}")
    before, after = taken["before"], taken["after"]
    turns = [new / old for old, new in zip(before.cpu, after.cpu, strict=True)]
    least = min(after.cpu) / min(before.cpu)
    print(f"  after takes {least:.2f} times the least CPU; by turns, median {statistics.median(turns):.2f}", flush=True)


def replay(checkouts: Mapping[str, Path], runs: int, folder: Path) -> None:
    """Replay both studies."""
    options = ["suites/replication", *QUIET, f"--report-dir={folder / 'reports'}"]
    gemma = ["--model=local/gemma-3-270m", "--profile=paper", "-k", "not boolq and not two_disliked"]
    taken = in_turn(checkouts, [*options, *gemma], runs, says=FINISHED)
    show(f"replay of {trials(folder):,} trials of Gemma", taken)
    (name,) = model_names(1, ["paper-a"])
    simulated = [f"--model={name}", f"--profile={folder / 'twice.toml'}", f"--llmpref-boolq={folder / 'items.jsonl'}"]
    simulated += [f"--llmpref-cassettes={folder / 'cassettes'}", "--record-mode=none"]
    if not (folder / "cassettes").exists():
        write_inputs(folder)
        # In a process of its own: those that this one starts begin as large as it is.
        with ProcessPoolExecutor(1) as process:
            process.submit(record, name, folder).result()
    taken = in_turn(checkouts, [*options, "suites/release_gate", *simulated], runs, says=FINISHED)
    show(f"replay of {trials(folder):,} trials, simulated", taken)


def trials(folder: Path) -> int:
    """Return how many trials the last run replayed."""
    models = json.loads((folder / "reports/latest/results.json").read_text())["models"].values()
    return sum(len(measure["trials"]["key"]) for model in models for measure in model["measures"].values())


def start(checkouts: Mapping[str, Path], runs: int, folder: Path) -> None:
    """Start a run that does not use the plugin."""
    unrelated = folder / "unrelated"
    unrelated.mkdir(exist_ok=True)
    (unrelated / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    for what, options in (("with the plugin", []), ("with -p no:llmpref", ["-p", "no:llmpref"])):
        taken = in_turn(checkouts, [*QUIET, *options], STARTS * runs, says="1 passed", folder=unrelated)
        show(f"start of an unrelated run, {what}", taken)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="a checkout")
    parser.add_argument("--after", type=Path, default=ROOT, help="another, this one if left out")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the recording is kept, to be used again")
    options = parser.parse_args()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = ENVIRONMENT["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    checkouts = {"before": check_checkout(options.before), "after": check_checkout(options.after)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        replay(checkouts, options.runs, folder)
        start(checkouts, options.runs, folder)


if __name__ == "__main__":
    main()
