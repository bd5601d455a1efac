"""Mark in a reply where the two options are named, by label, name or position, so that rules see one sign for each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from pytest_llmpref.parsing.language import ANSWER, LATIN, TITLE, Language, alternation, languages, languages_of
from pytest_llmpref.parsing.markup import plain

LABELS = {"A": "\ue000", "B": "\ue001"}
"""What stands for the label of an option in a marked text: letters that Unicode leaves to private use."""
NAMES = {"A": "\ue002", "B": "\ue003"}
"""What stands for the name of an option."""
POSITIONS = {"A": "\ue004", "B": "\ue005"}
"""What stands for words that tell an option by the order in which it was shown: "the former"."""
OF = {option: f"[{LABELS[option]}{NAMES[option]}{POSITIONS[option]}]" for option in "AB"}
"""The class of all marks of an option."""
OPTION_OF = {marks[option]: option for marks in (LABELS, NAMES, POSITIONS) for option in "AB"}
_MARK = "[\ue000-\ue005]"
_ANY = re.compile(_MARK)

_CANDIDATE = re.compile(
    rf"(?:[AB\u0410\u0412]|[ab](?![ \t]+[{LATIN}]))(?![{LATIN}&]|-\w|\.\w|'\w|[ \t]*&)"
    rf"(?:(?<![{LATIN}&/.'<\\].)|(?<=\b[ABab]/.))"
)
"""Letters that may be labels."""
_GRADE = re.compile(r"[ \t][AB][+-][ \t]*(?:[\n.,;]|\Z)")
"""A mark that a teacher gives: "Greenpeace: A-"."""
_CYRILLIC = {"\u0410": "A", "\u0412": "B"}
_NEAR = 24
"""Characters before and after a letter that tell whether it is a label."""
_NO_OPTION = re.compile(r"\b(?:vitamin\w*|plan|hepatitis|grade|series?|type|team|class|group|part)\s\Z", re.IGNORECASE)
_FIRST_NAME, _LAST_NAME = re.compile(r"\b([A-Z][a-z]+) \Z"), re.compile(r"\. ([A-Z][a-z]+)")
"""What stands beside an initial: "Ruth B. Smith"; yet not "Choose B. They"."""
_SPACE = r"\s+"
_IN_SENTENCE, _GOES_ON = (
    re.compile(r"[a-z\u00df-\u00ff\u0430-\u044f][,;:]?[ \t]\Z"),
    re.compile(r"[ \t]+[a-z\u00df-\u00ff]"),
)
_LABEL = re.compile(rf"[AB](?![{LATIN}'&])")
_NEXT_WORD = re.compile(rf"[ \t]+(?=[{LATIN}])(?!\d)")
_ALONE = re.compile(r"\s*(?:\Z|[.)!,:\n])")
_SAID = re.compile(
    r"(?:answer:?|answer is|choose|pick|select|go(?:ing)? with|prefer|say|definitely|it's) \Z", re.IGNORECASE
)
"""What stands before a label in lower case, too."""
_LISTED_FIRST = re.compile(rf"^[^\w\n]{{0,6}}1[.):][^\w\n\ue000-\ue005]{{1,6}}({_MARK})", re.MULTILINE)
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_DROPPED, _SPELT = re.compile(r"(?<=[a-z][a-z]in)'(?=[\s,.!?]|\Z)"), re.compile(r"[a-z]+")
"""What stands for a "g" that is not spoken: "choosin'"; and words."""
_THE = re.compile(r"[Tt]he (?=[\ue002\ue003])(?<![A-Za-z][Tt]he )")
_QUOTES = '"\u00ab\u00bb\u201c\u201d\u201e\u2039\u203a\u300c\u300d\u300e\u300f\u300a\u300b'
_UNSPACED = "\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters of scripts that write no spaces, or whose words take endings without one."""
_WITHIN_WORD = re.compile(rf"[^\W{_UNSPACED}\u0600-\u06ff][^\W{_UNSPACED}]")
_UNSPACED_END = re.compile(rf"[{_UNSPACED}]\Z")
_LETTER_OF_WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""What goes on with a word; scripts that write no spaces may begin another one."""
_VOWELS = "aeioyu\u0105\u0119\u00f3\u0430\u0435\u0438\u043e\u0443\u044b\u044c\u044e\u044f\u0439"
"""Letters in which a stem does not end: vowels of Polish and Russian."""
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_ARABIC_ARTICLE = "\u0627\u0644"
_ARABIC_PREFIX = rf"[\u0648\u0641\u0628\u0643]?(?:{_ARABIC_ARTICLE}|\u0644\u0644|\u0644)?"
_ARTICLE = re.compile(
    r"(?:(?:the|der|die|das|le|la|les|el|los|las|il|lo|gli|i|o|a|os|as|de|het)\s+|l')(?=\w)", re.IGNORECASE
)

_OPENS = "\"'\u00ab\u201c\u201e\u201d\u2018\u300c\u300e\u300a\u2039(\\[\u3010\u00bf"
_CLOSES = "\"'\u00bb\u201d\u201c\u2019\u300d\u300f\u300b\u203a)\\]\u3011"
_WRAPPED = re.compile(rf"[{_OPENS}]+ ?({_MARK}[.,!]?) ?[{_CLOSES}]+")
_KINDS = [(LABELS[option], NAMES[option]) for option in "AB"]
_TWICE = re.compile(
    "|".join(
        rf"{one}(?:[ \t]*\(?(?={two})|[ \t]?[).:,=\u2014\u2013-]{{1,2}}[ \t]*(?={two}[ \t]*(?:[.!,;)\n]|\Z)))"
        for kinds in _KINDS
        for one, two in (kinds, kinds[::-1])
    )
)
"""An option named twice in a row: "B: Oxfam"; the last of both is enough."""
_APPOSED = re.compile("|".join(rf"{POSITIONS[one]}[ \t]?[,(][ \t]?({NAMES[one]})[,)]" for one in "AB"))
"""An option told by its place, and by its name behind it: "the latter, Oxfam, "."""
_AGAIN = re.compile("|".join(rf"(?<={OF[one]})([^.!?\n\ue000-\ue005]{{1,60}}?) ?\({OF[one]}\)" for one in "AB"))
"""An option named again in brackets: "Oxfam is the better choice (Option A)"."""
_ABBREVIATED = re.compile(r"(?<=[\ue002\ue003])[ \t]?\([a-z][a-z.&-]{1,7}\)")
"""The abbreviation of a name behind it."""
_MISNAMED = re.compile(
    "|".join(
        rf"({LABELS[one]})[ \t]?[).:,=(\u2014\u2013-]{{1,2}}[ \t]*{NAMES[two]}\)?(?=[ \t]*(?:[.!,;\n]|\Z))"
        for one, two in ("AB", "BA")
    )
)
"""A label, and the name that a reply takes for its option's: the question asks for the letter."""
_NEXT_TO = re.compile(rf"{_MARK}[ \t).:(,=\u2014\u2013-]{{0,6}}{_MARK}")
_RESTATED = [rf"{LABELS[option]}[\s).:=\]\u3001\u2013\u2014-]{{0,6}}{NAMES[option]}" for option in "AB"]
_SIGN = "[\u2605\u2610\u2611\u2705\u2713\u2714\u2716\u2718\u274c\u2b1c\u2b50\U0001f3c6\U0001f44d\U0001f451\U0001f947]"
"""What tells one option from the other: a tick, a cross, a star, a thumb, a crown."""
_RESTATEMENT = re.compile(
    "|".join(
        rf"{one}(?:(?!{_SIGN})[\W_]){{0,8}}(?:(?!x\])\w{{1,6}}[\W_]{{1,4}})?{two}(?![^\w\n]{{0,4}}{_SIGN})"
        for one, two in (_RESTATED, _RESTATED[::-1])
    )
)
"""Both options, each with its label and its name, side by side: a question repeated."""

