"""Many releases on one page: each claim's estimate and verdict by release, made from their results.json alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmpref.characters import in_markdown
from pytest_llmpref.charts import Chart, Names, Row, Spec, quantities
from pytest_llmpref.claims.verdicts import MARKS
from pytest_llmpref.config.options import DATED
from pytest_llmpref.files import write_whole
from pytest_llmpref.report.claims import ClaimGroup, ModelVerdict, judge
from pytest_llmpref.report.page import drawing_kit, template
from pytest_llmpref.report.side_by_side import claim_columns, claim_layers, claim_row
from pytest_llmpref.report.views import ClaimView, Figure, claim_view
from pytest_llmpref.report.wording import control_said, labelled, words
from pytest_llmpref.results.schema import ModelRecord, Results, RunRecord

Cells = list[ClaimView | None]
STEP = 86
"""Pixels between two releases of a chart; the dates below them need as many."""


@dataclass(frozen=True)
class Release:
    """What one results.json says of one model.

    Attributes
    ----------
    name
        What the release is called: the folder of its file, or the file.
    label
        The model's name, with what must stand beside it.
    record, run, verdict
        What was found, in which run, and what its claims come to.
    claims
        The claims, by what identifies them in every release.
    """

    name: str
    label: str
    record: ModelRecord
    run: RunRecord
    verdict: ModelVerdict
    claims: Mapping[tuple[str, str, int], ClaimView]

    @property
    def day(self) -> str:
        """When it was measured."""
        return self.run.began[:16].replace("T", " ")


@dataclass(frozen=True)
class Series:
    """The releases of one model, the oldest first, and a row for each claim with a cell for each of them."""

    id: str
    title: str
    releases: tuple[Release, ...]
    rows: tuple[tuple[ClaimGroup, Cells], ...]

    @property
    def figures(self) -> list[Figure]:
        """The chart of its claims, if one has an estimate."""
        chart = history_chart(self)
        return [] if chart is None else [Figure(f"{self.id}-claims", chart)]


def history(files: Mapping[Path, Results]) -> list[Series]:
    """Return the history of each model.

    Results of one run, such as its copy in ``latest``, count once. If each file holds one model, all of them are one
    series, even if their names differ: releases often have names of their own.

    Parameters
    ----------
    files
        Path -> the results that it holds.
    """
    runs = {(one.run.began, tuple(one.models)): (path, one) for path, one in reversed([*files.items()])}
    ordered = sorted(runs.values(), key=lambda one: (one[1].run.began, str(one[0])))
    names = _names([path for path, _ in ordered], [one.run.began for _, one in ordered])
    alone = all(len(results.models) == 1 for _, results in ordered)
    found: dict[str, list[Release]] = {}
    for name, (_, results) in zip(names, ordered, strict=True):
        for model, record in results.models.items():
            release = _release(name, model, record, results)
            found.setdefault("" if alone else model, []).append(release)
    return [_series(number, releases) for number, releases in enumerate(found.values(), start=1)]


def _names(paths: Sequence[Path], began: Sequence[str]) -> list[str]:
    """Return what the releases are called: by folder or file, by time in folders of runs; differently in any case."""
    short = [_name(path, time[:16]) for path, time in zip(paths, began, strict=True)]
    longer = [_name(path, time[:19]) for path, time in zip(paths, began, strict=True)]
    for names in (short, longer):
        if len(set(names)) == len(names):
            return names
    counts = Counter(longer)
    return [name if counts[name] == 1 else str(path) for name, path in zip(longer, paths, strict=True)]


def _name(path: Path, time: str) -> str:
    folder = path.parent.name
    if path.name != "results.json" or not folder:
        return path.stem
    return time.replace("T", " ") if folder == "latest" or DATED.fullmatch(folder) else folder


def _release(name: str, model: str, record: ModelRecord, results: Results) -> Release:
    verdict, names = judge(record), Names(results)
    run = results.runs.get(model, results.run)
    claims: dict[tuple[str, str, int], ClaimView] = {}
    for group in verdict.groups:
        number = sum(key[:2] == group.key for key in claims)
        claims[(*group.key, number)] = claim_view("", group, record, names)
    return Release(name, labelled(model, record), record, run, verdict, claims)


def _series(number: int, releases: Sequence[Release]) -> Series:
    rows: dict[tuple[str, str, int], Cells] = {}
    for column, release in enumerate(releases):
        for key, claim in release.claims.items():
            rows.setdefault(key, [None] * len(releases))[column] = claim
    # As the newest release has them: a claim may have become a gate.
    shown = [(next(cell.group for cell in reversed(cells) if cell), cells) for cells in rows.values()]
    shown.sort(key=lambda row: not row[0].first.gate)
    title = ", ".join(dict.fromkeys(release.label for release in releases))
    return Series(f"h{number}", title, tuple(releases), tuple(shown))


def history_chart(series: Series) -> Chart | None:
    """Return every claim about the model as a whole, by release; ``None`` if none has an estimate.

    Parameters
    ----------
    series
        The releases of a model.
    """
    rows = [row for group, cells in series.rows if not group.by_entity for row in _points(series, group, cells)]
    if not rows:
        return None
    return Chart(
        "Claims by release",
        "Each claim about the model as a whole: its estimate and interval in each release, and the threshold as a "
        "dashed line.",
        _spec(rows, [release.name for release in series.releases]),
        claim_columns("claim release model"),
        "wide",
    )


def _points(series: Series, group: ClaimGroup, cells: Cells) -> Iterator[Row]:
    for release, cell in zip(series.releases, cells, strict=True):
        if cell is not None and cell.group.first.estimate.value is not None:
            yield claim_row(cell.group.first, claim=group.title, release=release.name, model=release.label)


def _spec(rows: list[Row], order: list[str]) -> Spec:
    y = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"tickCount": 4}}
    axis = {"title": None, "labelAngle": -35, "labelLimit": 150}
    header = {"labelOrient": "top", "labelAnchor": "start", "labelLimit": 300, "labelPadding": 2}
    shown = quantities(claim="Claim", model="Model", value="Value", low="Low", high="High", verdict="Verdict", n="n")
    tooltip = [{"field": "release", "title": "Release", "type": "nominal"}, *shown]
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    return {
        "data": {"values": rows},
        "facet": {"row": {"field": "claim", "type": "nominal", "sort": claims, "title": None, "header": header}},
        "spacing": 18,
        "resolve": {"scale": {"y": "independent"}},
        "spec": {
            "width": {"step": STEP},
            "height": 110,
            "encoding": {"x": {"field": "release", "type": "ordinal", "sort": order, "axis": axis}},
            "layer": claim_layers("y", y, {"type": "line", "strokeWidth": 1}, {}, tooltip),
        },
    }


def history_page(series: Sequence[Series]) -> str:
    """Return the history as HTML, in one file that needs no network."""
    charts = {figure.id: figure.chart.record() for one in series for figure in one.figures}
    view = drawing_kit({"marks": MARKS, "charts": charts, "entities": {}})
    releases = len({release.name for one in series for release in one.releases})
    return str(template("history.html.j2").render(**view, series=series, releases=releases))


def history_markdown(series: Sequence[Series]) -> str:
    """Return the history as Markdown."""
    return "\n".join(line for one in series for line in _markdown(one)) + "\n"


def _markdown(series: Series) -> Iterator[str]:
    yield from (f"## {in_markdown(series.title)}: claims by release", "")
    for release in series.releases:
        part = f", part of the tests ({in_markdown(release.run.part)})" if release.run.part else ""
        part += f", {control}" if (control := control_said(release.run.control)) else ""
        answers = in_markdown(release.record.provenance)
        when = in_markdown(release.day)
        yield (
            f"- **{in_markdown(release.name)}**: {in_markdown(release.label)}, run of {when}{part}, "
            f"profile {in_markdown(release.run.profile)}{f', answers {answers}' if answers else ''}; "
            f"{release.verdict.word}"
        )
    yield from ("", f"| claim | {' | '.join(in_markdown(release.name) for release in series.releases)} |")
    yield f"|---|{'---|' * len(series.releases)}"
    for group, cells in series.rows:
        kind = "gate" if group.first.gate else group.note
        title = in_markdown(words(group.first.function)) + (f" ({kind})" if kind else "")
        yield f"| {title} | {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(claim: ClaimView | None) -> str:
    if claim is None:
        return "not tested"
    return f"{MARKS[claim.group.verdict]} {claim.tally}: {claim.estimate}, claimed {claim.claimed}"


def write_history(files: Mapping[Path, Results], folder: Path) -> list[Path]:
    """Write ``history.html`` and ``history.md``, and return their paths.

    Parameters
    ----------
    files
        Path -> the results that it holds.
    folder
        Where to write.

    Raises
    ------
    OSError
        If one of them cannot be written.
    """
    series = history(files)
    folder.mkdir(parents=True, exist_ok=True)
    written = {"history.html": history_page(series), "history.md": history_markdown(series)}
    for name, text in written.items():
        # Names may hold half a surrogate pair, which UTF-8 cannot express.
        write_whole(folder / name, text.encode("utf-8", "replace"), f"{name}.part")
    return [folder / name for name in written]
