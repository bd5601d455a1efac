"""Many releases on one page: what is one series, in which order, and what a claim came to in each."""

from pathlib import Path

import msgspec
from hostile_results import HOSTILE, hostile_record

from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.cli import main
from pytest_llmpref.report.history import history, history_chart, history_markdown, history_page
from pytest_llmpref.results.loading import parse_results
from pytest_llmpref.results.schema import encoded


def release(began, verdict=Verdict.SUPPORTED, models=None, **run):
    """Return results of a run, with a verdict of the first claim about the whole model, and models renamed."""
    results = parse_results(hostile_record(), "hostile")
    found = {}
    for name, record in results.models.items():
        claims = [
            msgspec.structs.replace(claim, verdict=verdict) if claim.entity is None else claim
            for claim in record.claims
        ]
        if models is None or name in models:
            found[(models or {}).get(name, name)] = msgspec.structs.replace(record, claims=claims)
    return msgspec.structs.replace(results, run=msgspec.structs.replace(results.run, began=began, **run), models=found)


FILES = {
    Path("v2/results.json"): release("2026-02-01T00:00:00+00:00", Verdict.REFUTED, part="chosen by -k"),
    Path("v1/results.json"): release("2026-01-01T00:00:00+00:00"),
    Path("latest/results.json"): release("2026-02-01T00:00:00+00:00", Verdict.REFUTED, part="chosen by -k"),
}


def test_releases_stand_in_the_order_of_their_runs_and_each_counts_once():
    for series in history(FILES):
        assert [one.name for one in series.releases] == ["v1", "v2"]
        for group, cells in series.rows:
            if not group.by_entity:
                assert [cell.group.verdict for cell in cells] == ["supported", "refuted"]


def test_folders_of_runs_are_called_by_their_time():
    paths = ["2026-01-01T00-00-00.000Z", "2026-01-01T00-00-09.000Z", "v3"]
    began = ["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:09+00:00", "2026-02-01T00:00:00+00:00"]
    files = {Path(path, "results.json"): release(time) for path, time in zip(paths, began, strict=True)}
    (first, *_) = history(files)
    assert [one.name for one in first.releases] == ["2026-01-01 00:00:00", "2026-01-01 00:00:09", "v3"]


def test_files_with_one_model_each_are_one_series():
    name = next(iter(parse_results(hostile_record(), "hostile").models))
    files = {
        Path(f"r{month}.json"): release(f"2026-0{month}-01T00:00:00+00:00", models={name: f"maker/{month}"})
        for month in (1, 2, 3)
    }
    (series,) = history(files)
    assert series.title == "maker/1 (simulated), maker/2 (simulated), maker/3 (simulated)"
    assert [one.name for one in series.releases] == ["r1", "r2", "r3"]
    two = files | {Path("both.json"): release("2026-04-01T00:00:00+00:00")}
    assert len(history(two)) > 1


def test_a_claim_that_a_release_lacks_is_not_tested():
    first, second = release("2026-01-01T00:00:00+00:00"), release("2026-02-01T00:00:00+00:00")
    name = next(iter(first.models))
    less = msgspec.structs.replace(first.models[name], claims=first.models[name].claims[1:])
    first = msgspec.structs.replace(first, models=first.models | {name: less})
    series = history({Path("a.json"): first, Path("b.json"): second})[0]
    assert any(cells[0] is None and cells[1] is not None for _, cells in series.rows)
    assert "not tested" in history_markdown([series])


def test_the_chart_holds_every_estimate_in_the_order_of_releases():
    series = history(FILES)[0]
    chart = history_chart(series)
    estimates = sum(
        cell is not None and cell.group.first.estimate.value is not None
        for group, cells in series.rows
        if not group.by_entity
        for cell in cells
    )
    assert len(chart.spec["data"]["values"]) == estimates > 0
    assert chart.spec["spec"]["encoding"]["x"]["sort"] == ["v1", "v2"]


def test_page_and_markdown_say_when_whose_and_what():
    series = history(FILES)
    for text in (history_page(series), history_markdown(series)):
        assert "2026-02-01 00:00" in text
        assert "part of the tests (chosen by" in text
        for one in series:
            for release_ in one.releases:
                assert release_.record.provenance.split(",")[0] in text.replace("\\", "")


def test_hostile_names_stay_text():
    results = release("2026-01-01T00:00:00+00:00")
    models = {f"maker/{text[:200]}": record for text in HOSTILE for record in results.models.values()}
    text = history_page(history({Path("<b>.json"): msgspec.structs.replace(results, models=models)}))
    assert "<script>window.hacked" not in text
    assert "<b>.json" not in text


def test_the_command_writes_both(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, results in FILES.items():
        path.parent.mkdir()
        path.write_bytes(encoded(release(results.run.began)))
    assert main(["report", *map(str, FILES), "--history", "--output", "out"]) == 0
    assert capsys.readouterr().out.split() == ["out/history.html", "out/history.md"]
    assert "| claim | v1 | v2 |" in (tmp_path / "out/history.md").read_text(encoding="utf-8")
    (tmp_path / "out/history.md").unlink()
    (tmp_path / "out/history.md").mkdir()
    assert main(["report", *map(str, FILES), "--history", "--output", "out"]) == 1
    assert "history.md: a folder, not a file; remove it" in capsys.readouterr().err
