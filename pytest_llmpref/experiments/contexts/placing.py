"""Which contexts a question is asked in: the drawings of a family, each with the arms of the entities and its text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import msgspec

from pytest_llmpref.config.contexts import Context, Family
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import shuffled
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.stats.assignment import Assigned, Design


@dataclass(frozen=True, slots=True)
class Placed:
    """One context as it is put.

    Attributes
    ----------
    context
        Its id.
    drawing
        Number of the assignment that it follows, from 0.
    arms
        Entity id -> arm; none where contexts are about no entity.
    text
        What is said, with the names in it.
    is_system
        Whether it is the system prompt, and not the beginning of what the user says.
    """

    context: str
    drawing: int
    arms: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    is_system: bool = True

    def around(self, request: Request) -> Request:
        """Return a request with the context before its question.

        Parameters
        ----------
        request
            The bare question.
        """
        first, *others = request.messages
        if self.is_system:
            # Models without turns get one text, in which nothing else would part the two.
            messages = (Message("system", f"{self.text}\n\n"), first, *others)
        else:
            messages = (Message(first.role, f"{self.text}\n\n{first.content}"), *others)
        return msgspec.structs.replace(request, messages=messages)


def design_of(family: Family, groups: Mapping[str, str], squares: int) -> Design:
    """Return how the entities are assigned to the arms of a family.

    Parameters
    ----------
    family
        With arms.
    groups
        Entity id -> group.
    squares
        How many Latin squares are drawn.
    """
    return Design(tuple(groups.values()), len(family.arms), squares)


def drawn(family: Family, conditions: Conditions) -> Assigned:
    """Return the assignment of a study: every measure of a study follows the same; none for a family without arms.

    A study with more squares has those of one with fewer, and more.

    Parameters
    ----------
    family
        Of the contexts.
    conditions
        Of the study.
    """
    if not family.arms:
        return ()
    design = design_of(family, conditions.groups, conditions.profile.context_squares)
    return design.draw(Random(f"{conditions.seed} {family.name}"))  # noqa: S311 - no secret hangs on it


def placed(family: Family, conditions: Conditions) -> list[Placed]:
    """Return every context of a family in every drawing, in the order in which they are asked.

    The names of an arm stand in an order that is drawn too, the same in all contexts of a drawing.

    Parameters
    ----------
    family
        Of the contexts.
    conditions
        Of the study.
    """
    ids, arms = list(conditions.groups), list(family.arms)
    drawings = [
        {entity: arms[arm] for entity, arm in zip(ids, drawing, strict=True)} for drawing in drawn(family, conditions)
    ]
    return [
        _placed(id_, context, number, of_entity, conditions)
        for id_, context in family.contexts.items()
        for number, of_entity in enumerate(drawings or [{}])
    ]


def _placed(id_: str, context: Context, number: int, of_entity: Mapping[str, str], conditions: Conditions) -> Placed:
    named = shuffled(list(of_entity), conditions.seed, "named in contexts", str(number))
    names: dict[str, list[str]] = {arm: [] for arm in context.slots}
    for entity in named:
        names.setdefault(of_entity[entity], []).append(conditions.names[entity])
    return Placed(id_, number, of_entity, context.filled(names), context.place == "system")
