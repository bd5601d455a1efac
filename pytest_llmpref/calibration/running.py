"""Run the cells' studies over processes; each finished chunk is a line of a file, so that a killed run resumes."""

import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from multiprocessing import active_children, get_context
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np

from pytest_llmpref.calibration.findings import (
    CalibrationError,
    Sums,
    Tally,
    claim_kinds,
    count,
    scenarios,
    settled,
    stages,
)
from pytest_llmpref.experiments.behaviour import Behaviour, Scenario
from pytest_llmpref.experiments.registry import behaviours, register
from pytest_llmpref.files import PACKAGE

CHUNK = 25
"""Studies that one process runs at a stretch: some seconds' worth, which is what a killed run loses at most."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some studies of one cell: those with seeds from ``number * CHUNK`` on."""

    cell: str
    number: int
    studies: int


@dataclass(frozen=True, slots=True)
class Done:
    """A finished chunk: its tallies by kind of claim, and the CPU seconds that it took."""

    chunk: Chunk
    tallies: dict[str, Tally]
    seconds: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that was asked for.

    Attributes
    ----------
    tallies
        Cell -> kind of claim -> tally.
    studies
        The most studies of a cell that were asked for.
    taken
        Studies of each cell: fewer where all of its rows were settled before (`calibration.findings`), and more where
        an earlier run had done more.
    seed
        Random seed of them all.
    cpu_seconds
        Seconds of processor time that the studies took.
    wall_seconds, workers
        Seconds of each run that contributed, and how many processes it had.
    """

    tallies: dict[str, dict[str, Tally]]
    studies: int
    taken: Mapping[str, int]
    seed: int
    cpu_seconds: float
    wall_seconds: tuple[float, ...]
    workers: tuple[int, ...]


def calibrate(
    cells: Sequence[Scenario],
    *,
    studies: int,
    seed: int,
    workers: int,
    results: Path,
    on_done: Callable[[Chunk], None] = lambda _: None,
) -> Calibration:
    """Run what the results file lacks, and return the tallies of all: of each cell until its rows are settled.

    Studies beyond ``studies`` that the file holds of a cell that is not settled count too.

    Raises
    ------
    CalibrationError
        If the results file is not one, or holds results of other code, versions or seed.
    """
    began, journal = time.monotonic(), Journal(results, seed)
    tallies: dict[str, dict[str, Tally]] = {cell.name: {} for cell in cells}
    taken, going, ran = dict.fromkeys(tallies, 0), list(tallies), 0
    kinds = claim_kinds()
    for most in stages(studies):
        planned = [chunk for name in going for chunk in _chunks(name, taken[name], most)]
        missing = [chunk for chunk in planned if chunk not in journal.done]
        for chunk in planned:
            if chunk in journal.done:
                on_done(chunk)
        # Closed, so that the processes end with it, also where Ctrl-C comes between two chunks.
        with closing(_run(missing, seed, workers)) as finished:
            for done in finished:
                journal.add(done)
                on_done(done.chunk)
        ran += len(missing)
        if most == studies:
            planned += [chunk for name in going for chunk in _further(journal.done, name, most)]
        for chunk in planned:
            taken[chunk.cell] += chunk.studies
            of_cell = tallies[chunk.cell]
            for kind, tally in journal.done[chunk].tallies.items():
                of_cell[kind] = of_cell.get(kind, Tally()) + tally
        going = [name for name in going if not settled(tallies[name], kinds)]
    if ran:
        journal.add_run(time.monotonic() - began, workers)
    seconds = sum(done.seconds for chunk, done in journal.done.items() if _within(chunk, taken))
    walls, counts = zip(*journal.runs, strict=True) if journal.runs else ((), ())
    return Calibration(tallies, studies, taken, seed, seconds, tuple(walls), tuple(counts))


def _chunks(cell: str, taken: int, most: int) -> Iterator[Chunk]:
    """Yield the chunks of a cell from one number of studies to another."""
    for number in range(taken // CHUNK, -(-most // CHUNK)):
        yield Chunk(cell, number, min(CHUNK, most - number * CHUNK))


def _further(done: Mapping[Chunk, Done], cell: str, most: int) -> Iterator[Chunk]:
    """Yield the chunks of a cell beyond those asked for that an earlier run has done: none is thrown away."""
    number = -(-most // CHUNK)
    while most % CHUNK == 0 and (chunk := Chunk(cell, number, CHUNK)) in done:
        yield chunk
        number += 1


def _within(chunk: Chunk, taken: Mapping[str, int]) -> bool:
    return chunk.number * CHUNK + chunk.studies <= taken.get(chunk.cell, 0)


def run_chunk(chunk: Chunk, seed: int) -> Done:
    """Run a chunk's studies. Each study's seed is its own, whatever chunk or process it is run in."""
    began = time.process_time()
    study, tallies = scenarios()[chunk.cell].study, dict[str, Tally]()
    relations = {kind: about.relation for kind, about in claim_kinds().items()}
    for number in range(chunk.number * CHUNK, chunk.number * CHUNK + chunk.studies):
        rng = np.random.default_rng([seed, zlib.crc32(chunk.cell.encode()), number])
        count(study.findings(rng), relations, tallies)
    return Done(chunk, tallies, time.process_time() - began)


def _run(chunks: Sequence[Chunk], seed: int, workers: int) -> Generator[Done, None, None]:
    if workers == 1 or len(chunks) < 2:
        yield from (run_chunk(chunk, seed) for chunk in chunks)
        return
    # Processes share the cores; libraries' own threads would only get in their way. They read this when they start.
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (tuple(behaviours().values()),)) as pool:
            futures = [pool.submit(run_chunk, chunk, seed) for chunk in chunks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in active_children():
                    process.terminate()
                raise
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(found: Sequence[Behaviour]) -> None:
    """Begin a process: it knows the behaviours that its parent knows."""
    # Ctrl-C reaches every process of a terminal; a traceback from each would bury what the parent says.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    register(found)


class Journal:
    """The results file: a header, then a line for each finished chunk and each run."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self._header = path, {"calibration": 1, "seed": seed, "code": code_digest(), "versions": versions()}
        self.done: dict[Chunk, Done] = {}
        self.runs: list[tuple[float, int]] = []
        if path.exists() and path.stat().st_size:
            self._read()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(self._header)

    def add(self, done: Done) -> None:
        """Add a chunk."""
        self.done[done.chunk] = done
        self._write(asdict(done))

    def add_run(self, seconds: float, workers: int) -> None:
        """Add how long a run took."""
        self.runs.append((seconds, workers))
        self._write({"run": [seconds, workers]})

    def _write(self, record: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")

    def _read(self) -> None:
        text = self._path.read_text(encoding="utf-8")
        # A line without an end was cut off when the run was killed: its chunk is run again.
        whole = text[: text.rfind("\n") + 1]
        records = [self._parsed(number, line) for number, line in enumerate(whole.splitlines(), 1)]
        if not records or records[0] != self._header:
            raise CalibrationError(
                f"{self._path}: results of another seed, other code or other versions, not to be mixed with these; "
                "give another --results, or delete the file"
            )
        if whole != text:
            self._path.write_text(whole, encoding="utf-8", newline="\n")
        for number, record in enumerate(records[1:], 2):
            try:
                self._keep(record)
            except (KeyError, TypeError, ValueError) as error:
                raise CalibrationError(f"{self._path}, line {number}: not a chunk of results: {error!r}") from error

    def _parsed(self, number: int, line: str) -> Any:  # noqa: ANN401 - whatever the line holds
        try:
            return json.loads(line)
        except json.JSONDecodeError as error:
            raise CalibrationError(f"{self._path}, line {number}: not JSON: {error}") from error

    def _keep(self, record: dict[str, Any]) -> None:
        if "run" in record:
            seconds, workers = record["run"]
            self.runs.append((float(seconds), int(workers)))
            return
        tallies = {
            kind: Tally({name: Sums(**sums) for name, sums in tally["sums"].items()})
            for kind, tally in record["tallies"].items()
        }
        done = Done(Chunk(**record["chunk"]), tallies, float(record["seconds"]))
        self.done[done.chunk] = done


def versions() -> dict[str, str]:
    """Return the versions on which results depend."""
    return {"python": python_version()} | {name: version(name) for name in ("pytest-llmpref", "numpy", "scipy")}


def code_digest() -> str:
    """Return a hash of the code on which results depend, that of other packages' behaviours included."""
    folders = ("calibration", "claims", "experiments", "stats")
    files = [path for folder in folders for path in sorted((PACKAGE / folder).rglob("*.py"))]
    for behaviour in behaviours().values():
        module = sys.modules[type(behaviour).__module__]
        if module.__file__ and not (file := Path(module.__file__)).is_relative_to(PACKAGE):
            files += sorted(file.parent.rglob("*.py")) if module.__package__ else [file]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
