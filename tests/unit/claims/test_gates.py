"""The state of the release gate: what was collected is the denominator, and what did not run is missed by name."""

import pytest

from pytest_llmpref.claims.gates import NEVER_REACHED, AbsentGate, Gates, GateState, function_of, together

A, B, PER_ENTITY = "suites/test_a.py::test_a[m]", "suites/test_b.py::test_b[m]", "suites/test_c.py::test_c[m-{}]"


def gates(*nodeids, model="m", **ended):
    """Gates of one model; ``ended`` gives the end of those named by their letter."""
    found = Gates(collected=dict.fromkeys(nodeids, model))
    for letter, how in ended.items():
        found.ended[{"a": A, "b": B}[letter]] = (how, "why" if how == "not run" else "")
    return found


def test_all_that_ran_and_are_supported_open_the_gate():
    state = gates(A, B, a="supported", b="supported").state("m", {A: 0.9, B: 0.5})
    assert state == GateState("open", 2, 2, reproducibility=pytest.approx(0.45))


def test_one_that_failed_closes_it_and_is_named():
    state = gates(A, B, a="supported", b="failed").state("m", {A: 0.9, B: 0.2})
    assert (state.state, state.failed, state.ran) == ("closed", ("suites/test_b.py::test_b",), 2)
    # The chance that a repetition would not support both again.
    assert state.reproducibility == pytest.approx(1 - 0.9 * 0.2)


def test_one_that_did_not_run_makes_it_incomplete_with_its_reason():
    state = gates(A, B, a="supported", b="not run").state("m", {A: 0.9, B: 0.9})
    assert (state.state, state.collected, state.ran) == ("incomplete", 2, 1)
    assert state.not_run == (AbsentGate("m", "suites/test_b.py::test_b", "why", 1),)
    assert state.reproducibility is None


def test_a_failure_outweighs_what_did_not_run():
    state = gates(A, B, a="failed", b="not run").state("m", {})
    assert (state.state, state.ran) == ("closed", 1)


def test_a_deselected_test_gives_its_reason_and_a_lost_one_says_that_the_run_ended():
    found = gates(A, B)
    found.left_out[A] = "deselected by -k"
    reasons = {absent.gate: absent.reason for absent in found.state("m", {}).not_run}
    assert reasons == {"suites/test_a.py::test_a": "deselected by -k", "suites/test_b.py::test_b": NEVER_REACHED}


def test_what_kept_the_run_from_starting_is_the_reason_and_a_model_has_its_own():
    found = gates(A, B)
    found.left_out[A] = "not selected"
    found.never_began = ["other: not recorded", "m: no key"]
    assert [absent.reason for absent in found.state("m", {}).not_run] == ["not selected", "m: no key"]
    found.never_began = ["other: not recorded"]
    assert [absent.reason for absent in found.state("m", {}).not_run] == ["not selected", "other: not recorded"]


def test_tests_of_one_function_are_one_gate_and_count_by_reason():
    nodeids = [PER_ENTITY.format(entity) for entity in "xyz"]
    found = gates(*nodeids)
    found.ended[nodeids[0]] = ("supported", "")
    state = found.state("m", {})
    assert (state.collected, state.ran) == (1, 0)
    assert state.not_run == (AbsentGate("m", "suites/test_c.py::test_c", NEVER_REACHED, 2),)


def test_one_failed_entity_fails_the_whole_gate_once():
    nodeids = [PER_ENTITY.format(entity) for entity in "xyz"]
    found = gates(*nodeids)
    found.ended = {nodeid: (how, "") for nodeid, how in zip(nodeids, ("supported", "failed", "failed"), strict=True)}
    assert found.state("m", {}).failed == ("suites/test_c.py::test_c",)


def test_gates_that_the_policy_turns_off_count_nowhere_and_open_nothing():
    found = Gates(off={A: ("m", "off in policy.toml")})
    off = (AbsentGate("m", "suites/test_a.py::test_a", "off in policy.toml", 1),)
    assert found.state("m", {}) == GateState("not run", 0, 0, off=off)
    beside = gates(B, b="supported")
    beside.off = {A: ("other", "off")}
    assert beside.state("m", {B: 1.0}) == GateState("open", 1, 1, reproducibility=1.0)


