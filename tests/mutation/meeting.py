"""A plugin of pytest that has tests meet mutants, each in a copy of a process that has collected the tests already.

Mutmut starts pytest anew for each mutant, and the imports take most of its time. Here pytest collects once. A copy runs
every test, and tells which functions each one reaches; after that a copy for each mutant runs the tests that reach the
function mutated, the quickest first, until one fails. What a test file computes while it is imported meets no mutant,
so a mutant may survive that mutmut alone would kill, and never the other way round.
"""

import contextlib
import gc
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

MUTANT = "MUTANT_UNDER_TEST"
"""The variable by which mutmut's trampolines know what to call."""
FAIL = "fail"
"""The mutant of which every function raises: a run in which tests pass this tests nothing."""
_MEMORY = 6 * 2**30
"""Bytes of address space that a mutant gets."""
_GRACE = 5.0
"""Seconds of the processor that a mutant gets beside ten times what its tests take."""


def pytest_configure() -> None:
    """Have Hypothesis draw the same examples each time, however slow the machine: only a mutant is to fail a test."""
    import hypothesis

    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Meet the mutants of the file ``LLMPREF_MUTANTS``, and write there what came of each."""
    if session.testsfailed:
        raise session.Failed(f"{session.testsfailed} test files cannot be collected")
    place = Path(os.environ["LLMPREF_MUTANTS"])
    mutants = json.loads(place.read_text(encoding="utf-8"))
    # What all copies would do first, and no mutant changes.
    exec(os.environ.get("LLMPREF_WARM", ""), {})
    gc.collect()
    gc.freeze()  # Copies share what nobody counts.
    reached, seconds = _reached(session, place.with_suffix(".reached"))
    if not session.items or _wait([_copied(session, FAIL, session.items, 60)])[0] == "survived":
        raise session.Failed("no test fails of functions that raise: the copies do not run the mutated package")
    found = {}
    workers = int(os.environ.get("LLMPREF_MUTATION_WORKERS", "2"))
    for begin in range(0, len(mutants), workers):
        batch = mutants[begin : begin + workers]
        processes = []
        for name in batch:
            own = sorted(reached.get(name.rpartition("__mutmut_")[0], ()), key=lambda item: seconds[item.nodeid])
            limit = math.ceil(10 * sum(seconds[item.nodeid] for item in own) + _GRACE)
            processes.append(_copied(session, name, own, limit) if own else None)
        found |= dict(zip(batch, _wait(processes), strict=True))
    place.write_text(json.dumps(found), encoding="utf-8")
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """End a copy at the first test that fails, before pytest draws the traceback, which takes longer than the test."""
    if call.excinfo is None or os.environ.get(MUTANT, "stats") == "stats" or item.get_closest_marker("xfail"):
        return
    if not isinstance(call.excinfo.value, pytest.skip.Exception):
        os._exit(1)


def _reached(session: pytest.Session, place: Path) -> tuple[dict[str, list[pytest.Item]], dict[str, float]]:
    """Run every test unchanged; return function -> the tests that reach it, and test -> seconds of the processor."""

    def tell() -> None:
        from mutmut.state import state

        told = []
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            state()._stats.clear()
            begin = time.process_time()
            _run(item, following)
            told.append((item.nodeid, time.process_time() - begin, sorted(state()._stats)))
            if session.testsfailed:
                place.write_text(json.dumps(item.nodeid), encoding="utf-8")
                os._exit(1)
        place.write_text(json.dumps(told), encoding="utf-8")

    process = _copy("stats", tell)
    if os.waitpid(process, 0)[1]:
        raise session.Failed(f"this test fails of the package as it is: {place.read_text(encoding='utf-8')}")
    items = {item.nodeid: item for item in session.items}
    reached: dict[str, list[pytest.Item]] = {}
    seconds = {}
    for nodeid, took, functions in json.loads(place.read_text(encoding="utf-8")):
        seconds[nodeid] = took
        for function in functions:
            reached.setdefault(function, []).append(items[nodeid])
    return reached, seconds


def _copied(session: pytest.Session, mutant: str, items: Sequence[pytest.Item], limit: int) -> int:
    """Start a copy in which tests meet a mutant, and return its process."""

    def meet() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
        for item, following in zip(items, [*items[1:], None], strict=True):
            _run(item, following)
            if session.testsfailed:
                os._exit(1)

    return _copy(mutant, meet)


def _run(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _copy(mutant: str, work: Callable[[], None]) -> int:
    """Return the process of a copy that does the work."""
    if process := os.fork():
        return process
    status = 1
    with contextlib.suppress(BaseException):
        os.environ[MUTANT] = mutant
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.__stdout__.fileno())
        os.dup2(nowhere, sys.__stderr__.fileno())
        work()
        status = 0
    os._exit(status)


def _wait(processes: Sequence[int | None]) -> list[str]:
    """Return what came of mutants: a test fails, or none does, or the copy was ended; or no test reaches it."""
    found = []
    for process in processes:
        if process is None:
            found.append("no test")
            continue
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        found.append("survived" if code == 0 else "killed" if code > 0 else "ended")
    return found
