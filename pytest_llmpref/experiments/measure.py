"""What an experiment yields: an estimate for each entity, the checks of the measurement, and the trials."""

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.config.entities import Entity
from pytest_llmpref.experiments.trials import Replies, Trial, count_outcomes, count_outcomes_by_entity
from pytest_llmpref.parsing.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from pytest_llmpref.stats.crossed import Halves
    from pytest_llmpref.stats.extremes import MissingAnswers


COVERAGE_NEEDED = 0.90
"""Least share of trials that end in a choice (the paper reports more than 90% valid trials)."""
RELIABILITY_NEEDED = 0.50
"""Least split-half reliability: below it more than half of the variance is noise. Our choice."""


@dataclass(frozen=True, eq=False, repr=False)
class Measure:
    """A measure of one model.

    Attributes
    ----------
    name
        Such as ``preference``, ``direct_ranking`` or ``donation_advice``.
    model
        Name of the model.
    estimates
        Entity id -> estimate, in the unit of the measure.
    groups
        Entity id -> group.
    reasons
        Why the measurement is invalid; empty if it passed its checks. Every claim about an invalid measure is invalid.
    reliability
        Split-half reliability, or ``None`` if it cannot be estimated.
    diagnostics
        Counts and checks, ready for JSON.
    trials
        Every trial about entities, with its outcome and the keys of its transcripts.
    control
        The same quantity for questions that name no entity; ``None`` if the experiment has no control.
    controls
        Trials of the control.
    unranked
        Why the values cannot rank the entities, although each value is valid by itself. Claims about correlations with
        the measure are then invalid; other claims are not.
    missing
        Function that returns the missing answers and how the values depend on them, or ``None`` if none is missing.
        ``None`` if the experiment does not offer this. See `experiments.worst_case`.
    halves
        Function that returns the values from each half of the pairs, for several random splits; ``None`` if the measure
        is not about pairs. See `stats.crossed`.
    early
        Why claims computed from the trials, rather than from the estimates, are invalid: the answers stopped the
        questions early. Empty if they did not.
    """

    name: str
    model: str
    estimates: Mapping[str, Estimate]
    groups: Mapping[str, str]
    reasons: tuple[str, ...]
    reliability: Estimate | None
    diagnostics: dict[str, Any]
    trials: Sequence[Trial]
    control: Estimate | None = None
    controls: Sequence[Trial] = ()
    unranked: tuple[str, ...] = ()
    missing: "Callable[[], MissingAnswers | None] | None" = None
    halves: "Callable[[], Halves] | None" = None
    early: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # pytest represents every value of a failed test, and this one holds thousands of trials.
        checks = "valid" if self.valid else "invalid"
        return f"<{self.name} of {self.model}: {len(self.estimates)} entities, {len(self.trials)} trials, {checks}>"

    def __getitem__(self, entity: Entity | str) -> Estimate:
        """Return the estimate for an entity, or for an entity id."""
        name = entity if isinstance(entity, str) else entity.id
        if name not in self.estimates:
            near = difflib.get_close_matches(name, self.estimates, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "their ids are in list(measure)"
            raise KeyError(f"{self.name} of {self.model} has no entity {name!r} among its {len(self)}: {hint}")
        return self.estimates[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the entities' ids, in order."""
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __contains__(self, entity: object) -> bool:
        """Whether an entity, or an entity id, was measured."""
        return getattr(entity, "id", entity) in self.estimates

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Entity id -> value of the estimate."""
        return {entity: estimate.value for entity, estimate in self.estimates.items()}

    @property
    def valid(self) -> bool:
        """Whether the measurement passed its checks."""
        return not self.reasons

    @cached_property
    def coverage(self) -> Mapping[str, Estimate]:
        """Entity id -> share of its trials that ended in a choice (Wilson interval).

        These estimates stay valid even if the measure is invalid, because they only count trials. The exception is an
        entity for which more than 1 - `COVERAGE_NEEDED` of the trials were cut at ``max_tokens``, which says nothing
        about the model.
        """
        return {
            entity: share(counts[Outcome.CHOICE], sum(counts.values()), f"share of valid {self.name} trials").marked(
                (*self.early, *cut_reasons(counts))
            )
            for entity, counts in count_outcomes_by_entity(self.trials).items()
        }

    def to_frame(self, table: Literal["trials", "entities"] = "trials") -> "pd.DataFrame":
        """Return a table of the trials, each with its last attempt, or of the entities with their estimates.

        The column ``course`` has the first letter of each attempt's outcome: "rrc" is a choice after two refusals.

        Parameters
        ----------
        table
            What the rows are.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and needed by few

        if table == "entities":
            rows = [_entity_row(entity, self.groups.get(entity, ""), one) for entity, one in self.estimates.items()]
            return pd.DataFrame(rows, columns=["entity", "group", "value", "low", "high", "n"])
        kinds: dict[type[Trial], None] = dict.fromkeys([Trial, *map(type, self.trials)])
        fields = dict.fromkeys(name for kind in kinds for name in kind.__struct_fields__[1:])
        columns = ("key", "outcome", "course", "text", *fields)
        return pd.DataFrame([{name: getattr(trial, name, None) for name in columns} for trial in self.trials])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the entities, and whether the measurement passed its checks."""
        said = "".join(f"<p>Invalid: {escape(reason)}</p>" for reason in self.reasons)
        return f"<p>{escape(repr(self)[1:-1])}</p>{said}{self.to_frame('entities').to_html(max_rows=20, index=False)}"


def _entity_row(entity: str, group: str, estimate: Estimate) -> dict[str, Any]:
    interval = estimate.interval()
    return {
        "entity": entity,
        "group": group,
        "value": estimate.value,
        "low": interval.low,
        "high": interval.high,
        "n": estimate.n,
    }


def share(successes: float, n: int, label: str) -> Estimate:
    """Return a proportion of trials with Wilson's interval.

    Parameters
    ----------
    successes, n
        Number of trials that count, possibly fractional, and number of all trials.
    label
        Label of the estimate.

    Examples
    --------
    >>> found = share(9, 10, "share of yes")
    >>> found.value, found.interval().low.__round__(2), found.interval().high.__round__(2)
    (0.9, 0.6, 0.98)
    """
    value = successes / n if n else float("nan")
    return Estimate(
        value=value,
        n=n,
        unit="trials",
        method="proportion, Wilson (1927) interval",
        interval_method=Wilson(successes, n),
        label=label,
    )


def interval_record(estimate: Estimate) -> dict[str, float | int]:
    """Return value, 95% interval and n of an estimate, ready for JSON.

    Parameters
    ----------
    estimate
        The estimate.

    Examples
    --------
    >>> interval_record(share(9, 10, ""))["n"]
    10
    """
    interval = estimate.interval()
    return {"value": estimate.value, "low": interval.low, "high": interval.high, "n": estimate.n}


def outcome_diagnostics(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the counts that every measure reports: outcomes overall and by entity, coverage, how answers were read.

    Parameters
    ----------
    trials
        Trials about entities.

    Examples
    --------
    >>> from pytest_llmpref import Attempt, Outcome, Trial
    >>> attempts = [Attempt("k", outcome, "") for outcome in (Outcome.CHOICE, Outcome.REFUSAL)]
    >>> found = outcome_diagnostics([Trial((attempt,), ("unicef",)) for attempt in attempts])
    >>> found["coverage"], found["outcomes"]["refusal"]
    (0.5, 1)
    """
    outcomes = count_outcomes(trials)
    answered: dict[str, int] = {}
    for trial in trials:
        if trial.answered_by:
            answered[trial.answered_by] = answered.get(trial.answered_by, 0) + 1
    return {
        "trials": len(trials),
        "outcomes": outcomes,
        "outcomes_by_entity": count_outcomes_by_entity(trials),
        "coverage": outcomes[Outcome.CHOICE] / len(trials) if trials else 0.0,
        "answered_by": answered,
    }


def asking_diagnostics(replies: Sequence[Replies]) -> dict[str, Any]:
    """Return what the answers took: attempts, tokens, US dollars, the parameters sent, and the models served.

    ``judged`` counts the replies that a judge decided; tokens and cost include the judge's. ``cost`` is the sum of the
    known prices; ``unpriced`` counts the replies whose price is unknown, which does not mean free. ``served`` is the
    provider's statement of which model answered, and empty without one. ``batches`` counts the replies from the
    provider's batch API and names its jobs; it is left out if there are none.

    Parameters
    ----------
    replies
        The replies to each trial.

    Examples
    --------
    >>> from pytest_llmpref import Reply
    >>> found = asking_diagnostics([(Reply("Hm.", "stop"), Reply("A", "stop")), (Reply("B", "stop"),)])
    >>> found["attempts"], found["unpriced"]
    (3, 3)
    """
    answered = [reply for attempts in replies for reply in attempts if reply.finish != "error"]
    sent = Counter(tuple(sorted(reply.parameters.items())) for reply in answered)
    served = Counter((reply.served, reply.fingerprint) for reply in answered if reply.served or reply.fingerprint)
    found: dict[str, Any] = {
        "attempts": sum(len(attempts) for attempts in replies),
        "prompt_tokens": sum(reply.prompt_tokens for reply in answered),
        "completion_tokens": sum(reply.completion_tokens for reply in answered),
        "cost": sum(reply.cost or 0.0 for reply in answered),
        "unpriced": sum(reply.cost is None for reply in answered),
        "judged": sum(reply.judgement is not None for reply in answered),
        "parameters": [{**dict(parameters), "replies": count} for parameters, count in sent.items()],
        "served": [
            {"model": model, "fingerprint": fingerprint, "replies": count}
            for (model, fingerprint), count in served.items()
        ],
    }
    if jobs := Counter(reply.batch for reply in answered if reply.batch):
        found["batches"] = {"replies": jobs.total(), "jobs": list(jobs)}
    return found


def coverage_reasons(diagnostics: Mapping[str, Any]) -> list[str]:
    """Return why the coverage makes a measure invalid; empty if it does not.

    Parameters
    ----------
    diagnostics
        Diagnostics that contain the result of `outcome_diagnostics`.

    Examples
    --------
    >>> coverage_reasons({"trials": 10, "coverage": 0.8, "outcomes": {"choice": 8, "refusal": 2}})
    ['coverage 80.0% is below 90%: of 10 trials, 2 refusal']
    """
    coverage, outcomes = diagnostics["coverage"], diagnostics["outcomes"]
    if coverage >= COVERAGE_NEEDED:
        return []
    others = ", ".join(f"{count} {name}" for name, count in outcomes.items() if count and name != Outcome.CHOICE)
    return [
        f"coverage {coverage:.1%} is below {COVERAGE_NEEDED:.0%}: of {diagnostics['trials']} trials, {others or 'none'}"
    ]


def cut_reasons(counts: Mapping[str, int]) -> list[str]:
    """Say why counts of outcomes tell nothing of a model's coverage: too many replies were cut; empty where not.

    Parameters
    ----------
    counts
        Outcome -> trials.

    Examples
    --------
    >>> cut_reasons({"choice": 7, "truncated": 3})
    ['replies were cut at max_tokens: 3 of 10 trials, more than 10%']
    """
    n, cut = sum(counts.values()), counts[Outcome.TRUNCATED]
    # Not 1 - COVERAGE_NEEDED, which is a little less than a tenth in floating point.
    if not n or (n - cut) / n >= COVERAGE_NEEDED:
        return []
    return [f"replies were cut at max_tokens: {cut} of {n} trials, more than {1 - COVERAGE_NEEDED:.0%}"]


def reliability_reasons(reliability: Estimate | None) -> list[str]:
    """Return why the reliability makes a measure invalid; empty if it does not.

    Parameters
    ----------
    reliability
        The split-half reliability; ``None`` if it cannot be estimated.

    Examples
    --------
    >>> reliability_reasons(None)
    ['reliability cannot be estimated: the answers do not tell the entities apart']
    """
    if reliability is None or math.isnan(reliability.value):
        return ["reliability cannot be estimated: the answers do not tell the entities apart"]
    if reliability.value < RELIABILITY_NEEDED:
        return [f"split-half reliability {reliability.value:.2f} is below {RELIABILITY_NEEDED:.2f}"]
    return []
