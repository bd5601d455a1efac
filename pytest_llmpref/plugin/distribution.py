"""Which worker of pytest-xdist measures which model, so that no other reads its recordings; and what it hands over."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pytest_llmpref.results.parts import Part, TestClaims

T = TypeVar("T")


def share_to_prepare(needed: Mapping[str, T], models: Callable[[], Sequence[str]], config: Any) -> dict[str, T]:  # noqa: ANN401
    """Return the part of several models, with what is needed of each, that this worker makes sure of; else all of it.

    A problem with any model ends the run, whichever worker finds it.

    Parameters
    ----------
    needed
        What is needed of those models that have tests.
    models
        Returns all that were named. Not called where there are no workers.
    config
        pytest's.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None or not needed or len(named := models()) < max(2, count := worker["workercount"]):
        return dict(needed)
    number = int(worker["workerid"].removeprefix("gw"))
    others = {model for place, model in enumerate(named) if place % count != number}
    return {model: of for model, of in needed.items() if model not in others}


def scheduler_by_model(config: Any, log: Any, models: Sequence[str]) -> Any:  # noqa: ANN401 - xdist's types
    """Return a scheduler of pytest-xdist that gives all tests of a model to one worker, which makes sure of it too."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - for runs with workers

    class ModelScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        """Tests of a worker's share of the models are one unit of work; tests of no model are units by file."""

        def schedule(self) -> None:
            # The first share goes to the first worker, whichever worker was ready first.
            work: dict[Any, Any] = self.assigned_work  # type: ignore[has-type]
            by_number = sorted(work, key=lambda node: int(node.gateway.id.removeprefix("gw")))
            self.assigned_work = {node: work[node] for node in by_number}
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            model = model_in(nodeid, models)
            if model is None:
                return str(super()._split_scope(nodeid))
            return f"models {models.index(model) % self.numnodes}"

    return ModelScheduling(config, log)


def model_in(nodeid: str, models: Sequence[str]) -> str | None:
    """Return the model that a test was parametrized with; ``None`` if there is none."""
    _, _, parameters = nodeid.partition("[")
    # A project's own pytest_generate_tests may put a parameter before ours.
    delimited = f"-{parameters.removesuffix(']')}-"
    named = [model for model in models if f"-{model}-" in delimited]
    return max(named, key=len, default=None)


def hand_over(part: "Part | None", workeroutput: MutableMapping[str, Any]) -> None:
    """Give the controller what a worker found: as bytes, since xdist's own way takes longer than the measuring."""
    import msgspec  # noqa: PLC0415 - for runs with workers

    from pytest_llmpref.results.parts import Part  # noqa: PLC0415

    workeroutput["llmpref"] = msgspec.msgpack.encode(part or Part())


def handed_over(node: Any) -> "Part | None":  # noqa: ANN401 - xdist's
    """Return what a worker found; ``None`` if it never came to its end."""
    found = getattr(node, "workeroutput", {}).get("llmpref")
    if found is None:
        return None
    import msgspec  # noqa: PLC0415 - for runs with workers

    from pytest_llmpref.results.parts import Part  # noqa: PLC0415

    return msgspec.msgpack.decode(found, type=Part)


def attach_claims(report: Any, claims: "TestClaims") -> None:  # noqa: ANN401 - a test's report
    """Attach the claims of a test to its report, in types that xdist can send."""
    import msgspec  # noqa: PLC0415 - for runs that measure

    report.llmpref_claims = msgspec.to_builtins(claims)


def attached_claims(report: Any) -> "TestClaims | None":  # noqa: ANN401 - a test's report, whichever worker made it
    """Return the claims that a report carries; ``None`` where its test measured nothing."""
    found = getattr(report, "llmpref_claims", None)
    if found is None:
        return None
    import msgspec  # noqa: PLC0415 - for runs that measure

    from pytest_llmpref.results.parts import TestClaims  # noqa: PLC0415

    return msgspec.convert(found, TestClaims)


def problems_of(node: Any) -> list[str]:  # noqa: ANN401 - xdist's
    """Return why a worker ran no test; empty if it ran some."""
    return list(getattr(node, "workeroutput", {}).get("llmpref_problems", ()))


def why_stopped(session: Any) -> str:  # noqa: ANN401 - pytest's
    """Say why pytest, or the controller of xdist, stopped a run; empty if neither did, or gave a reason."""
    controller = session.config.pluginmanager.getplugin("dsession")
    why = session.shouldfail or session.shouldstop or getattr(controller, "shouldstop", False)
    # Of Ctrl-C in a worker, xdist says which object received it.
    return why if isinstance(why, str) and "received keyboard-interrupt" not in why else "stopped early" * bool(why)
