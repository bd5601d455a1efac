"""Which tests measure which models and entities, and which claims form a family."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.registry import behaviours, needed_by, reference
from pytest_llmpref.plugin import fixtures
from pytest_llmpref.plugin.stash import OFF, OURS, POLICY, UNASKED

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Threshold
    from pytest_llmpref.config.policy import TestPolicy
    from pytest_llmpref.study.records import ClaimingTest

NO_MODEL = "no-model"
"""Stands for the model where none was named, so that the run can say so instead of skipping its tests."""


def parametrize(
    metafunc: pytest.Metafunc, models: Callable[[], Sequence[str]], entities: Callable[[], Sequence[Any]]
) -> None:
    """Parametrize a test that uses our ``model`` or ``entity``; a fixture or parameter of the user's own is let be."""
    if _lacks_our(metafunc, "model"):
        metafunc.parametrize("model", models() or [NO_MODEL], indirect=True, scope="session", ids=str)
    if _lacks_our(metafunc, "entity"):
        metafunc.parametrize("entity", entities(), indirect=True, ids=lambda entity: str(entity.id))


def _lacks_our(metafunc: pytest.Metafunc, name: str) -> bool:
    """Whether a test uses our fixture of this name, and nobody else parametrizes it."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        argnames = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if name in (argnames.replace(" ", "").split(",") if isinstance(argnames, str) else argnames):
            return False
    # A project's own pytest_generate_tests, which runs before ours.
    if any(name in call.params for call in getattr(metafunc, "_calls", ())):
        return False
    return name in _found_fixtures(metafunc.definition)


def our_fixtures(item: pytest.Item) -> frozenset[str]:
    """Return the names of those fixtures of ours that a test uses, by itself or through other fixtures."""
    if OURS not in item.stash:
        item.stash[OURS] = _found_fixtures(item)
    return item.stash[OURS]


def is_ours(item: pytest.Item) -> bool:
    """Whether a test uses a fixture that this plugin defines. No other test is touched in any way.

    A fixture or a parameter of the user's own that has the name of one of ours does not count.
    """
    return bool(our_fixtures(item))


def _found_fixtures(item: Any) -> frozenset[str]:  # noqa: ANN401 - the attributes are private
    # pytest tells nowhere in public which definition of a fixture a test gets.
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return frozenset()
    found, seen, names = set(), set(), list(getattr(info, "initialnames", info.names_closure))
    while names:
        if (name := names.pop()) in seen:
            continue
        seen.add(name)
        # A fixture that asks for its own name gets the definition that it overrides.
        for definition in reversed(info.name2fixturedefs.get(name, ())):
            if definition.func.__module__ == fixtures.__name__:
                found.add(name)
            names += definition.argnames
            if name not in definition.argnames:
                break
    return frozenset(found)


def parameters(item: pytest.Item) -> dict[str, Any]:
    """Return the parameters of a test; empty for one that has none."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


def model_of(item: pytest.Item) -> str | None:
    """Return the model that a test measures; ``None`` for a test that measures none, or cannot."""
    if "study" not in our_fixtures(item) or misuse(item):
        return None
    return str(parameters(item)["model"])


def misuse(item: pytest.Item) -> str:
    """Say why a test that uses fixtures of ours cannot work, whatever is recorded; empty for all others."""
    ours, given = our_fixtures(item), parameters(item)
    if "study" in ours and not isinstance(given.get("model"), str):
        if "model" not in ours and "model" not in given:
            return (
                "a measure needs this plugin's fixture `model`, but one of the same name hides it; rename that one"
                f"{_where(item, 'model')}"
            )
        if "model" not in given:
            return (
                "a measure needs a model for a parameter, and this test cannot have one: ask for the measure in a "
                "plain test function, not in a unittest.TestCase, a doctest, or a fixture that is autouse for these"
            )
        return f"`model` is parametrized with {given['model']!r}; leave that out, and add --model NAME for each"
    if "study" in ours and "entity" in given and not _is_entity(given["entity"]):
        return (
            f"`entity` is parametrized with {given['entity']!r}, which is no Entity: leave that out, since the plugin "
            "parametrizes it with the entity set, and choose some by -k; or rename a parameter of another meaning"
        )
    return ""


