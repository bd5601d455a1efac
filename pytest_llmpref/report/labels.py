"""What people's labels say of the readers of replies, as the terminal and the reports show it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_llmpref.report.wording import NOTHING, plural, words
from pytest_llmpref.results.labels_record import AccuracyRecord, AgreementRecord, LabelsRecord, RateRecord
from pytest_llmpref.results.schema import ModelRecord

WHO = {"rules": "the rules", "judge": "the judge", "both": "rules and judge"}
"""Reader -> its name in a sentence."""


@dataclass(frozen=True)
class Checked:
    """The readers of one measure, checked by people's labels."""

    measure: str
    record: LabelsRecord

    @property
    def title(self) -> str:
        """The measure, and what people labelled of it."""
        disputed = f", {self.record.disputed:,} disputed" if self.record.disputed else ""
        raters = plural(len(self.record.raters), "rater")
        return (
            f"{words(self.measure)}: {plural(self.record.labelled, 'reply', 'replies')} labelled by {raters}{disputed}"
        )

    @property
    def accuracy(self) -> list[tuple[str, AccuracyRecord]]:
        """Each reader, with its name in words, and its accuracy."""
        return [(WHO[one.reader], one) for one in self.record.accuracy]

    @property
    def agreement(self) -> list[tuple[str, AgreementRecord]]:
        """Each two that label, in words, and their agreement."""
        return [(f"{_named(one.first)} and {_named(one.second)}", one) for one in self.record.agreement]


def checked(model: ModelRecord) -> list[Checked]:
    """Return the measures of a model whose replies people labelled."""
    return [Checked(name, measure.labels) for name, measure in model.measures.items() if measure.labels is not None]


def label_lines(model: ModelRecord) -> Iterator[str]:
    """Yield what labels say of each reader, and of each two raters."""
    for one in checked(model):
        yield one.title
        for who, found in one.accuracy:
            yield (
                f"  {who}: right {rate(found.right)} of {plural(found.replies, 'reply', 'replies')}; "
                f"reversed {rate(found.reversed)}; choice invented {rate(found.invented)}, "
                f"missed {rate(found.missed)}"
            )
        for who, pair in one.agreement:
            if pair.first.startswith("rater "):
                yield f"  {who}: kappa {rate(pair.kappa, percent=False)}"


def rate(one: RateRecord, *, percent: bool = True) -> str:
    """Return a share or a kappa with its interval.

    Examples
    --------
    >>> rate(RateRecord(0.95, 0.9, 0.98)), rate(RateRecord(0.5, 0.25, 0.75), percent=False)
    ('95.0% (90.0% to 98.0%)', '0.50 (0.25 to 0.75)')
    """
    value, low, high = (
        NOTHING if number is None else f"{number:.1%}" if percent else f"{number:.2f}"
        for number in (one.value, one.low, one.high)
    )
    return f"{value} ({low} to {high})"


def _named(who: str) -> str:
    if who.startswith("rater "):
        return who.removeprefix("rater ") or "a rater without a name"
    return WHO.get(who, who)
