"""What other packages, and a user's conftest.py, may add to every run: models, entity sets, behaviours.

A hook is called once in each process, when pytest configures, so a conftest.py that implements one must be an initial
one: beside the tests that are named, or above them. What is slow to import waits until a test, or an option, asks for
it by name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmpref.experiments.behaviour import Behaviour
    from pytest_llmpref.models.chat import ChatModel


def pytest_llmpref_models() -> "Mapping[str, Callable[[str], ChatModel]]":  # type: ignore[empty-body]
    """Return models: the first word of their names -> what makes one, given its whole name.

    With ``{"acme": AcmeModel}``, ``--model acme/large`` is answered by ``AcmeModel("acme/large")``, whether
    or not litellm has a provider of that name. A prefix stands for a family of names, which need not be known before.
    What the model answers is recorded and replayed like that of any other.
    """


def pytest_llmpref_entity_sets() -> "Mapping[str, Path]":  # type: ignore[empty-body]
    """Return entity sets: name -> its TOML or CSV file.

    With ``{"orchestra": Path(__file__).with_name("orchestra.csv")}``, ``--llmpref-entities orchestra`` reads it. A file
    goes through the checks that every entity set does, and its errors can name it.
    """


def pytest_llmpref_behaviours() -> "Sequence[Behaviour]":  # type: ignore[empty-body]
    """Return behaviours, each with its measure, its fixture and its experiment. The shipped ones come by this hook too.

    With ``[Warmth()]``, a test that asks for the fixture ``warmth`` gets the measure; it is planned, recorded,
    replayed, reported and compared like the shipped ones. `pytest_llmpref.pair_experiment` and
    `pytest_llmpref.entity_experiment` make most experiments; any object with the methods of
    `pytest_llmpref.Experiment` will do. What is slow to import waits for ``Behaviour.experiment()``.
    """