def _where(item: Any, name: str) -> str:  # noqa: ANN401 - as above
    definitions = item._fixtureinfo.name2fixturedefs.get(name, ())  # noqa: SLF001 - as above
    code = getattr(definitions[-1].func, "__code__", None) if definitions else None
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"


def _is_entity(value: object) -> bool:
    from pytest_llmpref.config.entities import Entity  # noqa: PLC0415 - for runs that measure

    return isinstance(value, Entity)


def unnamed(items: Iterable[pytest.Item]) -> set[str]:
    """Return `NO_MODEL` if a test uses our ``model`` and none was named."""
    return {NO_MODEL for item in items if "model" in our_fixtures(item) and parameters(item).get("model") == NO_MODEL}


def measures_needed(
    items: Iterable[pytest.Item], measures: Mapping[str, str], *, all_protocols: bool
) -> dict[str, list[str]]:
    """Return the measures that tests ask for, by model; with ``all_protocols`` also other forms of the questions.

    Those of the controls that policies demand are among them. A test that is off asks for none.

    ``measures`` maps fixtures to measures.
    """
    needed: dict[str, dict[str, None]] = {}
    for item in items:
        if (model := model_of(item)) is not None:
            of_model = needed.setdefault(model, {})
            if OFF in item.stash or UNASKED in item.stash:
                continue
            names = our_fixtures(item)
            of_model.update(dict.fromkeys(measure for fixture, measure in measures.items() if fixture in names))
            of_model.update(dict.fromkeys(controls_of(item)))
            if all_protocols and "protocols" in names:
                of_model.update(dict.fromkeys(needed_by("protocols")))
    return {model: list(asked) for model, asked in needed.items()}


def described(item: pytest.Item, measures: Mapping[str, str]) -> "ClaimingTest":
    """Return what results.json says of a test that makes claims; ``measures`` maps fixtures to measures."""
    from pytest_llmpref.study.records import ClaimingTest  # noqa: PLC0415 - for runs that measure

    names = our_fixtures(item)
    entity = parameters(item).get("entity")
    docstring = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
    return ClaimingTest(
        model=model_of(item) or "",
        nodeid=item.nodeid,
        line=(item.location[1] or 0) + 1,
        says=" ".join(docstring.split("\n\n")[0].split()),
        entity=None if entity is None else entity.id,
        measures=tuple(
            dict.fromkeys((*(measure for fixture, measure in measures.items() if fixture in names), *controls_of(item)))
        ),
        gate=item.get_closest_marker("gate") is not None,
        exploratory=item.get_closest_marker("exploratory") is not None,
    )


def apply_policies(
    items: Iterable[pytest.Item],
    given: Callable[[], Path | None],
    off: Callable[[str], str],
    gate_off: Callable[[str], str],
) -> list[LLMPrefError]:
    """Give each test that uses the fixture ``policy`` its policy, and the marker of its role; skip those that are off.

    Parameters
    ----------
    items
        The collected tests.
    given
        Returns the policy file of all of them, or ``None`` for ``policy.toml`` beside each test.
    off
        Given a fixture, says why the tests that use it are off; empty if they are on.
    gate_off
        The same of the tests of a policy's table.

    Returns
    -------
    list of LLMPrefError
        What is wrong with the files, once each.
    """
    under_policy = [item for item in items if "policy" in our_fixtures(item)]
    if not under_policy:
        return []
    from pytest_llmpref.config import policy  # noqa: PLC0415 - for runs with a policy
    from pytest_llmpref.experiments.policies import check_margins  # noqa: PLC0415 - as above

    read: dict[Path, policy.Policy] = {}
    problems: dict[str, LLMPrefError] = {}
    for item in under_policy:
        path = given() or item.path.with_name(policy.FILE)
        try:
            if path not in read:
                loaded = policy.load_policy(path)
                check_margins(loaded)
                read[path] = loaded
            table = read[path].of(item.path)
            _check_controls(path, policy.table_of(item.path), table)
        except policy.PolicyError as error:
            problems[str(error)] = error
            continue
        item.stash[POLICY], role = read[path], table.role
        if role == "off":
            _turn_off(item, f'{path.name} has role = "off" for {item.path.name}')
        elif why := next(filter(None, map(off, sorted(our_fixtures(item)))), gate_off(policy.table_of(item.path))):
            _turn_off(item, why)
        elif role != "claim":
            item.add_marker(role)
    return list(problems.values())


