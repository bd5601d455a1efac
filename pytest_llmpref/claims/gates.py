"""Whether the release gate is open: which gates were collected, which ran, and which did not, with the reason.

A gate is one test function about one model, with all its tests where there is one for each entity. The denominator is
what was collected, so that a gate which was skipped, deselected or lost with its worker is missed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["open", "closed", "incomplete", "not run"]
Ended = Literal["supported", "failed", "not run"]
"""How a test of a gate ended: its claims are supported; one is not, or the test failed; it made no claim at all."""
WORST_FIRST: tuple[State, ...] = ("closed", "incomplete", "not run", "open")
NEVER_REACHED = "the run ended before it"


@dataclass(frozen=True, slots=True)
class AbsentGate:
    """A gate that did not run.

    Attributes
    ----------
    model
        The model that it is about.
    gate
        Node id of the test function, without parameters.
    reason
        Why it did not run.
    tests
        How many of its tests did not run for this reason.
    """

    model: str
    gate: str
    reason: str
    tests: int


@dataclass(frozen=True, slots=True)
class GateState:
    """The state of the gates of one model, or of a whole run.

    Attributes
    ----------
    state
        ``open``: all ran and are supported. ``closed``: one is not supported, or failed. ``incomplete``: one did not
        run, or the results could not be written or shown. ``not run``: no model was named, or every gate is off.
    collected, ran
        Number of gates.
    failed
        The gates that are not supported, or failed.
    not_run
        Those that did not run, or not for every entity.
    off
        Gates that the policy turns off; they count nowhere.
    reproducibility
        Chance that a repetition of the study would come to the same state, taking claims as independent; ``None``
        where that cannot be said, as of a gate with a test for each entity.
    """

    state: State
    collected: int
    ran: int
    failed: tuple[str, ...] = ()
    not_run: tuple[AbsentGate, ...] = ()
    off: tuple[AbsentGate, ...] = ()
    reproducibility: float | None = None


@dataclass(slots=True)
class Gates:
    """The tests of gates that were collected, each with its model, and how they ended.

    Attributes
    ----------
    collected
        Node id -> model.
    off
        Node id -> model and reason, of tests that the policy turns off.
    left_out
        Node id -> why the test was not run, of those deselected.
    uncollected
        File that may hold gates, and could not be collected -> why.
    ended
        Node id -> how the test ended, and why it did not run.
    never_began
        Why the run ended before its first test, a line for each problem; empty if it did not.
    """

    collected: dict[str, str] = field(default_factory=dict)
    off: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    uncollected: dict[str, str] = field(default_factory=dict)
    ended: dict[str, tuple[Ended, str]] = field(default_factory=dict)
    never_began: list[str] = field(default_factory=list)

    def record(self) -> dict[str, dict[str, object]]:
        """Return what a worker of pytest-xdist tells the controller: what was collected. Reports tell how it ended."""
        return {
            "collected": dict(self.collected),
            "off": dict(self.off),
            "left_out": dict(self.left_out),
            "uncollected": dict(self.uncollected),
        }

    def take_over(self, record: Mapping[str, Mapping[str, object]]) -> None:
        """Take over what a worker collected; all workers collect the same."""
        self.collected.update(record["collected"])  # type: ignore[arg-type] # as `record` wrote it
        self.off.update({nodeid: (str(of[0]), str(of[1])) for nodeid, of in record["off"].items()})  # type: ignore[index]
        self.left_out.update(record["left_out"])  # type: ignore[arg-type]
        self.uncollected.update(record["uncollected"])  # type: ignore[arg-type]

    def models(self) -> list[str]:
        """Return the models that have gates."""
        return sorted({*self.collected.values(), *(model for model, _ in self.off.values())})

    def state(self, model: str, chances: Mapping[str, float]) -> GateState | None:
        """Return the state of a model's gates; ``None`` if it has none.

        Parameters
        ----------
        model
            Its name.
        chances
            Node id -> probability that a repetition would support all claims of the test; tests without such a
            probability are left out.
        """
        tests: dict[str, list[str]] = {}
        for nodeid, of in self.collected.items():
            if of == model:
                tests.setdefault(function_of(nodeid), []).append(nodeid)
        off = _absent({nodeid: of for nodeid, of in self.off.items() if of[0] == model})
        if not tests and not off:
            return None
        ends = {nodeid: self._end(nodeid, model) for nodeids in tests.values() for nodeid in nodeids}
        failed = tuple(
            gate for gate, nodeids in tests.items() if any(ends[nodeid][0] == "failed" for nodeid in nodeids)
        )
        not_run = _absent({nodeid: (model, why) for nodeid, (ended, why) in ends.items() if ended == "not run"})
        ran = len(tests) - len({absent.gate for absent in not_run})
        # Where the policy turns every gate off, nothing was shown, so none is open.
        state: State = "closed" if failed else "incomplete" if not_run else "open" if tests else "not run"
        known = [chances.get(nodeid, math.nan) for nodeid in ends]
        # The chance of each entity takes nothing from the others, so many of them multiply to nearly nothing.
        one_each = all(len(nodeids) == 1 for nodeids in tests.values())
        chance = _same_state(state, known) if tests and one_each and not not_run else None
        return GateState(state, len(tests), ran, failed, not_run, off, chance)

    def _end(self, nodeid: str, model: str) -> tuple[Ended, str]:
        return self.ended.get(nodeid) or ("not run", self.left_out.get(nodeid) or self._why_never_reached(model))

    def _why_never_reached(self, model: str) -> str:
        """Say why the run ended before a test of a model: that model's own problem, if it has one."""
        own = (problem for problem in self.never_began if problem.startswith(f"{model}: "))
        return next(own, self.never_began[0] if self.never_began else NEVER_REACHED)


