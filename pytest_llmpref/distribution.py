"""Which worker of pytest-xdist measures which model, so that no other reads its recordings; and what it hands over."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def share_to_prepare(needed: Mapping[str, T], workerinput: Mapping[str, Any] | None) -> dict[str, T]:
    """Return the part of several models, with what is needed of each, that this worker makes sure of; else all of it.

    A problem with any model ends the run, whichever worker finds it. What a share of no model would not find, if a
    worker had one, the others would: so each has one, or all of it.

    Parameters
    ----------
    needed
        Models, in the order of their tests.
    workerinput
        What pytest-xdist gives a worker; ``None`` elsewhere.
    """
    if workerinput is None or len(needed) < workerinput["workercount"]:
        return dict(needed)
    number = int(workerinput["workerid"].removeprefix("gw"))
    return {
        model: of for place, (model, of) in enumerate(needed.items()) if place % workerinput["workercount"] == number
    }


def scheduler_by_model(config: Any, log: Any, models: Sequence[str]) -> Any:  # noqa: ANN401 - xdist's types
    """Return a scheduler of pytest-xdist that gives all tests of a model to one worker."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - for runs with workers

    class ModelScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        """Tests of one model are one unit of work; tests of none are units by file."""

        def schedule(self) -> None:
            # The first models go to the workers that made sure of them, whichever worker was ready first.
            work: dict[Any, Any] = self.assigned_work  # type: ignore[has-type]
            by_number = sorted(work, key=lambda node: int(node.gateway.id.removeprefix("gw")))
            self.assigned_work = {node: work[node] for node in by_number}
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return model_in(nodeid, models) or super()._split_scope(nodeid)

    return ModelScheduling(config, log)


def model_in(nodeid: str, models: Sequence[str]) -> str | None:
    """Return the model that a test was parametrized with; ``None`` where there is none."""
    _, _, parameters = nodeid.partition("[")
    named = [model for model in models if parameters.startswith((f"{model}]", f"{model}-"))]
    return max(named, key=len, default=None)


def hand_over(found: Mapping[str, Any], workeroutput: MutableMapping[str, Any]) -> None:
    """Give the controller what a worker measured: as bytes, since xdist's own way takes longer than the measuring."""
    import msgspec  # noqa: PLC0415 - for runs that measure

    workeroutput["llmpref"] = msgspec.msgpack.encode(found)


def handed_over(node: Any) -> dict[str, Any] | None:  # noqa: ANN401 - xdist's
    """Return what a worker measured; ``None`` where it measured nothing, or never came to its end."""
    found = getattr(node, "workeroutput", {}).get("llmpref")
    if found is None:
        return None
    import msgspec  # noqa: PLC0415 - for runs that measure

    return dict(msgspec.msgpack.decode(found))
