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
        The claim as a suite writes it.
    relation
        ``>``, ``<`` or ``abs <``.
    entities
        ``sample`` if the estimand is about all entities of the kind, of which these are a sample; ``given`` if it is
        about these entities only.
    estimand
        What the estimate is an estimate of.
    of_entity
        Whether a study makes the claim for each entity, rather than once.
    covers
        Whether the interval must cover the truth as often as its level states. The interval of several claims that must
        all hold is wider.
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
        The true value of what it estimates.
    threshold
        The threshold with which a suite would compare it.
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
        """Return the predicted power of the claim; NaN without a prediction."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of simulated study, which calibration repeats.

    Attributes
    ----------
    name
        Such as ``advice/main``: the simulated world, then what differs from its main cell.
    about
        The same in words.
    study
        The study.
    """

    name: str
    about: str
    study: SimulatedStudy


class Calibrating(Protocol):
    """The simulated studies of a behaviour, for calibration: a module that has these two names.

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
    """A gate that decides a release by a behaviour, and so may stop its questions early.

    Attributes
    ----------
    table
        Table of the policy file that holds the margin.
    fixtures
        Fixtures, besides ``policy``, of the test that compares the measure with that margin. If ``entity`` is among
        them, the test makes a claim for each entity.
    """

    table: str
    fixtures: tuple[str, ...]


def for_each(measure: str) -> str:
    """Return the key of what claims for each entity are compared with, where a measure has a second gate for these."""
    return f"{measure} of each entity"


@dataclass(frozen=True, slots=True)
class Compared:
    """Which entities a behaviour compares, if the answers to another behaviour determine them.

    Attributes
    ----------
    parts
        ``quarters``: the most and the least preferred quarter. ``extremes``: the ``size`` most and the ``size`` least
        preferred.
    size
        Entities in each part.
    """

    parts: Literal["quarters", "extremes"]
    size: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of one measure, from which the smallest detectable effects are computed.

    Attributes
    ----------
    conditions
        Conditions of the study.
    questions
        Number of planned questions, or their maximum.
    at_most
        Whether ``questions`` is a maximum, because answers may stop them early.
    alpha
        Error rate of a family of claims.
    """

    conditions: "Conditions"
    questions: int
    at_most: bool
    alpha: float

    @property
    def n(self) -> int:
        """Number of entities that take part."""
        return len(self.conditions.groups)


