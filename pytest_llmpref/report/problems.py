"""Root causes of what is invalid: each once, with the claims that it spoils and what to do about it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.report.claims import ClaimGroup
from pytest_llmpref.report.wording import plural
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ClaimRecord, ModelRecord

FOR_MISSING: Mapping[str, str] = {
    Outcome.UNPARSEABLE: "read the replies in report.html, then try --llmpref-prefill cue or --llmpref-judge MODEL",
    Outcome.TRUNCATED: "raise max_tokens in the profile, or let the model think less",
    Outcome.REFUSAL: "the model declines to choose: try --llmpref-prefill assistant, cue or schema",
    Outcome.ABSTENTION: "the model declines to choose: try --llmpref-prefill assistant, cue or schema",
    Outcome.ERROR: "the provider failed: run again with --record-mode new_episodes, which asks what is missing",
}
"""Commonest missing outcome -> what to do where too few questions were answered."""
FOR_UNREAD = ("attempts choose, refuse or abstain", "replies answer or decline")
"""Words of the reasons of measures to which a refusal, too, is an answer: too few replies could be read."""
UNREAD = {Outcome.UNPARSEABLE, Outcome.TRUNCATED, Outcome.ERROR}
FOR_CHECKS = {
    "one-sided": "the model answers by position or label, whatever is named: try --llmpref-answers logprobs",
    "repeat the order": "the model copies the list; rely on the pairwise questions for this model",
    "base model": "use a model that was trained to converse, or leave these tests out with -k",
    "another format": "its preferences depend on label or position, so do not rely on them",
    "reliability": "the answers are mostly noise: use a larger --profile; if that does not help, there is no "
    "stable preference to test",
    "cut": "raise max_tokens in the profile, or let the model think less",
}
"""Words of a reason -> what to do about it."""


@dataclass(frozen=True)
class Problem:
    """One root cause.

    Attributes
    ----------
    title
        The cause, with the number of claims that it spoils.
    details
        What the checks found.
    to_do
        What the user can do; empty if nothing is known to help.
    """

    title: str
    details: tuple[str, ...]
    to_do: str


def problems_of(model: ModelRecord, groups: Iterable[ClaimGroup]) -> dict[str, Problem]:
    """Return the root causes of invalid claims, by the measure that failed its checks or by the reason."""
    invalid = [claim for group in groups for claim in group.claims if claim.verdict is Verdict.INVALID]
    spoilt: dict[str, list[ClaimRecord]] = {}
    for claim in invalid:
        for cause in causes_of(claim, model.measures):
            spoilt.setdefault(cause, []).append(claim)
    return {
        cause: _failed_measure(cause, model.measures[cause], claims, simulated=model.simulated)
        if cause in model.measures
        else _other_reason(claims)
        for cause, claims in spoilt.items()
    }


def causes_of(claim: ClaimRecord, measures: Mapping[str, MeasureRecord]) -> list[str]:
    """Return what spoils an invalid claim: the measures that failed their checks, else its first reason.

    Reasons that differ only in their figures are one cause.
    """
    failed = [name for name in claim.measures if name in measures and not measures[name].valid]
    return failed or [re.sub(r"\d[\d,.]*", "#", _first_reason(claim))]


def _first_reason(claim: ClaimRecord) -> str:
    return (claim.reasons or ["it gives no reason"])[0]


def _other_reason(claims: Sequence[ClaimRecord]) -> Problem:
    reasons = Counter(map(_first_reason, claims)).most_common()
    commonest = reasons[0][0]
    details = ("the commonest figures; others differ",) if len(reasons) > 1 else ()
    return Problem(f"{plural(len(claims), 'claim')} invalid: {commonest}", details, _for_reasons([commonest]))


def _failed_measure(name: str, measure: MeasureRecord, claims: Sequence[ClaimRecord], *, simulated: bool) -> Problem:
    title = f"{name} failed its checks: {plural(len(claims), 'claim')} invalid"
    missing = _missing(measure)
    if missing != Outcome.ERROR:
        return Problem(title, tuple(measure.reasons), FOR_MISSING.get(missing) or _for_reasons(measure.reasons))
    # Asked again, a simulated model fails again: the text of its error says what to do.
    error, to_do = _first_error(measure), "" if simulated else FOR_MISSING[Outcome.ERROR]
    return Problem(title, (*measure.reasons, *([f"first error: {error}"] if error else [])), to_do)


def _missing(measure: MeasureRecord) -> str:
    """Return the commonest outcome of what a measure lacks; empty if it does not fail for that."""
    too_few = any(reason.startswith("coverage") for reason in measure.reasons)
    unread = any(words in reason for words in FOR_UNREAD for reason in measure.reasons)
    sought = set(FOR_MISSING) if too_few else UNREAD if unread else set()
    outcomes = {name: count for name, count in measure.checks.outcomes.missing.items() if name in sought}
    return max(outcomes, key=outcomes.__getitem__, default="")


def _first_error(measure: MeasureRecord) -> str:
    """Return what the first trial that ended in an error says of it; empty in files that hold no trials."""
    if (columns := measure.columns) is None:
        return ""
    ended = zip(columns.outcome, columns.text, strict=True)
    return on_one_line(next((text for outcome, text in ended if outcome == Outcome.ERROR.value), ""))


def _for_reasons(reasons: Sequence[str]) -> str:
    return next((what for word, what in FOR_CHECKS.items() for reason in reasons if word in reason), "")
