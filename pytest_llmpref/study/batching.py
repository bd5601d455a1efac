"""A study's questions through the provider's batch API: who is asked then, and where the jobs are written down.

The models that do it are imported when one is asked: they import httpx.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.experiment import AgentExperiment, Conditions
from pytest_llmpref.models.chat import ChatModel
from pytest_llmpref.models.parameters import HALF, price_of
from pytest_llmpref.study.coverage import Plans, needs_of

if TYPE_CHECKING:
    from pytest_llmpref.models.batches.rounds import Purpose
    from pytest_llmpref.models.live import LiveModel

UNDER_WAY = 75
"""Exit status of a run that submitted batches and did not wait: EX_TEMPFAIL of sysexits.h, "try again later"."""


def in_order_of_need(measures: Iterable[str], plans: Plans, conditions: Conditions) -> list[list[str]]:
    """Return which measures can be asked together.

    First come those whose questions depend on no other measure, then those that compare entities which preferences
    tell, then those whose questions are made of the replies to these. Agents, whose questions wait for each other, are
    left out.
    """
    left = [name for name in measures if not isinstance(plans.experiment(name), AgentExperiment)]
    left += [need for name in left for need in needs_of(name, conditions)]
    left, done, rounds = list(dict.fromkeys(left)), set[str](), list[list[str]]()
    while ready := [name for name in left if done.issuperset(needs_of(name, conditions))]:
        rounds.append(ready)
        done.update(ready)
        left = [name for name in left if name not in done]
    return rounds


async def all_of(asking: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Ask together. The first failure ends all, and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in asking:
                group.create_task(one)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def job_path(folder: Path, model: str) -> Path:
    """Return where the jobs of a model are written down."""
    return folder / f"{slug(model)}.batches"


def in_batches(
    model: ChatModel, cassette: Cassette, settings: Settings, tell: Callable[[str], None], *, only_collect: bool = False
) -> ChatModel:
    """Return a model of litellm's that has its questions answered in batches.

    Parameters
    ----------
    model
        Whom to ask.
    cassette
        Beside which its jobs are written down.
    settings
        How models are asked.
    tell
        Told in words how far the jobs are.
    only_collect
        Whether nothing is submitted.

    Raises
    ------
    ModelUnavailableError
        If we know no batch API of its provider.
    """
    from pytest_llmpref.cassettes.jobs import hand_over, keep  # noqa: PLC0415 - see above
    from pytest_llmpref.models.batches.jobs import JobFile  # noqa: PLC0415
    from pytest_llmpref.models.batches.model import BatchedModel, api_of  # noqa: PLC0415
    from pytest_llmpref.models.batches.rounds import Rounds  # noqa: PLC0415

    live = cast("LiveModel", model)
    setup = setup_of(model.name, settings)
    price = price_of(setup.model or model.name, setup.price or settings.price)
    purpose: Purpose = "collect" if only_collect else "submit" if settings.batch == "submit" else "wait"
    rounds = Rounds(
        model.name,
        JobFile(job_path(cassette.packed.parent, model.name)),
        api_of(live),
        least=settings.batch_least,
        purpose=purpose,
        began=settings.began,
        anew=settings.record_mode == "all",
        tell=tell,
        on_exchange=keep(cassette),
    )
    return BatchedModel(
        live,
        rounds,
        max_tries=settings.max_tries,
        share=HALF if price is None else price.batch,
        in_flight=settings.in_flight,
        on_result=hand_over,
    )


def as_recorded(model: ChatModel) -> ChatModel:
    """Return a model that tells the file of jobs how its requests are recorded."""
    from pytest_llmpref.models.batches.model import AsRecorded  # noqa: PLC0415 - see above

    return AsRecorded(model)


def replayed_in_batches(model: ChatModel, cassette: Cassette) -> ChatModel:
    """Return a model that replays recorded batches at the wire, where a cassette has any."""
    if not any(one.reply.batch for one in cassette.interactions()):
        return model
    from pytest_llmpref.cassettes.jobs import answering  # noqa: PLC0415 - see above
    from pytest_llmpref.models.batches.replaying import ReplayedBatches  # noqa: PLC0415

    return ReplayedBatches(cast("LiveModel", model), answering(cassette))
