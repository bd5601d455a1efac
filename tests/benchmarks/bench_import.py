"""50,000 choices imported, and as many trials written for Inspect beside Inspect's own writer.

``python tests/benchmarks/bench_import.py [TRIALS]``. The import is the whole of ``import_choices``: reading CSV,
checking, writing. The export is `log_of` and Inspect's writer together, and the peer is that writer alone, given
samples that are made already.
"""

import csv
import random
import sys
import tempfile
import time
from pathlib import Path

from inspect_ai.log import read_eval_log, write_eval_log

from pytest_llmpref import open_study
from pytest_llmpref.export.inspect_log import write_logs
from pytest_llmpref.imports.choices import import_choices
from pytest_llmpref.imports.intake import Wanted
from pytest_llmpref.results.schema import EntityRecord, ModelRecord, Results, RunRecord
from pytest_llmpref.study.records import measure_record

IMPORTED, EXPORTED, SECONDS, TIMES = 50_000, 5_112, 5.0, 1.5


def main(exported: int = EXPORTED) -> None:
    """Print both figures, as CPU time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = _imported(folder, IMPORTED, "many")
        print(f"{IMPORTED:,} choices imported: {seconds:.2f} s; target {SECONDS:g} s: {_met(seconds <= SECONDS)}")
        _imported(folder, exported, "few")
        with open_study("imported/few", cassettes=str(folder)) as study:
            record = measure_record(study.preferences)
        run = RunRecord(
            version="0", began="2026-01-01T00:00:00+00:00", profile="p", record_mode="none", seed=0, alpha=0.05,
            entities="e", answers="auto",
        )  # fmt: skip
        model = ModelRecord(simulated=False, measures={"preference": record}, claims=[])
        entities = {id_: EntityRecord(name=id_, group="all") for id_ in record.entities}
        results = Results(schema=1, run=run, entities=entities, models={"imported/few": model})
        began = time.process_time()
        (path,) = write_logs(results, folder, {})
        ours = time.process_time() - began
        log = read_eval_log(str(path))
        began = time.process_time()
        write_eval_log(log, str(folder / "again.eval"))
        theirs = time.process_time() - began
        times = ours / theirs
        print(f"{exported:,} trials to an Inspect log: {ours:.2f} s, its own writer {theirs:.2f} s, {times:.2f} times")
        print(f"target {TIMES:g} times: {_met(times <= TIMES)}")


def _imported(folder: Path, count: int, name: str) -> float:
    """Import so many choices about 72 entities, and return the CPU time that it took."""
    rng, path = random.Random(0), folder / f"{name}.csv"
    pairs = [(i, j) for i in range(72) for j in range(72) if i != j]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["first", "second", "chosen", "label", "wording"])
        for number in range(count):
            i, j = pairs[number % len(pairs)]
            side = "first" if rng.random() < 0.5 + 0.006 * (i - j) else "second"
            writer.writerow([f"Fund {i}", f"Fund {j}", side, rng.choice("AB"), f"w{number % 4}"])
    began = time.process_time()
    import_choices(path, Wanted(folder=folder, name=name, measure="preference"), ["preference"])
    return time.process_time() - began


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
