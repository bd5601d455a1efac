"""Two entities are shown, and one is asked for: the descriptors of preference, advice, and their control."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmpref.experiments.behaviour import Behaviour, Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.claims.estimates import Estimate
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.experiments.measure import Measure


OFF = "open questions ask about every pair again: add --llmpref-open-questions"


class _Pairs(Behaviour):
    """A behaviour whose measure is a Bradley-Terry strength."""

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield by how much the strength of one entity must differ to be told from the others'."""
        if planned.questions and planned.n > 1:
            from pytest_llmpref.stats.closed_form import detectable_strength  # noqa: PLC0415 - for plans

            trials = 2 * planned.questions / planned.n
            points = detectable_strength(planned.n, trials, planned.alpha / planned.n)
            yield f"{self.measure}, one entity: {points:.0f} Elo points, if pairs are close"

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield the version of the design, where it is not the current one."""
        from pytest_llmpref.config.profiles import NEWEST_DESIGN  # noqa: PLC0415 - loads msgspec

        if self.is_reference and (design := checks.get("design", NEWEST_DESIGN)) < NEWEST_DESIGN:
            yield f"asked by question design {design}, as recorded; --llmpref-design {NEWEST_DESIGN} asks anew"


class Preference(_Pairs):
    """Preference for each entity, from pairwise questions: Bradley-Terry strength on the Elo scale."""

    measure = "preference"
    fixture = "preferences"
    title = "Preference"
    unit = "Preference (Elo)"
    is_reference = True

    def experiment(self) -> "Experiment":
        """Return pairwise questions about liking."""
        from pytest_llmpref.experiments.pairs.experiment import shipped_pairs  # noqa: PLC0415 - for runs that measure

        return shipped_pairs(self.measure, "pairwise")

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return the preference ladder."""
        from pytest_llmpref.charts import ladder  # noqa: PLC0415 - for reports

        return {self.measure: ladder(drawing, self.unit)}


class Advice(_Pairs):
    """Advice to give to each entity, from users' questions: Bradley-Terry strength on the Elo scale."""

    measure = "donation_advice"
    fixture = "donation_advice"
    title = "Advice"
    unit = "Donation advice (Elo)"

    def experiment(self) -> "Experiment":
        """Return pairwise questions of users who want to give money. Preferences are never mentioned."""
        from pytest_llmpref.experiments.pairs.experiment import shipped_pairs  # noqa: PLC0415 - for runs that measure

        return shipped_pairs(self.measure, "donation")

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.pairs import calibration, worlds  # noqa: PLC0415 - for calibration

        return (calibration, worlds)


class NameQuestions(Behaviour):
    """Share of questions about two names that are answered with each entity: a negative control for advice."""

    measure = fixture = "name_questions"
    share_tables = ("negative_control",)
    is_control = True
    title = "Questions about names"
    unit = "Named (share of questions about names)"
    is_apart = True

    def experiment(self) -> "Experiment":
        """Return questions that the names alone answer."""
        from pytest_llmpref.experiments.pairs.naming import NameExperiment  # noqa: PLC0415 - for runs that measure

        return NameExperiment(self.measure, "names")

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the smallest pull of liking that could be told from none, were all answers by chance."""
        if planned.questions and planned.n > 1:
            from pytest_llmpref.stats.closed_form import detectable_pull  # noqa: PLC0415 - for plans

            pull = detectable_pull(planned.questions, planned.alpha)
            yield f"{self.measure}, pull of liking: {pull:.2f}, if answers are random"

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield how often the answers were right."""
        if right := checks.get("share_right"):
            yield f"right in {right['value']:.0%} of the questions"

    @property
    def has_negative_control(self) -> bool:
        """Whether no liking should answer its questions: true of all of them."""
        return True

    def negative_control(self, measure: "Measure", preferences: "Measure") -> "Estimate":
        """Return the pull of liking."""
        from pytest_llmpref.experiments.pairs.habit import pull_of_liking  # noqa: PLC0415 - imports numpy

        return pull_of_liking(measure, preferences)

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.pairs import habit_calibration  # noqa: PLC0415 - for calibration

        return (habit_calibration,)


class _Open(_Pairs):
    """Questions about pairs without labels, and without a request for a letter."""

    is_apart = True

    def off(self, settings: "Settings") -> str:
        """Say that open questions are not wanted."""
        return "" if settings.open_questions else OFF


class OpenPreference(_Open):
    """Preference for each entity, from open questions; if the reply chooses neither, the user insists once."""

    measure = fixture = "open_preference"
    title = "Open preference"
    unit = "Open preference (Elo)"

    def experiment(self) -> "Experiment":
        """Return open questions about liking."""
        from pytest_llmpref.experiments.pairs.open_format import OpenExperiment  # noqa: PLC0415 - for runs that measure

        return OpenExperiment(self.measure, "pairwise")


class OpenAdvice(_Open):
    """Donation advice from open questions; if the reply chooses neither, the user insists once."""

    measure = fixture = "open_advice"
    title = "Open advice"
    unit = "Open donation advice (Elo)"

    def experiment(self) -> "Experiment":
        """Return open questions of users who want to give money."""
        from pytest_llmpref.experiments.pairs.open_format import OpenExperiment  # noqa: PLC0415 - for runs that measure

        return OpenExperiment(self.measure, "donation")


class _Forms(Behaviour):
    """Questions about pairs in other forms, which only the fixture ``protocols`` needs."""

    needed_by = "protocols"

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":  # noqa: ARG002 - the protocol's
        """Return none: the measure is there to be cut into protocols."""
        return {}


class PreferenceForms(_Forms):
    """The questions of the preference, in every form but the usual one."""

    measure = "preference_forms"

    def experiment(self) -> "Experiment":
        """Return the questions in other forms."""
        from pytest_llmpref.experiments.pairs.experiment import FormsExperiment  # noqa: PLC0415 - for runs that measure

        return FormsExperiment(self.measure, "pairwise")


class AdviceForms(_Forms):
    """The questions of the donation advice, in every form but the usual one."""

    measure = "advice_forms"

    def experiment(self) -> "Experiment":
        """Return the questions in other forms."""
        from pytest_llmpref.experiments.pairs.experiment import FormsExperiment  # noqa: PLC0415 - for runs that measure

        return FormsExperiment(self.measure, "donation")
