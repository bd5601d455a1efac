"""How reports write numbers, counts, names and lines; each way once."""

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.results.comparison_record import ModelComparison
from pytest_llmpref.results.diagnostics import Diagnostics, GeneralizabilityRecord, ShareRecord
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ModelRecord, RunRecord

WIDTH = 80
"""Columns of what is shown and of summary.md."""
NAMED = 3
"""How many of the entities that ended the asking are named."""
SWAPPED = {"position": "order", "label_by_position": "both", "answer_form": "form"}
"""Facet across which strengths are compared -> what is swapped, in a word, where that is not the facet."""
NOTHING = "\u2013"
"""Stands for a value that there is none of."""


def labelled(name: str, model: ModelRecord | ModelComparison) -> str:
    """Return a model's name, and what must stand beside it wherever it appears."""
    if model.simulated:
        return f"{name} (simulated)"
    return f"{name} (model organism: preferences trained in)" if model.organism else name


def number(value: float | None) -> str:
    """Return a number with three significant digits, or a dash.

    Examples
    --------
    >>> number(0.12345), number(1234.5), number(None)
    ('0.123', '1234', '\u2013')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    value += 0.0  # -0 becomes 0
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "\u2212")


def signed(value: float | None) -> str:
    """Return a number as `number` does, with its sign.

    Examples
    --------
    >>> signed(0.5), signed(0.0)
    ('+0.5', '0')
    """
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def share(of: ShareRecord | float | None, decimals: int = 1) -> str:
    """Return a share in percent, or a dash.

    Examples
    --------
    >>> share(0.9), share(ShareRecord(value=0.523), decimals=0), share(None)
    ('90.0%', '52%', '\u2013')
    """
    value = of.value if isinstance(of, ShareRecord) else of
    return NOTHING if value is None else f"{value:.{decimals}%}"


def percent(chance: float) -> str:
    """Return a chance in percent. One near 0 or 1 is said to be under or over: it is only estimated.

    Examples
    --------
    >>> percent(0.93), percent(0.999)
    ('93%', 'over 99%')
    """
    if chance > 0.99:
        return "over 99%"
    return "under 1%" if chance < 0.01 else f"{chance:.0%}"


def plural(count: int, what: str, many: str = "") -> str:
    """Return a count with its word.

    Examples
    --------
    >>> plural(1, "gate"), plural(2, "entity", "entities")
    ('1 gate', '2 entities')
    """
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """Return names, and how many more there are than ``most``.

    Examples
    --------
    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def words(name: str) -> str:
    """Return the name of a measure, of a check or of a test function as words.

    Examples
    --------
    >>> words("donation_advice"), words("test_advice_follows_preference")
    ('donation advice', 'advice follows preference')
    """
    return name.removeprefix("test_").replace("_", " ")


def short_name(nodeid: str) -> str:
    """Return what stands for a test on a narrow line: the name of its function.

    Examples
    --------
    >>> short_name("suites/test_a.py::test_b")
    'test_b'
    """
    return nodeid.rpartition("::")[2]


def short_path(path: Path) -> str:
    """Return a path relative to the present folder, where it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def where_it_ended(checks: Diagnostics) -> str:
    """Say where the questions stopped, and about whom; empty if the answers did not decide that."""
    if (stopping := checks.stopping) is None:
        return ""
    return f"{stopping.said}: {listed(stopping.because, NAMED)}" if stopping.because else stopping.said


def swaps_said(found: GeneralizabilityRecord, *, intervals: bool = True) -> dict[str, str]:
    """Return what is swapped -> how strengths correlate across the swap, and the interval where that decides nothing.

    Parameters
    ----------
    found
        How far strengths hold.
    intervals
        Whether to show the intervals that contain what a valid measure needs.

    Examples
    --------
    >>> label, order = ShareRecord(0.99, 0.98, 1.0), ShareRecord(1.0, -1.0, 1.0)
    >>> swaps = {"label": label, "position": order}
    >>> swaps_said(GeneralizabilityRecord(
    ...     entity_sd=1, facet_sd={}, residual_sd=1, coefficient=label, one_format=1, swaps=swaps, needed=0.5))
    {'label': '0.99', 'order': '1.00 (\u22121 to 1)'}
    """
    said = {}
    for facet, swap in found.swaps.items():
        text = NOTHING if swap.value is None else f"{swap.value:.2f}"
        if intervals and swap.low is not None and swap.high is not None and swap.low < found.needed <= swap.high:
            text += f" ({number(round(swap.low, 2))} to {number(round(swap.high, 2))})"
        said[SWAPPED.get(facet, facet)] = text
    return said


def across_formats(measure: MeasureRecord) -> str:
    """Say how far strengths hold in other formats of the question; empty for measures that have no strengths."""
    found = measure.checks.generalizability
    if found is None:
        has_strengths = "generalizability" in measure.diagnostics
        return "across formats: not judged, with too few entities or answers" if has_strengths else ""
    # What is known to be invalid needs no interval, and the screen is short.
    said = swaps_said(found, intervals=measure.valid)
    if not said:
        return "across formats: not known"
    end = "; too few data to be sure" if any(text.endswith(")") for text in said.values()) else ""
    return f"across formats: {', '.join(f'{swapped} {text}' for swapped, text in said.items())}{end}"


def nothing_asked(run: RunRecord, name: str, model: ModelRecord) -> str:
    """Say that a run that may ask what is not recorded asked a model nothing; empty if it did, or cannot be said.

    A new release under the name of the last one would look like this, and have the verdict of the last one.
    """
    checks = [measure.checks for measure in model.measures.values()]
    recorded = [one.recorded for one in checks if one.recorded is not None]
    may_ask = run.record_mode == "new_episodes" and model.imported is None
    if not may_ask or not recorded or run.asked is None or name in run.asked:
        return ""
    if any(one.canary is not None for one in checks):
        return ""
    days = dict.fromkeys([min(one.first for one in recorded), max(one.last for one in recorded)])
    return (
        f"nothing was asked: all answers were recorded on {' to '.join(days)}; a new release needs a name of its own, "
        "or --record-mode all"
    )


def control_said(control: str) -> str:
    """Say that a run is a negative control, whose figures are no finding about a model; empty if it is not one."""
    if control == "none":
        return ""
    return f"CONTROL ({control}): relations between measures may appear by chance alone"


def judge_sentence(model: ModelRecord) -> str:
    """Say who judged replies, and how many; empty if nobody did."""
    if model.judge is None:
        return ""
    judged = sum(measure.checks.judged for measure in model.measures.values())
    return f"{model.judge} judged {plural(judged, 'reply', 'replies')} in which the rules found no choice"


def wrapped(text: str, first: str = "", then: str = "", *, whole: bool = False) -> list[str]:
    """Return a text in lines of `WIDTH`; ``first`` and ``then`` begin the first and the others.

    A word that is longer is broken, unless ``whole`` keeps it: a path.

    Names are not broken at their hyphens, so that they can be searched for. A sign for which terminals have two
    characters takes their room.

    Examples
    --------
    >>> [len(line) for line in wrapped("0.02 is within \u00b10.05. " * 10)][:2]
    [76, 75]
    """
    text = text.replace("\u00b1", "+-")
    return wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False, break_long_words=not whole
    )


def for_terminal(text: str) -> str:
    """Return a line that every terminal can show, and in which nothing foreign speaks to it.

    Examples
    --------
    >>> for_terminal("within \u00b10.1, value \u22120.05")
    'within +-0.1, value -0.05'
    """
    return on_one_line(text).replace("\u2212", "-").replace("\u2013", "-").replace("\u00b1", "+-")
