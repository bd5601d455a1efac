"""Python's search for garbage is put off inside, and as before after."""

import gc

import pytest

from pytest_llmpref.garbage import no_garbage_collection, rare_garbage_collection


@pytest.fixture(autouse=True)
def _as_before():
    threshold, was_on = gc.get_threshold(), gc.isenabled()
    yield
    gc.set_threshold(*threshold)
    (gc.enable if was_on else gc.disable)()


def test_it_is_off_inside_and_on_after_an_error_too():
    def failing():
        with no_garbage_collection():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert gc.isenabled()


def test_who_had_it_off_has_it_off_after():
    gc.disable()
    with no_garbage_collection():
        pass
    assert not gc.isenabled()


@pytest.mark.parametrize(("before", "inside"), [(700, 50_000), (90_000, 90_000), (0, 0)])
def test_it_comes_rarely_unless_it_comes_more_rarely_or_never(before, inside):
    gc.set_threshold(before, 10, 10)
    with rare_garbage_collection():
        assert gc.get_threshold()[0] == inside
    assert gc.get_threshold()[0] == before
