"""Calibration in several processes."""

from pytest_llmpref.calibration.findings import matching
from pytest_llmpref.calibration.rows import rows
from pytest_llmpref.calibration.running import calibrate

SMALL = "effort/main"
"""A study takes milliseconds, so that most of the work is to start the processes."""


def test_processes_give_the_results_of_one(tmp_path):
    alone, together = (
        calibrate(matching(SMALL), studies=26, seed=3, workers=workers, results=tmp_path / f"{workers}.jsonl")
        for workers in (1, 2)
    )
    one, two = ([(row.kind, row.coverage, row.verdicts) for row in rows(found)] for found in (alone, together))
    assert one
    assert str(one) == str(two)  # NaN is not equal to itself