Shown = tuple[tuple[str, str], tuple[str, str]]
"""Label and name of the option that was shown first, and of the second."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A reply in lower case, with a mark for each label, name and position of the options.

    Attributes
    ----------
    text
        The text.
    spoken
        The languages that it may be in.
    """

    text: str
    spoken: tuple[Language, ...]


@lru_cache(maxsize=1024)
def marked(text: str, shown: Shown) -> Marked:
    """Mark the options in a reply, as `language.normal` returns it."""
    text = _with_names(plain(text), shown, declined=False)
    # Names are words of a language too, and so is their article; they tell nothing of the reply's.
    text = _THE.sub("", text)
    spoken = languages_of(text.lower())
    if any(language.inflects for language in spoken):
        text = _with_names(text, shown, declined=True)
    text = _spelt(_with_labels(text, spoken).lower(), spoken)
    for language in spoken:
        if not (_lists_otherwise(text, shown) or any(_named_by_place(name, language) for _, name in shown)):
            start = _named_otherwise(text, shown)
            positions = text[:start]
            for pattern, (label, _) in zip(language.positions, shown, strict=True):
                positions = pattern.sub(POSITIONS[label], positions)
            text = positions + text[start:]
        text = language.aspects.sub("", _with_the_other(text, language))
    return Marked(_restated(_tidy(text, spoken), spoken), spoken)


