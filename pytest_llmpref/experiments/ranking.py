"""Direct ranking: the whole list at once, shuffled anew for each repetition."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pytest_llmpref.estimates import Estimate, Normal
from pytest_llmpref.experiments.asking import Plan, Replies, attempt_key
from pytest_llmpref.experiments.design import shuffled
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import (
    COVERAGE_NEEDED,
    Measure,
    asking_diagnostics,
    coverage_reasons,
    outcome_diagnostics,
    reliability_reasons,
)
from pytest_llmpref.experiments.prompts import Prompts, load_prompts
from pytest_llmpref.experiments.replies import read_choice
from pytest_llmpref.experiments.trials import Attempt, Outcome, Trial
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import Prefill, led_messages

TOKENS_PER_ENTITY = 12
"""Room in the reply for one name and its separator."""
SHOWN_ORDER = 0.90
"""Mean rank correlation between the order shown and the order returned from which on a model merely repeats it."""


@dataclass(frozen=True, slots=True)
class RankingRead:
    """A reply, read as a ranking.

    Attributes
    ----------
    order
        Ids as ranked, best first; an entity that is named again keeps its first place.
    missing, repeated, invented
        How many entities were left out, named again, or are not in the list at all.
    """

    order: tuple[str, ...]
    missing: int
    repeated: int
    invented: int


@dataclass(frozen=True, slots=True)
class RankingExperiment:
    """The whole list, ranked in several repetitions.

    The value of an entity is the share of the other listed entities that a repetition ranks below it (1: first,
    0: last), averaged over the repetitions that list it: the normalised Borda count. An entity that a repetition
    leaves out has no place in it.
    """

    prompts: Prompts
    measure: str = "direct_ranking"

    def _shown(self, conditions: Conditions, repetition: int) -> list[str]:
        return shuffled(list(conditions.groups), conditions.seed, "ranking", str(repetition))

    def plan(self, conditions: Conditions) -> Plan:
        """Return one trial a repetition."""
        names = {entity: conditions.names[entity] for entity in conditions.groups}
        # A schema of two answers is of no use to a list.
        prefill: Prefill = "cue" if conditions.prefill == "schema" else conditions.prefill
        requests = []
        for repetition in range(conditions.profile.ranking_repetitions):
            shown = self._shown(conditions, repetition)
            text = self.prompts.render(
                repetition % self.prompts.wordings,
                entities="\n".join(f"- {names[entity]}" for entity in shown),
                count=len(shown),
            )
            requests.append(
                Request(
                    model=conditions.model,
                    messages=led_messages(text, self.prompts.lead, prefill),
                    temperature=conditions.profile.temperature,
                    max_tokens=TOKENS_PER_ENTITY * len(shown),
                )
            )

        def is_valid(_: int, reply: Reply) -> bool:
            return _lists_enough(read_ranking(reply.text, names), len(names))

        return Plan(requests, is_valid, conditions.profile.ranking_attempts)

    def analyse(self, conditions: Conditions, plan: Plan, replies: Sequence[Replies]) -> Measure:
        """Combine the repetitions, check the measurement, and return the measure."""
        groups = conditions.groups
        names = {entity: conditions.names[entity] for entity in groups}
        reads = [read_ranking(attempts[-1].text, names) for attempts in replies]
        trials = [
            _trial(request, attempts, names, self._shown(conditions, repetition), repetition % self.prompts.wordings)
            for repetition, (request, attempts) in enumerate(zip(plan.requests, replies, strict=True))
        ]
        diagnostics = (
            outcome_diagnostics(trials)
            | asking_diagnostics(replies)
            | {
                "missing": sum(read.missing for read in reads),
                "repeated": sum(read.repeated for read in reads),
                "invented": sum(read.invented for read in reads),
            }
        )
        scores = _scores(trials, list(groups))
        reasons = coverage_reasons(diagnostics)
        diagnostics["shown_order"] = shown = _shown_order(trials)
        if shown >= SHOWN_ORDER:
            reasons.append(f"the rankings repeat the order in which the list was shown (mean rho {shown:.2f})")
        reliability = _split_half(scores, conditions.seed)
        reasons += reliability_reasons(reliability)
        diagnostics["reliability"] = None if reliability is None else {"value": reliability.value, "n": reliability.n}
        return Measure(
            name=self.measure,
            model=conditions.model,
            estimates={entity: e.marked(reasons) for entity, e in _borda(scores, list(groups)).items()},
            groups=groups,
            reasons=tuple(reasons),
            reliability=reliability,
            diagnostics=diagnostics,
            trials=trials,
        )


def direct_ranking() -> RankingExperiment:
    """Return the experiment behind the measure ``direct_ranking``."""
    return RankingExperiment(load_prompts("ranking"))


def read_ranking(text: str, names: Mapping[str, str]) -> RankingRead:
    """Find the entities in a reply, in the order in which they are named, whatever separates them.

    ``names`` maps an entity id to its name; a leading "the" and the case of letters do not matter.
    """
    stems = {re.sub(r"^the\s+", "", name, flags=re.IGNORECASE).casefold(): id_ for id_, name in names.items()}
    longest_first = sorted(stems, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    folded = text.casefold()
    named = [stems[match.group()] for match in pattern.finditer(folded)]
    order = tuple(dict.fromkeys(named))
    rest = re.split(r"[;\n>]+", pattern.sub("\x00", folded))
    invented = sum(bool(re.search(r"[^\W\d_]{2,}", part)) and "\x00" not in part for part in rest)
    return RankingRead(order, len(names) - len(order), len(named) - len(order), invented)


def _lists_enough(read: RankingRead, count: int) -> bool:
    return len(read.order) >= COVERAGE_NEEDED * count


def _trial(request: Request, replies: Replies, names: Mapping[str, str], shown: list[str], wording: int) -> Trial:
    reads = [read_ranking(reply.text, names) for reply in replies]
    attempts = tuple(
        Attempt(attempt_key(request, number), _outcome(reply, read, len(names)), reply.text)
        for number, (reply, read) in enumerate(zip(replies, reads, strict=True))
    )
    valid = attempts[-1].outcome is Outcome.CHOICE
    return Trial(
        attempts=attempts,
        entities=tuple(shown),
        answered_by="text" if valid else None,
        wording=wording,
        ranking=reads[-1].order if valid else (),
    )


def _outcome(reply: Reply, read: RankingRead, count: int) -> Outcome:
    if reply.finish != "error" and _lists_enough(read, count):
        return Outcome.CHOICE
    # A list that stops short is not a choice between two options: no label can be read from it.
    outcome, _ = read_choice(reply, {"A": "\x00", "B": "\x00"})
    if outcome in {Outcome.CHOICE, Outcome.ABSTENTION} or read.order:
        return Outcome.TRUNCATED if reply.finish == "length" else Outcome.UNPARSEABLE
    return outcome


def _scores(trials: Sequence[Trial], ids: list[str]) -> NDArray[np.float64]:
    """Return normalised ranks, shape (valid repetitions, entities); NaN where an entity was left out."""
    rankings = [trial.ranking for trial in trials if trial.ranking]
    scores = np.full((len(rankings), len(ids)), np.nan)
    column = {entity: number for number, entity in enumerate(ids)}
    for row, ranking in enumerate(rankings):
        for place, entity in enumerate(ranking):
            scores[row, column[entity]] = 1 - place / (len(ranking) - 1)
    return scores


def _borda(scores: NDArray[np.float64], ids: list[str]) -> dict[str, Estimate]:
    estimates = {}
    for number, entity in enumerate(ids):
        listed = scores[:, number][~np.isnan(scores[:, number])]
        n = len(listed)
        value = float(listed.mean()) if n else float("nan")
        error = float(listed.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
        estimates[entity] = Estimate(
            value=value,
            n=n,
            unit="repetitions",
            method="mean normalised rank (Borda), t interval over repetitions",
            interval_method=Normal(value, error, df=max(n - 1, 1)),
            label=f"rank score of {entity}",
        )
    return estimates


def _shown_order(trials: Sequence[Trial]) -> float:
    correlations = []
    for trial in trials:
        if trial.ranking:
            places = [trial.entities.index(entity) for entity in trial.ranking]
            correlations.append(stats.spearmanr(np.arange(len(places)), places).statistic)
    return float(np.mean(correlations)) if correlations else float("nan")


def _split_half(scores: NDArray[np.float64], seed: int, splits: int = 50) -> Estimate | None:
    """Correlate the mean ranks of two random halves of the repetitions, stepped up by Spearman-Brown."""
    repetitions, n = scores.shape
    if repetitions < 4:
        return None
    rng = np.random.default_rng(seed)
    steps: list[Any] = []
    for _ in range(splits):
        order = rng.permutation(repetitions)
        halves = [scores[part] for part in (order[: repetitions // 2], order[repetitions // 2 :])]
        listed = np.all([(~np.isnan(half)).any(axis=0) for half in halves], axis=0)
        if listed.sum() < 4:
            return None
        rho = stats.spearmanr(*(np.nanmean(half[:, listed], axis=0) for half in halves)).statistic
        steps.append(2 * rho / (1 + rho) if rho > 0 else rho)
    value = float(np.mean(steps))
    return Estimate(
        value=value,
        n=n,
        unit="entities",
        method=f"split-half over repetitions, Spearman-Brown, mean of {splits} splits",
        interval_method=Normal(value, float("nan")),
        label="reliability of direct_ranking",
    )
