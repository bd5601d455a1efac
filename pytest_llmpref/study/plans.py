"""What the experiments of a study ask: each planned once, under its own conditions."""

from collections.abc import Callable
from dataclasses import replace

from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.arms import any_arms, extremes, quarters
from pytest_llmpref.experiments.asking import Plan
from pytest_llmpref.experiments.experiment import Conditions, Experiment
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of


class Plans:
    """The experiments and the plans of a study, by the name of their measure.

    Parameters
    ----------
    conditions
        Of the study.
    preferences
        Returns the preferences, which choose the entities of some experiments.
    """

    def __init__(self, conditions: Conditions, preferences: Callable[[], Measure]) -> None:
        self._study, self._preferences = conditions, preferences
        self._experiments: dict[str, Experiment] = {}
        self._plans: dict[str, Plan] = {}
        self.only_counted = False
        """Whether questions are only counted: any entities do then where preferences are not recorded."""

    def __getitem__(self, measure: str) -> Plan:
        """Return the plan of a measure."""
        if measure not in self._plans:
            self._plans[measure] = self.experiment(measure).plan(self.conditions(measure))
        return self._plans[measure]

    def experiment(self, measure: str) -> Experiment:
        """Return the experiment behind a measure.

        Raises
        ------
        ExtensionError
            If one of another package yields a measure of another name.
        """
        if measure not in self._experiments:
            found = behaviour_of(measure).experiment()
            if found.measure != measure:
                raise ExtensionError(
                    f"pytest_llmpref_behaviours: the behaviour {measure!r} has an experiment whose measure is "
                    f"{found.measure!r}; give both one name"
                )
            self._experiments[measure] = found
        return self._experiments[measure]

    def conditions(self, measure: str) -> Conditions:
        """Return the conditions of an experiment: some compare entities that only preferences tell."""
        wanted = behaviour_of(measure).compared(self._study)
        if wanted is None:
            return self._study
        if self.only_counted:
            arms = any_arms(tuple(self._study.groups), wanted.size)
        elif wanted.parts == "quarters":
            arms = quarters(self._preferences())
        else:
            arms = extremes(self._preferences(), wanted.size)
        return replace(self._study, arms=arms)
