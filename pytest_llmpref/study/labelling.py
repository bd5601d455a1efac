"""People's labels against the readers of replies, measure by measure; and the replies that people are to label."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.config.labels import WITHOUT_CHOICE, Labels
from pytest_llmpref.config.options import Settings
from pytest_llmpref.experiments.experiment import Plan
from pytest_llmpref.experiments.readings import Kind, Reading, question_shown, readings, sampled
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.results.labels_record import AccuracyRecord, AgreementRecord, LabelsRecord, RateRecord, ToLabel
from pytest_llmpref.results.measure_record import written

Reader = Literal["rules", "judge", "both"]
_Reads = Callable[[Reading], str | None]
READERS: Mapping[Reader, _Reads] = {
    "rules": lambda reading: reading.rules,
    "judge": lambda reading: reading.judge,
    "both": lambda reading: reading.final,
}
"""Reader -> what it reads, ``None`` if it read nothing."""


class Labelling:
    """Compares the readings of a study's replies with people's labels, and samples replies for people to label.

    Parameters
    ----------
    settings
        Whether and how many replies are sampled.
    labels
        People's labels; ``None`` if there are none.

    Attributes
    ----------
    compared
        Measure -> what the labels say; of those that have any.
    to_label
        Replies for people to label.
    """

    def __init__(self, settings: Settings, labels: Labels | None) -> None:
        self._settings, self._labels = settings, labels
        self.compared: dict[str, LabelsRecord] = {}
        self.to_label: list[ToLabel] = []

    def take(self, measure: str, plan: Plan[Any], replies: Sequence[Replies]) -> None:
        """Take the replies of a measure into account.

        Raises
        ------
        LabelsError
            If a label is none of its question.
        """
        if plan.read is None or (self._labels is None and self._settings.to_label is None):
            return
        found = list(readings(plan, replies))
        possible = [*plan.labels, *WITHOUT_CHOICE]
        if self._labels is not None and (record := compared(self._labels, found, possible)) is not None:
            self.compared[measure] = record
        if self._settings.to_label is not None:
            self.to_label += [
                ToLabel(
                    key=one.key,
                    question=question_shown(plan.requests[one.number]),
                    reply=replies[one.number][one.place].text or replies[one.number][one.place].refusal or "",
                    labels=possible,
                )
                for one in sampled(found, self._settings.to_label_count, self._settings.seed)
            ]


def compared(labels: Labels, found: Sequence[Reading], possible: Sequence[str]) -> LabelsRecord | None:
    """Compare a measure's readings with labels; ``None`` if no label is about its replies.

    Parameters
    ----------
    labels
        People's labels.
    found
        Every reading of the measure.
    possible
        The labels that its replies may have.

    Raises
    ------
    LabelsError
        If one has another label.
    """
    by_key = {reading.key: reading for reading in found}
    given = {key: by_rater for key, by_rater in labels.given.items() if key in by_key}
    wrong = {
        key: f"{label} is no label of this question; use {', '.join(possible[:-1])} or {possible[-1]}"
        for key, by_rater in given.items()
        for label in by_rater.values()
        if label not in possible
    }
    if wrong:
        raise labels.error(wrong)
    if not given:
        return None
    people = {key: most for key, by_rater in given.items() if (most := _most_say(by_rater.values()))}
    return LabelsRecord(
        file=Path(labels.path).name,
        labelled=len(given),
        disputed=len(given) - len(people),
        raters=sorted({rater for by_rater in given.values() for rater in by_rater}),
        accuracy=[_accuracy(reader, list(by_key.values()), people) for reader in _present(found)],
        agreement=_agreements(by_key, given, people, possible),
    )


def _most_say(labels: Any) -> str:  # noqa: ANN401 - the values of a mapping
    """Return the label that more than half of the raters give; empty if there is none."""
    (label, count), *_ = Counter(labels).most_common(1)
    return str(label) if 2 * count > len(labels) else ""


def _present(found: Sequence[Reading]) -> list[Reader]:
    """Return the readers that there are: rules, and a judge with both together where it read anything."""
    return list(READERS) if any(reading.judge for reading in found) else ["rules"]


def _accuracy(reader: Reader, found: Sequence[Reading], people: Mapping[str, str]) -> AccuracyRecord:
    """Estimate for all replies that a reader read how often it is right: each kind counts as often as it occurs."""
    from pytest_llmpref.stats.agreement import Stratum, stratified_share  # noqa: PLC0415 - for runs with labels

    reads = READERS[reader]
    read = [(reading.kind, reading.key, label) for reading in found if (label := reads(reading))]
    sizes = Counter(kind for kind, _, _ in read)
    pairs = [(kind, people[key], label) for kind, key, label in read if key in people]
    known = Counter(kind for kind, _, _ in pairs)

    def rate(counts: Callable[[str, str], bool]) -> RateRecord:
        hits: Counter[Kind] = Counter(kind for kind, said, label in pairs if counts(said, label))
        return _rate(stratified_share(Stratum(size, known[kind], hits[kind]) for kind, size in sizes.items()))

    return AccuracyRecord(
        reader=reader,
        replies=len(read),
        labelled=len(pairs),
        right=rate(lambda said, label: said == label),
        reversed=rate(lambda said, label: said != label and _chooses(said) and _chooses(label)),
        invented=rate(lambda said, label: _chooses(label) and not _chooses(said)),
        missed=rate(lambda said, label: _chooses(said) and not _chooses(label)),
    )


def _chooses(label: str) -> bool:
    return label not in WITHOUT_CHOICE


def _agreements(
    by_key: Mapping[str, Reading],
    given: Mapping[str, Mapping[str, str]],
    people: Mapping[str, str],
    possible: Sequence[str],
) -> list[AgreementRecord]:
    """Return how far each two agree that label: people and each reader, rules and judge, and each two raters."""
    said: dict[str, dict[str, str]] = {"people": dict(people)}
    for reader in _present(list(by_key.values())):
        said[reader] = {key: label for key in given if (label := READERS[reader](by_key[key]))}
    pairs: list[tuple[str, str]] = [("people", reader) for reader in READERS if reader in said]
    pairs += [("rules", "judge")] if "judge" in said else []
    raters = sorted({rater for by_rater in given.values() for rater in by_rater})
    for rater in raters:
        said[f"rater {rater}"] = {key: by_rater[rater] for key, by_rater in given.items() if rater in by_rater}
    pairs += [(f"rater {first}", f"rater {second}") for first, second in combinations(raters, 2)]
    records = (_agreement(first, second, said, possible) for first, second in pairs)
    return [record for record in records if record.counts]


def _agreement(
    first: str, second: str, said: Mapping[str, Mapping[str, str]], possible: Sequence[str]
) -> AgreementRecord:
    from pytest_llmpref.stats.agreement import agreement, cohens_kappa, confusion  # noqa: PLC0415 - as above

    pairs = [(label, said[second][key]) for key, label in said[first].items() if key in said[second]]
    occurring = [label for label in possible if any(label in pair for pair in pairs)]
    counts = confusion(pairs, occurring)
    return AgreementRecord(
        first=first,
        second=second,
        labels=occurring,
        counts=counts,
        alike=_rate(agreement(counts)),
        kappa=_rate(cohens_kappa(counts)),
    )


def _rate(estimate: Estimate) -> RateRecord:
    interval = estimate.interval()
    return RateRecord(written(estimate.value), written(interval.low), written(interval.high))


COLUMNS = ("key", "label", "rater", "labels", "question", "reply", "seed")
"""Of a file for people to label: they fill in the second, and the third where several people label."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet takes for a formula."""


def write_to_label(path: Path, replies: Iterable[ToLabel], seed: int) -> None:
    """Write replies for people to label into a new file, in random order and without what was read from them.

    Parameters
    ----------
    path
        The file, .csv or .jsonl.
    replies
        The replies.
    seed
        What chose them.

    Raises
    ------
    OSError
        If it cannot be written, or exists.
    """
    rows = [
        {**msgspec.structs.asdict(one), "labels": ", ".join(one.labels), "label": "", "rater": "", "seed": seed}
        for one in replies
    ]
    # Of several models and measures: nobody is to know which, and no worker decides the order.
    rows.sort(key=lambda row: str(row["key"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps({name: row[name] for name in COLUMNS}) + "\n" for row in rows)
            return
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows({name: _in_cell(row[name]) for name in COLUMNS} for row in rows)


def _in_cell(value: object) -> object:
    """Return a text that no spreadsheet runs: a model says what it likes."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