def skip_unasked(items: Iterable[pytest.Item], off: Callable[[str], str]) -> None:
    """Skip each test that measures what is off in this run, so that nothing else is asked for it either.

    Parameters
    ----------
    items
        The collected tests, once policies are applied.
    off
        As in `apply_policies`.
    """
    for item in items:
        if OFF not in item.stash and (why := next(filter(None, map(off, sorted(our_fixtures(item)))), "")):
            item.stash[UNASKED] = why
            item.add_marker(pytest.mark.skip(reason=why))


def _check_controls(path: Path, table: str, policy: "TestPolicy") -> None:
    """Make sure that a policy names measures with such controls, if it names any.

    Raises
    ------
    PolicyError
        If it names another.
    """
    from pytest_llmpref.config.policy import PolicyError  # noqa: PLC0415 - as in `apply_policies`

    found = behaviours()
    for key, measure in (("positive_control", policy.positive_control), ("negative_control", policy.negative_control)):
        # Of the one that is named: to tell it, a behaviour may read a file, and there is a test for each entity.
        if measure and not (measure in found and getattr(found[measure], f"has_{key}")):
            there = [name for name, one in found.items() if getattr(one, f"has_{key}")]
            said = f"{measure!r} has none; use one of {', '.join(there)}, or leave the line out"
            raise PolicyError(path, [f"[{table}] {key}: {said}"])


def controls_of(item: pytest.Item) -> list[str]:
    """Return the measures that the controls of a test's policy take; none where it demands none."""
    if POLICY not in item.stash or OFF in item.stash:
        return []
    found = item.stash[POLICY].of(item.path)
    negative = [reference().measure, found.negative_control] if found.negative_control else []
    return [*([found.positive_control] if found.positive_control else []), *negative]


def _turn_off(item: pytest.Item, reason: str) -> None:
    item.stash[OFF] = reason
    item.add_marker(pytest.mark.skip(reason=f"off: {reason}"))


def alpha_of(item: pytest.Item, default: float) -> float:
    """Return the error rate of the family of a test's claim: its policy's, or the run's."""
    given = item.stash[POLICY].alpha if POLICY in item.stash else None
    return default if given is None else given


def gate_thresholds(
    items: Iterable[pytest.Item], families: Mapping[tuple[str, ...], int], alpha: float
) -> "dict[str, tuple[Threshold, ...]]":
    """Return what the collected tests of a policy compare each measure with, to the run's ``alpha``.

    These are the tests that use ``policy`` and the fixtures of a behaviour's gate. Exploratory ones decide nothing.
    """
    from pytest_llmpref.claims.claim import Threshold  # noqa: PLC0415 - for runs that measure

    gates = {key: gate.fixtures for one in behaviours().values() for key, gate in one.gates.items()}
    found: dict[str, set[Threshold]] = {measure: set() for measure in gates}
    for item in items:
        used = our_fixtures(item)
        measures = [measure for measure, fixtures in gates.items() if used.issuperset(fixtures)]
        decides = POLICY in item.stash and OFF not in item.stash and item.get_closest_marker("exploratory") is None
        if not measures or not decides:
            continue
        if model_of(item) is None:
            continue
        threshold = Threshold(
            item.stash[POLICY].of(item.path).margin,
            alpha_of(item, alpha),
            item.get_closest_marker("gate") is not None,
            families[family_of(item)],
        )
        for measure in measures:
            found[measure].add(threshold)
    return {measure: tuple(sorted(thresholds)) for measure, thresholds in found.items()}


def family_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the family of a test's claim.

    Claims of one model belong together if one test function makes them for each entity, or if they are about the
    model as a whole and stand in one file; or, where a policy says so, if they are under that policy.
    """
    if POLICY in item.stash and item.stash[POLICY].family == "suite":
        return (model_of(item) or "", str(item.stash[POLICY].source))
    # Not what stands before "::" in the id: for all files outside the root folder that is the same.
    file = str(item.path)
    function = getattr(item, "originalname", item.name) if "entity" in parameters(item) else ""
    return (model_of(item) or "", file, function)


def family_sizes(items: Iterable[pytest.Item]) -> Counter[tuple[str, ...]]:
    """Count the tests of each family. Exploratory ones, and those that are off, belong to none."""
    return Counter(
        family_of(item)
        for item in items
        if model_of(item) is not None and OFF not in item.stash and item.get_closest_marker("exploratory") is None
    )
