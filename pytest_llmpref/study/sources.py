"""Where the replies of a study come from: a model that is asked or replayed, or what others asked and got."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.profiles import NEWEST_DESIGN, Profile
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.models.judges import judge_of
from pytest_llmpref.models.opening import is_imported
from pytest_llmpref.results.import_record import ImportRecord
from pytest_llmpref.study.coverage import Plans, Recorded
from pytest_llmpref.study.imported import ImportedStudy


class Source(Protocol):
    """What a study asks, and where the replies are.

    Attributes
    ----------
    cassette
        The model's recordings.
    judging
        Those of the model that judges its replies; ``None`` where rules alone read them.
    judge
        The name of that model; empty if there is none.
    conditions
        Of the study, as its plans have them.
    is_asked
        Whether there is a model that can be asked for what is missing.
    """

    cassette: Cassette
    judging: Cassette | None
    judge: str
    conditions: Conditions
    is_asked: bool

    @property
    def plans(self) -> Plans:
        """What is asked."""
        ...

    @property
    def recorded(self) -> Recorded:
        """The replies that are there."""
        ...

    @property
    def record(self) -> ImportRecord | None:
        """Where imported replies come from; ``None`` of a model that is asked."""
        ...

    def why_absent(self, measures: Iterable[str]) -> str:
        """Say which of some measures can never be had; empty if all can."""
        ...

    def found(self, name: str, measure: Measure) -> Measure:
        """Return a measure with what is to be said of the replies behind it."""
        ...


class AskedModel:
    """A model that is asked, recorded and replayed.

    Parameters
    ----------
    conditions, settings
        Of the study.
    measured
        As in `coverage.Plans`.

    Raises
    ------
    SettingError
        If a judge is to be found, and none is known for the model's provider.
    """

    is_asked = True
    record: ImportRecord | None = None

    def __init__(self, conditions: Conditions, settings: Settings, measured: Callable[[str], Measure]) -> None:
        self.cassette = Cassette.open(settings.cassettes, conditions.model)
        self.judge = judge_of(conditions.model, settings)
        self.judging = self._cassette_of_judge(settings)
        profile = _followed(conditions.profile, self.cassette, settings)
        self.conditions = replace(conditions, profile=profile, judge=self.judge)
        self.cassette.design = self.conditions.profile.design
        if self.judging is not None and self.judging is not self.cassette:
            # What a judge is asked follows no design, and must not decide on that of a later study of it.
            self.judging.design = max(self.judging.designs, default=NEWEST_DESIGN)
        self.plans = Plans(self.conditions, measured, setup_of(conditions.model, settings))
        self.recorded = Recorded(self.cassette, self.judging, settings)

    def _cassette_of_judge(self, settings: Settings) -> Cassette | None:
        if self.judge == self.cassette.model:  # a cheap model may judge itself
            return self.cassette
        return Cassette.open(settings.cassettes, self.judge) if self.judge else None

    def why_absent(self, measures: Iterable[str]) -> str:  # noqa: ARG002 - the same for all
        """Say nothing: it can be asked about everything."""
        return ""

    def found(self, name: str, measure: Measure) -> Measure:  # noqa: ARG002 - as above
        """Return the measure as it is."""
        return measure


def _followed(profile: Profile, cassette: Cassette, settings: Settings) -> Profile:
    """Return a profile with the design that a study follows: the forced one, that of its recording, or its own."""
    if settings.design != "auto":
        return replace(profile, design=int(settings.design))
    return replace(profile, design=max(cassette.designs, default=profile.design))


def source_of(conditions: Conditions, settings: Settings, measured: Callable[[str], Measure]) -> Source:
    """Return where the replies of a study come from, by the name of its model; parameters as of `AskedModel`."""
    if is_imported(conditions.model):
        return ImportedStudy(conditions, settings)
    return AskedModel(conditions, settings, measured)
