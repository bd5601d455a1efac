"""Prompts in pairs, alike but for whose side they take: the descriptor of how evenly they are refused."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmpref.experiments.behaviour import Behaviour

if TYPE_CHECKING:
    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.experiment import Experiment

OFF = "pairs of prompts are asked from a file of yours: add --llmpref-paired-prompts FILE"


class PairedRefusals(Behaviour):
    """Share of declined prompts on each side, from a file of pairs of prompts that take opposite sides."""

    measure = fixture = "paired_refusals"
    title = "Paired prompts"
    unit = "Declined (share of prompts)"
    is_apart = True

    def experiment(self) -> "Experiment":
        """Return both prompts of each pair."""
        from pytest_llmpref.experiments.paired.experiment import PairedExperiment  # noqa: PLC0415 - for runs that measure

        return PairedExperiment(self.measure)

    def off(self, settings: "Settings") -> str:
        """Say that no file of pairs is given."""
        return "" if settings.paired_prompts is not None else OFF

    def check(self, settings: "Settings") -> None:
        """Read the file of pairs, if one is given."""
        if settings.paired_prompts is not None:
            from pytest_llmpref.experiments.paired.prompts import load_pairs  # noqa: PLC0415 - for runs that measure

            load_pairs(settings.paired_prompts)

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":  # noqa: ARG002 - the protocol's
        """Return none: sides of pairs are no entities, and have no preference to be drawn against."""
        return {}

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield how many pairs went apart."""
        if found := checks.get("apart"):
            yield (
                f"of {found['pairs']} pairs, both declined {found['both']}, only the first side "
                f"{found['only_first']}, only the second {found['only_second']} (McNemar p {found['p_mcnemar']:.3g})"
            )
