"""What one part of a sentence states of the choice: a verb governs an option, or an option is all that is said."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_llmpref.parsing.language import FOIL, MARK, PAIR, QUOTE, Language
from pytest_llmpref.parsing.options import LABELS, NAMES, OPTION_OF, options_in
from pytest_llmpref.parsing.sentences import BOUNDARY, Words, found_in, words_of

_TABLES = ("frames", "comparing", "inverse")
_OTHER = {"A": "B", "B": "A"}
ONE = re.compile(MARK)
"""An option."""
_GREATER = re.compile(rf"(?<={MARK})(\s*)[>\u226b\u227b]{{1,6}}\s*{MARK}")
_LESS = re.compile(rf"{MARK}\s*[<\u226a\u227a]{{1,6}}(?=\s*{MARK})")
_ANNOUNCED = re.compile(r"(?:[:\u2014\u2013\u2026]|\.\.\.)[^\w:]*\Z")
"""What stands before an option that is announced."""
SET_OFF = re.compile(rf"[^\w\ue000-\ue005]*([{LABELS['A']}{LABELS['B']}])\s?[:.)\u2014\u2013-]\s")
"""A label that is set off from what follows it."""
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_RELATIVE = re.compile(r"(?:which|who|whose|that)\b")
_SHORT = 90
"""Characters of a clause from which on it says more than an option; no words that say nothing take as many."""

_BESIDE = 30
"""Characters of a clause that says of the other option what the one before says of the first."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a part of a sentence states.

    Attributes
    ----------
    option
        The option that it chooses.
    end
        Where the statement ends.
    governed
        Whether a verb, or a word such as "answer", governs the option; else it is all that is said.
    own
        Whether the speaker is the one who chooses; else it compares: "@ is better".
    """

    option: str
    end: int
    governed: bool
    own: bool = True


@dataclass(frozen=True, slots=True)
class Grammar:
    """The rules of the languages that a reply may be in, for parts of its sentences.

    Attributes
    ----------
    spoken
        The languages.
    words
        Their small words.
    """

    spoken: tuple[Language, ...]
    words: Words

    def stated(self, part: str, *, asks: bool, first: bool, led: Callable[[], bool] | None) -> list[Stated]:
        """Return what a part of a sentence states, in its order.

        Parameters
        ----------
        part
            What stands between two turns of a sentence, such as "but", with its foils marked.
        asks
            Whether it ends in a question mark.
        first
            Whether it begins the sentence.
        led
            Whether the sentence before leads to it: "Verdict", "Which would I choose?"; ``None`` where only a choice
            of the speaker's own counts.
        """
        part = self._without_reasons(self._as_revised(part))
        found = self._framed(part, ("frames",) if led is None else _TABLES)
        option = None if found or led is None else self._bare(part, first=first, led=led)
        if option and not found and self._announced(part):
            found = [Stated(option, last_option(part), governed=True)]
        if found and first and _labels_other(part, found[-1].option):
            return []
        if not (found or option) or self.has("conditions", part) or self.has("reported", part):
            return []
        if asks and not self.has("guessing", part):
            return []
        return found or ([Stated(option, last_option(part), governed=False)] if option else [])

    def has(self, table: str, part: str) -> bool:
        """Whether a part of a text has a phrase of a table."""
        return found_in(table, part, self.spoken)

    def says(self, clause: str) -> bool:
        """Whether a clause says anything beside options and words that add nothing to them."""
        left = [word for word in _WORD.findall(clause) if word not in self.words.plain]
        if not left:
            return False
        return len(clause) > 2 * _SHORT or _LETTER.search(self.words.fillers.sub(" ", clause)) is not None

    def may_ask(self, question: str) -> bool:
        """Whether a question may ask for anything but the choice: "Which one would I avoid?", not "My pick?"."""
        asking = [language for language in self.spoken if language.asking]
        return not asking or self.denies(question) or self.has("asking", question)

    def denies(self, clause: str) -> bool:
        """Whether a clause says no, speaks against something, or takes it back."""
        return self._negates(clause) or self.has("rejecting", clause) or self.has("revising", clause)

    def turns(self, text: str) -> list[tuple[int, str]]:
        """Divide a sentence where it turns, at "but" and "so"; each part with its place."""
        found, done = [], 0
        for match in self.words.contrast.finditer(text):
            found.append((done, text[done : match.start()]))
            done = match.end()
        found.append((done, text[done:]))
        return [(start, part) for start, part in found if part.strip()]

    def ordered(self, text: str, done: int) -> Iterator[tuple[str, bool]]:
        """Yield each option that a sentence orders to choose after a turn, from a place on, and whether it is sure."""
        for start, part in self.turns(text):
            if self.has("conditions", part):
                continue
            for sure, table in ((True, "overruling"), (False, "unsettling")):
                found = [match for each in self.spoken for match in getattr(each, table).finditer(part)]
                # What follows the option may say no of something else. "You should choose B" is no report.
                found = [
                    match
                    for match in found
                    if start + match.start() >= done
                    and not (self._negates(match[0]) or self.has("reported", part[match.end() :]))
                ]
                if found:
                    yield OPTION_OF[ONE.findall(found[0][0])[0]], sure
                    break

    def turns_to(self, part: str) -> bool:
        """Whether a part begins with words that sum up: "overall"."""
        return any(language.turning.search(part) for language in self.spoken)

    def without_foils(self, text: str) -> str:
        """Return a sentence with a mark for each option that is mentioned only as the other one."""
        if ">" in text or "<" in text or "\u226b" in text:
            text = _LESS.sub(FOIL, _GREATER.sub(FOIL, text))
        for language in self.spoken:
            text = language.foils.sub(FOIL, text)
        return text

    def _framed(self, part: str, tables: Sequence[str]) -> list[Stated]:
        """Return what verbs of choosing govern."""
        places, mirrored = dict[int, Stated](), False
        for match, option, table in self._matches(part, tables):
            compares = table == "comparing" or (ONE.match(match[0]) and not self.has("speaker", match[0]))
            if match.start() in places or (compares and self.has("limits", part)):
                continue
            if table == "frames" and self.has("against", part[_clause_start(part, match.start()) : match.end()]):
                continue
            if self._holds(part, match, option, inverse=table == "inverse"):
                places[match.start()] = Stated(option, match.end(), governed=True, own=table == "frames")
                mirrored = mirrored or self._is_mirrored(part, match, option, own=table == "frames")
        # "X wins on reach, Y on focus", "A: Y", which mistakes the one for the other, and "give it to X, give it to Y".
        return [] if mirrored else [places[start] for start in sorted(places)]

    def _matches(self, part: str, tables: Sequence[str]) -> Iterator[tuple[re.Match[str], str, str]]:
        """Yield what may be a statement, the option that it chooses, and in which table it stands."""
        for match in self.words.answer.finditer(part):
            # "The riskier choice is @" does not choose it; what may stand before an answer is in the tables.
            if not self.says(part[_clause_start(part, match.start()) : match.start()]):
                yield match, OPTION_OF[match[0][-1]], "frames"
        for language in self.spoken:
            for table in tables:
                for match in getattr(language, table).finditer(part):
                    marks = ONE.findall(match[0])
                    if marks and table != "inverse":
                        yield match, OPTION_OF[marks[0]], table
                    elif marks:
                        # The one that is spoken against stands first; a foil after it is the other one.
                        against = len(marks) == 1 and FOIL not in match[0][: match[0].index(marks[0])]
                        yield match, _OTHER[OPTION_OF[marks[0]]] if against else OPTION_OF[marks[-1]], table

    def summed_up(self, cells: Sequence[str]) -> str | None:
        """Return the option in a row of a table that sums it up: "| Overall | @ |", if it has no other."""
        head, *others = [cell for cell in cells if _LETTER.search(cell) or ONE.search(cell)] or [""]
        options = options_in(" ".join(others))
        asks = self.has("leads", head.strip(" ?"))
        sums_up = asks or self.turns_to(head) or self.words.answer_word.search(head)
        if len(options) != 1 or ONE.search(head) or not sums_up or any(map(self.says, others)):
            return None
        if not asks and self.says(head):
            return None
        return next(iter(options)) if not self.denies(" , ".join(cells)) else None

    def refers(self, part: str) -> int | None:
        """Return where a part chooses what was named before it, if it does: "that's my pick"."""
        for language in self.spoken:
            for match in language.anaphors.finditer(part):
                clause = part[max((each.end() for each in BOUNDARY.finditer(part, 0, match.start())), default=0) :]
                if not (self.denies(clause) or self.has("conditions", part) or self.has("reported", clause)):
                    return match.start()
        return None

    def divides(self, text: str) -> tuple[int, int] | None:
        """Return where a text gives each option a purpose of its own, if it does: "@ for cost; @ for reach"."""
        for language in self.spoken:
            for match in language.dividing.finditer(text):
                options = [OPTION_OF[mark] for mark in ONE.findall(match[0])]
                if options[0] != options[-1]:
                    return match.span()
        return None

    def _holds(self, part: str, match: re.Match[str], option: str, *, inverse: bool) -> bool:
        """Whether the clause around a match says it: affirmatively, of one option, as no subject of a description."""
        start = _clause_start(part, match.start())
        after = BOUNDARY.search(part, match.end())
        end = after.start() if after else len(part)
        rest = f"{part[start : match.start()]} {part[match.end() : end]}"
        if options_in(rest) - {option} or PAIR in rest:
            return False
        if part[match.end() - 1] in OPTION_OF and self.words.described.match(part, match.end()):
            return False
        heard = rest if inverse else part[start:end]
        if self._negates(heard) or self.has("rejecting", heard):
            return False
        if self.has("embedding", part[start : match.start()]):
            return False
        led_by = part[:start]
        if start and not re.search(r"[,;]\s*\Z", led_by) and self.has("embedding", led_by):
            return False
        # "My verdict: X, a hate group" and "I'd go with X: avoid" speak against it right after.
        return not self.has("rejecting", _clause_after(part, end))

    def _is_mirrored(self, part: str, match: re.Match[str], option: str, *, own: bool) -> bool:
        """Whether the clause after a statement says the same of the other option, in few words."""
        after = BOUNDARY.search(part, match.end())
        following = _clause_after(part, after.start() if after else len(part))
        named = ONE.search(following)
        if own and named and self.words.described.match(following, named.end()):
            # "I'd go with X, Y is fine" describes the other one.
            return False
        return bool(options_in(following) - {option}) and len(following) < _BESIDE and not self.denies(following)

    def _bare(self, part: str, *, first: bool, led: Callable[[], bool]) -> str | None:
        """Return the one option that is all that a part says, or all before its reasons."""
        options = options_in(part)
        if len(options) != 1 or QUOTE in part:
            return None
        if first and SET_OFF.match(part) and not self.denies(part):
            return next(iter(options))
        clauses = [clause for clause in BOUNDARY.split(part) if _LETTER.search(clause) or ONE.search(clause)]
        holding = [number for number, clause in enumerate(clauses) if ONE.search(clause)]
        # "A is Oxfam" chooses neither.
        if any(self._says_more(clauses[number], last=number == len(clauses) - 1) for number in holding):
            return None
        where = holding[0]
        if any(PAIR in clause for clause in clauses[where:]):
            return None
        before = [clause for clause in clauses[:where] if self.says(clause)]
        after = [clause for clause in clauses[where + 1 :] if self.says(clause)]
        if self.has("rejecting", part) or (before and after):
            return None
        if self._announced(part):
            # "I have no preferences, and this is no advice: A" says no of something else.
            asked = not self.has("revising", ", ".join(before))
        else:
            # "Which would I choose: A", where what stands before asks for a choice.
            asked = all(self.has("leads", clause) and not self.denies(clause) for clause in before)
        if not asked or (after and not (first and self._explained(part, after, led=led))):
            return None
        return next(iter(options))

    def _announced(self, part: str) -> bool:
        """Whether the speaker says that an option comes: "I'm going to surprise you: @"."""
        lead = ONE.split(part, maxsplit=1)[0]
        # Blanks stand for words that take back what was said before.
        return _ANNOUNCED.search(lead) is not None and (lead.startswith("  ") or self.has("speaker", lead))

    def _says_more(self, clause: str, *, last: bool) -> bool:
        """Whether a clause with an option says more than the option: "A is Oxfam", "X is, I think, a great choice"."""
        if len(ONE.findall(clause)) > 1 or len(clause) > _SHORT or self.says(clause):
            return True
        described = self.words.described.match(clause, last_option(clause))
        return described is not None and (not last or _LETTER.search(clause, described.end()) is not None)

    def _explained(self, part: str, after: list[str], *, led: Callable[[], bool]) -> bool:
        """Whether what follows an option that stands first explains it, and does not describe it: "A, it does more"."""
        place = last_option(part) - 1
        if part[place] in NAMES.values() and not self.has("explaining", ",".join(after)) and not led():
            return False
        # "X, to its credit, has improved" describes it, too.
        describing = after[:2] if part[place] in NAMES.values() else after[:1]
        if any(self.words.described.match(f" {clause.strip()}") for clause in describing):
            return False
        return not self.denies(" , ".join(after))

    def _negates(self, clause: str) -> bool:
        return self.has("negation", clause) and self.has("negation", self.words.certain.sub(" ", clause))

    def _as_revised(self, part: str) -> str:
        """Return what stands after the last words that take something back, if an option does."""
        start = 0
        for language in self.spoken:
            for match in language.revising.finditer(part):
                start = max(start, match.end())
        # As many blanks, so that places stay what they are.
        return " " * start + part[start:] if start and ONE.search(part, start) else part

    def _without_reasons(self, part: str) -> str:
        """Return what stands before the reasons of a part, if an option stands there."""
        for reason in self.words.because.finditer(part):
            before = part[: reason.start()]
            # "X, while respectable, must come second" goes on about X.
            clauses = [clause.strip() for clause in part[reason.end() :].split(",")[1:]]
            goes_on = not self.says(before) and any(
                self.words.described.match(f" {clause}") and not _RELATIVE.match(clause) for clause in clauses
            )
            return f"{before}," if ONE.search(before) and not goes_on else part
        return part


@lru_cache(maxsize=256)
def grammar_of(spoken: tuple[Language, ...]) -> Grammar:
    """Return the rules of some languages."""
    return Grammar(spoken, words_of(spoken))


def opposes(text: str, grammar: Grammar) -> bool:
    """Whether a text turns against what was said, at "but", yet not at "so" or "and", and says something then."""
    for match in grammar.words.contrast.finditer(text):
        turn = match[0].strip("; ")
        goes_on = any(turn in each.joining or each.consequence.compiled.fullmatch(turn) for each in grammar.spoken)
        if turn and not goes_on and grammar.says(text[match.end() :]):
            return True
    return False


def _clause_start(part: str, place: int) -> int:
    """Return where the clause begins that holds a place in a part of a sentence."""
    start = 0
    for boundary in BOUNDARY.finditer(part, 0, place + 1):
        start = boundary.end() if boundary.end() <= place else start
    return start


def _labels_other(part: str, option: str) -> bool:
    """Whether a part begins with the label of the other option: "A: I'd donate to @", where @ is B."""
    label = SET_OFF.match(part)
    return label is not None and OPTION_OF[label[1]] != option


def last_option(part: str) -> int:
    """Return where the last option of a part ends."""
    return max(match.end() for match in ONE.finditer(part))


def _clause_after(part: str, end: int) -> str:
    """Return the clause after a place in a part of a sentence."""
    boundary = BOUNDARY.match(part, end)
    if not boundary:
        return ""
    after = BOUNDARY.search(part, boundary.end())
    return part[boundary.end() : after.start() if after else len(part)]
