"""50,000 choices imported: the whole of ``import_choices``, which reads CSV, checks and writes.

``python tests/benchmarks/bench_import.py``
"""

import csv
import random
import tempfile
import time
from pathlib import Path

from pytest_llmpref.imports.choices import import_choices
from pytest_llmpref.imports.intake import Wanted

COUNT, SECONDS = 50_000, 5.0


def main() -> None:
    """Print the CPU time."""
    with tempfile.TemporaryDirectory() as name:
        seconds = imported(Path(name), COUNT, "many")
    print(f"{COUNT:,} choices imported: {seconds:.2f} s; target {SECONDS:g} s: {met(seconds <= SECONDS)}")


def imported(folder: Path, count: int, name: str) -> float:
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


def met(target: bool) -> str:
    """Say whether a target is met."""
    return "met" if target else "MISSED"


if __name__ == "__main__":
    main()
