"""From a model's name to the model."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from pytest_llmpref.config.setups import AS_IS, Setup
from pytest_llmpref.models.addresses import NOWHERE
from pytest_llmpref.models.batches import PROVIDERS
from pytest_llmpref.models.chat import ChatModel, ModelUnavailableError
from pytest_llmpref.models.dressing import headers_of, key_of
from pytest_llmpref.models.parameters import provider_of

if TYPE_CHECKING:
    from pytest_llmpref.models.simulated.model import Answer


def is_simulated(name: str) -> bool:
    """Whether a name means a simulated model, in this process or, like ``openai/sim/NAME``, over HTTP."""
    return "/sim/" in f"/{name}"


def is_imported(name: str) -> bool:
    """Whether a name means data that were imported: such a model is never asked."""
    return name.startswith("imported/")


def is_organism(name: str) -> bool:
    """Whether a name means a model organism of ours: a real model into which preferences were trained."""
    return name.startswith("local/organism-")


def nature_of(name: str) -> str:
    """Return what must be said of a model wherever a test of it fails; empty if nothing must be."""
    if is_simulated(name):
        return "simulated model"
    return "model organism: preferences trained in" if is_organism(name) else ""


def answers_in_process(name: str) -> bool:
    """Whether a name means a simulated model in this process: a pure function of what it is asked."""
    return name.startswith("sim/")


def asked_through_litellm(name: str, others: Mapping[str, object], setup: Setup = AS_IS) -> bool:
    """Whether a name means a model of litellm's: none that runs here, or that another package makes.

    Parameters
    ----------
    name, others, setup
        As for `open_model`.
    """
    prefix, slash, _ = name.partition("/")
    of_others = bool(slash) and prefix in others and not setup.model
    return not (answers_in_process(name) or name.startswith("local/") or of_others)


def has_batch_api(name: str) -> bool:
    """Whether we know the batch API of a model's provider, as far as its name and litellm's list tell."""
    if answers_in_process(name) or name.startswith("local/"):
        return False
    return provider_of(name) in PROVIDERS


class CallLimits(TypedDict):
    """How long a call may take, and how often it is tried.

    Attributes
    ----------
    timeout
        Seconds that one call may take.
    max_tries, max_wait
        Most tries of one call, and seconds for all of them together.
    """

    timeout: float
    max_tries: int
    max_wait: float


def open_model(
    name: str,
    others: Mapping[str, Callable[[str], ChatModel]],
    *,
    max_outage: float = 0.0,
    on_outage: Callable[[str], None] = lambda _said: None,
    only_recorded: bool = False,
    answers: "Sequence[Answer]" = (),
    setup: Setup = AS_IS,
    **limits: Unpack[CallLimits],
) -> ChatModel:
    """Return the model that ``--model NAME`` means; nothing is started or asked yet.

    Parameters
    ----------
    name
        ``sim/...``, ``local/...``, a name that begins with one of ``others``, else litellm's own model name.
    others
        What makes the models of other packages, by the first word of their names.
    max_outage, on_outage
        How many seconds an outage of the provider is waited out, and who is told of it. A model that runs here has
        none: its server either runs or does not.
    only_recorded
        Whether its HTTP answers come from a cassette: then no server is started, and no key of the user's is read.
    answers
        How a simulated model answers questions of other packages.
    setup
        How the user set up a model of litellm's.
    limits
        As `CallLimits` says.

    Raises
    ------
    ModelUnavailableError
        If the name means no model.
    WorldError, EntityFileError
        If a simulated model's file cannot be used.
    """
    if is_imported(name):
        raise ModelUnavailableError(
            f"{name} is imported data, and is never asked; leave out what asks it, or name the model itself by --model"
        )
    if answers_in_process(name):
        from pytest_llmpref.models.simulated.model import SimulatedModel  # noqa: PLC0415 - only what is used is imported

        return SimulatedModel(name, answers)
    prefix, slash, _ = name.partition("/")
    if slash and prefix in others and not setup.model:
        return others[prefix](name)
    if name.startswith("local/"):
        from pytest_llmpref.models.local import LocalModel  # noqa: PLC0415 - only what is used is imported

        server = NOWHERE if only_recorded else None
        return LocalModel(name, api_base=server, only_recorded=only_recorded, **limits)
    return _through_litellm(name, setup, max_outage, on_outage, only_recorded=only_recorded, **limits)


def _through_litellm(
    name: str,
    setup: Setup,
    max_outage: float,
    on_outage: Callable[[str], None],
    *,
    only_recorded: bool,
    **limits: Unpack[CallLimits],
) -> ChatModel:
    from pytest_llmpref.models.live import LiveModel  # noqa: PLC0415 - litellm takes seconds to import
    from pytest_llmpref.models.retrying import Outage  # noqa: PLC0415 - imports asyncio

    return LiveModel(
        name,
        api_base=setup.api_base or None,
        api_key="recorded" if only_recorded else key_of(setup),
        litellm_name=setup.model or None,
        headers=None if only_recorded else headers_of(setup),
        outage=Outage(max_outage, on_outage) if max_outage > 0 else None,
        only_recorded=only_recorded,
        **limits,
    )
