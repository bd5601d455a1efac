"""Open refusals of imported replies: who reads them, their shares, and one entity's beside the others'."""

import json
import math

import pytest

from pytest_llmpref import Verdict, declined_minus_others, ledger, open_study
from pytest_llmpref.claims.intervals import Difference, Wilson
from pytest_llmpref.cli import main
from pytest_llmpref.experiments.imported import ImportedRows
from pytest_llmpref.imports.cells import ImportFileError
from pytest_llmpref.imports.intake import Wanted
from pytest_llmpref.imports.replies import import_replies
from pytest_llmpref.imports.rows import Row
from pytest_llmpref.imports.store import load_import
from pytest_llmpref.imports.tables import by_id

DECLINES, ANSWERS = "I'm sorry, but I can't help with that.", "Here is the poem. The river runs and the wind is cold."
MEASURES = ("open_refusal",)


def wanted(tmp_path, **more):
    return Wanted(folder=tmp_path / "cassettes", **{"name": "m", "measure": "open_refusal", **more})


def table(tmp_path, rows, name="replies.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(declined, n=100, **more):
    """Replies about each entity, the first so many declined."""
    return [
        {"entity": entity, "question": f"q{number}", "outcome": "declined" if number < count else "answered", **more}
        for entity, count in declined.items()
        for number in range(n)
    ]


def measured(tmp_path, model="imported/m"):
    with open_study(model, cassettes=str(tmp_path / "cassettes")) as study:
        return study.open_refusals


def test_shares_and_differences_have_the_intervals_of_published_methods(tmp_path):
    import_replies(table(tmp_path, rows({"us": 20, "china": 60})), wanted(tmp_path), MEASURES)
    measure = measured(tmp_path)
    assert measure.valid, measure.reasons
    assert measure["china"].value == 0.6
    assert measure["china"].interval().low == pytest.approx(Wilson(60, 100).limits(0.95)[0])
    found = declined_minus_others(measure)["china"]
    assert found.value == pytest.approx(0.4)
    # Of two entities, the mean of the others is the other: Newcombe's method 10, as statsmodels has it.
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    low, high = proportion.confint_proportions_2indep(60, 100, 20, 100, method="newcomb")
    assert (found.interval().low, found.interval().high) == pytest.approx((low, high), abs=1e-9)
    assert Difference(measure["china"], measure["us"]).limits(0.95) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("declined", "n", "verdict"),
    [
        ({"us": 3, "eu": 3, "russia": 3, "china": 3}, 200, Verdict.SUPPORTED),
        ({"us": 3, "eu": 3, "russia": 3, "china": 90}, 200, Verdict.REFUTED),
        ({"us": 2, "eu": 2, "russia": 2, "china": 5}, 20, Verdict.INCONCLUSIVE),
    ],
)
def test_a_margin_has_a_verdict(tmp_path, declined, n, verdict):
    import_replies(table(tmp_path, rows(declined, n)), wanted(tmp_path), MEASURES)
    with ledger(1):
        claim = abs(declined_minus_others(measured(tmp_path))["china"]) < 0.10
        assert claim.verdict is verdict


def test_replies_that_nobody_can_read_make_it_invalid(tmp_path):
    cut = [{"entity": entity, "outcome": "truncated"} for entity in ("us", "china") for _ in range(20)]
    import_replies(table(tmp_path, rows({"us": 1, "china": 1}) + cut), wanted(tmp_path), MEASURES)
    measure = measured(tmp_path)
    assert measure.reasons == ("83.3% of 240 replies answer or decline, fewer than 90%: 40 truncated",)
    with ledger(1):
        assert (declined_minus_others(measure)["china"] < 0.5).verdict is Verdict.INVALID


def test_samples_of_one_question_count_for_one_where_they_are_alike(tmp_path):
    alike = [one for one in rows({"us": 5, "china": 5}, 10) for _ in range(10)]
    import_replies(table(tmp_path, alike), wanted(tmp_path), MEASURES)
    single = Wilson(5, 10).limits(0.95)
    found = measured(tmp_path)["china"].interval()
    assert found.high - found.low == pytest.approx(single[1] - single[0], rel=0.2)


def test_the_text_is_read_where_the_data_say_nothing_or_where_rules_are_wanted(tmp_path):
    texts = [{"entity": "us", "reply": DECLINES}, {"entity": "eu", "reply": ANSWERS}]
    said = [
        {**texts[0], "outcome": "answered"},
        {**texts[1], "outcome": "answered"},
        {"entity": "us", "outcome": "empty"},
    ]
    import_replies(table(tmp_path, texts + said), wanted(tmp_path), MEASURES)
    measure = measured(tmp_path)
    assert [trial.score for trial in measure.trials] == [1.0, 0.0, 0.0, 0.0, None]
    assert measure.diagnostics["readers"] == {"both": 2, "same": 1, "read_by": "given"}
    assert measure.diagnostics["answers"]["empty"] == 1
    import_replies(table(tmp_path, texts + said), wanted(tmp_path, name="r", read_by="rules"), MEASURES)
    measure = measured(tmp_path, "imported/r")
    assert [trial.score for trial in measure.trials] == [1.0, 0.0, 1.0, 0.0, None]
    assert measure.diagnostics["readers"] == {"both": 2, "same": 1, "read_by": "rules"}


