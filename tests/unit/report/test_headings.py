"""The heading of a model on the last screen, which keeps to 80 columns."""

import msgspec
import pytest
from hostile_results import hostile_record

from pytest_llmpref.report.terminal import show_results
from pytest_llmpref.results.loading import parse_results


class Written:
    """What pytest's terminal reporter is given."""

    def __init__(self):
        self.lines = []

    def section(self, title, **_):
        self.lines.append(f"= {title} =")

    def write_line(self, line, **_):
        self.lines.append(line)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("local/short", ["= llmpref: local/short (model organism: preferences trained in), profile p ="]),
        (
            "local/organism-aligned",
            [
                "= llmpref: local/organism-aligned, profile p =",
                "local/organism-aligned (model organism: preferences trained in)",
            ],
        ),
    ],
)
def test_what_a_model_is_stands_below_a_heading_that_has_no_room_for_it(name, expected):
    results, reporter = parse_results(hostile_record(), "hostile"), Written()
    model = msgspec.structs.replace(next(iter(results.models.values())), simulated=False, organism=True)
    run = msgspec.structs.replace(results.run, profile="p")
    show_results(reporter, msgspec.structs.replace(results, models={name: model}, run=run), 0)
    begins = next(number for number, line in enumerate(reporter.lines) if line.startswith("= llmpref"))
    assert reporter.lines[begins : begins + len(expected)] == expected
    assert all(len(line) <= 80 for line in reporter.lines)
