"""A replay at the wire, and what has no place in it."""

import gc

import pytest

from pytest_llmpref.cassettes.wire import recording_wire, replaying_wire


def test_python_searches_for_garbage_as_before_in_whatever_order_models_are_closed():
    before = gc.get_threshold()
    first, second = recording_wire(), recording_wire()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > before[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_wire_replay_refuses_http_that_belongs_to_no_call():
    import httpx
    from vcr.errors import CannotOverwriteExistingCassetteException

    with replaying_wire(), pytest.raises(CannotOverwriteExistingCassetteException):
        httpx.get("http://127.0.0.1:9/")


def test_models_may_leave_the_wire_in_any_order():
    import httpx

    original = httpx.AsyncHTTPTransport.handle_async_request
    first, second = recording_wire(), recording_wire()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert httpx.AsyncHTTPTransport.handle_async_request is not original
    second.__exit__(None, None, None)
    assert httpx.AsyncHTTPTransport.handle_async_request is original
