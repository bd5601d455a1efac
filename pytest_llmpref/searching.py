"""Searches bytes for many fixed strings at once."""

from collections.abc import Callable, Iterator, Sequence


def search_for(texts: Sequence[bytes], *, lasting: bool = True) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    """Return a function that yields where these strings stand in a line: the number of the string, and its place.

    Where ahocorasick-rs has no release, as on Windows on ARM, each string is searched for by itself: the same answer,
    later.

    Parameters
    ----------
    texts
        The strings.
    lasting
        Whether the function will be called many times: it is then slower to make, and twice as fast.
    """
    try:
        from ahocorasick_rs import BytesAhoCorasick, Implementation  # noqa: PLC0415 - no replay needs it
    except ImportError:
        return lambda line: _one_by_one(texts, line)
    search = BytesAhoCorasick(texts, implementation=Implementation.DFA if lasting else None)
    return lambda line: ((number, start) for number, start, _ in search.find_matches_as_indexes(line, overlapping=True))


def _one_by_one(texts: Sequence[bytes], line: bytes) -> Iterator[tuple[int, int]]:
    for number, text in enumerate(texts):
        start = line.find(text)
        while start >= 0:
            yield number, start
            start = line.find(text, start + 1)
