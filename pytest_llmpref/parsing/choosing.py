"""Which option a reply chooses in so many words: its last explicit statement, if nothing takes that back."""

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import pairwise

from pytest_llmpref.parsing import signs
from pytest_llmpref.parsing.cut_replies import may_go_on, repeats
from pytest_llmpref.parsing.language import ANSWER, FOIL, MARK, PAIR
from pytest_llmpref.parsing.options import NAMES, OPTION_OF, Marked, Shown, marked, options_in
from pytest_llmpref.parsing.outcome import Evidence, Grade
from pytest_llmpref.parsing.quoting import without_asides, without_quotations
from pytest_llmpref.parsing.sentences import BOUNDARY, Sentence, ends_finished, sentences_of
from pytest_llmpref.parsing.stating import ONE, SET_OFF, grammar_of, last_option, opposes

_AHEAD = re.compile(rf"[^\w\ue000-\ue005]*(?:\w{{2,5}}\s)?({MARK})(?:\s\w{{4,5}})?\s*[:\u2013\u2014-]\s*\w")
"""An option before what is said of it, with at most a short word on either side: "For X: ...", "X first: ..."."""
_ITEM = re.compile(r"\s*(?:[-\u2022\u25cf*+]|\d{1,2}[.)])\s[^:.,]{0,25}:")
"""Where the item of a list begins that tells a side of something: "- Pros: ..."."""
_NUMBERED = re.compile(r"(?:\A|\W)\d{1,2}[.)]\Z")
_SUBJECT = re.compile(rf"[^\ue000-\ue005.!?]{{0,90}}(?P<subject>{MARK})(?!'s? |\W{{0,2}}(?:and|or) {MARK})[^.!?]*")
"""What a sentence is about: the option that it names first, and not something of its."""
_NOTHING_ELSE = re.compile(rf"(?:{MARK}|[\s.,!*\"'()\[\]-])+")
_TURNS = 2
"""How often a reply may go from one option to the other and still choose the last."""
_TABLE = re.compile(r"\|.*\|")
_BOTH = re.compile(f"{MARK}|{PAIR}")
_WHOLE = re.compile(
    r"[^\w\ue000-\ue005]*(?:[\ue000\ue001](?:\s*[.):(\u2014\u2013-].*|[^\w,\u2026]*)|[\ue002-\ue005][^\w,]*)\Z"
)
"""A reply that is an option, or begins with a label and what sets it off; no comma shows that more was to come."""
_GOES_ON = re.compile(r"[,;:.!?()\u2014\u2013\u3001\u3002]|\s\S+\s")
"""What follows a statement that is complete, though its sentence is not."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One time that a reply says what it chooses.

    Attributes
    ----------
    option
        What.
    sentence
        In which sentence.
    after
        What follows in it.
    led
        Whether something leads to it, such as a verb or a heading; else the option is all that is said.
    own
        Whether the speaker is the one who chooses; else it compares.
    turned
        Whether it comes after a turn: "but", "overall".
    """

    option: str
    sentence: int
    after: str
    led: bool
    own: bool = True
    turned: bool = False


def choice_evidence(text: str, shown: Shown, *, cut: bool) -> Evidence:
    """Return what a reply's text says of the choice.

    Parameters
    ----------
    text
        What the reply says outside its thinking, as `language.normal` returns it.
    shown
        Label and name of each option, in the order in which they were shown.
    cut
        Whether the reply was cut at its end.
    """
    found = _evidence(marked(text, shown), cut=cut)
    if found.answer and cut and (may_go_on(text, shown, found.answer) or repeats(text, shown)):
        return Evidence(Grade.WEAK)
    return found


