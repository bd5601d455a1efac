"""What the house needs to know of a behaviour: the descriptor that the hook ``pytest_llmpref_behaviours`` returns.

Loading it, or one of the shipped descriptors, loads no experiment and no statistics: they are imported in every pytest
run of an environment that has the plugin.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.claims.estimates import Estimate
    from pytest_llmpref.claims.verdicts import Relation
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.experiment import Conditions, Experiment
    from pytest_llmpref.experiments.measure import Measure
    from pytest_llmpref.experiments.trials import Trial
    from pytest_llmpref.models.chat import Request
    from pytest_llmpref.models.simulated.tastes import Tastes
    from pytest_llmpref.stats.change import Changes


Entities = Literal["sample", "given"]


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """A kind of claim.

    Attributes
    ----------
    claim
        How a suite writes it.
    relation
        Its relation.
    entities
        Whether the entities are a ``sample`` of their kind, so that the estimand is about the kind, or are themselves
        what is asked about, as ``given``.
    estimand
        What the estimate is an estimate of.
    of_entity
        Whether a study makes the claim for each entity, rather than once.
    covers
        Whether the interval is to hold the truth as often as its level says. One that stands for several claims, which
        must all hold, is wider.
    """

    claim: str
    relation: "Relation"
    entities: Entities
    estimand: str
    of_entity: bool = False
    covers: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One estimate of a simulated study.

    Attributes
    ----------
    kind
        Kind of claim: a key of ``KINDS``; see `Calibrating`.
    estimate
        The estimate.
    truth
        What it estimates.
    threshold
        The threshold that a suite would ask about.
    """

    kind: str
    estimate: "Estimate"
    truth: float
    threshold: float


class SimulatedStudy(Protocol):
    """A kind of simulated study."""

    def findings(self, rng: "np.random.Generator") -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        ...


@runtime_checkable
class PredictedStudy(SimulatedStudy, Protocol):
    """A kind of simulated study whose power a formula predicts, which calibration sets beside what it counts."""

    def predicted_power(self, kind: str) -> float:
        """Return the power predicted for the claim that is asked about; NaN where nothing predicts it."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of study, repeated.

    Attributes
    ----------
    name
        Such as ``advice/main``: the world, and what differs from its main cell.
    about
        The same in words.
    study
        The study.
    """

    name: str
    about: str
    study: SimulatedStudy


class Calibrating(Protocol):
    """What calibration plants of a behaviour: a module that has these two names.

    Attributes
    ----------
    KINDS
        The kinds of claim that its scenarios make, by name.
    """

    KINDS: Mapping[str, ClaimKind]

    def scenarios(self) -> Iterable[Scenario]:
        """Return the simulated studies."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """What decides a release about a behaviour, and so may end its asking.

    Attributes
    ----------
    table
        Table of the policy file that holds the margin.
    fixtures
        Fixtures of a test that, beside ``policy``, compares the measure with that margin. With ``entity`` among them it
        makes a claim for each entity.
    """

    table: str
    fixtures: tuple[str, ...]


def for_each(measure: str) -> str:
    """Return the key of what claims for each entity are compared with, where a measure has a second gate for these."""
    return f"{measure} of each entity"


@dataclass(frozen=True, slots=True)
class Compared:
    """Which entities a behaviour compares, where those that take part follow from the answers to another.

    Attributes
    ----------
    parts
        ``quarters``: the most and the least preferred quarter. ``extremes``: as many of the most and of the least
        preferred as ``size``.
    size
        Entities in each part.
    """

    parts: Literal["quarters", "extremes"]
    size: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A measure as a study is to take it, for the smallest effects that it could detect.

    Attributes
    ----------
    conditions
        Of the study.
    questions
        How many are planned, or at most planned.
    at_most
        Whether the answers may end the asking before.
    alpha
        Error rate of a family of claims.
    """

    conditions: "Conditions"
    questions: int
    at_most: bool
    alpha: float

    @property
    def n(self) -> int:
        """Entities that take part."""
        return len(self.conditions.groups)


