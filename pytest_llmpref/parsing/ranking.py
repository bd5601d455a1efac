"""Read a ranking: the items of the reply's own list, and nothing that prose, notes or refusals name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_llmpref.parsing.language import Language, languages_of, normal
from pytest_llmpref.parsing.outcome import Reason
from pytest_llmpref.parsing.replies import DECLINING, DECLINING_WHEN_FINISHED, reasons_in
from pytest_llmpref.parsing.sentences import found_in, sentences_of
from pytest_llmpref.parsing.stating import grammar_of
from pytest_llmpref.parsing.thinking import said_by

CHANCE = 5
"""Names from which on the order shown, or that of the alphabet, is no ranking: by chance it comes once in 120."""
_NO_RANKING = DECLINING | DECLINING_WHEN_FINISHED
_FIRST = 0xF0000
"""The first of the characters, left to private use, that stand for names."""
_NAME = "[\U000f0000-\U000fffff]"
_BULLETS = "-+*\u2022\u00b7\u2013\u25aa\u25cf\u25e6|"
_MARKER = r"(?:#{1,6}\s*)?(?:(?P<number>\d{1,3})\s?[.):\]\u3001-]?|[" + _BULLETS + r"]|[\U0001f947-\U0001f949])"
_SMALL = r"(?:[^\W\d_]{1,4}['\s]\s?)?"
"""An article."""
_ITEM = re.compile(
    rf"[ \t|>*_]*(?:{_MARKER}(?:\ufe0f?\u20e3)?[ \t|]*)?[\W_]{{0,6}}?{_SMALL}"
    rf"[\"'*_\u00ab\u201c\u300c]{{0,4}}(?P<name>{_NAME})"
)
_MARKED = re.compile(rf"[ \t|>*_]*{_MARKER}[ \t|*_]+\S")
_LEAD = re.compile(r"[:\uff1a][*_\s]*\Z|\A\s*#")
_PARENTHESES = re.compile(r"[(\uff08][^()\uff08\uff09]*[)\uff09]")
_BREAKS = re.compile(r"[;\uff1b>\u2192\u00bb]+|(?<=\s)=(?=\s)")
_AND = r"(?:(?:and|und|et|y|e|i|en|ve|\u0438|\u548c|\u3068|or)\s)?"
_RUN = re.compile(rf"{_NAME}(?:(?:[\s,\u3001\uff0c/&*_\"']|\d{{1,3}}[.)])+{_AND}{_SMALL}{_NAME})+")
_ARTICLE = re.compile(r"^\W*(?:the|die|der|das|la|le|les|el|los)\W*$")


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
class _List:
    """A list in a reply.

    Attributes
    ----------
    items
        The character that stands for the name of each item, in order; ``None`` for a name that nobody asked about.
    numbered
        Whether the items have numbers.
    """

    items: tuple[str | None, ...]
    numbered: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names that were asked about, each once."""
        return tuple(dict.fromkeys(item for item in self.items if item))


