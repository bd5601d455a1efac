"""The code blocks of README.md and of docs/, and what a comment before a block says of it.

- ``<!-- needs a key -->``: its commands ask a provider, so only their options are checked.
- ``<!-- not run: WHY -->``: its commands are checked elsewhere, or install, or take too long.
- ``<!-- exits with N -->``: its commands end with that status, not with 0.
- ``<!-- printed by: COMMAND -->``: a text is part of what the command prints in a checkout.

A text block right after a block of commands is part of what its last command prints. A line ``...`` stands for any
number of lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "_generated"} & set(page.parts)]
FENCE = re.compile(r"^(?P<fence>```+)(?P<language>[^\s`]*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (needs a key|not run: .+|exits with \d|printed by: .+) -->\n+\Z")
FILE = re.compile(r"\*\*`([^`]+)`\*\*\n+\Z")


@dataclass(frozen=True)
class Block:
    """One code block.

    Attributes
    ----------
    line
        Where it begins.
    language
        What stands behind the fence.
    text
        What is between the fences.
    mark
        What the comment before it says.
    file
        The name of the file that it is, if the page gives one.
    follows
        Whether nothing but an empty line is between it and the block before.
    """

    line: int
    language: str
    text: str
    mark: str
    file: str
    follows: bool

    @property
    def commands(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()] if self.language == "sh" else []


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page, directives left out."""
    text, end = page.read_text(encoding="utf-8"), 0
    for found in FENCE.finditer(text):
        between = text[end : found.start()]
        mark, file = MARK.search(between), FILE.search(between)
        if not found["language"].startswith("{"):
            yield Block(
                line=text.count("\n", 0, found.start()) + 1,
                language=found["language"],
                text=found["text"],
                mark=mark[1] if mark else "",
                file=file[1] if file else "",
                follows=end > 0 and not between.strip(),
            )
        end = found.end()
