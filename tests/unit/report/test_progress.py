"""How far the asking is: in a terminal of 80 columns, and in a log."""

import contextlib
import io
import re

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.report import progress
from pytest_llmpref.report.progress import AskingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch):
    """Show some trials in a terminal, or in a log, and return what stands there."""

    def show(stream: io.StringIO) -> list[str]:
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _stream: (80, 24))
        asking = AskingProgress("openai/gpt-4.1-nano donation_advice", 5112, contextlib.nullcontext)
        for number in range(1000):
            asking(Reply("No.", "stop", cost=0.012) if number % 3 else Reply("", "error"), True, bool(number % 3))
        asking.tell("the provider is out; waiting")
        asking.close()
        return stream.getvalue().replace("\r", "\n").splitlines()

    return show


def test_a_terminal_of_80_columns_shows_all_of_it_and_a_bar_that_moves(shown):
    lines = shown(Terminal())
    assert lines[0] == "openai/gpt-4.1-nano donation_advice"
    assert max(map(len, lines)) <= 80
    last = lines[-1]
    assert last.startswith("  1000 of 5112 ")
    assert "/s, " in last
    assert " left, " in last
    assert "666 refused, 334 failed, $7.99" in last
    assert (
        sum(character in "\u2588\u258f\u258e\u258d\u258c\u258b\u258a\u2589#123456789" for character in last[15:27]) >= 1
    )
    assert "the provider is out; waiting" in lines


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_no_time_is_left_before_the_rate_says_something(shown, stream):
    lines = [line for line in shown(stream()) if re.search(r"\d(?: of |/)5112", line)]
    early = [line for line in lines if int(re.search(r"(\d+)(?: of |/)5112", line)[1]) < progress.EARLY]
    assert early
    assert not any(" left" in line or "/s" in line for line in early)
    assert " left, " in lines[-1]


def test_one_line_of_a_log_follows_directly_on_no_other(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    bar = progress.progress_bar("m", 5112, "")
    # What tqdm's monitor looks at before it writes a line that the next trial would write again.
    assert bar.miniters == 1
    assert not bar.dynamic_miniters
    bar.close()


def test_a_log_gets_whole_lines_with_the_title(shown):
    lines = [line for line in shown(io.StringIO()) if line.strip()]
    assert all(line.startswith(("openai/gpt-4.1-nano donation_advice: ", "the provider is out")) for line in lines)
    assert "1000/5112, " in lines[-1]
    assert lines[-1].endswith("$7.99")