def _restated(text: str, spoken: Sequence[Language]) -> str:
    """Return a marked text with what the languages know to say in simpler words."""
    for language in spoken:
        for pattern in language.restated.possible(text):
            for match in reversed([*pattern.matches(text)]):
                options, simpler = _ANY.findall(match[0]), language.simpler[pattern.text]
                start, end = match.span(match.re.groups)
                text = f"{text[:start]}{simpler.replace('@', options[-1]) if options else simpler}{text[end:]}"
    return text


def options_in(text: str) -> set[str]:
    """Return the options that a marked text mentions."""
    return {option for mark, option in OPTION_OF.items() if mark in text}


def _spelt(text: str, spoken: Sequence[Language]) -> str:
    """Return a text in lower case with the words that noisy models misspell as the phrases have them."""
    if "in'" in text:
        text = _DROPPED.sub("g", text)
    with_misspelt = [language for language in spoken if language.misspelt]
    if with_misspelt:
        text = _STRETCHED.sub(r"\1", text)
    for language in with_misspelt:
        for word in language.misspelt.keys() & _SPELT.findall(text):
            text = re.sub(rf"(?<![{LATIN}]){word}(?![{LATIN}])", language.misspelt[word], text)
    return text


@lru_cache(maxsize=4096)
def _named_by_place(name: str, language: Language) -> bool:
    """Whether a name sounds like a position: "the second charity on my list" may be the first that was shown."""
    return any(patterns.found_in(name.lower()) for patterns in language.positions)


def _lists_otherwise(text: str, shown: Shown) -> bool:
    """Whether a reply numbers the options in another order than they were shown in: its first one is another's."""
    listed = _LISTED_FIRST.search(text)
    return listed is not None and listed[1] not in OF[shown[0][0]]


def _named_otherwise(text: str, shown: Shown) -> int:
    """Return from where on "the latter" may be either, since a reply named the options in another order than shown."""
    first, second = (text.find(NAMES[label]) for label, _ in shown)
    return first if 0 <= second < first else len(text)


def _with_the_other(text: str, language: Language) -> str:
    """Mark "the other one" where only one option was mentioned before it."""
    for match in reversed([*language.other_one.finditer(text)]):
        before = options_in(text[: match.start()])
        if len(before) == 1:
            other = "B" if before == {"A"} else "A"
            text = f"{text[: match.start()]}{POSITIONS[other]}{text[match.end() :]}"
    return text


