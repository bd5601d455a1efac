"""A reply that is twice as long takes twice the work, whatever it consists of. Work is counted in calls, not timed."""

import signal
import sys
from dataclasses import fields
from itertools import count

import pytest

from pytest_llmpref import Reply, read_choice, read_open_answer
from pytest_llmpref.parsing.language import languages
from pytest_llmpref.parsing.patterns import Patterns
from pytest_llmpref.parsing.ranking import read_ranking
from pytest_llmpref.parsing.yes_no import read_yes_no

NAMES = {"A": "UNICEF", "B": "Oxfam"}
READERS = {
    "choice": lambda text: read_choice(Reply(text, "stop"), NAMES),
    "yes or no": lambda text: read_yes_no(Reply(text, "stop")),
    "ranking": lambda text: read_ranking(f"{text} Oxfam", NAMES),
    "open answer": lambda text: read_open_answer(Reply(text, "stop")),
}
REPEATED = (
    "(", '{"a": ', '"', "[", "<a>", "\\boxed{", "1. x\n", "la ", "well, ", "but ", "no, ", "yes? ", "I'd say ",
    "I recommend it, ", "I can't, ", "A, ", "A or B? ", "UNICEF, ", "Oxfam is better. ", "not UNICEF but Oxfam; ",
)  # fmt: skip
SHORT = 800
_fresh = count()


def calls(read, text):
    """Return how many functions a reading calls, of Python and of C."""
    found = 0

    def called(_frame, event, _argument):
        nonlocal found
        found += event in {"call", "c_call"}

    sys.setprofile(called)
    try:
        read(text)
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_the_work_grows_with_the_length(read, repeated):
    def text(length):
        return repeated * (length // len(repeated)) + f" {next(_fresh)}"

    def work(length):
        return calls(read, text(length))

    for _ in range(2):
        read(text(2 * SHORT))  # What is compiled once does not count.
    assert work(2 * SHORT) < 2.6 * work(SHORT) + 500


LOOPED = (
    "then ",
    "so ",
    "so, ",
    "\U0001f7e2",
    "very ",
    "and ",
    "more ",
    "also ",
    "yes ",
    "no ",
    "to ",
    "\u0438 ",
    "und ",
)
"""What a model in a loop says."""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="nothing else here ends a search that would take years")
@pytest.mark.parametrize("language", languages(), ids=lambda language: language.name)
def test_no_phrase_may_take_a_repeated_word_in_two_ways(language):
    """Or a search would take twice as long with each word more, sixty of them for ever."""

    def give_up(*_):
        pytest.fail(f"{language.name}: {pattern.text[:200]} does not come to an end after {word!r}")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    try:
        tables = (getattr(language, field.name) for field in fields(language))
        for pattern in (each for table in tables if isinstance(table, Patterns) for each in table):
            for word in LOOPED:
                pattern.compiled.search(f"{word * 60}#")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
