"""What a reply says once its thinking is dropped; every reader reads this, and nothing else."""

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 2000
"""Characters that are read at the start of a reply, and as many at its end."""

_TAG = r"(?:think(?:ing)?|thoughts?|thought_process|inner_thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
_LEFT, _RIGHT = r"(?:<|&lt;)", r"(?:>|&gt;)"
_MARKER = re.compile(
    rf"""{_LEFT}(?P<slash>/)?(?:[a-z]{{1,20}}:)?{_TAG}(?:\s[^<>\n]{{0,80}})?{_RIGHT}
    |\[(?P<bar>/)?(?:{_TAG})\]
    |\u25c1(?P<arrow>/)?think(?:ing)?\u25b7
    |<\|(?:begin_of_(?:thought|thinking)|start_think(?:ing)?|thinking|think)\|>
    |<\|(?P<end>end_of_(?:thought|thinking)|end_think(?:ing)?|/thinking|/think)\|>
    |<\|channel\|>\s*(?:(?:analysis|commentary|thought)|(?P<final>final))[^<]{{0,60}}(?:<\|message\|>)?
    |<(?P<shut>channel)\|>
    |<\|(?P<solution>begin_of_solution|start_response)\|>
    |<unused94>thought|<(?P<unused>unused95)>""",
    re.IGNORECASE | re.VERBOSE,
)
"""Opening and closing markers of the templates of open models; a closing one has a group."""
_TURN = re.compile(
    r"<\|(?:start|im_start|start_header_id)\|>\s*assistant|<\|(?:end|return|end_of_solution|end_response)\|>"
)
_HARMONY = re.compile(
    r"\A\s*(?:analysis|commentary)(?=[A-Z\"'])(?P<thought>.*)assistant\s?final(?P<said>.*)\Z", re.DOTALL
)
"""Harmony's channels after a decoder that drops special tokens: "analysisI think ...assistantfinalB"."""
_HEADING = (
    r"(?m:^)[ \t>#*_\[\u3010\u25a0]{0,6}(?:%s)[ \t]?"
    r"(?:[*_\]\u3011]{0,3}[ \t]?[:\uff1a][*_ \t]{0,3}|[*_\]\u3011]{1,3}[ \t]*\n|(?<=\n)\n)"
)
_THOUGHT_WORDS = (
    "thinking|thoughts?|thought process|my thinking|reasoning|internal monologue|scratchpad|"
    "chain of thought|überlegung(?:en)?|gedanken(?:gang)?|nachdenken|begründungsgang|réflexion|"
    "raisonnement|pensées?|razonamiento|pensamientos?|reflexión|raciocínio|pensamento|reflexão|"
    "ragionamento|redenering|rozumowanie|düşünce|размышлени[ея]|рассуждени[ея]|мысли|思考(?:过程|過程|プロセス)?|"
    "推理(?:过程|過程)?|分析过程|考え|التفكير|생각"
)
_ANSWER_WORDS = (
    "(?:final |my )?(?:answer|response|reply|output|result|verdict|conclusion|decision|choice)|"
    "(?:finale |endgültige )?(?:antwort|ergebnis|fazit)|(?:endantwort)|réponse(?: finale)?|conclusion|"
    "résultat|respuesta(?: final)?|resultado|conclusión|resposta(?: final)?|conclusão|"
    "risposta(?: finale)?|antwoord|odpowiedź|cevap|(?:окончательный |итоговый )?ответ|итог|вывод|"
    "(?:最终|最終|最終的な)?(?:回答|答案|结论|結論|答え|結論)|الإجابة|الجواب|답변|답"
)
_THOUGHT_HEADING = re.compile(rf"\A\s*{_HEADING % _THOUGHT_WORDS}", re.IGNORECASE)
_ANSWER_HEADING = re.compile(
    _HEADING.replace("(?m:^)", r"(?:(?m:^)|(?<=[.!?\u3002]\s))") % _ANSWER_WORDS, re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a reply says outside its thinking.

    Attributes
    ----------
    text
        The text.
    unfinished
        Whether thinking was opened and never closed, so that the reply ended before its answer.
    """

    text: str
    unfinished: bool


def without_thinking(text: str) -> str:
    """Return what a text says outside its thinking."""
    return said_by(text).text


def said_by(text: str) -> Spoken:
    """Divide a text into its thinking, which is dropped, and what it says.

    Templates often hold the opening marker themselves, so that a reply starts within its thinking: all that stands
    before a closing marker without an opening one is thinking. So is all that follows an opening one which is never
    closed. A heading "Thinking:" opens thinking where a heading such as "Answer:" follows it.
    """
    if found := _HARMONY.match(text):
        return Spoken(found["said"].strip(), unfinished=False)
    said, done, thinking = list[str](), 0, False
    for marker in _MARKER.finditer(text):
        closes = any(marker.groupdict().values())
        if closes and not thinking:
            said.clear()
        elif not thinking:
            said.append(text[done : marker.start()])
        thinking, done = not closes, marker.end()
    if done:
        text = _TURN.sub("", "".join(said if thinking else [*said, text[done:]])).strip()
    return Spoken(_after_heading(text), thinking)


def _after_heading(text: str) -> str:
    """Return what follows the last heading of an answer, where a text starts with a heading of thinking."""
    if not (opened := _THOUGHT_HEADING.match(text)):
        return text
    answers = list(_ANSWER_HEADING.finditer(text, opened.end()))
    return text[answers[-1].start() :].strip() if answers else text


@lru_cache(maxsize=1024)
def spoken(text: str) -> Spoken:
    """Return what readers read of a reply: no thinking, and of a long text the start and the end."""
    said = said_by(text)
    if len(said.text) <= 2 * LONGEST:
        return said
    return Spoken(f"{said.text[:LONGEST]}\n{said.text[-LONGEST:]}", said.unfinished)