def is_part_of_one(text: str, shown: Shown) -> str | None:
    """Return the option of whose name a text is a part that the other name does not share, such as a surname."""
    said = _bare(text)
    if len(said) < 4:
        return None
    found = [
        option
        for (option, name), (_, other) in (shown, shown[::-1])
        # Most texts are in no name, and a pattern of each would have to be compiled.
        if said in _bare(name)
        and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", _bare(name))
        and not set(said.split()) <= set(_bare(other).split())
    ]
    return found[0] if len(found) == 1 else None


def _with_names(text: str, shown: Shown, *, declined: bool) -> str:
    """Mark names: as they are written, then without regard to capitals; in all cases of their declension on request."""
    longest_first = sorted(shown, key=lambda named: -len(named[1]))
    for loose in (False, True):
        for option, name in longest_first:
            if loose and NAMES[option] in text:
                continue
            stem, heard = _stem(name, loose), text.lower() if loose else text
            # Most texts name nobody, and a pattern takes a thousand times as long to compile.
            if stem and all(start in heard for start in _starts(stem, loose)):
                whole = _UNSPACED_END.search(stem) is None
                text = _name(stem, declined, loose).sub(partial(_signed, sign=NAMES[option], whole=whole), text)
    return text


def _signed(match: re.Match[str], sign: str, whole: bool) -> str:
    """Return the sign of a name, or what was found where that is the end of a word, or the beginning of one."""
    text, (start, end) = match.string, match.span()
    if _WITHIN_WORD.match(text[start - 1 : start + 1]) or (whole and _LETTER_OF_WORD.match(text, end)):
        return match[0]
    return sign


@lru_cache(maxsize=4096)
def _stem(name: str, loose: bool) -> str:
    """Return a name without quotation marks and article; empty if it is too short to be found.

    With its capitals, "the WHO" is not named by "anyone who"; so short names are never read loosely.
    """
    stem = name.strip(_QUOTES + " ")
    stem = stem[match.end() :] if (match := _ARTICLE.match(stem)) and not stem.startswith("A ") else stem
    return "" if not re.search(r"\w", stem) or (loose and len(stem) < 4) else stem


@lru_cache(maxsize=4096)
def _starts(stem: str, loose: bool) -> list[str]:
    """Return how each word of a name starts, in whatever form it is declined."""
    words = stem.removeprefix(_ARABIC_ARTICLE).split()
    starts = [word[: max(3, len(word) - 2)] for word in words]
    return [start.lower() for start in starts] if loose else starts


@lru_cache(maxsize=4096)
def _name(stem: str, inflected: bool, loose: bool) -> re.Pattern[str]:
    """Return the pattern of a name; in loose reading without regard to capitals."""
    words = [_with_endings(word) if inflected else re.escape(word) for word in stem.split()]
    if _ARABIC.match(stem):  # Arabic writes "and", "for" and the article as part of the word.
        words[0] = _ARABIC_PREFIX + words[0].removeprefix(_ARABIC_ARTICLE)
    return re.compile(_SPACE.join(words), re.IGNORECASE if loose else 0)


def _with_endings(word: str) -> str:
    """Return the pattern of a word in any case of its declension: its stem, and up to three letters."""
    stem = re.sub(rf"[{_VOWELS}]{{1,2}}$", "", word)
    return rf"{re.escape(stem)}\w{{0,3}}" if len(stem) > 3 else re.escape(word)


