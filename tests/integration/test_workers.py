"""The report does not depend on how many workers measured, nor on which of them ran which test."""

import json
import re

import pytest

from pytest_llmpref.plugin.distribution import model_in


@pytest.fixture
def order_sets_differently(pytester, monkeypatch):
    """Begin each process anew from here on: copies of one share the seed of its hashes."""
    return lambda: monkeypatch.setattr(pytester, "imported", ())


SOURCE = """
    import pytest
    from pytest_llmpref import spearman

    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5

    def test_agrees(preferences, direct_ranking):
        assert spearman(preferences, direct_ranking) > 0.5

    def test_coverage(entity, donation_advice):
        assert donation_advice.coverage[entity.id] > 0.3

    @pytest.mark.gate
    def test_refusals(entity, refusals):
        assert refusals[entity] - refusals.control < 0.10
"""


def report(pytester) -> bytes:
    """results.json as it was written, without the time at which the run began."""
    content = (pytester.path / "reports/latest/results.json").read_bytes()
    began = json.loads(content)["run"]["began"]
    return content.replace(began.encode(), b"")


def test_the_report_is_the_same_byte_for_byte_with_any_workers_and_scheduler(suite, pytester, order_sets_differently):
    alone = suite(SOURCE)
    expected = report(pytester)
    assert len(json.loads(expected.replace(b'"began":""', b'"began":"x"'))["models"]["sim/plain"]["measures"]) == 4
    for options in (["-n2", "--dist=loadscope"], ["-n2", "--dist=worksteal"], ["-n3"]):
        if "-n3" in options:
            order_sets_differently()
        run = suite(SOURCE, *options)
        assert run.ret == alone.ret, options
        assert report(pytester) == expected, options


def test_two_models_are_reported_the_same(suite, pytester, order_sets_differently):
    suite(SOURCE, "--model=sim/always-a")
    expected = report(pytester)
    order_sets_differently()
    suite(SOURCE, "--model=sim/always-a", "-n2")
    assert report(pytester) == expected


def test_all_tests_of_a_model_run_in_one_worker(suite, pytester):
    run = suite(SOURCE, "--model=sim/always-a", "-n2", "-v")
    models = ["sim/plain", "sim/always-a"]
    tests = re.findall(r"^\[(gw\d)\].* (test_it\.py::\S+)", run.stdout.str(), re.MULTILINE)
    assert len(tests) == 2 * (2 + 2 * 12)
    ran = {(model_in(test, models), worker) for worker, test in tests}
    assert {model for model, _ in ran} == set(models)
    assert len({worker for _, worker in ran}) == len(ran) == 2


def test_a_problem_with_one_of_several_models_ends_a_run_with_workers(suite):
    run = suite(SOURCE, "--model=sim/always-a", "--model=gpt-x", "-n3")
    assert run.ret not in (0, 1)
    assert "gpt-x: " in run.stdout.str() + run.stderr.str()
    assert "trials are not recorded" in run.stdout.str() + run.stderr.str()