def read_ranking(text: str, names: Mapping[str, str], shown: Sequence[str] = ()) -> RankingRead:
    """Return the ranking that a reply gives.

    A ranking is a list: items in lines of their own, or names with nothing but separators between them. A name in a
    note behind an item takes no rank. Thinking is not read. Prose, a refusal, and a list that is said to be in no order
    are none, whatever they name; nor are `CHANCE` names or more in the order of the alphabet, or in that shown. A list
    "from worst to best" is read from its end.

    Parameters
    ----------
    text
        The reply.
    names
        Id of each entity -> its name; a leading "the" and the case of letters do not matter.
    shown
        The ids, in the order in which they were shown.
    """
    ids = list(names)
    none = RankingRead((), len(ids), 0, 0)
    said = said_by(text).text
    folded = _pattern(tuple(names.values())).sub(lambda match: _sign(match[0], names), said.casefold())
    if not re.search(_NAME, folded) or _declined(folded) or _unordered(folded):
        return none
    lists = [*_lines(folded), *_inline(folded)]
    if not lists:
        return none
    orders = _trivial(names, shown)
    best = max(lists, key=lambda each: (len(each.names), each.numbered, each.names not in orders))
    if len(best.names) >= CHANCE and best.names in orders:
        return none
    ranked = best.names[::-1] if _begins_with_worst(folded) else best.names
    order = tuple(ids[ord(name) - _FIRST] for name in ranked)
    named = sum(item is not None for item in best.items)
    return RankingRead(order, len(ids) - len(order), named - len(order), len(best.items) - named)


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(map(_stem, names), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:the\s+)?(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _stem(name: str) -> str:
    return re.sub(r"^the\s+", "", name, flags=re.IGNORECASE).casefold()


def _sign(found: str, names: Mapping[str, str]) -> str:
    """Return the character that stands for a name."""
    return chr(_FIRST + _places(tuple(names.values()))[_stem(found)])


@lru_cache(maxsize=256)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {_stem(name): place for place, name in enumerate(names)}


def _trivial(names: Mapping[str, str], shown: Sequence[str]) -> set[tuple[str, ...]]:
    """Return the orders that rank nothing: that shown, and those of the alphabet."""
    signs = {id_: chr(_FIRST + place) for place, id_ in enumerate(names)}
    orders = [
        shown,
        sorted(names, key=lambda id_: names[id_].casefold()),
        sorted(names, key=lambda id_: _stem(names[id_])),
    ]
    return {tuple(signs[id_] for id_ in order if id_ in signs) for order in orders}


def _lines(text: str) -> list[_List]:
    """Return the lists whose items stand in lines of their own."""
    lists, items, numbers = list[_List](), list[str | None](), list[int]()

    def close() -> None:
        while items and items[-1] is None:
            items.pop()
        numbered = len(numbers) == len([item for item in items if item]) and len(set(numbers)) == len(numbers)
        if sum(item is not None for item in items) > 1:
            in_order = (
                [item for _, item in sorted(zip(numbers, items, strict=False))]
                if _counts_down(numbers, items)
                else items
            )
            lists.append(_List(tuple(in_order), numbered))
        items.clear()
        numbers.clear()

    for line in text.splitlines():
        item = _ITEM.match(line)
        if item and not _BREAKS.search(line, item.end()) and not _RUN.match(line, item.start("name")):
            number = int(item["number"]) if item["number"] else None
            if number is not None and _begins_anew(number, numbers):
                close()
            numbers += [number] if number is not None else []
            items.append(item["name"])
        elif items and _LEAD.search(line):
            close()
        elif items and _MARKED.match(line) and not re.search(_NAME, line):
            items.append(None)
    close()
    return lists


def _begins_anew(number: int, numbers: list[int]) -> bool:
    """Whether a number does not go on with those before it: it is no higher, and they do not count down to it."""
    if not numbers or number > numbers[-1]:
        return False
    counted_up = len(numbers) > 1 and numbers[-2] < numbers[-1]
    return counted_up or number != numbers[-1] - 1


def _counts_down(numbers: list[int], items: list[str | None]) -> bool:
    """Whether a list begins with its last place."""
    return len(numbers) == len(items) > 1 and None not in items and numbers == sorted(numbers, reverse=True)


def _inline(text: str) -> list[_List]:
    """Return the lists whose items stand in one line, with nothing but separators between them."""
    lists = []
    for line in _PARENTHESES.sub("", text).splitlines():
        first = re.search(_NAME, line)
        if first and len(_BREAKS.split(line)) > 1:
            parts = _BREAKS.split(line[line.rfind(":", 0, first.start()) + 1 :])
            said = [part for part in parts if re.search(rf"[^\W\d_]{{2,}}|{_NAME}", part)]
            items = [found["name"] if (found := _ITEM.match(part)) else None for part in said]
            lists.append(_List(tuple(items), numbered=False))
        elif first:
            lists += [_List(tuple(re.findall(_NAME, run)), numbered=False) for run in _runs(line)]
    return [each for each in lists if len(each.names) > 1]


def _runs(line: str) -> list[str]:
    """Return the names with separators between them that are all of a sentence, or that it announces as a ranking."""
    found = []
    for run in _RUN.finditer(line):
        before = re.split(r"[.!?\n\u3002]\s", line[: run.start()])[-1]
        after = re.split(r"[.!?\n\u3002]", line[run.end() :])[0]
        leads = before.rstrip(" *_\"'").endswith((":", "\uff1a")) or _announces(before)
        if (leads or not re.search(r"[^\W\d_]", _ARTICLE.sub("", before))) and not re.search(r"\w", after):
            found.append(run[0])
    return found


def _announces(part: str) -> bool:
    """Whether a part of a reply says that a ranking follows, and does not deny it."""
    spoken = languages_of(part)
    announced = any(language.ranking.found_in(part) for language in spoken)
    return announced and not found_in("negation", part, spoken)


def _begins_with_worst(text: str) -> bool:
    """Whether a reply says before its list that the last place comes first."""
    lead = re.split(_NAME, text, maxsplit=1)[0]
    return any(language.worst_first.found_in(lead) for language in languages_of(lead))


def _unordered(text: str) -> bool:
    """Whether a reply says that its list is in no order, or in that of the alphabet."""
    return any(language.unordered.found_in(text) for language in languages_of(text))


def _declined(text: str) -> bool:
    """Whether a text that names entities declines to rank them.

    It does where it declines before the first name and announces no ranking after that; or beside the names, unless
    these are numbered, or a paragraph of its own only adds that the speaker has no preferences.
    """
    places = [match.start() for match in re.finditer(_NAME, text)]
    spoken = languages_of(normal(text).lower())
    before = _heard(text[: places[0]])
    if _reasons(before, spoken):
        sentences = [each.text for each in sentences_of(before)]
        last = max((number for number, part in enumerate(sentences) if reasons_in(part, spoken)), default=-1)
        turned = [part for _, part in grammar_of(spoken).turns(sentences[last])[1:]] if last >= 0 else []
        return not any(_offers(part, spoken) for part in [*turned, *sentences[last + 1 :]])
    numbered = len(re.findall(rf"\d{{1,3}}\s?[.):][\s*_\"']{{0,6}}{_NAME}", text))
    if numbered > len(places) / 2:
        return False
    between = _heard(" ; ".join(re.split(_NAME, text[places[0] : places[-1]])))
    rest = text[places[-1] + 1 :]
    after = _heard(rest)
    if re.match(r"[\W_]*\n", rest) and Reason.NEUTRALITY in reasons_in(after, spoken):
        return _reasons(between, spoken)
    # "I can" before the names, "nicht bewerten" after them.
    first, last_sentence = (
        [each.text for each in sentences_of(after)][:1],
        [each.text for each in sentences_of(before)][-1:],
    )
    return any(_reasons(part, spoken) for part in (between, after, " ".join([*last_sentence, *first])))


def _heard(part: str) -> str:
    return normal(part).strip().lower()


def _reasons(part: str, spoken: tuple[Language, ...]) -> bool:
    return bool(reasons_in(part, spoken) & _NO_RANKING)


def _offers(part: str, spoken: tuple[Language, ...]) -> bool:
    announced = found_in("leads", part, spoken) or any(each.ranking.found_in(part) for each in spoken)
    return announced and not found_in("negation", part, spoken)
