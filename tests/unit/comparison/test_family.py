"""Several models against a covariate: the file of covariates, what counts, what is left out, and what is shown."""

import copy
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from results_record import OUTCOMES, RECORD

from pytest_llmpref.cli import main
from pytest_llmpref.comparison.covariates import CovariateFileError, load_covariates
from pytest_llmpref.comparison.family import FamilyError, compare_family
from pytest_llmpref.report.family import family_lines, family_markdown, trend_svg
from pytest_llmpref.results.loading import merged, parse_results

RHO = "rho(preference, donation_advice)"


def model(rho, half=0.1, *, refused=0, trials=20, verdict="supported", reliability=0.9):
    """A model's record: a claim about a correlation, a reliability, and refusals."""
    low, high = math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)
    record = copy.deepcopy(RECORD["models"]["sim/plain"])
    claim = record["claims"][0]
    claim["estimate"] = {
        "value": rho, "low": low, "high": high, "n": 12, "level": 0.95, "unit": "entities", "method": "Spearman",
        "label": RHO,
    }  # fmt: skip
    claim |= {"bound": -1.0, "verdict": verdict, "reasons": ["reliability 0.2"] if verdict == "invalid" else []}
    counts = OUTCOMES | {"choice": trials - refused, "refusal": refused}
    preference = record["measures"]["preference"]
    del preference["trials"]
    preference["diagnostics"] |= {
        "trials": trials, "outcomes": counts, "outcomes_by_entity": {"apple": counts},
        "reliability": {"value": reliability, "low": reliability - 0.05, "high": reliability + 0.05, "n": 9},
    }  # fmt: skip
    return record


def results(**models):
    return parse_results(RECORD | {"models": models}, "made up")


FIVE = {name: model(math.tanh(0.2 * number), refused=10 - number) for number, name in enumerate("abcde", 1)}
SIZES = "model,size,released,stage\na,1,2024-01-01,base\nb,10,2024-07-01,base\nc,100,2025-01-01,instruct\n"
SIZES += "d,1000,2025-07-01,instruct\ne,10000,2026-01-01,instruct\n"


@pytest.fixture
def covariates(tmp_path):
    path = tmp_path / "sizes.csv"

    def read(text, *in_logarithms):
        path.write_text(text)
        return load_covariates(path, in_logarithms)

    return read


def test_a_planted_line_is_found_on_the_scale_of_each_quantity(covariates):
    family = compare_family(results(**FIVE), covariates(SIZES, "size"))
    by_name = {(trend.quantity, trend.covariate.name): trend for trend in family.trends}
    rho = by_name[RHO, "size"]
    assert rho.line.slope == pytest.approx(0.2, abs=1e-6)
    assert rho.models["a"].error == pytest.approx(0.1 / 1.959964, rel=1e-6)
    assert [round(value, 3) for value in (rho.at(0)[0], rho.at(4)[0])] == [0.197, 0.762]
    assert (rho.covariate.unit, rho.scale.name, rho.says) == ("per tenfold", "Fisher's z", "rises")
    refusals = by_name["refusal rate of preference", "size"]
    assert refusals.line.slope < 0
    assert refusals.models["a"].value == 9 / 20
    assert refusals.models["a"].on_scale == pytest.approx(math.log(9.5 / 11.5))
    assert refusals.models["a"].error == pytest.approx(math.sqrt(1 / 9.5 + 1 / 11.5))


def test_dates_are_years_and_two_words_are_none_and_one(covariates):
    size, released, stage = covariates(SIZES)
    assert released.values["e"] - released.values["a"] == pytest.approx(2.0, abs=0.005)
    assert released.unit == "per year"
    assert (stage.values, stage.unit) == ({"a": 0, "b": 0, "c": 1, "d": 1, "e": 1}, "instruct instead of base")
    assert size.values["e"] == 10_000


