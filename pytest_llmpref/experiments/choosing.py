"""Which option a reply chooses in so many words."""

import re
from functools import cache

from pytest_llmpref.experiments.labels import LABEL, MARK, options_in
from pytest_llmpref.experiments.phrases import LATIN, because_words, before_labels, joining_words
from pytest_llmpref.experiments.reasons import Reason
from pytest_llmpref.experiments.spoken import Said, hangs_on

_OPENING = r"""[\s"'*_(\[#>:`\u300c\u300e\u201c\u201d\u201e\u00ab\u3010\u00a1\u00bf-]{0,8}"""
_JSON = re.compile(rf'"[^"\n]{{1,40}}"\s*:\s*"?(?P<value>{MARK}[\s:).,-]{{0,3}}{MARK}?|[ab](?="))"?\s*(?=[,}}\n]|\Z)')
_COPULAS = (
    "is|would be|will be|has to be|must be|goes to|falls on|leans? towards?|leans? to|to|for|ist|w\u00e4re|"
    "f\u00e4llt auf|est|serait|va \u00e0|se porte sur|es|ser\u00eda|\u00e8|sarebbe|\u00e9|seria|vai para|fica com|zou|"
    "gaat uit naar|gaat naar|valt op|by\u0142aby to|by\u0142by to|to by\u0142aby|pada na|\u2014|-|"
    "\u044d\u0442\u043e|\u0431\u0443\u0434\u0435\u0442|\u0431\u044b\u043b \u0431\u044b|\u0647\u0648|\u0647\u064a|"
    "\u0939\u0948|\u662f|\u70ba|\u4e3a|\u306f"
)
"""Words between "answer" and the label."""
_LABEL_LAST = re.compile(rf"{LABEL}[^\w]*\Z")
_WITHDRAWING = frozenset({Reason.OTHER, Reason.POLICY})


def chosen(said: Said) -> str | None:
    """Return the option that a reply chooses in so many words; ``None`` where it does not, or where it names both."""
    return _in_json(said) or _leading(said) or _alone(said) or _concluded(said) or _stated(said)


def _in_json(said: Said) -> str | None:
    """Return the one option that stands alone as a value of a JSON object."""
    if "{" not in said.text:
        return None
    values = {match["value"] for match in _JSON.finditer(said.text)}
    return _one({option for value in values for option in options_in(value) or {value.upper()}})


def _leading(said: Said) -> str | None:
    """Return the label with which a reply starts, unless it is the subject of a description."""
    match = _start().match(said.text)
    another = _another().match(match["after"]) if match else None
    if not match or (another and options_in(another["mark"]) != options_in(match["label"])):
        return None
    first = said.sentences[0]
    if re.match(rf"[ \t]+[{LATIN}]", match["after"]) and not match["led"]:
        reasons = re.match(rf"[ \t]+(?:{because_words()})(?!\w)", match["after"])
        if not reasons and (said.denies(first) or not said.chooses(first)):
            return None
    return _one(options_in(match["label"]))


def _alone(said: Said) -> str | None:
    """Return the one option that is all of a sentence; in a reply that was cut, a name at its start, or a label."""
    found = set()
    for number, sentence in enumerate(said.finished):
        if re.search(r"\w", sentence) or (said.unfinished and number and not re.search(LABEL, sentence)):
            continue
        options = options_in(sentence)
        heading = said.unfinished and not re.search(rf"{LABEL}|[.!]", sentence)
        found |= set() if heading else options
    return _one(found) or (_last_word(said.finished[-1]) if said.finished else None)


def _last_word(sentence: str) -> str | None:
    """Return the one option that is all that follows the last colon of a sentence, but for "A: Oxfam"."""
    before, colon, after = sentence.rpartition(":")
    if not colon or re.search(r"\w", after) or re.search(rf"{MARK}\W{{0,3}}\Z", before):
        return None
    return _one(options_in(after))


