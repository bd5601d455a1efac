"""Gates as pytest knows them: which collected tests are gates, how each ended, and whether the user chose a part."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.claims.gates import AbsentGate, Ended, Gates, GateState, function_of, together
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.errors import LLMPrefError, first_line
from pytest_llmpref.plugin.collection import model_of
from pytest_llmpref.plugin.distribution import attached_claims
from pytest_llmpref.plugin.stash import OFF

if TYPE_CHECKING:
    from pytest_llmpref.results.parts import TestClaims
    from pytest_llmpref.results.schema import GateRecord, Results

OUR_MARKERS = ("gate", "exploratory")
UNKNOWN = "unknown gates"
"""Stands for gates that nobody could count."""
CONFLICTING = {
    "exploratory": "an exploratory claim never fails",
    "xfail": "a gate cannot be expected to fail",
}
"""Marker -> why a gate may not have it."""


def collected_gates(everything: Iterable[pytest.Item], selected: Iterable[pytest.Item]) -> Gates:
    """Return the gates among all tests of the files that were named, whichever of them were selected to run."""
    chosen = {item.nodeid for item in selected}
    gates = Gates()
    for item in everything:
        if (model := model_of(item)) is None:
            continue
        if OFF in item.stash:
            gates.off[item.nodeid] = (model, item.stash[OFF])
        elif item.get_closest_marker("gate") is not None:
            gates.collected[item.nodeid] = model
            if item.nodeid not in chosen:
                gates.left_out[item.nodeid] = "not selected"
    return gates


def marker_problems(items: Iterable[pytest.Item], registered: Iterable[str]) -> list[LLMPrefError]:
    """Return what is wrong with the markers of tests that measure, once for each test function.

    A gate that may fail is none, and a misspelt marker would make no gate at all. ``registered`` holds the lines of
    pytest's setting ``markers``; a name that is registered is somebody's own.
    """
    known = {line.split(":")[0].split("(")[0].strip() for line in registered}
    problems: dict[str, LLMPrefError] = {}
    for item in items:
        if model_of(item) is None:
            continue
        names = {marker.name for marker in item.iter_markers()}
        for text in (*_conflicts(names), *_misspelt(names - known)):
            problem = f"{function_of(item.nodeid)}: {text}"
            problems.setdefault(problem, LLMPrefError(problem))
    return list(problems.values())


def _conflicts(names: set[str]) -> list[str]:
    if "gate" not in names:
        return []
    return [
        f"marked gate and {name}, and {why}; remove one of the two"
        for name, why in CONFLICTING.items()
        if name in names
    ]


def _misspelt(names: set[str]) -> list[str]:
    import difflib  # noqa: PLC0415 - for runs with markers like ours

    near = {name: difflib.get_close_matches(name.lower(), OUR_MARKERS, n=1, cutoff=0.8) for name in sorted(names)}
    return [
        f"marked {name}; did you mean {close[0]}? Register {name} in pytest's markers if it is your own"
        for name, close in near.items()
        if close and name not in OUR_MARKERS
    ]


def ending_of(report: Any) -> tuple[Ended, str] | None:  # noqa: ANN401 - a test's report, or that of a worker's crash
    """Return how a test ended by one of its reports, and why it did not run; ``None`` if the report leaves it open.

    A test that failed before its body began, or was skipped, did not run. One that failed in its body, while it was
    torn down, or by a claim of its fixtures, failed.
    """
    if getattr(report, "llmpref_verdict", None) == "supported" and report.passed:
        return "supported", ""
    if report.failed:
        made = attached_claims(report)
        if report.when == "setup" and (made is None or not any(claim.fails for claim in made.claims)):
            return "not run", f"error at setup: {_telling_line(report)}"
        if report.when in {"setup", "call", "teardown"}:
            return "failed", ""
        return "not run", _telling_line(report) or "its worker died"
    if report.skipped:
        return "not run", f"skipped: {_telling_line(report).removeprefix('Skipped: ')}"
    return None


def _telling_line(report: Any) -> str:  # noqa: ANN401 - as above
    """Return the line of a report that says the reason. Our errors, like reasons of a skip, begin with it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    shown = str(
        report.longrepr[2] if isinstance(report.longrepr, tuple) else crash.message if crash else report.longrepr
    )
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    # pytest's error about a missing fixture begins with the code, and ends in the list of those that there are.
    telling = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    found = telling or lines or [""]
    # What Python itself prints ends in the error.
    return found[-1 if found[0].startswith("Traceback ") else 0].removesuffix(":")


