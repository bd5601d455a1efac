"""An import is streamed: a file four times as large takes no more memory."""

import json
import random
import subprocess
import sys

import pytest

IMPORT = """
import resource, sys
from pytest_llmpref.cli import main
assert main(["import", "choices", sys.argv[1], "--name", sys.argv[2], "--measure", "preference"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
FILLER = "The charity has a long record and clear accounts, and I weighed both with care. " * 20
MOST = 16_000_000
"""Bytes that the larger file may take more: both are far above it."""


def peak(folder, name, rows):
    rng, path = random.Random(0), folder / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            first, second = rng.sample(range(72), 2)
            row = {"first": f"Fund {first}", "second": f"Fund {second}", "chosen": rng.choice(["first", "second"])}
            file.write(json.dumps(row | {"reply": f"{FILLER}{number}"}) + "\n")
    command = [sys.executable, "-c", IMPORT, str(path), name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return path.stat().st_size, int(done.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_a_file_four_times_as_large_takes_no_more_memory(tmp_path):
    small, least = peak(tmp_path, "small", 15_000)
    large, most = peak(tmp_path, "large", 60_000)
    assert large - small > 4 * MOST
    assert most - least < MOST
