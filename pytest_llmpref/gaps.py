"""What of a plan is not recorded, and how to record just that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Request
from pytest_llmpref.models.opening import listed_price
from pytest_llmpref.options import Settings


class NotRecordedError(LLMPrefError):
    """Trials that a replay needs are not recorded; the message counts them and says how to record them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Trials of one experiment that are not recorded to their end.

    Attributes
    ----------
    measure
        Name of the measure.
    missing
        The number of each such trial in the plan, and the first of its attempts that is missing.
    planned
        How many trials are planned.
    """

    measure: str
    missing: Mapping[int, Request]
    planned: int


def describe_gaps(model: str, gaps: Sequence[Gap], settings: Settings) -> str:
    """Say how many trials of which experiment are missing, and how to record just those."""
    missing = [request for gap in gaps for request in gap.missing.values()]
    lines = [f"{model}: {len(missing):,} trials are not recorded, and --record-mode none asks nothing:"]
    lines += [f"  {gap.measure}: {len(gap.missing):,} of {gap.planned:,}" for gap in gaps]
    prompt = sum(len(message.content) for request in missing for message in request.messages) // 4
    reply = sum(request.max_tokens for request in missing)
    lines += [
        "record just those with:",
        f"  pytest suites --model {model} {_options(settings)} --record-mode new_episodes",
        f"which takes about {prompt:,} tokens of prompts, and at most {reply:,} of replies",
        f"({_price(model, prompt, reply)}).",
    ]
    return "\n".join(lines)


def _options(settings: Settings) -> str:
    """Return the options on which it depends what is asked."""
    options = [f"--profile {settings.profile}"]
    if settings.entities is not None:
        options.append(f"--llmpref-entities {settings.entities}")
    options += [f"--llmpref-boolq {settings.boolq}"] * bool(settings.boolq)
    options += [f"--llmpref-control {settings.control}"] * (settings.control == "fictitious-entities")
    options += [f"--llmpref-answers {settings.answers}"] * (settings.answers != "auto")
    options += [f"--llmpref-prefill {settings.prefill}"] * (settings.prefill != "auto")
    options += [f"--llmpref-judge {settings.judge}"] * bool(settings.judge)
    options += [f"--llmpref-agentic {suite}" for suite in settings.agentic]
    options += [f"--llmpref-arms {settings.arms}"] * bool(settings.arms)
    options += [f"--llmpref-seed {settings.seed}"] * (settings.seed != 0)
    return " ".join(options)


def _price(model: str, prompt: int, reply: int) -> str:
    price = listed_price(model, prompt, reply)
    if price is None:
        return "at a price that litellm's list lacks"
    return f"at most about ${price:.2f} by litellm's price list" if price else "free, since the model runs here"