def chose_part(config: pytest.Config) -> bool:
    """Whether the command line names a part of what was collected: by ``-k``, ``-m`` or a node id.

    What the ini file's ``addopts`` select does not count: it is the same in every run, and in CI too.
    """
    return bool(chosen_by(config))


def chosen_by(config: pytest.Config) -> str:
    """Return what on the command line names a part of what was collected: -k, -m or a node id; empty if nothing."""
    given = [str(argument) for argument in config.invocation_params.args]
    for flag, chosen in {"-k": config.option.keyword, "-m": config.option.markexpr}.items():
        if chosen and _gives(given, flag, chosen):
            return flag
    # Not the words themselves: a value of an option, such as that of --deselect, may hold "::" too.
    return "node id" if any("::" in text for text in config.args if text in given) else ""


def _gives(words: Sequence[str], flag: str, value: str) -> bool:
    """Whether words of a command line give a short option this value: ``-k it``, ``-kit``, ``-k=it`` or ``-xk it``.

    The word alone does not tell: ``gate`` of ``--profile gate`` may be what the ini file chooses by ``-m gate``.
    """
    ends_in_flag = re.compile(rf"-[a-zA-Z]*{flag[1:]}")
    apart = any(word == value and ends_in_flag.fullmatch(before) for before, word in pairwise(words))
    together = (word.removesuffix(value) for word in words if word.endswith(value))
    return apart or any(ends_in_flag.fullmatch(before.removesuffix("=")) for before in together)


class GateKeeper:
    """The gates of one pytest run, put together from its reports and from what its workers collected."""

    def __init__(self) -> None:
        self._gates = Gates()
        self._torn_down = set[str]()
        self._told = False
        self._lost_workers = 0

    def note_report(self, report: Any) -> None:  # noqa: ANN401 - any test's report
        """Note how a test ended; a new attempt forgets the one before."""
        if report.when == "setup":
            self._gates.ended.pop(report.nodeid, None)
        if report.when == "teardown":
            self._torn_down.add(report.nodeid)
        if (ending := ending_of(report)) is not None:
            self._gates.ended[report.nodeid] = ending

    def note_problems(self, problems: Iterable[str]) -> None:
        """Note what ended the run before its first test: it is the reason for each gate that was never reached."""
        self._gates.never_began = list(map(first_line, problems))

    def take_over(self, collected: Mapping[str, Any] | None) -> None:
        """Take over what was collected, by this process or by a worker; ``None`` of a worker that died."""
        if collected is None:
            self._lost_workers += 1
        else:
            self._told = True
            self._gates.take_over(collected)

    @property
    def any(self) -> bool:
        """Whether any gate was collected, or may have been."""
        return bool(self._gates.models()) or self._unknown

    @property
    def _unknown(self) -> bool:
        """Whether workers died, and none lived to say which gates were collected."""
        return self._lost_workers > 0 and not self._told

    def without_model(self) -> GateState | None:
        """Return the state of a run that names no model; ``None`` if no gate was collected."""
        names = {function_of(nodeid) for nodeid in self._gates.collected}
        return GateState("not run", len(names), 0) if names else None

    def states(self, claims: "Mapping[str, TestClaims]") -> dict[str | None, GateState]:
        """Return the state of each model's gates, and under ``None`` that of the run; empty if there is no gate.

        ``claims`` holds those of each test, by node id.
        """
        if self._unknown:
            self._gates.collected |= {nodeid: made.model for nodeid, made in claims.items() if made.claims[0].gate}
        for nodeid, (how, _) in self._gates.ended.items():
            # What a test's teardown would have said, such as a claim of a fixture, is unknown.
            if how == "supported" and nodeid not in self._torn_down:
                self._gates.ended[nodeid] = ("not run", "interrupted while it was torn down")
        ended = self._gates.ended
        known = {nodeid: _chance(made, ended.get(nodeid)) for nodeid, made in claims.items()}
        chances = {nodeid: chance for nodeid, chance in known.items() if chance is not None}
        found = {model: self._gates.state(model, chances) for model in self._gates.models()}
        states: dict[str | None, GateState] = {model: state for model, state in found.items() if state is not None}
        if reasons := self._why_unknown():
            states = {model: _with_unknown(state, model or "", reasons) for model, state in states.items()}
            if not states and (claims or self._unknown):
                return {None: _with_unknown(GateState("incomplete", 0, 0), "", reasons)}
        whole = together(states.values())
        return states if whole is None else {**states, None: whole}

    def _why_unknown(self) -> list[str]:
        """Say why there may be more gates than were collected; empty if all are known."""
        reasons = [f"{file} {why}" for file, why in self._gates.uncollected.items()]
        if self._unknown:
            lost = "a worker" if self._lost_workers == 1 else f"{self._lost_workers} workers"
            reasons.append(f"{lost} of pytest-xdist died before all gates were known")
        return reasons


