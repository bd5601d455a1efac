"""Many fixed strings looked for at once."""

from collections.abc import Callable, Iterator, Sequence

Found = tuple[int, int, int]
"""The number of a string, and where it begins and ends."""


def search_for(texts: Sequence[bytes], *, lasting: bool = True) -> Callable[[bytes], list[Found]]:
    """Return a function that lists where these strings stand in a line, also those that overlap.

    Where ahocorasick-rs has no release, as on Windows on ARM, each string is searched for by itself: the same answer,
    later, and in another order.

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
        return lambda line: list(_one_by_one(texts, line))
    search = BytesAhoCorasick(texts, implementation=Implementation.DFA if lasting else None)
    return lambda line: search.find_matches_as_indexes(line, overlapping=True)


def _one_by_one(texts: Sequence[bytes], line: bytes) -> Iterator[Found]:
    for number, text in enumerate(texts):
        start = line.find(text)
        while start >= 0:
            yield number, start, start + len(text)
            start = line.find(text, start + 1)