def _with_labels(text: str, spoken: Sequence[Language]) -> str:
    pieces, done = [], 0
    next_words, known = _after_label(tuple(spoken)), _known_words(tuple(spoken))
    for match in _CANDIDATE.finditer(text):
        if _GRADE.match(text, match.start() - 1):
            continue
        before = text[max(done, match.start() - _NEAR) : match.start()]
        word = _before_label().search(before)
        if _is_label(match, before, next_words, led=word is not None) and (
            word or not _is_initial(match, before, known)
        ):
            # "Option A" is one label; "The option: A" and "X is my choice (A)" say something of it.
            whole = word is not None and not {":", "(", ANSWER} & set(word[0])
            start = match.start() - (len(before) - word.start()) if word and whole else match.start()
            pieces += [text[done:start], LABELS[_CYRILLIC.get(match[0], match[0].upper())]]
            done = match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _is_label(match: re.Match[str], before: str, next_words: re.Pattern[str], *, led: bool) -> bool:
    """Whether a letter is a label, and neither an article nor a preposition nor an initial. All holds of A and B."""
    text, end = match.string, match.end()
    goes_on = _NEXT_WORD.match(text, end)
    if match[0].islower() or match[0] in _CYRILLIC:
        alone = match.start() <= _NEAR and not re.search(r"\w", before) and _ALONE.match(text, end)
        return bool(alone) or (not goes_on and (led or _SAID.search(before) is not None))
    if _NO_OPTION.search(before):
        return False
    if led or not goes_on or next_words.match(text, goes_on.end()) or _LABEL.match(text, goes_on.end()):
        return True
    # "i choose A for the people", yet not "A charity" nor "What A Day".
    return _IN_SENTENCE.search(before) is not None and _GOES_ON.match(text, end) is not None


def _is_initial(match: re.Match[str], before: str, known: frozenset[str]) -> bool:
    """Whether a letter with a full stop stands between two words of a name, neither of which is a frequent word."""
    first, last = _FIRST_NAME.search(before), _LAST_NAME.match(match.string, match.end())
    return first is not None and last is not None and not {first[1].lower(), last[1].lower()} & known


@lru_cache(maxsize=256)
def _known_words(spoken: tuple[Language, ...]) -> frozenset[str]:
    """Return the frequent words of some languages."""
    return frozenset().union(*(language.words | language.plain for language in spoken))


@cache
def _before_label() -> re.Pattern[str]:
    words = alternation(word for language in languages() for word in language.options)
    return re.compile(rf"(?:(?<![{LATIN}])(?:{words})s?[\s:_(\[\"'\u201c\u300c]{{0,4}}|{ANSWER}:\s*)\Z", re.IGNORECASE)


@lru_cache(maxsize=256)
def _after_label(spoken: tuple[Language, ...]) -> re.Pattern[str]:
    words = "|".join(word for language in spoken for word in language.after_label)
    return re.compile(rf"(?:{words or '(?!)'})(?![{LATIN}])", re.IGNORECASE)


def _tidy(text: str, spoken: tuple[Language, ...]) -> str:
    """Return a marked text without what stands around a mark and says nothing: quotes, articles, the name again."""
    if not _ANY.search(text):
        return text
    text = _RESTATEMENT.sub(" ", text)
    if _NEXT_TO.search(text):
        text = _MISNAMED.sub(lambda match: match[1] or match[2], text)
    if "(" in text:
        text = _ABBREVIATED.sub("", text)
        text = _AGAIN.sub(lambda match: match[1] or match[2], text)
    text = _WRAPPED.sub(r"\1", _APPOSED.sub(lambda match: match[1] or match[2], text))
    text = _without_articles(text, _article(spoken))
    return _TWICE.sub("", text) if _NEXT_TO.search(text) else text


def _without_articles(text: str, article: re.Pattern[str]) -> str:
    pieces, done = [], 0
    for mark in _ANY.finditer(text):
        near = max(done, mark.start() - _NEAR)
        found = article.search(text[near : mark.start()])
        if found:
            pieces.append(text[done : near + found.start()])
            done = mark.start()
    return "".join([*pieces, text[done:]]) if pieces else text


@lru_cache(maxsize=256)
def _article(spoken: tuple[Language, ...]) -> re.Pattern[str]:
    words = {"the", *(word for language in spoken for word in (*language.articles, *language.options))}
    # The title "Choice" before an option leads to it, and is no article.
    return re.compile(rf"(?<![{LATIN}{TITLE}])(?:(?:{alternation(words) or '(?!)'})(?:[^\S\n]+|(?<=')))+[{_QUOTES}]?\Z")


@lru_cache(maxsize=65536)
def _bare(name: str) -> str:
    name = name[match.end() :] if (match := _ARTICLE.match(name)) else name
    return " ".join(re.sub(r"[^\w\s]", " ", name.casefold()).split())
