"""What a run would ask, take and cost, before anything is asked, and the smallest effects that it could detect."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.config.options import NO_RUN, Settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.behaviour import Planned
from pytest_llmpref.experiments.registry import behaviour_of, in_order
from pytest_llmpref.models.batches import LONGEST_WAIT
from pytest_llmpref.models.opening import has_batch_api
from pytest_llmpref.models.parameters import Price, price_under
from pytest_llmpref.models.reasoning import REASONING_ALLOWANCE, reasons
from pytest_llmpref.stats import closed_form
from pytest_llmpref.study.coverage import needs_of
from pytest_llmpref.study.study import Study

CHARACTERS_PER_TOKEN = 4
"""Of English prompts, roughly."""
WIDTH = 80
"""Columns of a line."""
MOST_TOO_FEW = 3
"""Entities over which no correlation has an error."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one measure of one model takes.

    Attributes
    ----------
    measure
        Its name.
    planned, missing
        Questions in all, and those that are not recorded yet.
    prompt_tokens, reply_tokens
        About what the missing prompts have, and at most what one reply to each of them has.
    at_most
        Whether these are the most, since the answers may end the asking before.
    judgements
        Replies that a judge may have to read, at most.
    judge_prompt_tokens, judge_reply_tokens
        About the most that its prompts and its answers have.
    compares
        Whether the judge compares texts, and the model is asked nothing.
    """

    measure: str
    planned: int
    missing: int
    prompt_tokens: int
    reply_tokens: int
    at_most: bool
    judgements: int = 0
    judge_prompt_tokens: int = 0
    judge_reply_tokens: int = 0
    compares: bool = False


def plan_of(study: Study, measures: Sequence[str]) -> list[Step]:
    """Return what each measure takes, less what is recorded. Nothing is asked or opened."""
    study.only_plan(measures)
    gaps = {gap.measure: gap for gap in study.gaps(measures)}
    steps = []
    for name in measures:
        gap = gaps.get(name)
        steps.append(
            Step(
                measure=name,
                planned=study.planned(name),
                missing=gap.questions if gap else 0,
                prompt_tokens=math.ceil(gap.prompt_characters / CHARACTERS_PER_TOKEN) if gap else 0,
                reply_tokens=gap.reply_tokens if gap else 0,
                at_most=study.at_most(name),
                judgements=gap.judgements if gap else 0,
                judge_prompt_tokens=math.ceil(gap.judge_characters / CHARACTERS_PER_TOKEN) if gap and gap.judge else 0,
                judge_reply_tokens=gap.judge_tokens if gap else 0,
                compares=gap is not None and gap.of_judge,
            )
        )
    return steps


def plan_lines(study: Study, measures: Sequence[str], settings: Settings) -> Iterator[str]:
    """Yield the plan of one model, as lines of 80 columns; what the measures need is asked too."""
    measures = in_order([*measures, *(need for name in measures for need in needs_of(name, study.conditions))])
    steps = plan_of(study, measures)
    model, calls = study.conditions.model, sum(step.missing for step in steps)
    prompt, reply = (sum(getattr(step, name) for step in steps) for name in ("prompt_tokens", "reply_tokens"))
    yield on_one_line(f"{model}, profile {study.conditions.profile.name}")
    yield f"  {'measure':<18}{'questions':>11}{'to ask':>9}{'prompt tokens':>15}{'reply tokens':>15}"
    for step in steps:
        most = "<= " * step.at_most
        questions = f"{f'{most}{step.planned:,}':>11}{f'{most * bool(step.missing)}{step.missing:,}':>9}"
        tokens = f"{step.prompt_tokens:>15,}{f'<= {step.reply_tokens:,}':>15}"
        yield f"  {step.measure:<18}{questions}{tokens}"
    yield from _not_asked(study, steps, settings)
    setup = setup_of(model, settings)
    price = price_under(model, settings)
    if price is None:
        yield "  cost: unknown, which is not zero: the price is not in litellm's list; give it"
        yield "    by --llmpref-price IN/OUT, US dollars for a million tokens"
    else:
        yield f"  cost: at most about ${price.of(prompt, reply):,.4f}, with one attempt at each question"
    if calls and has_batch_api(setup.model or model):
        yield from _batches(study, measures, steps, price)
    if calls and not setup.limits_replies and reasons(setup.model or model) == "unknown":
        more = f", which cost ${price.of(0, calls * REASONING_ALLOWANCE):,.4f}" if price else ""
        said = f"if it reasons before it answers: at most {calls * REASONING_ALLOWANCE:,} tokens more{more}"
        yield from _wrapped(said, "    ", "      ")
    yield from _judging(study.judge, steps, settings)
    if settings.canary:
        yield f"  canary: {settings.canary:,} calls beside these, of questions that are recorded"
    minutes = (calls + settings.canary) / settings.rate
    most = "up to " * any(step.at_most and step.missing for step in steps)
    yield f"  time: {most}{_time(minutes)} at {settings.rate:g} calls a minute"
    yield from _early_ends(study, measures)
    yield from _effects(study, measures, settings)


def _not_asked(study: Study, steps: Sequence[Step], settings: Settings) -> Iterator[str]:
    """Yield why measures have no question, such as an option that they wait for."""
    options_of_pytest = False
    for name in (step.measure for step in steps if not step.planned):
        takes = getattr(study.plans.experiment(name), "takes", "")
        imported = f"it takes imported {takes}, and asks nothing itself" if takes else ""
        off = behaviour_of(name).off(settings)
        options_of_pytest |= bool(off) and settings.command == NO_RUN
        yield from _wrapped(f"{name}: {off or imported or 'it has no question for this model'}", "    ", "      ")
    if options_of_pytest:
        yield "    (options of pytest: with them, pytest TESTS --llmpref-plan shows the plan)"


def _early_ends(study: Study, measures: Sequence[str]) -> Iterator[str]:
    """Yield after how many questions a gate may end the asking: at least, on average if all is well, and at most."""
    lines = []
    for name in measures:
        plan = study.plans[name]
        if (rounds := plan.rounds) is None or not 0 < rounds.least < rounds.total:
            continue
        expected = "".join(f"; about {count:,} if {truth}" for truth, count in rounds.expected())
        # What a run says that it saved is counted from all that a profile without looks would ask.
        fixed = f" (unstopped: {len(plan.requests):,})" if len(plan.requests) > rounds.total else ""
        said = f"{name}: {rounds.least:,} to {rounds.total:,}{fixed}{expected}"
        lines += _wrapped(said, "    ", "      ")
    if lines:
        yield "  a gate may end the asking early, as soon as its verdict is decided; questions:"
        yield from lines


def _judging(judge: str, steps: Sequence[Step], settings: Settings) -> Iterator[str]:
    """Yield what a judge takes at most: for replies that hold no explicit choice, and for texts that it compares."""
    if not judge:
        return
    calls, prompt, reply = (
        sum(getattr(step, name) for step in steps)
        for name in ("judgements", "judge_prompt_tokens", "judge_reply_tokens")
    )
    yield on_one_line(f"  judge: {judge}")
    compared = sum(step.judgements for step in steps if step.compares)
    if calls > compared or not calls:
        yield f"    for replies without an explicit choice: at most {calls - compared:,} calls,"
    if compared:
        yield f"    for texts that it compares: at most {compared:,} calls,"
    price = price_under(judge, settings)
    cost = (
        "at an unknown price, which is not zero" if price is None else f"at most about ${price.of(prompt, reply):,.4f}"
    )
    yield f"    {prompt:,} prompt tokens and {reply:,} reply tokens; {cost}"


def _batches(study: Study, measures: Sequence[str], steps: Sequence[Step], price: Price | None) -> Iterator[str]:
    """Yield what the same costs by the provider's batch API, and how long it may take."""
    rounds = study.rounds_of_batches(measures)
    if not rounds:
        return
    # The measures of one group go into the same jobs, so that the group takes as many rounds as the longest of them.
    least, most = len(rounds), sum(max(study.plans[name].most_rounds or 1 for name in names) for names in rounds)
    batched = {name for names in rounds for name in names}
    cost = ""
    if price is not None:
        dollars = (
            price.of(step.prompt_tokens, step.reply_tokens) * (price.batch if step.measure in batched else 1.0)
            for step in steps
        )
        cost = f"at most about ${sum(dollars):,.4f}, "
    yield f"    in batches (--llmpref-batch wait): {cost}within {most * LONGEST_WAIT:,} h"
    more = ["where answers are not valid"]
    if not all(study.plans[name].most_rounds for name in batched):
        more.append("where answers choose the next questions")
    counted = "1 round" if most == 1 else f"{least} rounds" if least == most else f"{least} to {most} rounds"
    yield from _wrapped(f"{counted} of {LONGEST_WAIT} h at the most, more {' or '.join(more)}", "      ", "      ")


def _effects(study: Study, measures: Sequence[str], settings: Settings) -> Iterator[str]:
    """Yield the smallest effect that each kind of claim could detect, at the run's alpha."""
    n, alpha = len(study.conditions.groups), settings.alpha
    yield f"  smallest effects, at {closed_form.POWER:.0%} power and alpha {alpha:g} ({alpha:g} / {n} for one of {n}):"
    if n > MOST_TOO_FEW:
        groups = len(set(study.conditions.groups.values()))
        over = f"{n} entities" + (f" in {groups} groups" if groups > 1 else "")
        yield f"    correlations: |rho| {closed_form.detectable_rho(n, alpha, groups):.2f} over {over}"
    for name in in_order(measures):
        planned = Planned(study.conditions, study.planned(name), study.at_most(name), alpha)
        yield from (f"    {line}" for line in behaviour_of(name).detectable(planned))


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _time(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes:.1f} min"
