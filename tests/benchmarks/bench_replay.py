"""Replaying a whole study, beside vcrpy replaying a slice of the same recording in the same run.

``python tests/benchmarks/bench_replay.py`` replays the committed recording of Gemma 3 270M at profile paper: three
experiments and the analysis, as a whole process. The peer answers the first requests of the same recording through
plain vcrpy, from the YAML file that ``llmpref cassettes export`` writes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx
import vcr

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml

sys.path.insert(0, str(Path(__file__).parent))

from whole_runs import FINISHED, ROOT, whole_runs

MODEL = "local/gemma-3-270m"
SELECTED = "not boolq and not two_disliked"
"""As in the README's main command."""


def replay_with_vcrpy(calls: int, folder: Path) -> float:
    """Return seconds that vcrpy takes to answer the first ``calls`` requests of the recording."""
    cassette = Cassette.open(ROOT / "cassettes", MODEL)
    part = Cassette.open(folder, MODEL)
    lines = cassette.lines()[:calls]
    for line in lines:
        part.add(line)
    export_vcr_yaml(part, folder / "slice.yaml")
    exchanges = [line.exchange for line in lines]
    began = time.perf_counter()
    player = vcr.VCR(record_mode="none", match_on=["method", "uri", "body"])
    with player.use_cassette(str(folder / "slice.yaml")), httpx.Client() as client:
        for exchange in exchanges:
            assert exchange is not None
            client.post(
                exchange.request.uri,
                content=exchange.request.body.encode(),
                headers={"content-type": "application/json"},
            )
    return time.perf_counter() - began


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--vcrpy-calls", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suites = [str(ROOT / "suites/replication"), "--model", MODEL, "--profile", "paper", "-k", SELECTED]
        taken = whole_runs([*suites, "--report-dir", folder], options.runs, says=FINISHED)
        trials = 2 * 5112 + 10
        print(f"pytest suites/replication, {trials:,} trials with analysis, whole process: {taken}")
        peer = replay_with_vcrpy(options.vcrpy_calls, Path(folder))
        print(f"vcrpy, {options.vcrpy_calls:,} of these calls, no analysis: {peer:.2f} s")


if __name__ == "__main__":
    main()
