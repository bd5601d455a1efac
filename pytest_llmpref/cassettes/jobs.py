"""What went over the wire about a job of a batch API: recorded beside the replies that it brought, and replayed."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from pytest_llmpref.cassettes import wire
from pytest_llmpref.cassettes.interaction import Answers, Exchange, Headers, WireRequest, WireResponse
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.models.chat import Message, Reply, Request

if TYPE_CHECKING:
    import httpx

    from pytest_llmpref.models.batches.api import Result

_OF_WHOLE_BODY = frozenset({"content-length", "content-encoding", "transfer-encoding"})


def hand_over(result: "Result") -> None:
    """Give the call under way what went over the wire for it: the download of a job's results, with its own line.

    The other lines belong to other questions, and the same download to each of them.
    """
    if result.came is not None:
        wire.hand_over(_exchange(result.came, result.line))


def keep(cassette: Cassette) -> Callable[[str, str, "httpx.Response"], None]:
    """Return what records each exchange about a job, unless that step of the job is recorded.

    Parameters
    ----------
    cassette
        Where to.
    """

    def record(job: str, step: str, response: "httpx.Response") -> None:
        request = _request(cassette.model, job, step)
        if request.key not in cassette:
            cassette.append(request, Reply("", "stop"), _exchange(response, response.text))

    return record


def answering(cassette: Cassette) -> Callable[[str], contextlib.AbstractContextManager[Collection[str]]]:
    """Return what answers, for one job, with the exchanges that are recorded of it, and tells their steps.

    Parameters
    ----------
    cassette
        What is recorded.
    """

    @contextlib.contextmanager
    def inside(job: str) -> Iterator[Collection[str]]:
        found = {
            line.request.messages[0].content: exchange
            for line in cassette.lines()
            if is_about(line.request, job) and (exchange := line.exchange) is not None
        }
        # Where the provider's files are depends on the server: one segment tells them apart in a job.
        with wire.answer_with(Answers(tuple(found.values()), segments=1)):
            yield found.keys()

    return inside


def is_about(request: Request, job: str) -> bool:
    """Tell whether a request is a step of a job."""
    return request.asked == "batch" and request.run == job


def _request(model: str, job: str, step: str) -> Request:
    return Request(model, (Message("user", step),), 0.0, 0, asked="batch", run=job)


def _exchange(response: "httpx.Response", body: str) -> Exchange:
    sent = response.request
    return Exchange(
        WireRequest(sent.method, str(sent.url), _lists(sent.headers), sent.content.decode("utf-8", "replace")),
        WireResponse(response.status_code, response.reason_phrase, _lists(response.headers, _OF_WHOLE_BODY), body),
    )


def _lists(headers: "httpx.Headers", without: Collection[str] = ()) -> Headers:
    return {name: [value] for name, value in headers.items() if name.lower() not in without}
