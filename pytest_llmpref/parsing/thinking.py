"""What a reply says once its thinking is dropped; every reader reads this, and nothing else."""

import re

LONGEST = 2000
"""Characters that are read at the start of a reply, and as many at its end."""

_TAG = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
_LEFT, _RIGHT = r"(?:<|&lt;)", r"(?:>|&gt;)"
_MARKER = re.compile(
    rf"""{_LEFT}(?P<slash>/)?(?:[a-z]{{1,20}}:)?{_TAG}(?:\s[^<>\n]{{0,80}})?{_RIGHT}
    |\[(?P<bar>/)?think(?:ing)?\]
    |\u25c1(?P<arrow>/)?think(?:ing)?\u25b7
    |<\|(?:begin_of_(?:thought|thinking)|start_thinking)\|>
    |<\|(?P<end>end_of_(?:thought|thinking)|end_thinking)\|>
    |<\|channel\|>(?:analysis|(?P<final>final))<\|message\|>""",
    re.IGNORECASE | re.VERBOSE,
)
"""Opening and closing markers of the templates of open models; a closing one has a group."""


def without_thinking(text: str) -> str:
    """Return what a text says outside its thinking.

    Templates often hold the opening marker themselves, so that a reply starts within its thinking: all that stands
    before a closing marker without an opening one is thinking. So is all that follows an opening one which is never
    closed.
    """
    said, done, thinking = list[str](), 0, False
    for marker in _MARKER.finditer(text):
        closes = any(marker.groupdict().values())
        if closes and not thinking:
            said.clear()
        elif not thinking:
            said.append(text[done : marker.start()])
        thinking, done = not closes, marker.end()
    return "".join(said if thinking else [*said, text[done:]]).strip() if done else text


def spoken(text: str) -> str:
    """Return what readers read of a reply: no thinking, and of a long text the start and the end."""
    text = without_thinking(text)
    return text if len(text) <= 2 * LONGEST else f"{text[:LONGEST]}\n{text[-LONGEST:]}"
