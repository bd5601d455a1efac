"""Questions in contexts, a randomised factor: the descriptors of what is asked in them.

Contexts are data: ``fixtures/contexts/FAMILY.toml``. A behaviour names its family, and the questions that are asked in
each of its contexts.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_llmpref.experiments.behaviour import Behaviour, Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmpref.charts import Chart, Drawing
    from pytest_llmpref.claims.estimates import Estimate
    from pytest_llmpref.config.options import Settings
    from pytest_llmpref.experiments.behaviour import Calibrating
    from pytest_llmpref.experiments.experiment import Experiment
    from pytest_llmpref.experiments.measure import Measure


OFF = "studies in contexts ask about ten times the questions: add --llmpref-contexts"


class _InContexts(Behaviour):
    """A behaviour in the contexts of a family.

    Attributes
    ----------
    family
        The family.
    prompts
        The questions: a file of ``fixtures/prompts``.
    looked_at
        As in `ContextExperiment`.
    """

    family: ClassVar[str] = "attitudes"
    prompts: ClassVar[str] = "donation"
    looked_at: ClassVar[Literal["chosen", "refused"]] = "chosen"
    unit = "Effect of the arm relative to the filler (share)"
    is_apart = True
    asked_more = "more questions about the same: a larger --profile, or context_squares in one of your own"
    asked_about: ClassVar[int] = 2
    """Entities in a question."""

    def experiment(self) -> "Experiment":
        """Return the questions, in every context."""
        from pytest_llmpref.experiments.contexts.experiment import (  # noqa: PLC0415 - for runs that measure
            context_experiment,
        )

        return context_experiment(self.measure, self.family, self.prompts, looked_at=self.looked_at)

    def off(self, settings: "Settings") -> str:
        """Say that studies in contexts are not wanted."""
        return "" if settings.contexts else OFF

    @property
    def has_positive_control(self) -> bool:
        """Whether a context of the family tells the model to act."""
        from pytest_llmpref.config.contexts import load_contexts  # noqa: PLC0415 - for policies that name it

        return bool(load_contexts(self.family, refusals=self.looked_at == "refused").of_role("control"))

    def positive_control(self, measure: "Measure") -> "Estimate":
        """Return what that context does: the effect of the arm in it, or how much more is refused."""
        from pytest_llmpref.experiments.contexts.effects import positive_control  # noqa: PLC0415 - imports numpy

        return positive_control(measure)

    def charts(self, drawing: "Drawing") -> "Mapping[str, Chart | None]":
        """Return what the contexts do: an effect is read over all entities, and not entity by entity."""
        from pytest_llmpref.experiments.contexts.charts import context_chart  # noqa: PLC0415 - for reports

        return {self.measure: context_chart(drawing, self.title_or_name)}

    def remarks(self, checks: Mapping[str, Any]) -> Iterator[str]:
        """Yield the share of each arm in each context; of choices without arms, whose share is a half, the contexts."""
        if not (found := checks.get("contexts")):
            return
        if not found["arms"] and found["looked_at"] == "chosen":
            said = ", ".join(f"{context} ({role})" for context, role in found["roles"].items())
            yield f"no arms: claims compare the choices in each context with the choices in the filler: {said}"
            return
        for context, by_arm in found["by_arm"].items():
            shares = {arm: one["value"] for arm, one in by_arm.items()}
            said = ", ".join(f"{arm} {'-' if share is None else f'{share:.0%}'}" for arm, share in shares.items())
            yield f"{context} ({found['roles'][context]}): {said}"

    def detectable(self, planned: Planned) -> Iterator[str]:
        """Yield the effect that the questions would show, were only chance at work."""
        from pytest_llmpref.config.contexts import load_contexts  # noqa: PLC0415 - for plans

        family = load_contexts(self.family)
        if not planned.questions or not family.arms:
            return
        from pytest_llmpref.stats.closed_form import detectable_arm_difference  # noqa: PLC0415 - as above

        # The filler is taken off, which costs as much again.
        per_arm = self.asked_about * planned.questions // (len(family.contexts) * len(family.arms))
        points = detectable_arm_difference(per_arm, planned.alpha) * 2**0.5
        yield f"{self.measure}, effect relative to the filler: {100 * points:.1f} percentage points"


class InducedPreference(_InContexts):
    """Stated preference where the assistant is said to like or dislike entities, assigned at random."""

    measure = fixture = "induced_preference"
    title = "Induced preference"
    prompts = "pairwise"

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.contexts import calibration  # noqa: PLC0415 - for calibration

        return (calibration,)


class InducedAdvice(_InContexts):
    """Donation advice where the assistant is said to like or dislike entities, assigned at random."""

    measure = fixture = "induced_advice"
    share_tables = ("no_effect_on_advice",)
    title = "Induced advice"


class InducedRefusals(_InContexts):
    """Refusals to advise where the assistant is said to like or dislike entities, assigned at random."""

    measure = fixture = "induced_refusals"
    share_tables = ("no_effect_on_refusals",)
    title = "Induced refusals"
    looked_at = "refused"


class InducedReading(_InContexts):
    """Accuracy of answers that help an entity which the assistant is said to like or dislike, assigned at random."""

    measure = fixture = "induced_reading"
    share_tables = ("no_effect_on_reading",)
    title = "Induced accuracy"
    asked_about = 1

    def experiment(self) -> "Experiment":
        """Return the reading questions, in every context."""
        from pytest_llmpref.experiments.contexts.experiment import (  # noqa: PLC0415 - for runs that measure
            context_reading,
        )

        return context_reading(self.measure, self.family)


class InducedAgentic(_InContexts):
    """Tasks that an agent solves for entities that the assistant is said to like or dislike, assigned at random."""

    measure = fixture = "induced_agentic"
    share_tables = ("no_effect_on_agents",)
    title = "Induced work as an agent"
    asked_about = 1

    def experiment(self) -> "Experiment":
        """Return the tasks, in every context."""
        from pytest_llmpref.experiments.contexts.agents import context_agents  # noqa: PLC0415 - for runs that measure

        return context_agents(self.measure, self.family)

    def off(self, settings: "Settings") -> str:
        """Say that studies in contexts are not wanted, or that no suite of tasks is named that our own agent does."""
        if why := super().off(settings):
            return why
        if all(suite.startswith("inspect:") for suite in settings.agentic):
            return "agents in contexts are our own: add --llmpref-agentic bundled, gaia or cybench"
        return ""


class GradedPreference(_InContexts):
    """Stated preference where the assistant is said to like or dislike entities more or less strongly."""

    measure = fixture = "graded_preference"
    title = "Graded preference"
    family, prompts = "strengths", "pairwise"


class GradedAdvice(_InContexts):
    """Donation advice where the assistant is said to like or dislike entities more or less strongly."""

    measure = fixture = "graded_advice"
    title = "Graded advice"
    family = "strengths"


class PressedAdvice(_InContexts):
    """Donation advice when the assistant is asked for the opposite, asked to be neutral, in a hurry, or paid."""

    measure = fixture = "pressed_advice"
    title = "Advice under pressure"
    family = "pressure"
    unit = "Change in choices relative to the filler (share)"

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.contexts import by_context_calibration  # noqa: PLC0415 - for calibration

        return (by_context_calibration,)


class ObservedAdvice(_InContexts):
    """Donation advice in conversations that look like a test, and in ones that look like a user's."""

    measure = fixture = "observed_advice"
    title = "Advice under observation"
    family = "awareness"
    unit = "Change in choices relative to the filler (share)"


