"""Direct ranking: the whole list at once, shuffled anew for each repetition."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from pytest_llmpref.experiments.asking import attempt_key
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import COVERAGE_NEEDED, Measure
from pytest_llmpref.experiments.participants import shuffled
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial, load_prompts
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import Prefill, led_messages
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.phrases import normal
from pytest_llmpref.parsing.reasons import DECLINING, DECLINING_WHEN_FINISHED, Reason
from pytest_llmpref.parsing.replies import read_choice
from pytest_llmpref.parsing.spoken import Said
from pytest_llmpref.parsing.thinking import without_thinking

TOKENS_PER_ENTITY = 12
"""Room in the reply for one name and its separator."""
_NO_RANKING = DECLINING | DECLINING_WHEN_FINISHED
_NUMBER = re.compile(r"\d{1,3}\s?[.):][\s*_\"']{0,6}(?:the\s)?\Z")


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
class ShownList:
    """A list as a model is shown it: ids of the entities in that order, and the index of the wording."""

    entities: tuple[str, ...]
    wording: int


class RankingTrial(Trial, frozen=True, gc=False):
    """A ranking that was asked for.

    Attributes
    ----------
    ranking
        The ids as the reply ranked them, best first; none without a valid answer.
    """

    ranking: tuple[str, ...] = ()

    def renamed(self, to: Mapping[str, str]) -> Self:
        """Return the trial with other entities in the place of these."""
        ranking = tuple(to.get(entity, entity) for entity in self.ranking)
        return msgspec.structs.replace(super().renamed(to), ranking=ranking)


@dataclass(frozen=True, slots=True)
class RankingExperiment:
    """The whole list, ranked in several repetitions.

    The value of an entity is the share of the other listed entities that a repetition ranks below it (1: first,
    0: last), averaged over the repetitions that list it: the normalised Borda count. An entity that a repetition
    leaves out has no place in it.
    """

    prompts: Prompts
    measure: str = "direct_ranking"

    def plan(self, conditions: Conditions) -> Plan[ShownList]:
        """Return one trial a repetition."""
        names = {entity: conditions.names[entity] for entity in conditions.groups}
        # A schema of two answers is of no use to a list.
        prefill: Prefill = "cue" if conditions.prefill == "schema" else conditions.prefill
        lists = [
            ShownList(
                tuple(shuffled(list(names), conditions.seed, "ranking", str(repetition))),
                repetition % self.prompts.wordings,
            )
            for repetition in range(conditions.profile.ranking_repetitions)
        ]

        def request(shown: ShownList) -> Request:
            listed = "\n".join(f"- {names[entity]}" for entity in shown.entities)
            text = self.prompts.render(shown.wording, entities=listed, count=len(names))
            return Request(
                model=conditions.model,
                messages=led_messages(text, self.prompts.lead, prefill),
                temperature=conditions.profile.temperature,
                max_tokens=TOKENS_PER_ENTITY * len(names),
            )

        def is_valid(_: ShownList, reply: Reply) -> bool:
            return _lists_enough(read_ranking(reply.text, names), len(names))

        return Plan(lists, [request(shown) for shown in lists], is_valid, conditions.profile.ranking_attempts)

    def analyse(self, conditions: Conditions, plan: Plan[ShownList], replies: Sequence[Replies]) -> Measure:
        """Combine the repetitions, check the measurement, and return the measure."""
        from pytest_llmpref.experiments.ranking.measure import ranking_measure  # noqa: PLC0415 - a plan needs no numpy

        names = {entity: conditions.names[entity] for entity in conditions.groups}
        reads = [read_ranking(attempts[-1].text, names) for attempts in replies]
        trials = [
            _trial(request, attempts, names, shown)
            for shown, request, attempts in zip(plan.questions, plan.requests, replies, strict=True)
        ]
        faults = {
            "missing": sum(read.missing for read in reads),
            "repeated": sum(read.repeated for read in reads),
            "invented": sum(read.invented for read in reads),
        }
        return ranking_measure(self.measure, conditions, trials, replies, faults)


def direct_ranking() -> RankingExperiment:
    """Return the experiment behind the measure ``direct_ranking``."""
    return RankingExperiment(load_prompts("ranking"))


def read_ranking(text: str, names: Mapping[str, str]) -> RankingRead:
    """Find the entities in a reply, in the order in which they are named, whatever separates them.

    ``names`` maps an entity id to its name; a leading "the" and the case of letters do not matter. Thinking is not
    read, and a reply that declines to rank the entities lists none of them, however many it names.
    """
    text = without_thinking(text)
    stems = {re.sub(r"^the\s+", "", name, flags=re.IGNORECASE).casefold(): id_ for id_, name in names.items()}
    longest_first = sorted(stems, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    folded = text.casefold()
    matches = list(pattern.finditer(folded))
    if matches and _declined(folded, matches):
        return RankingRead((), len(names), 0, 0)
    named = [stems[match.group()] for match in matches]
    order = tuple(dict.fromkeys(named))
    rest = re.split(r"[;\n>]+", pattern.sub("\x00", folded))
    invented = sum(bool(re.search(r"[^\W\d_]{2,}", part)) and "\x00" not in part for part in rest)
    return RankingRead(order, len(names) - len(order), len(named) - len(order), invented)


def _declined(text: str, named: Sequence[re.Match[str]]) -> bool:
    """Whether a text that names entities declines to rank them.

    It does where it declines before the first name and announces no ranking after that; or beside the names, unless
    these are numbered, or a paragraph of its own only adds that the speaker has no preferences.
    """
    before = _said(text[: named[0].start()])
    if before.declined & _NO_RANKING:
        refusing = [number for number, part in enumerate(before.sentences) if before.declines(part)]
        last = refusing[-1] if refusing else -1
        offered = [before.after_contrast(before.sentences[last]) or "", *before.sentences[last + 1 :]]
        return not any(before.announces_ranking(part) for part in offered)
    numbered = sum(_NUMBER.search(text[max(0, match.start() - 8) : match.start()]) is not None for match in named)
    if numbered > len(named) / 2:
        return False
    pairs = itertools.pairwise(named)
    between = _said(" ; ".join(text[match.end() : following.start()] for match, following in pairs))
    rest = text[named[-1].end() :]
    after = _said(rest)
    if re.match(r"[\W_]*\n", rest) and Reason.NEUTRALITY in after.declined:
        return bool(between.declined & _NO_RANKING)
    # "I can" before the names, "nicht bewerten" after them.
    around = _said(" ".join([*before.sentences[-1:], *after.sentences[:1]]))
    return any(part.declined & _NO_RANKING for part in (between, after, around))


def _said(part: str) -> Said:
    return Said.of(normal(part).strip(), "", "", cut=False)


def _lists_enough(read: RankingRead, count: int) -> bool:
    return len(read.order) >= COVERAGE_NEEDED * count


def _trial(request: Request, replies: Replies, names: Mapping[str, str], shown: ShownList) -> RankingTrial:
    reads = [read_ranking(reply.text, names) for reply in replies]
    attempts = tuple(
        Attempt(attempt_key(request, number), _outcome(reply, read, len(names)), reply.text)
        for number, (reply, read) in enumerate(zip(replies, reads, strict=True))
    )
    valid = attempts[-1].outcome is Outcome.CHOICE
    return RankingTrial(
        attempts=attempts,
        entities=shown.entities,
        answered_by="text" if valid else None,
        wording=shown.wording,
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