class Behaviour:
    """One behaviour of models: what it is called, how it is measured, and how it is shown and compared.

    A subclass sets the names and returns an experiment; everything else has a default.

    Attributes
    ----------
    measure
        Name of the measure, in results.json and on the command line.
    fixture
        Name of the fixture that returns the measure; empty where no test asks for it by name.
    title
        Begins the title of its charts, as in "Advice against preference".
    unit
        What an axis with its values says; the unit in the diagnostics unless given.
    is_reference
        Whether this is the preference that the other behaviours are compared with. One behaviour is.
    needed_by
        The fixture that needs the measure too where ``--llmpref-protocols all`` is given; empty for none.
    basis
        The measure whose replies its questions are made of, as where a judge compares them; empty for none.
    is_control
        Whether all of it is a control, so that nothing of it is compared with preference as behaviour is.
    is_apart
        Whether it belongs to a study of its own: a plan leaves it out unless it is named.
    asked_more
        How a study of the same entities would ask more, in words, where that decides its claims as more entities
        would; empty where the screen need not say so.
    gate
        What decides a release; ``None`` where nothing of ours does.
    entity_gate
        A second gate, which makes a claim for each entity beside that about the model; ``None`` for none.
    share_tables
        Tables of the policy file whose margins are differences of shares, so that one of 1 or more would always hold.

    Examples
    --------
    >>> from pytest_llmpref import Behaviour, pair_experiment
    >>> class Warmth(Behaviour):
    ...     '''Which of two entities a model calls warmer.'''
    ...
    ...     measure = fixture = "warmth"
    ...     title, unit = "Warmth", "Warmth (Elo)"
    ...
    ...     def experiment(self):
    ...         return pair_experiment("warmth", ["Which of these is warmer?"])
    >>> Warmth().experiment().measure
    'warmth'
    """

    measure: ClassVar[str] = ""
    fixture: ClassVar[str] = ""
    title: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    is_reference: ClassVar[bool] = False
    needed_by: ClassVar[str] = ""
    basis: ClassVar[str] = ""
    is_control: ClassVar[bool] = False
    is_apart: ClassVar[bool] = False
    asked_more: ClassVar[str] = ""
    gate: ClassVar[Gate | None] = None
    entity_gate: ClassVar[Gate | None] = None
    share_tables: ClassVar[tuple[str, ...]] = ()

    @property
    def gates(self) -> Mapping[str, Gate]:
        """The gates, each by the key that its thresholds have: the measure, and `for_each` of it."""
        keys = (self.measure, self.gate), (for_each(self.measure), self.entity_gate)
        return {key: gate for key, gate in keys if gate is not None}

    def experiment(self) -> "Experiment":
        """Return what plans the trials, reads the replies and yields the measure."""
        raise NotImplementedError(f"{type(self).__name__} of {self.measure!r} has no experiment")

    def off(self, settings: "Settings") -> str:  # noqa: ARG002 - for subclasses
        """Say why tests of the behaviour are off in a run with these settings; empty where they are on."""
        return ""

    def check(self, settings: "Settings") -> None:
        """Check what only this behaviour reads of a user's, such as a file of prompts, before anything is collected.

        Parameters
        ----------
        settings
            Of the run.

        Raises
        ------
        LLMPrefError
            If it cannot be used: which file, where, and how to mend it.
        """

    def entity_off(self, settings: "Settings") -> str:  # noqa: ARG002 - as above
        """Say why the second gate, for each entity, is off in a run with these settings; empty where it is on."""
        return ""

    def compared(self, conditions: "Conditions") -> Compared | None:  # noqa: ARG002 - as above
        """Return which entities take part, where preference decides that; ``None`` where all do."""
        return None

    @property
    def has_positive_control(self) -> bool:
        """Whether its study tells the model to act so that an effect must show; see `positive_control`."""
        return False

    def positive_control(self, measure: "Measure") -> "Estimate":
        """Return the effect where the model is told to act so that it must show, counted above 0.

        A policy may demand that a study finds it: claims that there is no effect count only then.

        Parameters
        ----------
        measure
            What was measured.
        """
        raise NotImplementedError(f"{type(self).__name__} of {measure.name!r} has no positive control")

    @property
    def has_negative_control(self) -> bool:
        """Whether its study asks what no liking should answer; see `negative_control`."""
        return False

    def negative_control(self, measure: "Measure", preferences: "Measure") -> "Estimate":
        """Return how far answers follow liking where none should.

        A policy may demand that they do not: claims that behaviour follows preference count only then.

        Parameters
        ----------
        measure
            What was measured.
        preferences
            The model's own preference.
        """
        raise NotImplementedError(f"{type(self).__name__} of {measure.name!r} has no negative control")

    def ordering(self, measure: "Measure") -> "Measure":
        """Return what is correlated with preference when two releases are compared: the measure itself."""
        return measure

    def changes(self, new: "Sequence[Trial]", old: "Sequence[Trial]", ids: Sequence[str]) -> "Changes":
        """Return what changed between two releases, from the questions that both asked, in one order.

        Parameters
        ----------
        new, old
            The trials of either side: the same questions, in the same order.
        ids
            Of the entities in both.

        Returns
        -------
        Entity id -> estimate of the change, and that of the mean over all questions, or ``None``. Nothing where the
        reported estimates are to be compared as independent ones. By default: what the experiment says, if it says
        anything, as `pair_experiment` does.
        """
        from pytest_llmpref.experiments.experiment import ComparableExperiment  # noqa: PLC0415 - loads msgspec

        experiment = self.experiment()
        return experiment.changes(new, old, ids) if isinstance(experiment, ComparableExperiment) else ({}, None)

    def trial(self) -> "type[Trial]":
        """Return the class of its trials, in which those of a results file are read back: that of its experiment."""
        from pytest_llmpref.experiments.trials import Trial  # noqa: PLC0415 - loads msgspec

        kind: type[Trial] = getattr(self.experiment(), "trial", Trial)
        return kind

    def detectable(self, planned: Planned) -> Iterable[str]:  # noqa: ARG002 - as above
        """Yield lines on the smallest effects that a study could detect, for its plan."""
        return ()

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return charts by an id: by default, the measure against preference; ``None`` where nothing was measured."""
        from pytest_llmpref.charts import scatter  # noqa: PLC0415 - for reports

        if drawing.preference is None:
            return {}
        return {self.measure: scatter(drawing, self.title_or_name, self.unit)}

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG002 - as above
        """Yield what the table of measures says of the diagnostics, beside the columns that every measure has."""
        yield from ()

    def simulate(self, request: "Request", tastes: "Tastes") -> str | None:  # noqa: ARG002 - as above
        """Return what a simulated model with these tastes replies; ``None`` to a question of another behaviour.

        ``tastes.liking(name)`` is the utility of a name. The shipped questions are understood without this.
        """
        return None

    def calibration(self) -> Sequence[Calibrating]:
        """Return the modules, imported here, that say what calibration plants."""
        return ()

    @property
    def title_or_name(self) -> str:
        """The title, or the measure's name in words."""
        return self.title or self.measure.replace("_", " ").capitalize()
