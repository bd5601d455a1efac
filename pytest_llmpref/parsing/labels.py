"""Mark in a reply where the two options are named, by label or by name, so that rules see one sign for each."""

import re
from functools import cache, lru_cache

from pytest_llmpref.parsing.phrases import LATIN, because_words, before_labels, joining_words, relative_words

LABELS = {"A": "\ue000", "B": "\ue001"}
"""What stands for the label of an option in a marked text: letters that Unicode leaves to private use."""
NAMES = {"A": "\ue002", "B": "\ue003"}
"""What stands for the name of an option."""
LABEL, MARK = "[\ue000\ue001]", "[\ue000-\ue003]"
MARKS = (*LABELS.values(), *NAMES.values())
_OPTION_OF = {mark: option for marks in (LABELS, NAMES) for option, mark in marks.items()}
_A, _B = f"[{LABELS['A']}{NAMES['A']}]", f"[{LABELS['B']}{NAMES['B']}]"

_CANDIDATE = re.compile(
    rf"(?:(?<![{LATIN}&/.])|(?<=\b[ABab]/))(?:[ABb\u0410\u0412]|a(?![ \t]+[{LATIN}]))(?![{LATIN}&]|-\w|\.\w)"
)
"""Letters that may be labels; "a charity" is the one that a text is full of, and is none."""
_CYRILLIC = {"\u0410": "A", "\u0412": "B"}
_NEAR = 24
"""Characters before and after a letter that tell whether it is a label."""
_NO_OPTION = re.compile(r"\b(?:vitamin\w*|plan|hepatitis|grade|series?|type|team|class)\s\Z", re.IGNORECASE)
_FIRST_NAME, _LAST_NAME = re.compile(r"\b[A-Z][a-z]+ \Z"), re.compile(r"\. [A-Z][a-z]")
"""What stands beside an initial: "Ruth B. Smith"."""
_VERBS = "is|was|would|seems|has|it|for|does|gets|wins|helps|over|definitely|obviously|clearly|by|please|all the way"
ARTICLES = (
    "the|der|die|das|den|dem|des|le|la|les|el|los|las|il|lo|gli|i|o|a|os|as|ao|do|da|no|na|de|het|del|della|dello|al|"
    "alla|allo|au|du|zum|zur|vom|beim"
)
_ARTICLE = re.compile(rf"(?:(?:{ARTICLES})\s+|l')(?=\w)", re.IGNORECASE)
_QUOTES = '"\u00ab\u00bb\u201c\u201d\u201e\u2039\u203a\u300c\u300d\u300e\u300f\u300a\u300b'
_SPACE = r"\s+"
_UNSPACED = "\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters of scripts that write no spaces, or whose words take endings without one."""
_FINAL = "aeioyu\u0105\u0119\u00f3\u0430\u0435\u0438\u043e\u0443\u044b\u044c\u044e\u044f\u0439"
"""Letters in which a stem does not end: vowels of Polish and Russian."""
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_ARABIC_ARTICLE = "\u0627\u0644"
_ARABIC_PREFIX = rf"[\u0648\u0641\u0628\u0643]?(?:{_ARABIC_ARTICLE}|\u0644\u0644|\u0644)?"


def marked(text: str, a: str, b: str, *, inflected: bool) -> str:
    """Return a text with a mark for each label, and for each name, of the options.

    Parameters
    ----------
    text
        A reply, as `phrases.normal` returns it.
    a, b
        The names of the options.
    inflected
        Whether names may take the endings of a case.
    """
    text = _with_labels(_with_names(text, a, b, inflected))
    return _restatement().sub(" ", text)


def options_in(text: str) -> set[str]:
    """Return the options that a marked text mentions."""
    return {option for mark, option in _OPTION_OF.items() if mark in text}


def is_part_of_one(text: str, a: str, b: str) -> str | None:
    """Return the option of whose name a text is a part that the other name does not share, such as a surname."""
    said = _bare(text)
    if len(said) < 4:
        return None
    found = [
        option
        for option, name, other in (("A", a, b), ("B", b, a))
        # Most texts are in no name, and a pattern of each would have to be compiled.
        if said in _bare(name)
        and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", _bare(name))
        and not set(said.split()) <= set(_bare(other).split())
    ]
    return found[0] if len(found) == 1 else None


def _with_names(text: str, a: str, b: str, inflected: bool) -> str:
    longest_first = sorted((("A", a), ("B", b)), key=lambda named: -len(named[1]))
    for loose in (False, True):
        new, heard = text, text.lower() if loose else text
        for option, name in longest_first:
            stem = _stem(name, loose)
            # Most texts name nobody, and a pattern takes a thousand times as long to compile.
            if stem and all(start in heard for start in _starts(stem, loose)):
                new = _name(stem, inflected, loose).sub(NAMES[option], new)
        if new != text:
            return _led(loose).sub("", new)
    return text