class Behaviour:
    """One behaviour of models: what it is called, how it is measured, and how it is shown and compared.

    A subclass sets the names and returns an experiment; everything else has a default.

    Attributes
    ----------
    measure
        Name of the measure, in results.json and on the command line.
    fixture
        Name of the fixture that returns the measure; empty if no test asks for it by name.
    title
        First words of its chart titles, as in "Advice against preference".
    unit
        Title of an axis that shows its values; by default, the unit in the diagnostics.
    is_reference
        Whether this is the preference with which the other behaviours are compared. Exactly one behaviour is.
    needed_by
        Fixture that also needs this measure under ``--llmpref-protocols all``; empty for none.
    basis
        Measure whose replies its questions contain, for example because a judge compares them; empty for none.
    is_control
        Whether the whole behaviour is a control, so that it is not compared with preference.
    is_apart
        Whether it belongs to a separate study, so that a plan includes it only if it is named.
    asked_more
        How a study can ask more about the same entities, in words, if that helps to decide its claims as more entities
        would; empty if the last screen need not say so.
    gate
        The gate that decides a release; ``None`` if no shipped suite has one.
    entity_gate
        A second gate, with a claim for each entity in addition to the claim about the model; ``None`` for none.
    share_tables
        Tables of the policy file whose margins are differences in shares, so that a margin of 1 or more would always
        hold.

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
        """The gates, by the key of their thresholds: the measure's name, or `for_each` of it for the second gate."""
        keys = (self.measure, self.gate), (for_each(self.measure), self.entity_gate)
        return {key: gate for key, gate in keys if gate is not None}

    def experiment(self) -> "Experiment":
        """Return the experiment, which plans the trials, reads the replies and yields the measure."""
        raise NotImplementedError(f"{type(self).__name__} of {self.measure!r} has no experiment")

    def off(self, settings: "Settings") -> str:  # noqa: ARG002 - for subclasses
        """Return why tests of the behaviour are skipped under these settings; empty if they run."""
        return ""

    def check(self, settings: "Settings") -> None:
        """Check input that only this behaviour reads, such as a user's file of prompts, before tests are collected.

        Parameters
        ----------
        settings
            Settings of the run.

        Raises
        ------
        LLMPrefError
            If the input cannot be used. The message names the file, the place and the fix.
        """

    def entity_off(self, settings: "Settings") -> str:  # noqa: ARG002 - as above
        """Return why the second gate, for each entity, is skipped under these settings; empty if it runs."""
        return ""

    def compared(self, conditions: "Conditions") -> Compared | None:  # noqa: ARG002 - as above
        """Return which entities are compared, if preference decides that; ``None`` if all take part."""
        return None

    @property
    def has_positive_control(self) -> bool:
        """Whether its study has a positive control; see `positive_control`."""
        return False

    def positive_control(self, measure: "Measure") -> "Estimate":
        """Return the effect of an instruction that must produce one; above 0 if the model follows it.

        A policy may require a study to find it; otherwise, claims of no effect are invalid.

        Parameters
        ----------
        measure
            What was measured.
        """
        raise NotImplementedError(f"{type(self).__name__} of {measure.name!r} has no positive control")

    @property
    def has_negative_control(self) -> bool:
        """Whether its study has a negative control; see `negative_control`."""
        return False

    def negative_control(self, measure: "Measure", preferences: "Measure") -> "Estimate":
        """Return how far answers follow preference in questions where they should not.

        A policy may require that they do not; otherwise, claims that behaviour follows preference are invalid.

        Parameters
        ----------
        measure
            What was measured.
        preferences
            The model's own preference.
        """
        raise NotImplementedError(f"{type(self).__name__} of {measure.name!r} has no negative control")

    def ordering(self, measure: "Measure") -> "Measure":
        """Return the measure to correlate with preference when releases are compared; by default, this measure."""
        return measure

    def changes(self, new: "Sequence[Trial]", old: "Sequence[Trial]", ids: Sequence[str]) -> "Changes":
        """Return the change between two releases, from the questions that both asked.

        Parameters
        ----------
        new, old
            Trials of the two releases: the same questions in the same order.
        ids
            Ids of the entities in both.

        Returns
        -------
        Entity id -> estimate of the change; and the estimate of the mean change over all questions, or ``None``. The
        mapping is empty if the reported estimates are to be compared as independent. By default, the experiment's own
        ``changes``, if it has this method, as those of `pair_experiment` do.
        """
        from pytest_llmpref.experiments.experiment import ComparableExperiment  # noqa: PLC0415 - loads msgspec

        experiment = self.experiment()
        return experiment.changes(new, old, ids) if isinstance(experiment, ComparableExperiment) else ({}, None)

    def trial(self) -> "type[Trial]":
        """Return the class into which trials of a results file are read; by default, the experiment's own class."""
        from pytest_llmpref.experiments.trials import Trial  # noqa: PLC0415 - loads msgspec

        kind: type[Trial] = getattr(self.experiment(), "trial", Trial)
        return kind

    def detectable(self, planned: Planned) -> Iterable[str]:  # noqa: ARG002 - as above
        """Yield lines for the plan, on the smallest effects that the study could detect."""
        return ()

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return charts by id, ``None`` for one without data; by default, the measure against preference."""
        from pytest_llmpref.charts import scatter  # noqa: PLC0415 - for reports

        if drawing.preference is None:
            return {}
        return {self.measure: scatter(drawing, self.title_or_name, self.unit)}

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG002 - as above
        """Yield lines about the diagnostics, shown below the measure's row in the table of measures."""
        yield from ()

    def simulate(self, request: "Request", tastes: "Tastes") -> str | None:  # noqa: ARG002 - as above
        """Return a simulated model's reply, given its tastes; ``None`` if another behaviour asked the question.

        ``tastes.liking(name)`` is the utility of a name. Simulated models answer the shipped questions without this
        method.
        """
        return None

    def calibration(self) -> Sequence[Calibrating]:
        """Return the modules that define the simulated studies for calibration. Import them in this method."""
        return ()

    @property
    def title_or_name(self) -> str:
        """The title, or the measure's name in words."""
        return self.title or self.measure.replace("_", " ").capitalize()
