"""The behaviours of this process: the shipped ones, and those of other packages, by the name of their measure.

They come by the hook ``pytest_llmpref_behaviours``; in the command ``llmpref`` those of installed packages do.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_llmpref.experiments.agents import Agents
from pytest_llmpref.experiments.behaviour import Behaviour
from pytest_llmpref.experiments.contexts import CONTEXTS
from pytest_llmpref.experiments.effort import GradedEffort, WrittenPieces
from pytest_llmpref.experiments.paired import PairedRefusals
from pytest_llmpref.experiments.pairs import (
    Advice,
    AdviceForms,
    NameQuestions,
    OpenAdvice,
    OpenPreference,
    Preference,
    PreferenceForms,
)
from pytest_llmpref.experiments.ranking import DirectRanking
from pytest_llmpref.experiments.reading import Reading
from pytest_llmpref.experiments.refusal import Refusals
from pytest_llmpref.experiments.replies import OpenRefusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.experiments.trials import Trial
    from pytest_llmpref.models.simulated.model import Answer
    from pytest_llmpref.stats.change import Changes

SHIPPED = (
    Preference(),
    DirectRanking(),
    Advice(),
    Refusals(),
    Reading(),
    Agents(),
    OpenRefusals(),
    PreferenceForms(),
    AdviceForms(),
    OpenPreference(),
    OpenAdvice(),
    NameQuestions(),
    WrittenPieces(),
    GradedEffort(),
    PairedRefusals(),
    *CONTEXTS,
)
"""In the order in which plans and reports show them."""
_known: dict[str, Behaviour] = {one.measure: one for one in SHIPPED}


class _Absent(Behaviour):
    """A behaviour whose package is not here: its estimates are shown and compared as they were reported."""

    def changes(
        self,
        new: "Sequence[Trial]",  # noqa: ARG002 - the protocol's
        old: "Sequence[Trial]",  # noqa: ARG002
        ids: "Sequence[str]",  # noqa: ARG002
    ) -> "Changes":
        """Return nothing: nobody here knows what the trials mean."""
        return {}, None

    def trial(self) -> "type[Trial]":
        """Return the class that keeps every column."""
        from pytest_llmpref.experiments.trials import RecordedTrial  # noqa: PLC0415 - loads msgspec

        return RecordedTrial


def register(found: Iterable[Behaviour]) -> None:
    """Make these the behaviours of this process. Called once, with what the hook gave.

    Parameters
    ----------
    found
        In the order in which plans and reports show them.
    """
    _known.clear()
    _known.update({one.measure: one for one in found})


def behaviours() -> Mapping[str, Behaviour]:
    """Return every behaviour, by the name of its measure."""
    return MappingProxyType(_known)


def behaviour_of(measure: str) -> Behaviour:
    """Return the behaviour behind a measure; a bare one where the package that brought it is not here.

    Parameters
    ----------
    measure
        Its name.

    Examples
    --------
    >>> behaviour_of("preference").title, behaviour_of("of nobody here").title_or_name
    ('Preference', 'Of nobody here')
    """
    if measure in _known:
        return _known[measure]
    absent: Behaviour = type("Absent", (_Absent,), {"measure": measure})()
    return absent


def is_shipped(measure: str) -> bool:
    """Tell whether a behaviour is one of ours, and no other package's."""
    return behaviour_of(measure) in SHIPPED


def reference() -> Behaviour:
    """Return the preference that the others are compared with."""
    return next(one for one in _known.values() if one.is_reference)


def measured_by() -> dict[str, str]:
    """Return fixture -> the measure that it returns."""
    return {one.fixture: one.measure for one in _known.values() if one.fixture}


def needed_by(fixture: str) -> list[str]:
    """Return the measures that a fixture needs if all protocols are wanted, beside those of the fixtures it uses."""
    return [one.measure for one in _known.values() if one.needed_by == fixture]


def simulated_answers() -> "list[Answer]":
    """Return how simulated models answer the questions of those behaviours that say so."""
    return [one.simulate for one in _known.values() if type(one).simulate is not Behaviour.simulate]


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names of measures in the order of the behaviours; those of no behaviour come last.

    Parameters
    ----------
    names
        Of measures.

    Examples
    --------
    >>> in_order(["mine", "donation_advice", "preference"])
    ['preference', 'donation_advice', 'mine']
    """
    given = list(dict.fromkeys(names))
    return [*(name for name in _known if name in given), *(name for name in given if name not in _known)]