def together(states: Iterable[GateState]) -> GateState | None:
    """Return the state of a whole run, which is that of its worst model; ``None`` if no gate was collected.

    Parameters
    ----------
    states
        One for each model.

    Returns
    -------
    GateState or None
        Its counts are sums; its reproducibility is that of the one model, where there is one.

    Examples
    --------
    >>> from pytest_llmpref.claims.gates import GateState, together
    >>> together([GateState("open", 2, 2), GateState("closed", 1, 1, failed=("test_a",))]).state
    'closed'
    """
    found = list(states)
    if not found:
        return None
    chances = [one.reproducibility for one in found]
    worst = min((one.state for one in found), key=WORST_FIRST.index)
    return GateState(
        state=worst,
        collected=sum(one.collected for one in found),
        ran=sum(one.ran for one in found),
        failed=tuple(dict.fromkeys(gate for one in found for gate in one.failed)),
        not_run=tuple(absent for one in found for absent in one.not_run),
        off=tuple(absent for one in found for absent in one.off),
        reproducibility=chances[0] if len(chances) == 1 else None,
    )


def function_of(nodeid: str) -> str:
    """Return the node id of a test's function, without parameters.

    >>> function_of("suites/test_a.py::test_b[sim/paper-a-oxfam]")
    'suites/test_a.py::test_b'

    Parameters
    ----------
    nodeid
        Node id of a test.

    Returns
    -------
    str
        The same without its parameters, which may hold ``::`` and brackets.
    """
    # Folders may be called [so], and a parameter may hold "::" too.
    path, separator, name = nodeid.partition("::")
    return path + separator + name.partition("[")[0]


def _absent(tests: Mapping[str, tuple[str, str]]) -> tuple[AbsentGate, ...]:
    """Put the tests of one gate that did not run for the same reason into one."""
    counts: dict[tuple[str, str, str], int] = {}
    for nodeid, (model, reason) in tests.items():
        key = (model, function_of(nodeid), reason)
        counts[key] = counts.get(key, 0) + 1
    return tuple(AbsentGate(model, gate, reason, count) for (model, gate, reason), count in counts.items())


def _same_state(state: State, chances: Iterable[float]) -> float | None:
    """Return the chance that all are supported again, or that not all are."""
    opens = math.prod(chances)
    if math.isnan(opens):
        return None
    return opens if state == "open" else 1 - opens