def test_a_model_without_gates_has_no_state():
    assert gates(A, a="supported").state("other", {}) is None
    assert Gates().state("m", {}) is None


def test_a_chance_that_is_not_known_leaves_the_whole_unknown():
    assert gates(A, B, a="supported", b="supported").state("m", {A: 0.9}).reproducibility is None


@pytest.mark.parametrize("how", ["supported", "failed"])
def test_the_chance_of_many_entities_at_once_is_unknown(how):
    """Each chance knows its own entity alone: multiplied, 72 without any refusal in 48 trials gave "under 1%"."""
    nodeids = [PER_ENTITY.format(entity) for entity in "xyz"]
    found = gates(A, *nodeids, a="supported")
    found.ended |= dict.fromkeys(nodeids, ("supported", "")) | {nodeids[0]: (how, "")}
    state = found.state("m", {A: 0.9, **dict.fromkeys(nodeids, 0.69)})
    assert (state.state, state.reproducibility) == ({"supported": "open", "failed": "closed"}[how], None)
    alone = gates(nodeids[0])
    alone.ended[nodeids[0]] = (how, "")
    assert alone.state("m", {nodeids[0]: 0.69}).reproducibility is not None


def test_models_are_those_with_gates_on_or_off():
    found = Gates(collected={A: "m2", B: "m1"}, off={"x": ("m0", "off")})
    assert found.models() == ["m0", "m1", "m2"]


def test_a_controller_takes_over_what_a_worker_collected():
    worker = Gates({A: "m"}, {B: ("m", "off")}, {A: "deselected"}, {"test_x.py": "SyntaxError"}, {A: ("failed", "")})
    controller = Gates()
    controller.take_over({name: dict(table) for name, table in worker.record().items()})
    assert (controller.collected, controller.off) == (worker.collected, worker.off)
    assert (controller.left_out, controller.uncollected) == (worker.left_out, worker.uncollected)
    assert controller.ended == {}


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        (("open", "open"), "open"),
        (("open", "not run"), "not run"),
        (("not run", "incomplete"), "incomplete"),
        (("incomplete", "closed", "open"), "closed"),
    ],
)
def test_a_run_is_as_bad_as_its_worst_model(states, whole):
    found = together([GateState(state, 2, 1) for state in states])
    assert (found.state, found.collected, found.ran) == (whole, 2 * len(states), len(states))


def test_a_run_keeps_every_reason_and_names_a_failed_gate_once():
    absent, off = AbsentGate("m", "a", "why", 1), AbsentGate("m", "b", "off", 1)
    one = GateState("closed", 1, 0, ("f",), (absent,), (off,), 0.3)
    assert together([one]) == one
    two = together([one, GateState("closed", 1, 1, ("f", "g"), reproducibility=0.4)])
    assert (two.failed, two.not_run, two.off, two.reproducibility) == (("f", "g"), (absent,), (off,), None)
    assert together([]) is None


@pytest.mark.parametrize(
    ("nodeid", "function"),
    [
        ("suites/test_a.py::test_b[sim/paper-a-oxfam]", "suites/test_a.py::test_b"),
        ("suites/test_a.py::test_b", "suites/test_a.py::test_b"),
        ("suites/test_a.py::TestC::test_b[x[0]]", "suites/test_a.py::TestC::test_b"),
        ("suites/test_a.py::test_b[a::b]", "suites/test_a.py::test_b"),
        ("suites/test_a.py::test_b[a::b-c[d]]", "suites/test_a.py::test_b"),
        ("suites/[x]/test_a.py::TestC::test_b[a]", "suites/[x]/test_a.py::TestC::test_b"),
    ],
)
def test_the_function_of_a_test_has_no_parameters(nodeid, function):
    assert function_of(nodeid) == function


@pytest.mark.parametrize("ended", ["supported", "failed"])
def test_gates_that_are_all_off_are_not_open(ended):
    off = Gates(off={"a.py::test_a[m]": ("m", "not asked for")})
    assert off.state("m", {}).state == "not run"
    beside = Gates(off=off.off, collected={"a.py::test_b[m]": "m"}, ended={"a.py::test_b[m]": (ended, "")})
    assert beside.state("m", {}).state == {"supported": "open", "failed": "closed"}[ended]
