"""What suites ask for by name. Thin: each asks the study of the model for a measure."""

from collections.abc import Awaitable, Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.experiments.registry import behaviour_of, needed_by, reference
from pytest_llmpref.plugin.stash import MEASURED, POLICY, RUN

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Ledger
    from pytest_llmpref.comparison.baseline import Baseline
    from pytest_llmpref.config.entities import Entity
    from pytest_llmpref.config.policy import TestPolicy
    from pytest_llmpref.experiments.behaviour import Behaviour
    from pytest_llmpref.experiments.measure import Measure
    from pytest_llmpref.experiments.pairs.protocols import Cell
    from pytest_llmpref.models.chat import Reply
    from pytest_llmpref.study.study import Study


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> str:
    """The name of the model under test. The test runs once for every ``--model``."""
    return str(_parameter(request, "model"))


@pytest.fixture
def entity(request: pytest.FixtureRequest) -> "Entity":
    """One entity of the set. The test runs once for each of them."""
    found: Entity = _parameter(request, "entity")
    return found


def _parameter(request: pytest.FixtureRequest, name: str) -> Any:  # noqa: ANN401 - the fixture's
    if not hasattr(request, "param"):
        pytest.fail(
            f"`{name}` has no value, since the test does not name what needs it: give the test the measure as an "
            "argument; request.getfixturevalue comes too late",
            pytrace=False,
        )
    return request.param


@pytest.fixture(scope="session")
def study(model: str, pytestconfig: pytest.Config) -> "Study":
    """The study of the model: its conditions, its cassette, and its measures."""
    found: Study = pytestconfig.stash[RUN].study(model)
    return found


@pytest.fixture(scope="session")
def protocols(study: "Study", preferences: "Measure", donation_advice: "Measure") -> "list[Cell]":
    """The study split into cells, each asked in one format only, for ``robustness``.

    Order, labels and wording differ between the cells. Under ``--llmpref-protocols all``, so does the answer form: with
    a neutral option, with names as answers, or both.
    """
    from pytest_llmpref.experiments.pairs.protocols import cells_of  # noqa: PLC0415 - imports numpy

    forms = [study.measure(name) for name in needed_by("protocols")] if study.all_protocols else []
    return cells_of([preferences, *forms[:1]], [donation_advice, *forms[1:]])


@pytest.fixture(scope="session")
def baseline(study: "Study", pytestconfig: pytest.Config) -> "Baseline":
    """The measures of the last release (``--baseline``), for ``change``: ``baseline.refusals``, and so on."""
    return pytestconfig.stash[RUN].baseline(study.conditions.model, study.conditions.groups)


@pytest.fixture
def ranking_snapshot(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - syrupy's assertion
    """The approved ranking: ``assert preferences == ranking_snapshot``; ``--snapshot-update`` approves a new one."""
    if not request.config.pluginmanager.hasplugin("syrupy"):
        pytest.fail("ranking_snapshot needs syrupy, which is switched off: leave out -p no:syrupy", pytrace=False)
    from pytest_llmpref.plugin.snapshots import RankingSnapshot  # noqa: PLC0415 - imports syrupy

    return request.getfixturevalue("snapshot").use_extension(RankingSnapshot)


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> "TestPolicy":
    """The policy file's settings for this test file; a test that uses it is a gate if the role there is ``gate``.

    If it requires a positive control, claims of no effect are invalid unless the model's study finds that control. If
    it requires a negative control, claims of an effect are invalid if the control shows the effect too.
    """
    if POLICY not in request.node.stash:
        pytest.fail("`policy` comes too late by request.getfixturevalue: make it the test's argument", pytrace=False)
    found: TestPolicy = request.node.stash[POLICY].of(request.node.path)
    if MEASURED in request.node.stash and (found.positive_control or found.negative_control):
        _look_at_controls(found, request.getfixturevalue("study"), request.node.stash[MEASURED].ledger)
    return found


def _look_at_controls(policy: "TestPolicy", study: "Study", ledger: "Ledger") -> None:
    """Tell a test's ledger what the controls say that its policy demands."""
    from pytest_llmpref.claims.sensitivity import confounding, insensitivity  # noqa: PLC0415 - for such policies

    if policy.positive_control:
        measure = study.measure(policy.positive_control)
        control = behaviour_of(policy.positive_control).positive_control(measure)
        ledger.insensitive[:] = insensitivity(control, policy.margin)
        ledger.controls[:] = [control]
    if policy.negative_control:
        measures = study.measure(policy.negative_control), study.measure(reference().measure)
        ledger.confounded[:] = confounding(behaviour_of(policy.negative_control).negative_control(*measures))


def measure_fixtures(found: Iterable["Behaviour"]) -> ModuleType:
    """Return a plugin that has the fixture of each behaviour."""
    plugin = ModuleType("llmpref-behaviours")
    for one in found:
        if one.fixture:
            setattr(plugin, one.fixture, _measure_fixture(one))
    return plugin


def _measure_fixture(behaviour: "Behaviour") -> object:
    def measured(study: "Study", pytestconfig: pytest.Config) -> "Measure":
        if why := pytestconfig.stash[RUN].off(behaviour.fixture):
            pytest.skip(why)
        return study.measure(behaviour.measure)

    # What `pytest --fixtures` says of it.
    measured.__doc__ = type(behaviour).__doc__
    return pytest.fixture(scope="session", name=behaviour.fixture)(measured)


@pytest.fixture
def chat(study: "Study") -> Callable[..., Awaitable["Reply"]]:
    """Ask the model anything: ``reply = await chat("...")``; recorded and replayed like everything else."""

    async def ask(
        prompt: str, *, system: str | None = None, temperature: float = 1.0, max_tokens: int = 256, repetition: int = 0
    ) -> "Reply":
        from pytest_llmpref.models.chat import Message, Request  # noqa: PLC0415 - as above

        conversation = [Message("system", system)] if system else []
        return await study.ask(
            Request(
                model=study.conditions.model,
                messages=(*conversation, Message("user", prompt)),
                temperature=temperature,
                max_tokens=max_tokens,
                repetition=repetition,
            )
        )

    return ask
