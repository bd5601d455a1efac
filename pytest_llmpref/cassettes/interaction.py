"""One recorded interaction: request, reply, and what went over the wire; and what can be wrong with a recording.

A run holds tens of thousands of these for as long as it lasts. So they are structs that Python's search for circles of
references leaves out (``gc=False``): they hold none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from pytest_llmpref.characters import on_lines
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.models.chat import Reply, Request

_PROMPT_START = 120
"""Characters of the prompt that a message shows: enough to know the question again."""


class CassetteError(LLMPrefError):
    """A cassette cannot be read or written as it stands. The message names the file, the line and the fix."""


class MissingRecordingError(CassetteError):
    """The cassette holds no reply to a request, and none may be asked for.

    Attributes
    ----------
    request
        What was asked.
    """

    def __init__(self, request: Request, where: str, what: str = "recorded reply") -> None:
        prompt = request.messages[-1].content if request.messages else ""
        start = prompt if len(prompt) <= _PROMPT_START else f"{prompt[:_PROMPT_START]}..."
        super().__init__(
            f"no {what} of {request.model} in {where} for key {request.key} "
            f"(repetition {request.repetition}), prompt {start!r}; record it with: "
            f"pytest suites --model {request.model} --record-mode new_episodes"
        )
        self.request = request


class NetworkRefusedError(CassetteError):
    """Something tried to open a connection while only recordings may answer."""


class CassetteWarning(UserWarning):
    """Something about a cassette that was put right, and that the user should know."""

    def __str__(self) -> str:
        return on_lines(super().__str__())


FORMAT: Final = 1
"""Version of the line format; a change that older releases cannot read raises it."""

Headers = dict[str, list[str]]


class WireRequest(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request as sent, once scrubbed.

    Raises
    ------
    ValueError
        If ``uri`` is no address. What is decoded raises it as an error of msgspec.
    """

    method: str
    uri: str
    headers: Headers
    body: str

    def __post_init__(self) -> None:
        urlsplit(self.uri)


class WireResponse(msgspec.Struct, frozen=True, gc=False):
    """An HTTP response as received, its body decompressed, once scrubbed."""

    status: int
    message: str
    headers: Headers
    body: str


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """The HTTP request and response that a reply came from."""

    request: WireRequest
    response: WireResponse


@dataclass(slots=True)
class Answers:
    """What answers at the wire.

    Attributes
    ----------
    exchanges
        The recorded exchanges, in the order in which they went over the wire.
    segments
        How many of a path's last segments have to be those recorded.
    played
        Numbers of the exchanges that were played. Of several to one address, those come later.
    """

    exchanges: Sequence[Exchange]
    segments: int = 2
    played: set[int] = field(default_factory=set)


class Interaction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What replay by key reads of a line of a cassette.

    Attributes
    ----------
    v
        Version of the format.
    key
        ``request.key`` as it was when asked; it finds the line again.
    request, reply
        The question, and the normalised answer.
    at
        When the reply came, UTC.
    design
        Version of the design of questions about pairs that the study followed; 1 where a line does not say.
    """

    v: Literal[1]
    key: str
    request: Request
    reply: Reply
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    design: Annotated[int, msgspec.Meta(ge=1)] = 1


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A whole line of a cassette: an `Interaction`, and what went over the wire.

    Attributes
    ----------
    http
        The exchange as JSON, ``null`` for a model that answered in-process. Kept undecoded, since few look at it.
    """

    v: Literal[1]
    key: str
    request: Request
    reply: Reply
    http: msgspec.Raw
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    design: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def exchange(self) -> Exchange | None:
        """The HTTP exchange, decoded.

        Raises
        ------
        CassetteError
            If the exchange is not one.
        """
        try:
            return msgspec.json.decode(self.http, type=Exchange | None)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CassetteError(
                f"the recording of {self.request.model} with key {self.key}: its http is no exchange ({error}); "
                "restore the cassette from version control, or record again"
            ) from error
