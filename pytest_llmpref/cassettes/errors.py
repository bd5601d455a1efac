"""What can be wrong with a recording."""

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.escaping import on_lines
from pytest_llmpref.models.chat import Request

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
