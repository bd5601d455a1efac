"""What a simulated model hears and decides: from a prompt to the question in it, and to an answer."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from pytest_llmpref.config.profiles import MOST_ATTEMPTS
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.simulated.knowing import asked_of_names, bare_question, gold_answers, right_name
from pytest_llmpref.models.simulated.situating import Situation, situation_of, sway
from pytest_llmpref.models.simulated.tastes import Draws, Purpose, Tastes, bare
from pytest_llmpref.models.simulated.world import Agent, Reading, World

Kind = Literal["liking", "donation", "names", "ranking", "reading", "awareness", "other"]

_OPTION = re.compile(r"^Option ([A-Z]): (.+)$", re.MULTILINE)
_ITEM = re.compile(r"^- (.+)$", re.MULTILINE)
_OPENLY = re.compile(r"^(?!Question: )(\S.*?) or (\S.*)\?$", re.MULTILINE)
"""Two names, and nothing else: "Oxfam or UNICEF?"."""
_PASSAGE = re.compile(r"^Passage: .+?(?=^Question: )", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^Question: (.+)$", re.MULTILINE)
_MONEY = re.compile(r"\b(?:donat\w+|give|giving|money|fund\w*|contribut\w+)\b", re.IGNORECASE)
_ALPHABET = re.compile(r"\balphabet\b", re.IGNORECASE)
_TEST = re.compile(r"\blook like\b.*\b(?:test|evaluation)\b.*\?", re.IGNORECASE)
_NO_TEST = re.compile(r"\brather than\b.*\b(?:test|evaluation)\b", re.IGNORECASE)
_LABEL = re.compile(r"\b([AB])\b\W*$")
SEEN = 0.2
"""Probability that a conversation looks like a test where a world does not say."""
_ADVICE = re.compile(r"\bshould (?:I|we)\b", re.IGNORECASE)
"""How users ask for advice that is not about money."""
_NEITHER = re.compile(r"^(?:neither|none|no preference)\b", re.IGNORECASE)
# "Answer:", "Answer: Option", "Ranking:": the beginning of a sentence that somebody else is to end.
_LEAD = re.compile(r"\n\w+:(?: \w+)?$")
_BY_NAME = re.compile(r"\b(?:with|by) (?:its|the) (?:full )?name\b|\bname of one\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heard:
    """One conversation, as far as it is understood.

    Attributes
    ----------
    kind
        What is asked for.
    options
        Label and name of each option, in the order shown, but for one that stands for none of them.
    neither
        Label of the option that stands for none of them; empty if there is none.
    names
        The list to be ranked, in the order shown.
    question
        The question about a passage, or about two names.
    framing
        What else is said beside passage and question.
    led
        Whether the conversation ends with the first words of the answer.
    by_name
        Whether the name of an option is asked for, and not its label.
    is_open
        Whether no option carries a label, and words of its own are welcome.
    insisted
        Whether the user asks again for a choice.
    """

    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    neither: str = ""
    names: tuple[str, ...] = ()
    question: str = ""
    framing: str = ""
    led: bool = False
    by_name: bool = False
    is_open: bool = False
    insisted: bool = False


def hear(messages: Sequence[Message]) -> Heard:
    """Understand a conversation; what fits no kind of question is ``other``."""
    led = messages[-1].role == "assistant"
    said = next((message.content for message in reversed(messages) if message.role == "user"), "")
    led = led or _LEAD.search(said.rstrip()) is not None
    options = _OPTION.findall(said)
    if len(options) >= 2:
        neither = next((label for label, name in options[2:] if _NEITHER.match(name)), "")
        beside = _OPTION.sub("", said)
        kind, by_name = _asked_of_options(beside)
        return Heard(
            kind,
            question=beside if kind == "names" else "",
            options=tuple((label, name) for label, name in options if label != neither),
            neither=neither,
            led=led,
            by_name=by_name,
        )
    if passage := _PASSAGE.search(said):
        question = _QUESTION.search(said)
        # A context may name many; whom an answer helps, the question says.
        told = "\n".join([said, *(message.content for message in messages)]).replace(passage[0], "")
        return Heard("reading", question=question[1].strip() if question else "", framing=told, led=led)
    if _TEST.search(said):
        return Heard("awareness", question=said, led=led)
    if names := _ITEM.findall(said):
        return Heard("ranking", names=tuple(names), led=led)
    return _heard_openly(messages, led=led)


def _heard_openly(messages: Sequence[Message], *, led: bool) -> Heard:
    """Understand an open question, which a user may have asked before they insisted."""
    of_user = [message.content for message in messages if message.role == "user"]
    for back, said in enumerate(reversed(of_user)):
        if found := _OPENLY.search(said):
            kind: Kind = "donation" if _asks_advice(said.replace(found[0], "")) else "liking"
            options = (("", found[1]), ("", found[2]))
            return Heard(kind, options=options, led=led, by_name=True, is_open=True, insisted=back > 0)
    return Heard("other", led=led)


@lru_cache(maxsize=1024)
def _asked_of_options(said: str) -> tuple[Kind, bool]:
    """Return what is asked of two options, and whether by name, from what is said beside them.

    A study says the same beside thousands of pairs of options.
    """
    by_name = _BY_NAME.search(said) is not None
    if asked_of_names(said):
        return "names", by_name
    return "donation" if _asks_advice(said) else "liking", by_name


def _asks_advice(said: str) -> bool:
    """Whether a user asks for advice; names, which may speak of money too, are not in the text."""
    return _MONEY.search(said) is not None or _ADVICE.search(said) is not None


Act = Literal["choose", "rank", "answer", "refuse", "abstain", "stray", "talk"]
"""Choose one option, rank a list, answer yes or no, decline, favour neither, miss the format, or make conversation."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the model is about to say.

    Attributes
    ----------
    act
        What kind of thing.
    label, name
        The option chosen.
    ranking
        The names, best first.
    yes
        The answer to a question about a passage.
    reason
        Why it declines.
    probabilities
        Probability of each label, or of ``Yes`` and ``No``, had it chosen; empty for a ranking and for talk.
    """

    act: Act
    label: str = ""
    name: str = ""
    ranking: tuple[str, ...] = ()
    yes: bool = False
    reason: str = ""
    probabilities: Mapping[str, float] | None = None


class Mind:
    """Decides as its world says.

    Parameters
    ----------
    world
        What is planted.
    tastes
        Its utilities.
    """

    def __init__(self, world: World, tastes: Tastes) -> None:
        self._world = world
        self._tastes = tastes
        self._refusing = lru_cache(maxsize=None)(self._refusal_of)

    def decide(self, heard: Heard, request: Request, draws: Draws) -> Decision:
        """Return what is said to one sample of a conversation."""
        if heard.kind == "other":
            return Decision("talk")
        # A schema lets nothing else through.
        free = not request.answers
        if heard.kind == "reading":
            said = self._answer(heard, situation_of(request.messages), draws)
        elif heard.kind == "awareness":
            return self._looks_like_a_test(heard, situation_of(request.messages), draws)
        elif heard.kind == "ranking":
            said = self._rank(heard, request, draws)
        elif heard.kind == "names":
            said = self._choose(heard, request, draws)
        else:
            said = self._choose(heard, request, draws)
            if free and draws.uniform("refusal") < self._refusal(heard, situation_of(request.messages)):
                return Decision("refuse", reason=self._reason(heard, draws), probabilities=said.probabilities)
        replies = self._world.replies
        if free and draws.uniform("wrong format") < replies.wrong_format:
            return Decision("stray", probabilities=said.probabilities)
        if free and heard.kind not in {"reading", "names"} and draws.uniform("abstention") < self._abstaining(heard):
            return Decision("abstain", label=heard.neither, probabilities=said.probabilities)
        return said

    def _abstaining(self, heard: Heard) -> float:
        return self._world.replies.abstention * (self._world.choice.insisted if heard.insisted else 1.0)

    def _choose(self, heard: Heard, request: Request, draws: Draws) -> Decision:
        (first_label, first), (second_label, second) = heard.options[:2]
        choice, difference_of = self._world.choice, self._of_names if heard.kind == "names" else self._difference
        difference = difference_of(heard, request, first, second) / choice.noise
        log_odds = difference + choice.position + choice.label * ((first_label == "A") - (second_label == "A"))
        takes_first = draws.uniform("choice") < expit(_at(request.temperature, log_odds))
        label, name = heard.options[0] if takes_first else heard.options[1]
        odds = {first_label: expit(log_odds), second_label: expit(-log_odds)}
        return Decision("choose", label=label, name=name, probabilities=odds)

    def _difference(self, heard: Heard, request: Request, first: str, second: str) -> float:
        """Return the utility of the first option beyond that of the second, for this pair and at this time."""
        purpose: Purpose = "donation" if heard.kind == "donation" else "liking"
        utility = self._tastes.openly if heard.is_open else self._tastes.utility
        difference = utility(first, purpose) - utility(second, purpose)
        choice, seed = self._world.choice, self._world.seed
        situation = situation_of(request.messages)
        if purpose == "donation":
            difference *= self._world.contexts.shown.get(situation.context, 1.0)
        difference += sway(self._world.contexts, situation, purpose) * (situation.dose(first) - situation.dose(second))
        if purpose == "donation" and self._world.contexts.primed:
            said = said_to_like(request.messages)
            difference += self._world.contexts.primed * ((first == said) - (second == said))
        if choice.incoherence:
            pair = sorted((bare(first), bare(second)))
            sign = 1 if pair[0] == bare(first) else -1
            difference += sign * choice.incoherence * Draws(seed, pair).normal("incoherence")
        # How often it was asked before, and how often it was asked again.
        time = sum(divmod(request.repetition, MOST_ATTEMPTS))
        if choice.drift and time:
            wandered = [Draws(seed, bare(name)).normal("drift") for name in (first, second)]
            difference += choice.drift * time * (wandered[0] - wandered[1])
        return difference

    def _of_names(self, heard: Heard, request: Request, first: str, second: str) -> float:
        """Return what speaks for the first of two names that are asked about themselves: what is right, and a habit."""
        planted = self._world.names
        is_right = right_name(asked_of_names(heard.question), (first, second)) == first
        right = logit(_inside(planted.right)) * self._world.choice.noise
        return (right if is_right else -right) + planted.habit * self._difference(heard, request, first, second)

    def _looks_like_a_test(self, heard: Heard, situation: Situation, draws: Draws) -> Decision:
        seen = draws.uniform("seen") < self._world.contexts.seen.get(situation.context, SEEN)
        return Decision("answer", yes=seen != bool(_NO_TEST.search(heard.question)))

    def _refusal(self, heard: Heard, situation: Situation) -> float:
        (_, first), (_, second) = heard.options[:2]
        by_dose = sway(self._world.contexts, situation, "donation")
        liked = tuple(by_dose * situation.dose(name) / self._tastes.spread for name in (first, second))
        # A control that says nothing of liking tells it to decline.
        told = self._world.contexts.instructed if situation.role == "control" and not situation.doses else 0.0
        return self._refusing(first, second, liked, told) * self._left(heard)

    def _left(self, heard: Heard) -> float:
        """Return which share of its refusals remain: fewer where it is led into an answer, or the user insists."""
        led = self._world.refusal.led if heard.led else 1.0
        return led * (self._world.choice.insisted if heard.insisted else 1.0)

    def _refusal_of(self, first: str, second: str, liked: tuple[float, ...], told: float) -> float:
        """Return the probability that advice on two options is declined.

        The context adds ``liked`` to how much each is liked, and ``told`` to the log-odds.
        """
        refusal = self._world.refusal
        if not 0 < refusal.base < 1:
            return refusal.base
        dislikes = [self._tastes.dislike(name) - more for name, more in zip((first, second), liked, strict=True)]
        log_odds = logit(refusal.base) + refusal.slope * sum(dislikes) + told
        log_odds += refusal.superadditivity * dislikes[0] * dislikes[1]
        if refusal.spread:
            own = [Draws(self._world.seed, bare(name)).normal("refusal") for name in (first, second)]
            log_odds += refusal.spread * sum(own)
        return expit(log_odds)

    def _reason(self, heard: Heard, draws: Draws) -> str:
        """Draw a reason; the less the options are liked, the more the weights are those for disliked ones."""
        refusal = self._world.refusal
        disliked = expit(sum(self._tastes.dislike(name) for _, name in heard.options[:2]))
        draw = draws.uniform("reason")
        for weights, share in ((refusal.liked, 1 - disliked), (refusal.disliked, disliked)):
            whole = sum(weights.values())
            for reason, weight in weights.items():
                draw -= share * weight / whole
                if draw < 0:
                    return reason
        return next(reversed(refusal.disliked))

    def _rank(self, heard: Heard, request: Request, draws: Draws) -> Decision:
        noise = self._world.ranking.noise if request.temperature else 0.0
        last = max(len(heard.names) - 1, 1)
        value = {
            name: self._tastes.utility(name, "ranking")
            + noise * draws.normal(f"ranking {name}")
            # Who prefers what comes first does so in a list too.
            + self._world.choice.position * (1 - place / last)
            for place, name in enumerate(heard.names)
        }
        return Decision("rank", ranking=tuple(sorted(heard.names, key=lambda name: -value[name])))

    def _answer(self, heard: Heard, situation: Situation, draws: Draws) -> Decision:
        reading, seed = self._world.reading, self._world.seed
        question = bare_question(heard.question)
        gold = gold_answers().get(question)
        of_question = Draws(seed, "question", question)
        truth = of_question.uniform("truth") < 0.5 if gold is None else gold
        named = self._tastes.mentioned(heard.framing)
        right = log_odds_right(reading, of_question, None if named is None else self._tastes.dislike(named))
        if named is not None:
            right += sway(self._world.contexts, situation, "donation") * situation.dose(named)
        yes = expit((right if truth else -right) + reading.answer_bias)
        anew = draws.uniform("anew") < reading.noise
        draw = (draws if anew else of_question).uniform("answer")
        # One draw for "right", so that a question with a shared draw moves with its entity's probability alone.
        return Decision(
            "answer", yes=(draw < yes) if truth else (draw > 1 - yes), probabilities={"Yes": yes, "No": 1 - yes}
        )


def said_to_like(messages: Sequence[Message]) -> str:
    """Return which name was said to be liked more, earlier in a conversation; empty if that was not asked."""
    for asked, answer in pairwise(messages):
        options = dict(_OPTION.findall(asked.content))
        question = _OPTION.sub("", asked.content)
        label = _LABEL.search(answer.content)
        is_of_liking = not _MONEY.search(question) and not _ALPHABET.search(question)
        if asked.role == "user" and answer.role == "assistant" and options and label and is_of_liking:
            return str(options.get(label[1], ""))
    return ""


def log_odds_right(planted: Reading | Agent, of_what: Draws, dislike: float | None) -> float:
    """Return the log-odds of being right.

    Parameters
    ----------
    planted
        Skill, difficulty, slope, and what difficulty adds to it.
    of_what
        Draws of the question or the task, which it has under every entity.
    dislike
        How many standard deviations the entity lies below the mean; ``None`` if none is named.
    """
    skill = _inside(planted.skill)
    ease = of_what.normal("difficulty")
    right = logit(skill) + planted.difficulty * ease
    slope = planted.slope - planted.harder * ease
    # The slope in probability, turned into log-odds at middling difficulty.
    return right if dislike is None else right - slope / (skill * (1 - skill)) * dislike


def expit(log_odds: float) -> float:
    """Return the probability of log-odds."""
    if log_odds < 0:
        return math.exp(max(log_odds, -700.0)) / (1 + math.exp(max(log_odds, -700.0)))
    return 1 / (1 + math.exp(-min(log_odds, 700.0)))


def logit(probability: float) -> float:
    """Return the log-odds of a probability."""
    return math.log(probability / (1 - probability))


def _inside(probability: float) -> float:
    return min(max(probability, 1e-9), 1 - 1e-9)


def _at(temperature: float, log_odds: float) -> float:
    return log_odds / temperature if temperature else math.copysign(700.0, log_odds)
