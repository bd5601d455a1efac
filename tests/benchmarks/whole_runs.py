"""What benchmarks of a whole pytest process share: run it again and again, and say how long it took."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# Without bytecode files every import is compiled anew, which no user's machine does.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Taken:
    """Seconds of wall time and of CPU, and the largest resident set in megabytes, of each run."""

    wall: list[float]
    cpu: list[float]
    memory: list[float]

    def __str__(self) -> str:
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return (
            f"median {wall:.2f} s (min {min(self.wall):.2f}, max {max(self.wall):.2f}, {len(self.wall)} runs), "
            f"CPU {cpu:.2f} s, {max(self.memory):.0f} MB"
        )


def whole_runs(options: Sequence[str], runs: int, *, says: str) -> Taken:
    """Run ``pytest`` with these options so often, and once before, which fills the file cache.

    ``says`` is what a run that came to its end prints.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    taken = Taken([], [], [])
    for number in range(runs + 1):
        began = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            said = run.stdout.read() if run.stdout else ""
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        if says not in said:
            raise RuntimeError(said)
        if number:
            taken.wall.append(time.perf_counter() - began)
            taken.cpu.append(usage.ru_utime + usage.ru_stime)
            taken.memory.append(usage.ru_maxrss / 1024)
    return taken
