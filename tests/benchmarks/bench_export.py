"""5,112 trials written for Inspect, beside Inspect's own writer.

``python tests/benchmarks/bench_export.py [TRIALS]``. The export is `log_of` and Inspect's writer together, and the peer
is that writer alone, given samples that are made already.
"""

import sys
import tempfile
import time
from pathlib import Path

from bench_import import imported, met
from inspect_ai.log import read_eval_log, write_eval_log

from pytest_llmpref import open_study
from pytest_llmpref.export.inspect_log import write_logs

COUNT, TIMES, ROUNDS = 5_112, 1.5, 5


def main(count: int = COUNT) -> None:
    """Print both, as the least CPU time of five rounds that take turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imported(folder, count, "few")
        with open_study("imported/few", cassettes=str(folder)) as study:
            assert len(study.preferences.trials) == count
            results = study.results().record
        ours, theirs = [], []
        for _ in range(ROUNDS):
            began = time.process_time()
            (path,) = write_logs(results, folder, {})
            ours.append(time.process_time() - began)
            log = read_eval_log(str(path))
            began = time.process_time()
            write_eval_log(log, str(folder / "again.eval"))
            theirs.append(time.process_time() - began)
        times = min(ours) / min(theirs)
    print(f"{count:,} trials to an Inspect log: {min(ours):.2f} s, Inspect's own writer {min(theirs):.2f} s")
    print(f"{times:.2f} times, target {TIMES:g}: {met(times <= TIMES)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
