"""What other packages, and a user's conftest.py, may add to every run: models, entity sets, behaviours.

pytest calls a hook once in each process, when it configures. So a conftest.py that implements one must be beside the
tests that are named on the command line, or above them. What is slow to import waits until a test, or an option, asks
for it by name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmpref.experiments.behaviour import Behaviour
    from pytest_llmpref.models.chat import ChatModel


def pytest_llmpref_models() -> "Mapping[str, Callable[[str], ChatModel]]":  # type: ignore[empty-body]
    """Return models: the prefix of their names -> a function or class that makes one from its whole name.

    With ``{"acme": AcmeModel}``, ``--model acme/large`` is answered by ``AcmeModel("acme/large")``, even if litellm has
    a provider of that name. A prefix stands for all names that begin with it. The answers are recorded and replayed
    like those of any other model.
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
