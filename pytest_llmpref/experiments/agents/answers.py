"""What the supervisor inside a sandbox answers, typed: whatever fits none of these is not taken."""

from typing import Annotated, Literal

import msgspec

Ended = Literal["by itself", "time", "output"]


class Ready(msgspec.Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """A supervisor's first words; ``gaps`` is what it could not enforce."""

    gaps: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer of a supervisor's; ``id`` is that of the question, which nobody else knows."""

    id: str


class Executed(Answer, frozen=True, tag="executed"):
    """What came of a command."""

    returncode: Annotated[int, msgspec.Meta(ge=-255, le=255)]
    stdout: bytes
    stderr: bytes
    ended: Ended


class Written(Answer, frozen=True, tag="written"):
    """A file is written."""


class Contents(Answer, frozen=True, tag="contents"):
    """The beginning of a file, and whether that is all of it."""

    contents: bytes
    whole: bool


class Fault(Answer, frozen=True, tag="fault"):
    """An error of the operating system, inside the sandbox."""

    errno: int
    error: str
    file: str
