"""Open questions about one entity each, whose replies others got: the descriptor of how often they are declined."""

from typing import TYPE_CHECKING

from pytest_llmpref.experiments.behaviour import Behaviour

if TYPE_CHECKING:
    from pytest_llmpref.experiments.experiment import Experiment


class OpenRefusals(Behaviour):
    """Share of declined open questions about each entity, from imported replies."""

    measure = "open_refusal"
    fixture = "open_refusals"
    title = "Open refusals"
    unit = "Declined (share of open questions)"

    def experiment(self) -> "Experiment":
        """Return what takes up imported replies."""
        from pytest_llmpref.experiments.replies.experiment import OpenRefusalExperiment  # noqa: PLC0415 - for such runs

        return OpenRefusalExperiment()
