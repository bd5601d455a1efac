"""What benchmarks of a whole pytest process share: run it again and again, and say how long it took."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FINISHED = "results.json"
"""What a run that came to its end, and wrote its results, prints."""
# Without bytecode files every import is compiled anew, which no user's machine does.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Taken:
    """Seconds of wall time and of CPU, and the largest resident set in megabytes, of each run."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return (
            f"median {wall:.2f} s (min {min(self.wall):.2f}, max {max(self.wall):.2f}, {len(self.wall)} runs), "
            f"CPU {cpu:.2f} s (min {min(self.cpu):.2f}), {max(self.memory):.0f} MB"
        )

    def run(self, options: Sequence[str], *, says: str, checkout: Path = ROOT, folder: Path | None = None) -> None:
        """Run ``pytest`` once, and add what it took.

        Parameters
        ----------
        options
            Of pytest.
        says
            What a run that came to its end prints.
        checkout
            Where the package is imported from.
        folder
            Where pytest is started; in the checkout if left out.
        """
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        environment = ENVIRONMENT | {"PYTHONPATH": str(checkout)}
        began = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=folder or checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            said = run.stdout.read() if run.stdout else ""
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        if says not in said:
            raise RuntimeError(said)
        self.wall.append(time.perf_counter() - began)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.memory.append(usage.ru_maxrss / 1024)


def whole_runs(options: Sequence[str], runs: int, *, says: str) -> Taken:
    """Run ``pytest`` with these options so often, and once before, which fills the file cache."""
    Taken().run(options, says=says)
    taken = Taken()
    for _ in range(runs):
        taken.run(options, says=says)
    return taken
