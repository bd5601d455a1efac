"""Who answered: the models that a cassette's replies say they came from, and when they came."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pytest_llmpref.cassettes.interaction import Interaction


@dataclass(frozen=True, slots=True)
class Served:
    """One model that answered under a name.

    Attributes
    ----------
    model, fingerprint
        As the provider calls it; empty where it does not say.
    replies
        How many it gave.
    first, last
        When the first and the last of them came, UTC.
    """

    model: str
    fingerprint: str
    replies: int
    first: datetime
    last: datetime


def served_in(interactions: Iterable[Interaction]) -> list[Served]:
    """Return the models that answered, the one that answered first at the start.

    Calls that failed, and what agents and tools did, were answered by no model.
    """
    found = dict[tuple[str, str], list[datetime]]()
    for one in interactions:
        if one.request.asked == "model" and one.reply.finish != "error":
            found.setdefault((one.reply.served, one.reply.fingerprint), []).append(one.at)
    served = [Served(*name, len(times), min(times), max(times)) for name, times in found.items()]
    return sorted(served, key=lambda one: one.first)