class PressedRefusals(_InContexts):
    """Refusals to advise under the same pressure."""

    measure = fixture = "pressed_refusals"
    title = "Refusals under pressure"
    family, looked_at = "pressure", "refused"
    unit = "Change in refusals relative to the filler (share)"


class ObservedReading(InducedReading):
    """Accuracy in conversations that look like a test, and in ones that look like a user's."""

    measure = fixture = "observed_reading"
    title = "Accuracy under observation"
    family = "awareness"
    unit = "Change in accuracy relative to the filler (share)"


class SeenAsTest(_InContexts):
    """Whether the model says, after advice, that the conversation looked like a test."""

    measure = fixture = "seen_as_test"
    title = "Seen as a test"
    family = "awareness"
    unit = "Change in share seen as a test, relative to the filler"

    def experiment(self) -> "Experiment":
        """Return advice in every context, each followed by that question."""
        from pytest_llmpref.experiments.contexts.awareness import awareness  # noqa: PLC0415 - for runs that measure

        return awareness(self.measure, self.family)


class PrimedAdvice(_InContexts):
    """Donation advice after the model has said which entity it likes more, and in a separate conversation."""

    measure = fixture = "primed_advice"
    title = "Advice after a stated preference"
    family = ""
    unit = "Change in choices relative to the filler (share)"

    @property
    def has_positive_control(self) -> bool:
        """It has none."""
        return False

    def experiment(self) -> "Experiment":
        """Return advice by itself, after the preference question, and after another."""
        from pytest_llmpref.experiments.contexts.priming import priming  # noqa: PLC0415 - for runs that measure

        return priming(self.measure)

    def detectable(self, planned: Planned) -> Iterator[str]:  # noqa: ARG002 - the protocol's
        """Yield nothing: its contexts have no arms."""
        yield from ()


class AlignedAdvice(_InContexts):
    """Donation advice where the user states a taste of their own, assigned at random."""

    measure = fixture = "aligned_advice"
    title = "Advice given the user's taste"
    family = "user"

    def calibration(self) -> "Sequence[Calibrating]":
        """Return the simulated studies, and the claims made of them."""
        from pytest_llmpref.experiments.contexts import alignment_calibration  # noqa: PLC0415 - for calibration

        return (alignment_calibration,)


class MemberAdvice(_InContexts):
    """Donation advice where the user belongs to some entities, assigned at random."""

    measure = fixture = "member_advice"
    title = "Advice given the user's membership"
    family = "membership"


CONTEXTS = (
    InducedPreference(),
    InducedAdvice(),
    InducedRefusals(),
    InducedReading(),
    InducedAgentic(),
    GradedPreference(),
    GradedAdvice(),
    PressedAdvice(),
    PressedRefusals(),
    ObservedAdvice(),
    ObservedReading(),
    SeenAsTest(),
    PrimedAdvice(),
    AlignedAdvice(),
    MemberAdvice(),
)
