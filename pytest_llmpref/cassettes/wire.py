"""Listen to, and answer at, the HTTP layer through vcrpy; refuse connections while only recordings may answer.

vcrpy finds a recorded response by scanning its cassette for each request, and rewrites the file at the end. Here a
context variable tells which `ChatModel` call an exchange belongs to, so both ways take constant time a call.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn

import msgspec

from pytest_llmpref.cassettes.interaction import (
    Answers,
    CassetteError,
    Exchange,
    Line,
    MissingRecordingError,
    NetworkRefusedError,
)
from pytest_llmpref.cassettes.store import NOTHING_READ, Cassette
from pytest_llmpref.garbage import rare_garbage_collection
from pytest_llmpref.models.chat import CallFailedError, ChatModel, Reply, Request

Address = tuple[str, int] | tuple[str, int, int, int] | str | bytes

# Of the class itself, since pytest-socket puts another in its place while a test runs.
_SOCKET = socket.socket
_CONNECT = _SOCKET.connect
_CONNECT_EX = _SOCKET.connect_ex
_SOCKETPAIR = socket.socketpair
_alone = threading.Lock()
_refusing = 0
_pairing = threading.local()


@contextlib.contextmanager
def refuse_sockets() -> Iterator[None]:
    """Make every attempt to connect over a network, to this machine too, raise `NetworkRefusedError`.

    Unix domain sockets and socket pairs, which event loops and worker processes need, are left alone; on Windows a pair
    is two TCP sockets that connect to each other. May be nested, and entered from several threads; applies to the whole
    process until the last one has left.

    Raises
    ------
    NetworkRefusedError
        Not here, but from the attempt to connect.
    """
    global _refusing  # noqa: PLW0603 - the sockets of a process are one thing, so is the switch
    with _alone:
        _refusing += 1
        if _refusing == 1:
            _SOCKET.connect = _connect  # type: ignore[method-assign, assignment]
            _SOCKET.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
            socket.socketpair = _socketpair
    try:
        yield
    finally:
        with _alone:
            _refusing -= 1
            if _refusing == 0:
                _SOCKET.connect = _CONNECT  # type: ignore[method-assign]
                _SOCKET.connect_ex = _CONNECT_EX  # type: ignore[method-assign]
                socket.socketpair = _SOCKETPAIR


def _connect(self: socket.socket, address: Address) -> None:
    if _is_network(self):
        _refuse(address)
    _CONNECT(self, address)


def _connect_ex(self: socket.socket, address: Address) -> int:
    if _is_network(self):
        _refuse(address)
    return _CONNECT_EX(self, address)


def _socketpair(*arguments: Any, **named: Any) -> tuple[socket.socket, socket.socket]:  # noqa: ANN401 - as given
    """Make a pair; this thread may connect its two ends, and nothing else does so meanwhile."""
    _pairing.now = True
    try:
        return _SOCKETPAIR(*arguments, **named)
    finally:
        _pairing.now = False


def _is_network(opened: socket.socket) -> bool:
    return opened.family in (socket.AF_INET, socket.AF_INET6) and not getattr(_pairing, "now", False)


def _refuse(address: object) -> NoReturn:
    raise NetworkRefusedError(
        f"record mode none: no network, but something tried to connect to {address!r}; "
        "record what is missing with --record-mode new_episodes"
    )


class Captured:
    """What went over the wire inside one `capture`.

    Attributes
    ----------
    exchange
        The last exchange, which is the one that gave the reply: those before it are failed tries and the like.
        ``None`` if nothing went over the wire.
    """

    exchange: Exchange | None = None


_captured: ContextVar[Captured | None] = ContextVar("llmpref_captured", default=None)
_answers: ContextVar[Answers | None] = ContextVar("llmpref_answers", default=None)


@contextlib.contextmanager
def capture() -> Iterator[Captured]:
    """Catch what the enclosed call of a model sends and receives, while inside `recording_wire`.

    Any number of calls may be in flight, each in its own asyncio task.
    """
    captured = Captured()
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        _captured.reset(token)


def hand_over(exchange: Exchange) -> None:
    """Give the enclosing `capture` an exchange that went another way than through vcrpy."""
    if (captured := _captured.get()) is not None:
        captured.exchange = exchange


@contextlib.contextmanager
def answer_with(answers: Answers) -> Iterator[None]:
    """Answer what the enclosed call of a model sends with recorded exchanges, while inside `replaying_wire`."""
    token = _answers.set(answers)
    try:
        yield
    finally:
        _answers.reset(token)


class _Shared:
    """A context manager that a process enters once, however many models of a study are inside it.

    vcrpy patches classes, and patches must be undone in the reverse order, which models do not keep to.
    """

    def __init__(self, make: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
        self._make = make
        self._alone = threading.Lock()
        self._inside = 0
        self._entered: contextlib.AbstractContextManager[object] | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._alone:
            if self._entered is None:
                entered = self._make()
                entered.__enter__()
                self._entered = entered
            self._inside += 1
        try:
            yield
        finally:
            with self._alone:
                self._inside -= 1
                if self._inside == 0 and self._entered is not None:
                    self._entered.__exit__(None, None, None)
                    self._entered = None


def _listening() -> contextlib.AbstractContextManager[object]:
    from pytest_llmpref.cassettes.vcr_bridge import ListeningCassette, entered  # noqa: PLC0415 - loads vcrpy

    return entered(ListeningCassette, _captured)


def _answering() -> contextlib.AbstractContextManager[object]:
    from pytest_llmpref.cassettes.vcr_bridge import AnsweringCassette, entered  # noqa: PLC0415 - loads vcrpy

    return entered(AnsweringCassette, _answers)


_listened, _answered, _collected = _Shared(_listening), _Shared(_answering), _Shared(rare_garbage_collection)


@contextlib.contextmanager
def recording_wire() -> Iterator[None]:
    """Let `capture` see exchanges, while inside. Once for a whole study; may be nested."""
    with _listened(), _collected():
        yield


@contextlib.contextmanager
def replaying_wire() -> Iterator[None]:
    """Answer HTTP from `answer_with`, and refuse it elsewhere, while inside. May be nested."""
    with _answered(), _collected():
        yield


class WireReplayModel:
    """A `ChatModel` whose provider's HTTP answers come from its cassette.

    Everything but the provider is the real thing: parameters, litellm, parsing. Its replies must equal the recorded
    ones, which is how replay by key is kept honest. Latency is as recorded: nobody was waited for.

    Parameters
    ----------
    live
        The model as it would be asked live. Closed with this one.
    cassette
        The recordings of that model.
    """

    def __init__(self, live: ChatModel, cassette: Cassette) -> None:
        self.name = live.name
        self._live = live
        self._cassette = cassette
        self._lines: dict[str, Line] = {}
        self._extent = NOTHING_READ
        self._wire = contextlib.ExitStack()
        self._answers = False

    def _line(self, key: str) -> Line | None:
        found = self._cassette.interaction(key)
        if found is None:
            return None
        line = self._lines.get(key)
        if line is None or line.at != found.at:
            # The first question, or one that was recorded since.
            read, self._extent = self._extent, self._cassette.extent
            self._lines |= {line.key: line for line in self._cassette.lines(read)}
            line = self._lines.get(key)
        return line

    async def ask(self, request: Request) -> Reply:
        """Ask the live model, and answer it at the wire.

        Raises
        ------
        MissingRecordingError
            If the request, or its exchange on the wire, was never recorded.
        CassetteError
            If the exchange gives no reply any more.
        """
        recorded = self._line(request.key)
        if recorded is not None and recorded.reply.finish == "error":
            # Of a call that failed there is not always something to answer with.
            return recorded.reply
        exchange = None if recorded is None else recorded.exchange
        if recorded is None or exchange is None:
            raise MissingRecordingError(request, str(self._cassette.packed.parent), "recorded HTTP exchange")
        if not self._answers:
            self._wire.enter_context(replaying_wire())
            self._answers = True
        # As it was asked then: log-probabilities, say, are no part of a request's identity, nor is room for reasoning.
        sent = recorded.reply.parameters
        asked = recorded.request
        if isinstance(limit := sent.get("max_tokens"), int):
            asked = msgspec.structs.replace(asked, max_tokens=limit)
        with self._answering(recorded.reply, exchange):
            try:
                reply = await self._live.ask(asked)
            except CallFailedError as error:
                raise CassetteError(
                    f"{self._cassette.packed.parent}: the exchange with key {request.key} cannot be replayed at the "
                    f"wire ({error}); replay it with --llmpref-replay reply, or record it again"
                ) from error
        # What a reply cost is not on the wire: the user may have given the price, and litellm's list changes.
        known = {
            "latency": recorded.reply.latency,
            "parameters": sent or reply.parameters,
            "batch": recorded.reply.batch,
            "cost": recorded.reply.cost,
        }
        if not recorded.reply.served:
            # Recorded by a release that kept neither.
            known |= {"served": "", "fingerprint": "", "reasoning_tokens": 0}
        return msgspec.structs.replace(reply, **known)

    @staticmethod
    def _answering(reply: Reply, exchange: Exchange) -> contextlib.AbstractContextManager[None]:
        """Answer with the exchange of a call, or say which batch brought the reply: its job answers for all of them."""
        if not reply.batch:
            return answer_with(Answers((exchange,)))
        from pytest_llmpref.models.batches.replaying import brought_by  # noqa: PLC0415 - imports httpx

        return brought_by(reply.batch, exchange.response.body)

    async def close(self) -> None:
        """Close the live model, and let HTTP through again."""
        try:
            await self._live.close()
        finally:
            self._wire.close()
            self._answers = False
