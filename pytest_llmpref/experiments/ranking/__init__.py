"""The whole list is ranked: the descriptor of the direct ranking."""

from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour

if TYPE_CHECKING:
    from pytest_llmpref.experiments.experiment import Experiment


class DirectRanking(Behaviour):
    """Preference for each entity, from rankings of the whole list: mean normalised rank, 1 is first."""

    measure = "direct_ranking"
    fixture = "direct_ranking"
    title = "Direct ranking"
    unit = "Direct ranking (mean place from the bottom)"

    def experiment(self) -> "Experiment":
        """Return rankings of the whole list."""
        from pytest_llmpref.experiments.ranking.experiment import direct_ranking  # noqa: PLC0415 - for such runs

        return direct_ranking()
