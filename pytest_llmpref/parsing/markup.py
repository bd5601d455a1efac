"""What a reply says once its markup is dropped: its own turn, and a sign before each answer that is marked as one."""

import html
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from json import JSONDecoder

from pytest_llmpref.parsing.language import ANSWER, LATIN, TITLE, alternation, languages

_OTHERS_TURN = re.compile(
    r"(?:<\|[\w/]{2,20}\|>|</?s>|<eos>|<end_of_turn>|\n\s*(?:\*\*)?(?:question|q|user|human|frage|question|"
    r"pregunta|usuario|pergunta|usu\u00e1rio|\u0432\u043e\u043f\u0440\u043e\u0441|\u95ee\u9898|\u554f\u984c|\u8cea\u554f|\u7528\u6237|domanda|vraag|soru|pytanie|utilisateur|nutzer)"
    r"\s?\d*(?:\*\*)?\s?[:\uff1a]).*\Z",
    re.IGNORECASE | re.DOTALL,
)
"""Where another's turn begins in what a base model goes on with."""
_ASKED_ANEW = re.compile(
    r"(?<=\S)\s*\n[^\n]*[?\uff1f]\s*\n\s*(?:\w+ )?A\s?[:.)\uff1a][^\n]*\n\s*(?:\w+ )?B\s?[:.)\uff1a][^\n]*"
    r"(?:\n\s*(?:(?:\w+ ?){0,2}:?|(?:please )?(?:reply|answer|respond)[^\n]{0,60})[ \t]*)?\Z",
    re.IGNORECASE,
)
"""Another question with two options, and no more than the beginning of an answer, at the end."""
_MY_TURN = re.compile(
    r"\A\s*(?:<\|\w+\|>\s*)*(?:(?:#{1,4}\s*)?(?:assistant|ai|bot|model|me|chatgpt|gpt)\s?:\s*)?", re.IGNORECASE
)
_ASKED_AGAIN = re.compile(
    r"\A\s*(?:\[inst\].{0,800}?\[/inst\]|(?:human|user|you)\s?:.{0,800}?(?:\n\s*(?:ai|assistant|bot|model|me|chatgpt)\s?:|\Z))\s*",
    re.IGNORECASE | re.DOTALL,
)
"""The question, where a base model repeats it before its own turn."""
_SECOND, _ANSWERED = (
    re.compile(r"^\W*B\s?[:.)]", re.MULTILINE),
    re.compile(r"(?:^[ \t*]*|(?<=\? ))A\s?[:.]\*{0,2}(?=\s)", re.MULTILINE),
)
"""A list of options; and the start of an answer after "Q:", where there is none."""
_LOOP = re.compile(r"\s*(\w[^\n]{2,59}?)\1{2,}\s*\Z")
"""The same words again and again, and nothing else."""
_NON = re.compile(r"\b([Nn])on-(?=[a-z])")
_TICK = re.compile(r"^[ \t]*([\u2705\u2714\u2611\u274c\u2716\u2718\U0001f6ab])\ufe0f?[ \t]*(\S.*)$", re.MULTILINE)
"""A tick or a cross before what it marks."""
_SMILEY = re.compile(r"(?:(?<=\s)|\A)(?:[:;=]['-]?[)(DPp]|<3)(?=\s|\Z)")
_BOX = re.compile(r"\$*\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}\$*")
_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathit|textit|operatorname)\s*\{([^{}]*)\}")
_BRACKETS = re.compile(r"\[\[([^\[\]\n]{1,80})\]\]")
_TAG = re.compile(r"<([^\W\d][\w -]{0,19})>\s*([^<>]{0,300}?)\s*</\1>")
_ANY_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,9}\s?/?>")
_OPENED, _FENCE = re.compile(r'\{\s*"'), re.compile(r"```\w*\s*\Z")
_JSON = JSONDecoder()
_OBJECT = re.compile(r"(?:```\w*\s*)?\{\s*\"[^{}]*(?:\}|\Z)(?:\s*```)?")
_FIELD = re.compile(r'"([^"\n]{1,40})"\s*:\s*(?:"((?:[^"\\]|\\.){0,300})"|([ABab])(?=\s*[,}\n]))')
_NO_ANSWER = re.compile(r'"([^"\n]{1,40})"\s*:\s*null\b')
_STRUCK = re.compile(r"~~[^~\n]*~~")
_LINK = re.compile(r"\[([^\[\]\n]+)\]\([^()\s]*\)")
_UNDERSCORE = re.compile(r"(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)")
_TITLE = re.compile(r"^[ \t]*#{1,6}[ \t]+(?=[^\n]*\n\s*\S)", re.MULTILINE)
"""Where the title of a section begins."""
_QUOTED_LINES = re.compile(
    r"(?:(?<![:*#])|\n(?P<title>#[^\n]*))\n+(?:>(?![^\n]*\*\*)(?:[ \t]+[^\s>]+){4}[^\n]*\n)+\s*(?=[^\s>])"
)
"""Lines that another wrote, before what is said to them: "> I always give to X" in a forum. Lines below a title, or
with words in bold, are set off by the speaker."""
_LINE_START = re.compile(
    r"^[ \t]*(?:[-=]{0,2}[>\u2192\u27a1\u21d2]\ufe0f?[ \t]?)+|^[ \t]*#{1,6}(?!\d)[ \t]*", re.MULTILINE
)
_ANSWER_KEY = (
    "chosen|selected|preferred|recommended|recipient|donate to|give to|winner|output|result|response|final|label"
)
_NO_ANSWER_KEY = re.compile(
    r"\bnot\b|\bun|avoid|reject|exclu|worst|least|dislik|runner|second|alternative|other|instead|discard|lose|against|reason"
)


