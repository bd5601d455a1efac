"""Which option a reply chooses in so many words."""

import re
from collections.abc import Sequence
from functools import cache

from pytest_llmpref.parsing.labels import ARTICLES, LABEL, MARK, MARKS, options_in
from pytest_llmpref.parsing.phrases import (
    LATIN,
    because_words,
    before_labels,
    describing_verbs,
    joining_words,
    relative_words,
)
from pytest_llmpref.parsing.reasons import Reason
from pytest_llmpref.parsing.spoken import Said, hangs_on, is_question

_OPENING = r"""[\s"'*_(\[#>:`\u300c\u300e\u201c\u201d\u201e\u00ab\u3010\u00a1\u00bf-]{0,8}"""
_JSON = re.compile(
    rf'"(?P<key>[^"\n]{{1,40}})"\s*:\s*"?(?P<value>{MARK}[\s:).,-]{{0,3}}{MARK}?|[ab](?="))"?\s*(?=[,}}\n]|\Z)'
)
_COPULAS = (
    "is|would be|will be|has to be|must be|goes to|falls on|leans? towards?|leans? to|to|for|ist|w\u00e4re|"
    "f\u00e4llt auf|est|serait|va \u00e0|se porte sur|es|ser\u00eda|\u00e8|sarebbe|\u00e9|seria|vai para|fica com|zou|"
    "gaat uit naar|gaat naar|valt op|by\u0142aby to|by\u0142by to|to by\u0142aby|pada na|\u2014|-|"
    "\u044d\u0442\u043e|\u0431\u0443\u0434\u0435\u0442|\u0431\u044b\u043b \u0431\u044b|\u0647\u0648|\u0647\u064a|"
    "\u0939\u0948|\u662f|\u70ba|\u4e3a|\u306f"
)
"""Words between "answer" and the label."""
_THEN = (
    "then|it's|it is|that's|that is|definitely|probably|dann|zu|f\u00fcr|es ist|alors|pour|c'est|entonces|por|allora|"
    "per|ent\u00e3o|dan|voor|wtedy|o zaman|\u0442\u043e|\u0437\u0430"
)
"""Words between "but" or "if I had to" and the option."""
_CLOSING = r"[)\]*\"'`_\u00bb\u201d\u300d]{0,4}"
_WITHDRAWING = frozenset({Reason.OTHER, Reason.POLICY})


def chosen(said: Said) -> str | None:
    """Return the option that a reply chooses in so many words; ``None`` where it does not, or where it names both.

    What a reply speaks against somewhere is never its choice, whatever else it says.
    """
    if _lists_both(said):
        return None
    option = _in_json(said) or _leading(said) or _alone(said) or _concluded(said) or _stated(said)
    return None if option in said.spoken_against else option


def _lists_both(said: Said) -> bool:
    """Whether a reply is both options and nothing else: "A/B"."""
    text = said.without_others(said.text)
    left = re.sub(rf"{MARK}|(?:{joining_words()})(?!\w)", "", text)
    by_label = len(options_in("".join(re.findall(LABEL, text))))
    both = len(options_in(text)) > 1 and by_label != 1
    return both and re.search(r"[\w<>]", left) is None


def _in_json(said: Said) -> str | None:
    """Return the one option that stands alone as a value of a JSON object, under a key that does not deny it."""
    if "{" not in said.text:
        return None
    matches = [match for match in _JSON.finditer(said.text) if not said.denies(match["key"].replace("_", " "))]
    return _one({option for match in matches for option in options_in(match["value"]) or {match["value"].upper()}})


def _leading(said: Said) -> str | None:
    """Return the label with which a reply starts, unless it is the subject of a description, or of a question."""
    match = _start().match(said.text)
    another = _another().match(match["after"]) if match else None
    if not match or (another and options_in(another["mark"]) != options_in(match["label"])):
        return None
    first = said.sentences[0]
    if is_question(first) and len(said.sentences) > 1:
        return None
    if _described().match(match["after"]):
        told = match["label"] + first.partition(match["label"])[2]
        if len(options_in(first)) > 1 or _only_described(said, told):
            return None
    if _goes_on(match["after"]) and not match["led"]:
        reasons = re.match(rf"{_CLOSING}[ \t]+(?:{because_words()})(?!\w)", match["after"])
        if said.rejects(first) if reasons else (said.denies(first) or not said.chooses(first)):
            return None
    return _one(options_in(match["label"]))


def _goes_on(after: str) -> bool:
    """Whether a label is followed by words, so that it may be their subject."""
    return re.match(rf"{_CLOSING}(?:[ \t]+[^\W\d_]|(?![{LATIN}])[^\W\d_])", after) is not None


def _alone(said: Said) -> str | None:
    """Return the one option that is all of a sentence; in a reply that was cut, a name at its start, or a label."""
    found, ruled_out = set[str](), set[str]()
    for number, sentence in enumerate(said.finished):
        if _words_beside(_without_cause(said, sentence), led=False) or (
            said.unfinished and number and not re.search(LABEL, sentence)
        ):
            continue
        options = options_in(sentence)
        heading = said.unfinished and not re.search(rf"{LABEL}|[.!]", sentence)
        questioned = is_question(sentence) and len(said.sentences) > 1
        led_to = number == 0 or _leads_to_choice(said, said.sentences[number - 1])
        found |= set() if heading else options
        ruled_out |= set() if led_to and not questioned else options
    found = found or {option for sentence in said.finished if (option := _last_word(said, sentence))}
    return _one(found) if not found & ruled_out else None


