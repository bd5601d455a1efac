"""Python's search for circles of references, put off while very many objects are built that have none."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python from searching thousands of new objects for garbage again and again: half of the time it takes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_RARELY = 50_000
"""Objects made, and not yet thrown away, after which Python looks for garbage; its own number is 700. Our choice."""


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Let Python search for garbage less often, while a run holds hundreds of thousands of objects that are none."""
    before = gc.get_threshold()
    gc.set_threshold(max(_RARELY, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def spare_last_search() -> None:
    """Let Python end without its searches for garbage among what is alive by then: a third of a second of a replay.

    pytest's own search, which shows what a test's garbage had to say, comes before.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