@lru_cache(maxsize=65536)
def _evidence(reply: Marked, *, cut: bool) -> Evidence:
    """Return what a marked reply says; whoever is meant, the same words are read once."""
    if not ONE.search(reply.text):
        return Evidence(Grade.NONE)
    named = options_in(reply.text)
    if len(named) == 1 and _NOTHING_ELSE.fullmatch(reply.text):
        # Nothing but an option, however often.
        return Evidence(Grade.EXPLICIT, *named)
    option = _Reading(reply, cut=cut).chosen()
    return Evidence(Grade.EXPLICIT, option) if option else Evidence(Grade.WEAK)


class _Reading:
    """One reading of a reply.

    Parameters
    ----------
    reply
        The reply.
    cut
        Whether it was cut.
    """

    def __init__(self, reply: Marked, *, cut: bool) -> None:
        self.grammar = grammar_of(reply.spoken)
        self.cut = cut
        text = without_quotations(self.grammar.words.pairs.sub(PAIR, reply.text), self.grammar)
        self.text, self.sentences = text, sentences_of(text)
        self.unfinished = len(self.sentences) - 1 if cut and not ends_finished(text) else None

    def chosen(self) -> str | None:
        """Return the option that the last explicit statement chooses, if that holds."""
        found = list[Statement]()
        for number in reversed(range(len(self.sentences))):
            settled = any(each.own and each.led for each in found)
            if ONE.search(self.sentences[number].text) or (not settled and ONE.search(self._before(number))):
                found = [*self._statements(number, settled=settled), *found]
            if found and found[-1].led and any(each.own and each.led and each.turned for each in found):
                # Nothing that stands before it counts.
                break
        found = self._without_remarks(self._without_headings(found))
        if not found:
            return self._ranked_first()
        last = found[-1]
        if sum(one.option != next_.option for one, next_ in pairwise(found)) > _TURNS:
            return None
        if not last.led and self._has_a_twin(last.sentence):
            return None
        others = [each for each in found if each.option != last.option]
        if others and not self._replaces(others[-1], last):
            return None if any(each.led for each in found) else self._ranked_first()
        if self._divided(last) or self._taken_back(last) or self._contradicts_itself(last):
            return None
        return self._unless_ordered_otherwise(last)

    def _has_a_twin(self, number: int) -> bool:
        """Whether an option only stands before what is said of it, as the other one does: "X: bigger. Y: older."."""
        return len(self._ahead) > 1 and _AHEAD.match(self.sentences[number].text) is not None

    @cached_property
    def _ahead(self) -> set[str]:
        """The options that stand before what is said of them."""
        found = (_AHEAD.match(each.text) for each in self.sentences)
        return {OPTION_OF[each[1]] for each in found if each}

    def _contradicts_itself(self, last: Statement) -> bool:
        """Whether a reply begins with an answer, and chooses the other option without taking that back: "A. So B."."""
        text = self.sentences[0].text
        answer = signs.ONLY_LABEL.fullmatch(text) or self.grammar.words.answer.match(text)
        if not answer or last.sentence == 0 or options_in(text) == {last.option}:
            return False
        return not self.grammar.has("revising", " ".join(each.text for each in self.sentences[1 : last.sentence + 1]))

    def _ranked_first(self) -> str | None:
        """Return the option that a ranking of both puts first: by medals, or by numbers where words say so."""
        by_medal = signs.firsts_by_medal(self.text)
        in_order = self.grammar.has("ranking", self.text) and not self.grammar.has("unordered", self.text)
        firsts = by_medal or (signs.firsts_by_number(self.text) if in_order else set())
        return firsts.pop() if len(firsts) == 1 and not self.grammar.denies(self.text) else None

    def _statements(self, number: int, *, settled: bool = False) -> list[Statement]:
        """Return what a sentence states, in its order; once a choice is settled, only what a verb governs matters."""
        sentence = self.sentences[number]
        if number and self._leads_elsewhere(number - 1):
            return []
        with_tick = signs.ticked(sentence.text)
        if with_tick or signs.crossed(sentence.text):
            # "1. X (tick)", beside "2. Y (cross)", or beside Y alone.
            alone = len(signs.ticked(self.text)) == 1
            return [Statement(with_tick.pop(), number, "", led=alone)] if len(with_tick) == 1 else []
        if _TABLE.search(sentence.text) and ANSWER not in sentence.text:
            option = self.grammar.summed_up(sentence.text.split("|"))
            return [Statement(option, number, "", led=True, turned=True)] if option else []
        if signs.put_second(sentence.text) or (sentence.asks and self.grammar.has("offers", sentence.text)):
            return []
        text = self.grammar.without_foils(without_asides(sentence.text))
        parts = self.grammar.turns(text)
        found, led = list[Statement](), None if settled else partial(self._is_led, number)
        for index, (start, part) in enumerate(parts):
            if not ONE.search(part):
                continue
            last = index == len(parts) - 1
            for each in self.grammar.stated(part, asks=sentence.asks and last, first=index == 0, led=led):
                after = text[start + each.end :]
                if not each.governed and not last and part.rstrip()[-1:] in OPTION_OF:
                    # "X but ..." without a comma goes on about X.
                    continue
                if number == self.unfinished and last and not self._is_whole(each.governed, number, after):
                    continue
                # "I'd choose X for cost; Y for reach" does not turn.
                turned = (start > 0 and text[start - 1] != ";") or self.grammar.turns_to(part)
                # "Short answer: A" leads to its option itself.
                lead = ONE.split(part, maxsplit=1)[0]
                leads = self.grammar.says(lead) or self.grammar.has("leads", lead.rstrip(" :"))
                introduced = each.governed or start > 0 or leads or self._is_led(number)
                found.append(Statement(each.option, number, after, introduced, each.own, turned))
        if found and not found[-1].own and self.grammar.refers(parts[-1][1]) is not None:
            # "X is the stronger one, and that's my answer" is the speaker's own.
            found[-1] = replace(found[-1], own=True)
        return found if found or settled else self._referring(number, parts)

    def _referring(self, number: int, parts: list[tuple[int, str]]) -> list[Statement]:
        """Return what a sentence chooses by referring to what is named just before: "X does more. That's my pick"."""
        text = self.sentences[number].text
        if self.sentences[number].asks or number == self.unfinished:
            return []
        for start, part in reversed(parts):
            place = self.grammar.refers(part)
            if place is not None:
                place += start
                named = self._referred_to(number, text[:place])
                subject = _SUBJECT.match(self.grammar.without_foils(named))
                options = {OPTION_OF[mark] for mark in ONE.findall(named)}
                if subject and not self.grammar.denies(named) and (len(options) == 1 or FOIL in subject[0]):
                    return [Statement(OPTION_OF[subject["subject"]], number, text[place:], led=True)]
        return []

    def _referred_to(self, number: int, before: str) -> str:
        """Return what a sentence may refer to: what it says before that, or else the sentence before; or nothing."""
        if ONE.search(before):
            # "Y has had brighter moments, but I trust steadiness, and that's my side" is not about Y.
            return "" if opposes(before[last_option(before) :], self.grammar) else before
        return "" if self._ends_list(number) else self._before(number)

    def _ends_list(self, number: int) -> bool:
        """Whether a sentence follows a list with an item for each option, so that "that" may be any of them."""
        items = self.sentences[max(0, number - 2) : number]
        return all(each.heading for each in items) and len(options_in(" ".join(each.text for each in items))) > 1

    def _leads_elsewhere(self, number: int) -> bool:
        """Whether a sentence tells that the next one is no choice: "Want reach?", or the field "rejected"."""
        before = self.sentences[number]
        if _BOTH.search(before.text):
            return False
        if before.heading and self.grammar.has("rejecting", before.text):
            # A list below goes on about the other one, too.
            return before.title or ANSWER in self.sentences[number + 1].text or number + 2 == len(self.sentences)
        speaks = self.grammar.has("speaker", before.text)
        return before.asks and not speaks and self.grammar.has("conditions", before.text)

    def _before(self, number: int) -> str:
        return self.sentences[number - 1].text if number else ""

    def _is_led(self, number: int) -> bool:
        """Whether the sentence before asks for a choice, or heads one: "Verdict", "Which would I choose?"."""
        # "I have no preferences, but if I must pick one letter:" leads as what follows "but" does.
        turns = self.grammar.turns(self._before(number))
        before = turns[-1][1] if turns else ""
        if not before or ONE.search(self._before(number)) or self._has_a_twin(number):
            return False
        if self.cut and self.sentences[number].title and self.sentences[number - 1].asks:
            # What follows the question as a title is its first section.
            return False
        if not self.grammar.says(before):
            return self.grammar.words.answer_word.search(before) is not None and not self.grammar.denies(before)
        asked = before.rstrip(' :?\u061f"\u201d')
        return (
            (asked != before or self.sentences[number - 1].title)
            and self.grammar.has("leads", asked)
            and not self.grammar.denies(before)
        )

    def _is_whole(self, governed: bool, number: int, after: str) -> bool:
        """Whether a statement is complete, though the sentence was cut, or an option is all of the reply."""
        if number == 0:
            text = self.sentences[0].text
            if _WHOLE.match(text) or self.grammar.words.answer.match(text):
                return True
        return governed and _GOES_ON.search(after) is not None

    def _without_headings(self, found: list[Statement]) -> list[Statement]:
        """Return statements without options that only head what follows, or are spoken against right after."""
        headings = [each for each in found if self.sentences[each.sentence].heading]
        praising = [each for each in headings if each.led and not each.own]
        if len({each.option for each in praising}) > 1:
            # "In favour of X", and below "In favour of Y".
            found = [each for each in found if each not in praising]
        headings = [each for each in headings if not each.led]
        if any(each.led and signs.ticked(self.sentences[each.sentence].text) for each in found):
            # What stands beside an option with a tick is one without.
            found = [each for each in found if each not in headings]
        both = len({each.option for each in headings}) > 1
        labels = {match[1] for each in self.sentences if (match := SET_OFF.match(each.text))}
        if len(labels) > 1:
            # "A: ..." and "B: ..." are lists, or two who talk.
            found = [each for each in found if each.led or not SET_OFF.match(self.sentences[each.sentence].text)]
        return [each for each in found if each.led or not ((both and each in headings) or self._heads(each))]

    def _without_remarks(self, found: list[Statement]) -> list[Statement]:
        """Return statements without options that, after the last choice, only stand before what is said of them."""
        chosen = max((number for number, each in enumerate(found) if each.led and each.own), default=len(found))
        return [
            each
            for number, each in enumerate(found)
            if number <= chosen or each.led or not _AHEAD.match(self.sentences[each.sentence].text)
        ]

    def _heads(self, each: Statement) -> bool:
        """Whether an option that is all of a sentence only heads, or ends, what is said of it."""
        sentence = self.sentences[each.sentence]
        before = self.sentences[each.sentence - 1] if each.sentence else None
        following = self.sentences[each.sentence + 1 : each.sentence + 2]
        if following and not ONE.search(following[0].text) and self.grammar.has("rejecting", following[0].text):
            return True
        named = any(mark in sentence.text for mark in NAMES.values())
        if following and named and (sentence.title or _ITEM.match(following[0].text)):
            # The title of a section, or of a list of what there is to say.
            return True
        # A label that is all of a line, with no other label in the reply, is an answer and no title.
        answers = not self.cut and signs.ONLY_LABEL.fullmatch(sentence.text) is not None
        answers = answers and signs.labels_ahead(other.text for other in self.sentences) == {each.option}
        if sentence.heading and following and (before or self._starts_list(sentence, following[0])) and not answers:
            return True
        if before is not None and _NUMBERED.search(before.text):
            return True
        if before is None or not (before.text.endswith(":") or before.asks):
            return False
        # "Personally? Oxfam", and "A or B? B", yet not "Which one would I avoid? B".
        if before.asks and not self.grammar.may_ask(before.text):
            return False
        return not before.asks or (self.grammar.says(before.text) and not _BOTH.search(before.text))

    def _starts_list(self, heading: Sentence, following: Sentence) -> bool:
        """Whether a name is the first heading of a reply that was cut before it told anything of the other option."""
        named = any(mark in heading.text for mark in NAMES.values())
        return self.cut and named and self.grammar.words.answer_word.search(following.text) is None

    def _replaces(self, earlier: Statement, later: Statement) -> bool:
        """Whether a statement replaces an earlier one of the other option, and does not stand beside it."""
        liked = later.own and self._only_likes(earlier) and not self._only_likes(later)
        if later.led and (liked or (later.turned and not earlier.led)):
            return True
        if later.own != earlier.own:
            return later.own
        if later.led and (not earlier.led or (earlier.sentence < later.sentence and later.turned)):
            return True
        if (
            earlier.sentence == later.sentence
            and later.led
            and later.turned
            and not earlier.turned
            and not self._goes_on(later)
            and not self.grammar.has("conditions", self.sentences[later.sentence].text)
        ):
            # "I'd choose X for cost, but Y for reach" chooses neither, nor does "my heart says X, but my head says Y".
            return True
        between = " ".join(each.text for each in self.sentences[earlier.sentence : later.sentence + 1])
        return self.grammar.has("revising", between)

    def _goes_on(self, statement: Statement) -> bool:
        """Whether the clause of a statement says more after it."""
        return self.grammar.says(BOUNDARY.split(statement.after, maxsplit=1)[0])

    def _divided(self, last: Statement) -> bool:
        """Whether a statement is one half of a choice that is divided: "I'd choose X for cost; Y for reach"."""
        near = self.sentences[max(0, last.sentence - 1) : last.sentence + 2]
        if len(options_in(" ".join(each.text for each in near))) < 2:
            return False
        texts = [self.grammar.without_foils(each.text) for each in near]
        number = last.sentence - max(0, last.sentence - 1)
        start = sum(len(text) + 1 for text in texts[:number])
        found = self.grammar.divides(" ".join(texts))
        return found is not None and found[0] < start + len(texts[number]) and found[1] > start

    def _unless_ordered_otherwise(self, last: Statement) -> str | None:
        """Return what a statement chooses, unless a contrast and an order follow: "..., but for this gift choose B"."""
        option: str | None = last.option
        for number in range(last.sentence, len(self.sentences)):
            sentence = self.sentences[number]
            if sentence.asks or not ONE.search(sentence.text):
                continue
            text = self.grammar.without_foils(without_asides(sentence.text))
            done = max(1, len(text) - len(last.after)) if number == last.sentence else 1
            for ordered, sure in self.grammar.ordered(text, done):
                if ordered != option:
                    # "But for speed choose B" chooses neither, nor does an order that was cut.
                    option = ordered if sure and number != self.unfinished else None
        return option

    def _taken_back(self, last: Statement) -> bool:
        """Whether what follows the last statement takes it back."""
        rest = " \n ".join([last.after, *(each.text for each in self.sentences[last.sentence + 1 :])])
        asked = self.sentences[-1].text
        asks_back = self.sentences[-1].asks and self.grammar.has("abstention", asked)
        if not last.own and asks_back and not self.grammar.has("offers", asked):
            # "X is more reliable. ... What matters more to you?" only compares.
            return True
        if options_in(rest) - {last.option} and self._only_likes(last):
            return True
        return self.grammar.has("revising", rest) or self.grammar.has("withdrawing", rest)

    def _only_likes(self, statement: Statement) -> bool:
        """Whether a statement says no more than that the speaker likes an option: "I have a soft spot for X"."""
        text = self.sentences[statement.sentence].text
        return self.grammar.has("liking", text[: len(text) - len(statement.after)])
