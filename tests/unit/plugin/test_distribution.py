"""Which worker prepares which models."""

from types import SimpleNamespace

import pytest

from pytest_llmpref.plugin.distribution import model_in, share_to_prepare


def test_models_are_told_apart_in_the_names_of_tests():
    models = ["openai/a", "openai/a-1", "openai/a-1-b"]
    assert model_in("x.py::test_it[openai/a-1-oxfam]", models) == "openai/a-1"
    assert model_in("x.py::test_it[openai/a-oxfam]", models) == "openai/a"
    assert model_in("x.py::test_it[openai/a-1-b]", models) == "openai/a-1-b"
    assert model_in("x.py::test_it[openai/ab]", models) is None
    assert model_in("x.py::test_it", models) is None


@pytest.mark.parametrize(("models", "workers"), [(1, 1), (1, 3), (3, 3), (10, 3)])
def test_every_model_is_prepared_by_some_worker(models, workers):
    named = [f"m{number}" for number in range(models)]
    needed = {name: ["preference"] for name in named[models // 2 :]}
    configs = [SimpleNamespace(workerinput={"workerid": f"gw{n}", "workercount": workers}) for n in range(workers)]
    shares = [share_to_prepare(needed, lambda: named, config) for config in configs]
    assert {model for share in shares for model in share} == needed.keys()
    if 1 < workers <= models:
        assert sum(map(len, shares)) == len(needed)
    assert share_to_prepare(needed, lambda: named, SimpleNamespace()) == needed