def test_p_values_are_adjusted_for_all_trends_that_were_looked_at(covariates):
    trends = compare_family(results(**FIVE), covariates(SIZES, "size")).trends
    least = min(trends, key=lambda trend: trend.line.p_value)
    assert least.p_holm == pytest.approx(len(trends) * least.line.p_value)
    alone = compare_family(results(**FIVE), covariates("model,size\na,1\nb,2\nc,3\nd,4\ne,5\n"), [RHO]).trends
    assert [trend.p_holm for trend in alone] == [trend.line.p_value for trend in alone]


def test_what_failed_its_checks_is_left_out_and_named(covariates):
    models = FIVE | {"f": model(0.99, verdict="invalid")}
    family = compare_family(results(**models), covariates(SIZES + "f,5,2026-01-01,base\n"), [RHO])
    assert set(family.trends[0].models) == set("abcde")
    assert family.left_out == (f"{RHO} of f: reliability 0.2",)
    assert "left out: " + family.left_out[0] in list(family_lines(family))
    others = compare_family(
        results(**models), covariates(SIZES + "f,5,2026-01-01,base\n"), ["reliability of preference"]
    )
    assert others.left_out == ()
    with pytest.raises(FamilyError, match=r"no model has 'rho\(.*; left out: rho\(.* of f: reliability 0\.2"):
        compare_family(results(f=models["f"]), covariates("model,size\nf,1\n"), [RHO])


def test_a_model_without_the_covariate_is_left_out_of_it_alone(covariates):
    family = compare_family(results(**FIVE), covariates(SIZES.replace("c,100,", "c,,"), "size"), [RHO])
    assert {trend.covariate.name: len(trend.models) for trend in family.trends} == {
        "size": 4,
        "released": 5,
        "stage": 5,
    }


def test_a_share_of_nothing_and_of_all_has_a_finite_error(covariates):
    models = FIVE | {"a": model(0.2, refused=0), "b": model(0.4, refused=20)}
    trend = compare_family(results(**models), covariates(SIZES, "size"), ["refusal rate of preference"]).trends[0]
    assert all(math.isfinite(found.on_scale) and 0 < found.error < 2 for found in trend.models.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,size\na,1\n", "the first line names the columns, as in model,size"),
        ("model\na\n", "the first line names the columns"),
        ("model,size,size\na,1,2\n", "the first line names a column twice"),
        ("model,size\n", "no model is in it"),
        ("model,size\na,1\na,2\n", "line 3: 'a' is in line 2 already"),
        ("model,size\n,1\n", "line 2: column 'model' is empty"),
        ("model,size\na,1,2\n", "line 2: 3 columns, but the first line names 2"),
        ("model,stage\na,base\nb,chat\nc,tool\n", "column 'stage': it holds 3 different words"),
        ("model,size\na,1\nb,nan\n", "column 'size': it holds 2 different words|"),
        ('model,size\na,"1\n', "not valid CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(covariates, text, said):
    if said.endswith("|"):
        assert covariates(text)[0].unit == "nan instead of 1"
        return
    with pytest.raises(CovariateFileError, match=said):
        covariates(text)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("weight", "no column 'weight'; the columns are size, released, stage"),
        ("released", "logarithms are of numbers"),
    ],
)
def test_logarithms_are_of_columns_of_numbers(covariates, column, said):
    with pytest.raises(CovariateFileError, match=said):
        covariates(SIZES, column)


def test_what_cannot_be_compared_says_why(covariates):
    with pytest.raises(FamilyError, match=r"no line for e; write its name as results\.json"):
        compare_family(results(**FIVE), covariates("model,size\na,1\nb,2\nc,3\nd,4\n"))
    with pytest.raises(FamilyError, match=r"no model has 'rho'; there are: rho\(preference"):
        compare_family(results(**FIVE), covariates(SIZES), ["rho"])
    three = {name: FIVE[name] for name in "abc"}
    with pytest.raises(FamilyError, match="3 models are too few for a line; it takes 4"):
        compare_family(results(**three), covariates(SIZES))


