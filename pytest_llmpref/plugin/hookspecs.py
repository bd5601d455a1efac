"""What other packages, and a user's conftest.py, may add to every run, and what they are told of it.

pytest calls those that add models, entity sets or behaviours once in each process, when it configures. So a conftest.py
that implements one must be beside the tests that are named on the command line, or above them. What is slow to import
waits until a test, or an option, asks for it by name.

Those that tell of results are called once in a run, at its end; with pytest-xdist by the controller alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmpref.experiments.behaviour import Behaviour
    from pytest_llmpref.models.chat import ChatModel
    from pytest_llmpref.results.schema import ClaimRecord, Results


def pytest_llmpref_models() -> "Mapping[str, Callable[[str], ChatModel]]":  # type: ignore[empty-body]
    """Return models: name prefix -> function or class that makes a model from its full name.

    With ``{"acme": AcmeModel}``, ``--model acme/large`` is answered by ``AcmeModel("acme/large")``, even if litellm has
    a provider of that name. A prefix covers all names that begin with it. The answers are recorded and replayed like
    those of any other model.
    """


def pytest_llmpref_entity_sets() -> "Mapping[str, Path]":  # type: ignore[empty-body]
    """Return entity sets: name -> its TOML or CSV file.

    With ``{"orchestra": Path(__file__).with_name("orchestra.csv")}``, ``--llmpref-entities orchestra`` reads that file.
    It is checked like any other entity set, and errors name it.
    """


def pytest_llmpref_behaviours() -> "Sequence[Behaviour]":  # type: ignore[empty-body]
    """Return behaviours, each with its measure, its fixture and its experiment. The shipped ones use this hook too.

    With ``[Warmth()]``, a test that asks for the fixture ``warmth`` gets the measure. It is planned, recorded,
    replayed, reported and compared like the shipped ones. `pytest_llmpref.pair_experiment` and
    `pytest_llmpref.entity_experiment` make most experiments. Any object with the methods of
    `pytest_llmpref.Experiment` works as well. Import slow modules inside ``Behaviour.experiment()``.
    """


def pytest_llmpref_claim(model: str, claim: "ClaimRecord") -> None:
    """Receive a claim and its verdict after the run; called for each claim, before `run_finished`.

    ``claim`` is its record in results.json: ``claim.nodeid``, ``claim.verdict``, ``claim.estimate.value``.
    """


def pytest_llmpref_run_finished(results: "Results", folder: "Path") -> None:
    """Receive a run's results after they are written; ``folder`` holds results.json and the reports.

    ``results`` is the content of results.json: ``results.models[NAME].measures[MEASURE]``, ``results.gate.state``. If a
    hook raises an error, a warning names it; verdicts and the exit status stay the same.
    """
