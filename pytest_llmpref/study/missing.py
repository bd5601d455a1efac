"""What a replay lacks: counted over all measures of a run, priced, and told with the command that records it."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmpref.config.options import NO_RUN, Settings
from pytest_llmpref.errors import MissingError
from pytest_llmpref.experiments.registry import in_order
from pytest_llmpref.models.parameters import price_under
from pytest_llmpref.study.coverage import Gap, needs_of

if TYPE_CHECKING:
    from pytest_llmpref.study.study import Study

LEAST_SHOWN = 0.01
"""US dollars below which two digits would show nothing."""


class NotRecordedError(MissingError):
    """Trials that a replay needs are not recorded; the message counts them and says how to record them."""


def check_recorded(study: "Study", measures: Sequence[str], settings: Settings) -> None:
    """Make sure that a replay has all trials of some measures, and of those that they need.

    Without some answers it is not known which questions follow from them, but it is known how many there are.

    Raises
    ------
    NotRecordedError
        If it lacks some. It counts all of them.
    """
    needed = {name: needs_of(name, study.conditions) for name in measures}
    with study.plans.counted():
        study.only_plan(measures)
        if gaps := study.gaps(in_order([*measures, *itertools.chain(*needed.values())])):
            after = {name: study.plans.not_measured.intersection(needs) for name, needs in needed.items()}
            raise NotRecordedError(describe_gaps(study.cassette.model, gaps, settings, after))


def describe_gaps(model: str, gaps: Sequence[Gap], settings: Settings, after: Mapping[str, Collection[str]]) -> str:
    """Say how many trials of each experiment are missing, and how to record only these.

    The first line stands by itself: it says what all of them cost, and a gate that did not run quotes it.

    Parameters
    ----------
    model
        Its name.
    gaps
        All that is missing of the model's measures.
    settings
        What the user wants.
    after
        Measure -> those measures whose missing answers decide what it asks, so that its questions were only counted.
    """
    count, costs = sum(gap.count for gap in gaps), _costs(model, gaps, settings)
    # What was recorded of later rounds cannot be known before the answers that choose them.
    at_most = {gap.measure: bool(gap.later or after.get(gap.measure)) for gap in gaps}
    most = "up to " * any(at_most.values())
    mode, again = "--record-mode none", f"{settings.command} --record-mode new_episodes"
    elsewhere = "--llmpref-cassettes=FOLDER"
    if settings.command == NO_RUN:
        # In a notebook there is no command line.
        mode, again = 'record_mode="none"', f'open_study("{model}", ..., record_mode="new_episodes")'
        elsewhere = 'cassettes="FOLDER"'
    lines = [
        f"{model}: {most}{count:,} {'trial is' if count == 1 else 'trials are'} not recorded, and {mode} asks "
        f"nothing; recording all of them {_in_all(costs)}:"
    ]
    for gap in gaps:
        lines.append(f"  {gap.measure}: {'up to ' * at_most[gap.measure]}{gap.count:,} of {gap.planned:,}")
        if gap.unjudged:
            lines.append(f"    ({len(gap.unjudged):,} of them are answered, but {gap.judge} has not judged them)")
        if others := after.get(gap.measure):
            lines.append(f"    (which they are depends on the answers to {' and '.join(in_order(others))})")
        elif gap.later:
            lines.append(f"    ({len(gap.missing):,} now, and {gap.later:,} that depend on the answers)")
    of_model, *of_judge = costs
    lines += [
        f"searched for in {settings.cassettes.absolute()}",
        f"({elsewhere} names another)",
        "record just those with:",
        f"  {again}",
        f"which takes about {of_model.prompt:,} tokens of prompts, and at most {of_model.reply:,} of replies",
        f"({of_model.in_words}).",
    ]
    for cost in of_judge:
        lines += [f"{cost.model} may judge up to {cost.calls:,} replies", f"({cost.in_words})."]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one model takes to answer what is missing, with one attempt at each question; ``None`` dollars: unknown."""

    model: str
    calls: int
    prompt: int
    reply: int
    dollars: float | None

    @property
    def in_words(self) -> str:
        if self.dollars is None:
            return "at an unknown price, which is not zero: give it by --llmpref-price IN/OUT"
        return f"at most about {_dollars(self.dollars)}" if self.dollars else "free"


def _costs(model: str, gaps: Sequence[Gap], settings: Settings) -> list[_Cost]:
    """Return what the model takes, and what its judge takes, if there is one."""
    prompt, reply = sum(gap.prompt_characters for gap in gaps) // 4, sum(gap.reply_tokens for gap in gaps)
    costs = [_cost(model, sum(gap.questions for gap in gaps), prompt, reply, settings)]
    if judged_gaps := [gap for gap in gaps if gap.judge]:
        calls = sum(gap.judgements for gap in judged_gaps)
        prompt = sum(gap.judge_characters for gap in judged_gaps) // 4
        answers = sum(gap.judge_tokens for gap in judged_gaps)
        costs.append(_cost(judged_gaps[0].judge, calls, prompt, answers, settings))
    return costs


def _cost(model: str, calls: int, prompt: int, reply: int, settings: Settings) -> _Cost:
    price = price_under(model, settings)
    return _Cost(model, calls, prompt, reply, None if price is None else price.of(prompt, reply))


def _in_all(costs: Sequence[_Cost]) -> str:
    """Say what several models cost together. An unknown price makes the sum unknown, and the tokens stand for it."""
    known = [cost.dollars for cost in costs if cost.dollars is not None]
    if len(known) < len(costs):
        tokens = sum(cost.prompt + cost.reply for cost in costs)
        return f"takes up to about {tokens:,} tokens, at an unknown price"
    return f"costs at most about {_dollars(sum(known))}, with one attempt at each" if sum(known) else "is free"


def _dollars(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= LEAST_SHOWN else f"${dollars:,.4f}"
