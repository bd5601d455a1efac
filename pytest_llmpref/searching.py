"""Searches bytes for many fixed strings at once."""

from collections.abc import Callable, Sequence


def search_for(texts: Sequence[bytes]) -> Callable[[bytes], bool]:
    """Return a function that tells whether any of these strings stands in a line.

    Where ahocorasick-rs has no release, as on Windows on ARM, each string is searched for by itself: the same answer,
    later.
    """
    try:
        from ahocorasick_rs import BytesAhoCorasick  # noqa: PLC0415 - no replay needs it
    except ImportError:
        return lambda line: any(text in line for text in texts)
    find = BytesAhoCorasick(texts).find_matches_as_indexes
    return lambda line: bool(find(line))