def _without_cause(said: Said, sentence: str) -> str:
    """Return what stands before the reason of a sentence, where nothing in it speaks against an option."""
    reason = re.search(rf"(?<=,\s)(?:{because_words()})(?!\w)", sentence)
    return sentence[: reason.start()] if reason and not said.rejects(sentence) else sentence


def _words_beside(part: str, *, led: bool = True) -> bool:
    """Whether a part says anything but an option, its article, the word "option" and, if ``led``, "then it is"."""
    return re.search(r"\w", _option_word(led).sub("", part)) is not None


def _leads_to_choice(said: Said, before: str) -> bool:
    """Whether what stands before a lone option leaves it a choice: a colon and a question must ask for one."""
    if not is_question(before) and not re.search(r":\W*\Z", before):
        return True
    names_choice = said.chooses(before) or _answer_word().search(before) is not None
    return bool(options_in(before)) or (names_choice and not said.denies(before))


def _last_word(said: Said, sentence: str) -> str | None:
    """Return the one option that is all that follows the last colon of a sentence, but for "A: Oxfam"."""
    before, colon, after = sentence.rpartition(":")
    if not colon or re.search(r"\w", after) or re.search(rf"{MARK}\W{{0,3}}\Z", before):
        return None
    return _one(options_in(after)) if _leads_to_choice(said, f"{before}:") else None


def _concluded(said: Said) -> str | None:
    """Return the option that is chosen after the last "but", or "so"."""
    for sentence in reversed(said.sentences):
        tail = said.after_contrast(sentence)
        if tail is None:
            continue
        if is_question(sentence) or (sentence is said.unfinished and hangs_on(tail)):
            return None
        tail = said.main(tail)
        clauses = said.clauses(tail)
        if not clauses or (said.declined and said.declines(tail)):
            return None
        option = _one(options_in(tail)) or _one(options_in(clauses[-1]))
        if option is None or option not in _affirmed(said, clauses):
            return None
        if any(said.chooses(clause) and not said.denies(clause) for clause in clauses):
            return option
        return option if sentence is not said.unfinished and not _words_beside(clauses[-1]) else None
    return None


def _affirmed(said: Said, clauses: Sequence[str]) -> set[str]:
    """Return the options of clauses that choose, or are an option and nothing else; none of them denied."""
    return {
        option
        for clause in clauses
        if not said.denies(clause) and not _only_described(said, _from_last_option(clause))
        if said.chooses(clause) or not _words_beside(clause)
        for option in options_in(clause)
    }


def _from_last_option(part: str) -> str:
    return part[max(0, *(part.rfind(mark) for mark in MARKS)) :]


def _only_described(said: Said, part: str) -> bool:
    """Whether a part that starts with an option says what it is or does, and not that it is better."""
    if not _described().match(part, 1):
        return False
    told = said.clauses(part.replace(",", " ", 1))[0]
    return said.denies(told) or not said.chooses(told)


def _stated(said: Said) -> str | None:
    """Return the one option that is chosen in a clause; beside words that hedge, in a sentence that names no other."""
    found: set[str] = set()
    for sentence in said.sentences:
        if not options_in(sentence) or is_question(sentence):
            continue
        found |= _answered(said, sentence)
        if not said.chooses(sentence) or (sentence is said.unfinished and hangs_on(sentence)):
            continue
        main = said.main(sentence)
        clauses = said.clauses(main)
        affirmed = _affirmed(said, clauses)
        for clause in clauses:
            if not said.chooses(clause) or said.denies(clause):
                continue
            options = options_in(clause)
            options = options if len(options) == 1 and not said.hedged else options_in(main)
            found |= options & affirmed if len(options) == 1 else set()
    return None if len(found) != 1 or _withdrawn(said) else found.pop()


def _answered(said: Said, sentence: str) -> set[str]:
    """Return the options that follow a word for an answer: "my answer is B"."""
    found = set()
    for match in _answer().finditer(sentence):
        another = _another().match(sentence, match.end())
        if another and options_in(another["mark"]) != options_in(match["mark"]):
            continue
        led_by = "".join([*said.clauses(sentence[: match.start()])[-1:], " ", match[0]])
        if not said.denies(led_by) and not _only_described(said, sentence[match.start("mark") :]):
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
    return re.compile(rf"[\s,/|+&()\]*\"']{{0,6}}(?:(?:{joining_words()})(?!\w)[\s,(*\"']{{0,4}})?(?P<mark>{MARK})")


@cache
def _described() -> re.Pattern[str]:
    """Return the pattern of a verb right after an option, which makes it the subject of a description."""
    return re.compile(
        rf"{_CLOSING}(?:\s{{0,3}}(?:{describing_verbs()})|,?\s{{0,3}}(?:{relative_words()}))(?![{LATIN}])"
    )


@cache
def _option_word(led: bool) -> re.Pattern[str]:
    """Return the pattern of a word for an option that stands beside one."""
    word = before_labels()[0]
    then = rf"(?:(?:{_THEN}|{_COPULAS})\s+\W{{0,4}}?){{0,2}}" if led else ""
    lead = rf"{then}(?:(?:{ARTICLES})\s+|l')?"
    return re.compile(rf"(?:\A\W*{lead})?(?:(?:{word})\W{{0,3}}{MARK}|{MARK}(?:\W?(?:{word})(?!\w))?)")


@cache
def _answer_word() -> re.Pattern[str]:
    return re.compile(rf"(?<![{LATIN}])(?:{before_labels()[1]})")