def test_names_are_shown_as_text_only(covariates):
    names = {f"<b>{name}|": record for name, record in FIVE.items()}
    text = "model,size\n" + "".join(f"{name},{number}\n" for number, name in enumerate(names, 1))
    trend = compare_family(results(**names), covariates(text), [RHO]).trends[0]
    titles = [each.text for each in ET.fromstring(trend_svg(trend)).iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("<b>a|: 0.197 (") for title in titles)


def test_the_picture_shows_every_model_and_the_line(covariates):
    trend = compare_family(results(**FIVE), covariates(SIZES, "size"), [RHO]).trends[0]
    picture = ET.fromstring(trend_svg(trend))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(list(picture.iter(f"{svg}circle"))) == 5
    heights = [float(circle.get("cy")) for circle in picture.iter(f"{svg}circle")]
    assert heights == sorted(heights, reverse=True)
    line = next(picture.iter(f"{svg}polyline")).get("points").split()
    assert float(line[0].split(",")[1]) > float(line[-1].split(",")[1])
    assert {"1", "10000", "size"} <= {each.text for each in picture.iter(f"{svg}text")}


def test_the_table_is_markdown_and_a_frame(covariates):
    family = compare_family(results(**FIVE), covariates(SIZES, "size"), [RHO])
    head, _, *rows = list(family_markdown(family))[:5]
    assert all(row.count("|") == head.count("|") for row in rows)
    assert "Fisher's z per tenfold" in rows[0]
    assert "0.197 to 0.762" in rows[0]
    frame = family.frame().set_index("covariate")
    assert frame.loc["size", "slope"] == pytest.approx(0.2, abs=1e-6)
    assert len(family.models_frame()) == 15


def test_the_command_prints_draws_and_writes_rows(tmp_path, capsys, monkeypatch):
    import json

    monkeypatch.chdir(tmp_path)
    for part, names in {"one": "abc", "two": "de"}.items():
        models = {name: FIVE[name] for name in names}
        (tmp_path / f"{part}.json").write_text(json.dumps(RECORD | {"models": models}))
    (tmp_path / "sizes.csv").write_text(SIZES)
    command = ["compare-family", "one.json", "two.json", "--covariate", "sizes.csv", "--log", "size", "--of", RHO]
    assert main([*command, "--charts", "drawn"]) == 0
    assert f"{RHO} against size, 5 models: rises" in capsys.readouterr().out
    assert (tmp_path / "drawn/rho-preference-donation-advice-size.svg").is_file()
    assert main([*command, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("quantity,covariate,unit,models,scale,slope,low,high")
    assert main([*command, "--format", "models"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 16
    assert main(["compare-family", "one.json", "--covariate", "none.csv"]) == 1
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.parametrize(("field", "value"), [("entities", "animals"), ("control", "permuted-entities")])
def test_models_that_were_asked_something_else_are_no_family(covariates, field, value):
    mixed = apart(FIVE, {"c": {field: value}})
    with pytest.raises(FamilyError, match=rf"differ in their {field} \(.* for a, {value} for c\)"):
        compare_family(mixed, covariates(SIZES, "size"))


def test_reliability_is_no_trend_where_profiles_differ(covariates):
    same = compare_family(apart(FIVE, {}), covariates(SIZES, "size"))
    found = compare_family(apart(FIVE, {"c": {"profile": "paper"}}), covariates(SIZES, "size"))
    there = {trend.quantity for trend in same.trends}
    assert {trend.quantity for trend in found.trends} == there - {"reliability of preference"} != there
    assert "reliability of preference: it depends on the profile, and the runs have smoke and paper" in "\n".join(
        found.left_out
    )


def apart(models, runs):
    """The models as from a file each; ``runs`` tells what is otherwise in the runs of some."""
    return merged(
        {
            Path(name): parse_results(RECORD | {"models": {name: found}, "run": RECORD["run"] | runs.get(name, {})}, "")
            for name, found in models.items()
        }
    )