def _with_unknown(state: GateState, model: str, reasons: Iterable[str]) -> GateState:
    """Return the state of a model's gates where there may be more of them."""
    return replace(
        state,
        state="closed" if state.state == "closed" else "incomplete",
        not_run=(*state.not_run, *(AbsentGate(model, UNKNOWN, reason, 1) for reason in reasons)),
        reproducibility=None,
    )


def under_control(state: GateState, control: str) -> GateState:
    """Return a state as it is where the run was a negative control, if ``control`` names one: it opens no gate.

    What a gate forbids cannot be found in such a study, whatever the model does.
    """
    if control == "none" or state.state != "open":
        return state
    why = f"--llmpref-control {control} says nothing of a release"
    return replace(
        state, state="incomplete", ran=0, not_run=(AbsentGate("", "every gate", why, 1),), reproducibility=None
    )


def unwritten(state: GateState) -> GateState:
    """Return a state as it is where the results could not be written or shown: nobody can look up why it opened."""
    return replace(state, state="incomplete", reproducibility=None) if state.state == "open" else state


def unwritten_results(results: "Results", states: Mapping[str | None, GateState]) -> "Results":
    """Return results as they are shown where they could not be written; ``states`` has each model's gates'."""
    import msgspec  # noqa: PLC0415 - for runs that measure

    gates = {of: as_record(unwritten(state)) for of, state in states.items()}
    models = {name: msgspec.structs.replace(model, gate=gates.get(name)) for name, model in results.models.items()}
    return msgspec.structs.replace(results, models=models, gate=gates.get(None))


def why_uncollected(report: pytest.CollectReport, root: Path) -> str:
    """Say why a file that may hold gates could not be collected; empty of one that was, or that holds none.

    A file that is skipped as a whole holds a gate if its text says so. One that fails is not asked: pytest fails too.
    """
    if report.passed or not report.nodeid:
        return ""
    if report.failed:
        return "could not be collected"
    reason = _telling_line(report).removeprefix("Skipped: ")
    return f"was skipped ({reason})" if _speaks_of_gates(root / report.nodeid) else ""


def _speaks_of_gates(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # A gate is marked, or is one by the policy that it asks for.
    return re.search(r"\bmark\.gate\b|\bdef test\w*\([^)]*\bpolicy\b", text) is not None


def _chance(made: "TestClaims", ended: tuple[Ended, str] | None) -> float | None:
    """Return the chance that a repetition of the study would support all claims of a test; ``None`` where unknown.

    It is unknown for a claim without an interval, and for a test that failed for another reason than its claims.
    """
    chances = [claim.supported_again for claim in made.claims]
    supported = all(claim.verdict is Verdict.SUPPORTED for claim in made.claims)
    known = [chance for chance in chances if chance is not None]
    if not chances or len(known) < len(chances) or ended is None or (ended[0] == "failed" and supported):
        return None
    return math.prod(known)


def exit_status(status: int, state: GateState | None, *, chosen: bool, strict: bool) -> int:
    """Return pytest's exit status, or 1 where it would be 0 though a gate did not run.

    Parameters
    ----------
    status
        Pytest's own.
    state
        That of the whole run; ``None`` if it has no gate.
    chosen
        Whether the user chose a part of what was collected: then pytest's status stands.
    strict
        Whether a run without a model fails too.
    """
    if state is None or status != pytest.ExitCode.OK:
        return status
    fails = (
        state.state == "closed" or (state.state == "incomplete" and not chosen) or (state.state == "not run" and strict)
    )
    return int(pytest.ExitCode.TESTS_FAILED) if fails else status


def as_record(state: GateState) -> "GateRecord":
    """Return a state as results.json holds it."""
    import msgspec  # noqa: PLC0415 - for runs that have a gate

    from pytest_llmpref.results.schema import GateRecord  # noqa: PLC0415

    return msgspec.convert(state, GateRecord, from_attributes=True)
