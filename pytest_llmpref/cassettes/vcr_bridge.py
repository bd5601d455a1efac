"""vcrpy's cassette, without its scans and its file: the one module that subclasses vcrpy."""

import contextlib
import itertools
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vcr.cassette import Cassette as VCRCassette
from vcr.errors import UnhandledHTTPRequestError
from vcr.filters import decode_response
from vcr.patch import PATCHER_NAMES
from vcr.record_mode import RecordMode
from vcr.request import HeadersDict
from vcr.request import Request as VCRRequest

from pytest_llmpref.cassettes.interaction import Exchange, WireRequest, WireResponse
from pytest_llmpref.secrets.scrubbing import SCRUBBED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import ContextVar

    from pytest_llmpref.cassettes.interaction import Answers
    from pytest_llmpref.cassettes.wire import Captured

VCRResponse = dict[str, Any]

# What litellm sends through. Others, such as the clients that fetch a cloud's access tokens, are none of our business.
_LISTENED_TO = {"aiohttp", "httpx"}


def entered(kind: type[VCRCassette], current: "ContextVar[Any]") -> contextlib.AbstractContextManager[object]:
    """Return the context manager that routes HTTP of this process through a cassette of this kind."""
    skipped = tuple(name for name in PATCHER_NAMES if name not in _LISTENED_TO)
    patches: contextlib.AbstractContextManager[object] = kind.use(
        path="llmpref", skip_patchers=skipped, current=current
    )
    return patches


class _NoFile(VCRCassette):  # type: ignore[misc]
    """A cassette that keeps nothing, and so neither loads nor saves."""

    def __init__(self, *, current: "ContextVar[Any]", **options: object) -> None:
        super().__init__(**options)
        self.current = current

    def _load(self) -> None:
        pass

    def _save(self, force: bool = False) -> None:
        pass


class ListeningCassette(_NoFile):
    """Sends everything to the real server, and gives each exchange to the call that it belongs to."""

    current: "ContextVar[Captured | None]"

    def can_play_response_for(self, request: VCRRequest) -> bool:  # noqa: ARG002 - nothing is ever played
        """Everything goes to the server."""
        return False

    @property
    def write_protected(self) -> bool:
        """Everything may go to the server."""
        return False

    def filter_request(self, request: VCRRequest) -> VCRRequest | None:
        """Leave alone what was not sent by a model's call."""
        return None if self.current.get() is None else request

    def append(self, request: VCRRequest, response: VCRResponse) -> None:
        """Hand an exchange over."""
        captured = self.current.get()
        if captured is not None and not _is_aside(request):
            captured.exchange = from_vcr(request, response)


class AnsweringCassette(_NoFile):
    """Answers each call from the exchanges that belong to it; lets nothing through to a server."""

    current: "ContextVar[Answers | None]"

    def __init__(self, *, current: "ContextVar[Answers | None]", **options: object) -> None:
        super().__init__(current=current, record_mode=RecordMode.NONE, **options)

    def can_play_response_for(self, request: VCRRequest) -> bool:
        """Whether the call in progress was recorded sending this request. Its server may be elsewhere since."""
        return _is_aside(request) or self._found(request) is not None

    def play_response(self, request: VCRRequest) -> VCRResponse:
        """Return the recorded response."""
        if _is_aside(request):
            return to_vcr(WireResponse(200, "OK", {"content-type": ["application/json"]}, _NOTHING_KNOWN))
        answers, number = self.current.get(), self._found(request)
        if answers is None or number is None:
            raise UnhandledHTTPRequestError(f"{request} does not belong to a recorded call of a model")
        answers.played.add(number)
        return to_vcr(answers.exchanges[number].response)

    def _found(self, request: VCRRequest) -> int | None:
        """Return the number of the exchange whose path is most alike, from its end: the server is another."""
        if (answers := self.current.get()) is None:
            return None
        alike = [
            (_alike(request.path, urlsplit(one.request.uri).path), number not in answers.played, -number)
            for number, one in enumerate(answers.exchanges)
            if one.request.method == request.method
        ]
        most, _, number = max(alike, default=(0, False, 0))
        return -number if most >= answers.segments else None


_NOTHING_KNOWN = '{"template": "", "model_info": {}, "capabilities": ["completion"]}'


def _is_aside(request: VCRRequest) -> bool:
    """Tell whether a request is about a model, not to it: litellm asks Ollama so, before and after each call."""
    return bool(request.path.endswith("/api/show"))


def _alike(sent: str, recorded: str) -> int:
    """Return how many of a path's last segments are those of another.

    Where a secret was taken out of one, another may stand now.
    """
    pairs = zip(reversed(sent.split("/")), reversed(recorded.split("/")), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: _is_segment(*pair), pairs))


def _is_segment(sent: str, recorded: str) -> bool:
    if SCRUBBED not in recorded:
        return sent == recorded
    return re.fullmatch(".*".join(map(re.escape, recorded.split(SCRUBBED))), sent) is not None


def from_vcr(request: VCRRequest, response: VCRResponse) -> Exchange:
    """Turn vcrpy's request and response into an exchange."""
    return Exchange(
        WireRequest(request.method, request.uri, _lists(request.headers), _text(request.body)),
        WireResponse(
            response["status"]["code"],
            response["status"]["message"] or "",
            _lists(response["headers"]),
            _text(_decompressed(response)),
        ),
    )


def to_vcr(received: WireResponse) -> VCRResponse:
    """Turn a response into vcrpy's."""
    return {
        "status": {"code": received.status, "message": received.message},
        "headers": dict(received.headers),
        "body": {"string": received.body.encode()},
    }


def _lists(headers: "Mapping[str, str | list[str]]") -> dict[str, list[str]]:
    # vcrpy's own mapping looks each value up in Python code, and hands its items out in one go.
    items = headers.lower_items() if isinstance(headers, HeadersDict) else headers.items()
    return {name: [value] if isinstance(value, str) else list(value) for name, value in items}


def _text(body: bytes | str | None) -> str:
    """Return a body as text. What is no text is not kept as it is: it could not be searched for secrets."""
    if body is None:
        return ""
    return body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")


def _decompressed(response: VCRResponse) -> bytes | None:
    """Return a response's body without compression, which the client may have undone already."""
    body: bytes | None = response["body"].get("string")
    try:
        (body or b"").decode()
    except UnicodeDecodeError:
        headers = {name.lower(): values for name, values in response["headers"].items()}
        body = decode_response({**response, "headers": headers})["body"]["string"]
    return body