def _concluded(said: Said) -> str | None:
    """Return the option that is chosen after the last "but", or "so"."""
    for sentence in reversed(said.sentences):
        tail = said.after_contrast(sentence)
        if tail is None:
            continue
        if sentence is said.unfinished and hangs_on(tail):
            return None
        tail = said.main(tail)
        clauses = said.clauses(tail)
        if not clauses or (said.declined and said.declines(tail)):
            return None
        option = _one(options_in(tail)) or _one(options_in(clauses[-1]))
        if option is None:
            return None
        if any(said.chooses(clause) and not said.denies(clause) for clause in clauses):
            return option
        ended = sentence is not said.unfinished
        named = not re.search(r"\w", clauses[-1]) or _LABEL_LAST.search(clauses[-1])
        return option if ended and named and not said.denies(clauses[-1]) else None
    return None


def _stated(said: Said) -> str | None:
    """Return the one option that is chosen in a clause; beside words that hedge, in a sentence that names no other."""
    found: set[str] = set()
    for sentence in said.sentences:
        if not options_in(sentence):
            continue
        found |= _answered(sentence)
        if not said.chooses(sentence) or (sentence is said.unfinished and hangs_on(sentence)):
            continue
        main = said.main(sentence)
        for clause in said.clauses(main):
            if not said.chooses(clause) or said.denies(clause):
                continue
            options = options_in(clause)
            options = options if len(options) == 1 and not said.hedged else options_in(main)
            found |= options if len(options) == 1 else set()
    return None if len(found) != 1 or _withdrawn(said) else found.pop()


def _answered(sentence: str) -> set[str]:
    """Return the options that follow a word for an answer: "my answer is B"."""
    found = set()
    for match in _answer().finditer(sentence):
        another = _another().match(sentence, match.end())
        if not another or options_in(another["mark"]) == options_in(match["mark"]):
            found |= options_in(match["mark"])
    return found


def _withdrawn(said: Said) -> bool:
    """Whether the last "but" of a reply declines: "I would choose B, but I can't"."""
    tails = (said.after_contrast(sentence) for sentence in reversed(said.sentences))
    last = next((tail for tail in tails if tail is not None), "")
    return bool(said.declined) and bool(said.declines(last) & _WITHDRAWING)


def _one(options: set[str]) -> str | None:
    return next(iter(options)) if len(options) == 1 else None


@cache
def _start() -> re.Pattern[str]:
    """Return the pattern of a label at the start, after words that lead to it."""
    answers = before_labels()[1]
    return re.compile(
        rf"""{_OPENING}
        (?:(?:so|well|ok|okay|sure|certainly|of\ course)\b[\s,.!:]{{0,4}})?
        (?P<led>(?:i(?:'d|\ would|'ll|\ will)?\ (?:choose|pick|prefer|go\ with|say|select|recommend|suggest)\s+)?
        (?:(?:my|the|meine?|die|ma|la|mi|il|mia|minha|a|o|l'|mijn|het|moja)\s*)?(?:final\s+)?
        (?:(?:{answers})(?:\s+(?:{_COPULAS}))?[\s:\u662f\u306f]{{0,4}})?)
        {_OPENING}(?P<label>{LABEL})(?P<after>.*)""",
        re.VERBOSE | re.DOTALL,
    )


@cache
def _answer() -> re.Pattern[str]:
    return re.compile(
        rf"(?<![{LATIN}])(?:{before_labels()[1]})(?:\s+(?:{_COPULAS}))?[\s:\u662f\u306f]{{0,4}}(?:\w{{1,12}}ly\s+)?"
        rf"(?:l'|la\s|die\s|the\s|a\s|il\s|de\s)?[\s*_\"'(\[`\u300c\u201c\u201e\u00ab]{{0,6}}(?P<mark>{MARK})"
    )


@cache
def _another() -> re.Pattern[str]:
    """Return the pattern of one more option right after the first: "A or B" is none of them."""
    return re.compile(rf"[\s,/&(*\"']{{0,6}}(?:(?:{joining_words()})(?!\w)[\s,(*\"']{{0,4}})?(?P<mark>{MARK})")