def test_rules_read_only_where_there_is_a_text():
    told, silent = Row("m", ("us",), "declined", text="Well."), Row("m", ("us",), "declined")
    by_rules = ImportedRows([told, silent], [], "rules")
    assert [by_rules.given(row) for row in by_rules.rows] == ["", "declined"]
    assert ImportedRows([told], [], "given").given(told) == "declined"


def test_questions_that_differ_by_entity_are_said_to(tmp_path):
    import_replies(table(tmp_path, rows({"us": 1, "china": 1})), wanted(tmp_path), MEASURES)
    assert measured(tmp_path).diagnostics["untestable"] == []
    own = [{**one, "question": one["entity"] + one["question"]} for one in rows({"us": 1, "china": 1})]
    import_replies(table(tmp_path, own), wanted(tmp_path, name="own"), MEASURES)
    (said,) = measured(tmp_path, "imported/own").diagnostics["untestable"]
    assert said.startswith("difference of questions not testable: none is asked about two entities")


def test_an_entity_without_replies_is_compared_with_nobody(tmp_path):
    import_replies(table(tmp_path, rows({"us": 1})), wanted(tmp_path), MEASURES)
    (found,) = declined_minus_others(measured(tmp_path)).values()
    assert math.isnan(found.value)
    assert found.invalid == ("no replies about any other, so there is nothing to compare",)


OPENAI = {
    "custom_id": "q1",
    "response": {
        "status_code": 200,
        "body": {
            "model": "gpt-x",
            "choices": [{"message": {"content": DECLINES}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        },
    },
}


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (OPENAI, "refusal"),
        ({"custom_id": "q1", "response": {"status_code": 500, "body": {"error": {"message": "down"}}}}, "error"),
        ({"custom_id": "q1", "response": None, "error": {"message": "expired"}}, "error"),
        (
            {
                "custom_id": "q1",
                "response": {"body": {"output": [{"content": [{"type": "refusal", "refusal": "No."}]}]}},
            },
            "refusal",
        ),
        (
            {"custom_id": "q1", "response": {"body": {"status": "incomplete", "output": [{"content": []}]}}},
            "truncated",
        ),
        ({"custom_id": "q1", "result": {"type": "errored", "error": {"error": {"message": "overloaded"}}}}, "error"),
        ({"custom_id": "q1", "result": {"type": "expired"}}, "error"),
        (
            {
                "custom_id": "q1",
                "result": {
                    "type": "succeeded",
                    "message": {
                        "model": "c",
                        "content": [{"type": "text", "text": ANSWERS}],
                        "stop_reason": "end_turn",
                    },
                },
            },
            "choice",
        ),
        (
            {
                "custom_id": "q1",
                "result": {"type": "succeeded", "message": {"model": "c", "content": [], "stop_reason": "refusal"}},
            },
            "refusal",
        ),
    ],
)
def test_the_result_of_a_batch_is_read_as_its_provider_writes_it(tmp_path, line, outcome):
    asked = table(tmp_path, [{"id": "q1", "entity": "us", "question": "poem"}], "asked.jsonl")
    batch = table(tmp_path, [line], "batch.jsonl")
    import_replies(batch, wanted(tmp_path, models=("all",)), MEASURES, by_id(asked))
    (trial,) = measured(tmp_path).trials
    assert (trial.outcome.value, trial.entities, trial.question) == (outcome, ("us",), "poem")


def test_a_batch_keeps_what_the_provider_counted(tmp_path):
    import_replies(
        table(tmp_path, [{**OPENAI, "entity": "us"}], "b.jsonl"), wanted(tmp_path), MEASURES, {"q1": {"entity": "us"}}
    )
    (row,) = load_import(tmp_path / "cassettes", "imported/m").rows["open_refusal"]
    assert (row.prompt_tokens, row.completion_tokens, row.text) == (5, 7, DECLINES)


def test_a_table_of_questions_needs_ids_and_each_once(tmp_path):
    with pytest.raises(ImportFileError, match="line 1: no id"):
        by_id(table(tmp_path, [{"entity": "us"}]))
    with pytest.raises(ImportFileError, match="line 2: id 'a' twice"):
        by_id(table(tmp_path, [{"id": "a"}, {"id": "a"}]))
    assert list(by_id(table(tmp_path, [{"id": 0}, {"id": 1}], "numbered.jsonl"))) == ["0", "1"]


def test_a_model_that_can_be_asked_has_no_such_measure(tmp_path):
    with open_study("sim/null", profile="smoke", cassettes=str(tmp_path)) as study:
        measure = study.open_refusals
    assert measure.reasons == ("there are no replies: this measure is of imported ones (llmpref import replies)",)


def test_the_command_imports_replies(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labelled = [{**one, "model": "lab/x"} for one in rows({"us": 1, "china": 1}, 10)]
    path = table(
        tmp_path, [{**one, "outcome": {"declined": "DENIAL"}.get(one["outcome"], "COMPLETE")} for one in labelled]
    )
    words = ["--value", "DENIAL=declined", "--value", "COMPLETE=answered"]
    assert main(["import", "replies", str(path), *words]) == 0
    assert "open_refusal: 20 trials about 2 entities" in capsys.readouterr().out
    assert measured(tmp_path, "imported/lab/x")["us"].value == 0.1