@lru_cache(maxsize=4096)
def _stem(name: str, loose: bool) -> str:
    """Return a name without quotation marks and article; empty where it is too short to be found.

    With its capitals, "the WHO" is not named by "anyone who"; so short names are never read loosely.
    """
    stem = name.strip(_QUOTES + " ")
    stem = stem[match.end() :] if (match := _ARTICLE.match(stem)) else stem
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
    first, last = stem[0], stem[-1]
    left = "" if re.match(f"[{_UNSPACED}]", first) else r"(?<!\w)"
    right = "" if re.match(f"[{_UNSPACED}]", last) else r"(?!\w)"
    if _ARABIC.match(first):  # Arabic writes "and", "for" and the article as part of the word.
        words[0] = _ARABIC_PREFIX + words[0].removeprefix(_ARABIC_ARTICLE)
    return re.compile(rf"{left}{_SPACE.join(words)}{right}", re.IGNORECASE if loose else 0)


@cache
def _led(loose: bool) -> re.Pattern[str]:
    """Return the pattern of an article before a name that is marked."""
    article = rf"(?<!\w)(?:(?:{ARTICLES})\s+|[ld]')[{_QUOTES}]?(?=[{NAMES['A']}{NAMES['B']}])"
    return re.compile(article, re.IGNORECASE if loose else 0)


def _with_endings(word: str) -> str:
    """Return the pattern of a word in any case of its declension: its stem, and up to three letters."""
    stem = re.sub(
        "[aeioyu\u0105\u0119\u00f3\u0430\u0435\u0438\u043e\u0443\u044b\u044c\u044e\u044f\u0439]{1,2}$", "", word
    )
    return rf"{re.escape(stem)}\w{{0,3}}" if len(stem) > 3 else re.escape(word)


def _with_labels(text: str) -> str:
    pieces, done = [], 0
    for match in _CANDIDATE.finditer(text):
        letter = _CYRILLIC.get(match[0], match[0])
        before = text[max(done, match.start() - _NEAR) : match.start()]
        word = _before_label().search(before)
        if _is_label(match, letter, before, led=word is not None):
            # "Option A" is one label, "The option: A" says something of it.
            whole = word is not None and ":" not in word[0]
            start = match.start() - (len(before) - word.start()) if word and whole else match.start()
            pieces += [text[done:start], LABELS[letter.upper()]]
            done = match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _is_label(match: re.Match[str], letter: str, before: str, *, led: bool) -> bool:
    """Whether a letter is a label, and neither an article nor a preposition nor an initial."""
    after = match.string[match.end() : match.end() + _NEAR]
    ends = not re.match(rf"[ \t]+[{LATIN}]", after)
    if letter.islower() or match[0] in _CYRILLIC:
        alone = match.start() <= _NEAR and not re.search(r"\w", before) and re.match(r"\s*(?:$|[.):*])", after)
        return bool(alone) or (led and (ends or letter.lower() == "b"))
    if _NO_OPTION.search(before) or (_FIRST_NAME.search(before) and _LAST_NAME.match(after)):
        return False
    if letter == "B" or led or ends:
        return True
    if _after_a().match(after):
        return True
    # "i choose A for the people", yet not "A charity" nor "What A Day".
    return re.search(r"[a-z\u00df-\u00ff][ \t]\Z", before) is not None and re.match(r"[ \t]+[a-z]", after) is not None


@cache
def _before_label() -> re.Pattern[str]:
    return re.compile(rf"(?<![{LATIN}])(?:{before_labels()[0]})s?[\s:*_(\[\"']{{0,4}}\Z", re.IGNORECASE)


@cache
def _after_a() -> re.Pattern[str]:
    return re.compile(
        rf"[ \t]+(?:{_VERBS}|{because_words()}|{relative_words()}|{joining_words()})(?!\w)", re.IGNORECASE
    )


@cache
def _restatement() -> re.Pattern[str]:
    """Return the pattern of both options, each with its label and its name, side by side: a question repeated."""
    joined = rf"[\W_]{{0,8}}(?:(?:{joining_words()})[\W_]{{1,4}})?"
    a, b = (rf"{LABELS[option]}[\s).:*\]-]{{0,6}}{NAMES[option]}" for option in "AB")
    return re.compile(rf"{a}{joined}{b}|{b}{joined}{a}", re.IGNORECASE)


@lru_cache(maxsize=65536)
def _bare(name: str) -> str:
    name = name[match.end() :] if (match := _ARTICLE.match(name)) else name
    return " ".join(re.sub(r"[^\w\s]", " ", name.casefold()).split())