def plain(text: str) -> str:
    """Return a text without markup and loops, and with a sign before each answer that is marked as one."""
    if looped := _LOOP.match(text):
        text = looped[1]
    text = _with_answers(_of_one_turn(text))
    if "non-" in text:
        # "Non-profit" says no in no language.
        text = _NON.sub(r"\1on", text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "_" in text:
        text = _UNDERSCORE.sub("", text)
    if not text.isascii():
        text = _TICK.sub(r"\2 \1", text)
    if "#" in text:
        text = _TITLE.sub(TITLE, text)
    return _LINE_START.sub("", text).replace("*", "").replace("`", "")


def _of_one_turn(text: str) -> str:
    """Return what stands in the reply's own turn, where a base model goes on with a talk."""
    text = _MY_TURN.sub("", _ASKED_AGAIN.sub("", text))
    if text.lstrip("*")[:2] in {"Q:", "Q."} and not _SECOND.search(text):
        text = _ANSWERED.sub(f"{ANSWER}: ", text)
    if "\n" in text and ">" in text:
        text = _QUOTED_LINES.sub(lambda lines: lines[0] if lines["title"] else "\n", f"\n{text}")
    if "\n" in text or "<" in text:
        text = _ASKED_ANEW.sub("", _OTHERS_TURN.sub("", text))
    return text


def _with_answers(text: str) -> str:
    """Return a text with a sign before each answer that a box, a tag or a field marks, and without other tags."""
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if "{" in text:
        text = _OBJECT.sub(_fields, _with_objects(text))
    if "\\" in text:
        text = _BOX.sub(rf"\n{ANSWER}: \1\n", _COMMAND.sub(r"\1", text))
    if "[" in text:
        text = _LINK.sub(r"\1", _BRACKETS.sub(rf"\n{ANSWER}: \1\n", text))
    if "</" in text:
        text = _ANY_TAG.sub("", _TAG.sub(_tagged, text))
    if ")" in text or "<3" in text:
        text = _SMILEY.sub("", text)
    return text


def _with_objects(text: str) -> str:
    """Return a text with the answers of each JSON object in its place; see `_answers`."""
    pieces, done = [], 0
    for opened in _OPENED.finditer(text):
        if opened.start() < done:
            continue
        try:
            value, end = _JSON.raw_decode(text, opened.start())
        except (ValueError, RecursionError):
            continue
        pieces += [_FENCE.sub("", text[done : opened.start()]), _answers(list(_leaves(value)))]
        done = end
    return "".join([*pieces, text[done:]])


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield each key of a JSON object with its value, where that is neither an object nor a list."""
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from _leaves(each, inner)
    elif not isinstance(value, list):
        yield key, value


def _fields(found: re.Match[str]) -> str:
    """Return the answers of what is nearly a JSON object."""
    missing = [(key, None) for key in _NO_ANSWER.findall(found[0])]
    return _answers([*missing, *((key, text or letter) for key, text, letter in _FIELD.findall(found[0]))])


def _answers(fields: list[tuple[str, object]]) -> str:
    """Return the answers among fields, each in a line of its own; none where one is null."""
    answers = [value for key, value in fields if _is_answer_key(key)]
    if None in answers:
        return "\n"
    return "\n".join(["", *(f"{ANSWER}: {value}" for value in answers if isinstance(value, str)), ""])


def _tagged(found: re.Match[str]) -> str:
    return f"\n{ANSWER}: {found[2]}\n" if _is_answer_key(found[1]) else found[0]


@lru_cache(maxsize=1024)
def _is_answer_key(key: str) -> bool:
    words = key.lower().replace("_", " ").replace("-", " ")
    return _answer_key().search(words) is not None and _NO_ANSWER_KEY.search(words) is None


@cache
def _answer_key() -> re.Pattern[str]:
    words = {word for language in languages() for word in (*language.answers, *language.options)}
    return re.compile(rf"(?<![{LATIN}])(?:{alternation(words)}|{_ANSWER_KEY}|reponse)(?![{LATIN}])")
