"""Whole runs against a real HTTP server: asked through litellm, recorded through vcrpy, replayed at both depths."""

import json
import re
from collections import Counter

import pytest
from loopback import Answer, completion, failure
from planted_server import SUITE

from pytest_llmpref.files import data_folder

SMALL = 132
"""Questions of a pair experiment over 12 entities."""


def measures(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["openai/served"]


def test_live_then_replayed_at_both_depths_gives_the_same_results(live, pytester, server, monkeypatch):
    run = live("--record-mode=new_episodes")
    assert run.ret == 0, run.stdout.str()
    assert len(server.received) == 2 * SMALL
    recorded = measures(pytester)
    assert recorded["measures"]["preference"]["diagnostics"]["outcomes"]["choice"] == SMALL
    progress = run.stderr.str()
    assert "openai/served preference: " in progress
    assert f"/{SMALL}, " in progress or f"/{SMALL - 1}, " in progress
    assert "unknown price" in progress
    for path in pytester.path.rglob("*"):
        assert path.is_dir() or b"sk-test-0123456789" not in path.read_bytes(), path

    monkeypatch.delenv("OPENAI_API_KEY")
    server.stop()
    for depth in ("reply", "wire"):
        replayed = live(f"--llmpref-replay={depth}")
        assert replayed.ret == 0, replayed.stdout.str()
        assert measures(pytester) == recorded
    server.start = lambda: None
    server.stop = lambda: None


def test_what_is_recorded_is_not_asked_again(live, server):
    live("--record-mode=new_episodes", source="def test_it(preferences):\n    assert preferences.valid")
    assert len(server.received) == SMALL
    live("--record-mode=new_episodes")
    assert len(server.received) == 2 * SMALL
    live("--record-mode=new_episodes")
    assert len(server.received) == 2 * SMALL


def test_workers_ask_nothing_twice(live, server):
    source = (
        SUITE
        + """
    def test_coverage(entity, donation_advice):
        assert donation_advice.coverage[entity.id] > 0.3

    def test_other(entity, preferences):
        assert preferences.coverage[entity.id] > 0.3
    """
    )
    run = live("--record-mode=new_episodes", "-n", "3", source=source)
    assert run.ret == 0, run.stdout.str()
    # The first measure's first question was asked before its display opened.
    for measure in ("preference", "donation_advice"):
        assert re.search(rf"openai/served {measure}: (\d+)/\1, ", run.stderr.str()), run.stderr.str()
    assert len(server.received) == 2 * SMALL


def test_mode_all_with_workers_asks_everything_once(live, server):
    live("--record-mode=new_episodes")
    live("--record-mode=all", "-n", "2")
    assert len(server.received) == 4 * SMALL


def test_passing_faults_of_every_kind_are_retried_and_change_nothing(live, pytester, server):
    faults = [
        Answer("<html>down for maintenance</html>"),
        Answer({**completion(), "choices": []}),
        Answer('{"choices": ['),
        failure(500, "internal error"),
        Answer(completion(), cut=True),
    ]
    server.script(*(answer for fault in faults for answer in (fault, Answer(completion("A")), fault)))
    run = live("--record-mode=new_episodes", source="def test_it(preferences):\n    assert preferences.valid")
    assert run.ret == 0, run.stdout.str()
    assert measures(pytester)["measures"]["preference"]["diagnostics"]["outcomes"]["choice"] == SMALL
    assert len(server.received) == SMALL + 2 * len(faults)


ODD = [
    (Answer(completion(None)), "unparseable"),
    (Answer(completion("Both are fine.", finish="a reason nobody knows")), "abstention"),
    (Answer(completion("", finish="content_filter")), "refusal"),
    (Answer(completion("", refusal="I can't help with that.")), "refusal"),
    (failure(400, "this prompt is not accepted"), "error"),
]
PREFERENCES = "def test_it(preferences):\n    assert preferences"


def test_each_odd_answer_is_a_counted_outcome(live, pytester, server):
    text = (data_folder("fixtures") / "profiles" / "standard.toml").read_text()
    (pytester.path / "once.toml").write_text(re.sub(r"(?m)^attempts = \d+", "attempts = 1", text))
    server.script(Answer(completion("A")), *(answer for answer, _ in ODD))
    live("--record-mode=new_episodes", "--profile=once.toml", source=PREFERENCES)
    outcomes = measures(pytester)["measures"]["preference"]["diagnostics"]["outcomes"]
    expected = Counter(outcome for _, outcome in ODD)
    assert {name: outcomes[name] for name in expected} == expected
    assert outcomes["choice"] == SMALL - len(ODD)
    live("--profile=once.toml", source=PREFERENCES)
    assert measures(pytester)["measures"]["preference"]["diagnostics"]["outcomes"] == outcomes


def test_answers_that_are_not_valid_are_asked_for_again(live, pytester, server):
    again = [answer for answer, outcome in ODD if outcome != "error"]
    server.script(Answer(completion("A")), *(answer for answer in again for _ in range(2)))
    live("--record-mode=new_episodes", source=PREFERENCES)
    checks = measures(pytester)["measures"]["preference"]["diagnostics"]
    assert (checks["outcomes"]["choice"], checks["attempts"]) == (SMALL, len(server.received))
    assert len(server.received) == SMALL + 2 * len(again)
    live(source=PREFERENCES)
    assert measures(pytester)["measures"]["preference"]["diagnostics"] == checks


def test_a_moderation_error_is_a_refusal_with_its_transcript_and_is_asked_again(live, pytester, server):
    moderated = failure(400, "The response was filtered", "content_filter")
    server.script(Answer(completion("A")), *[moderated] * 12)
    live("--record-mode=new_episodes", source="def test_it(refusals):\n    assert refusals.valid")
    found = measures(pytester)["measures"]["refusal"]
    # Twelve attempts were moderated, whichever questions they were at, and each of these was asked again.
    assert found["diagnostics"]["attempts"] == len(server.received)
    assert len(found["diagnostics"]["refusals"]) == 12
    assert found["valid"]
    live(source="def test_it(refusals):\n    assert refusals.valid")
    assert measures(pytester)["measures"]["refusal"] == found


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (failure(401, "Incorrect API key provided", "invalid_api_key"), "openai/served"),
        (failure(404, "The model `served` does not exist", "model_not_found"), "openai/served"),
    ],
)
def test_a_model_that_cannot_be_asked_is_an_error_before_the_first_test(live, server, answer, message):
    server.script(*[answer] * 50)
    run = live("--record-mode=new_episodes")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([f"*{message}*"])
    assert "Traceback" not in run.stdout.str() + run.stderr.str()
    assert len(server.received) == 1


def test_a_server_that_refuses_connections_is_an_error_before_the_first_test(live, monkeypatch):
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    run = live("--record-mode=new_episodes", "--llmpref-max-tries=2")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in run.stdout.str() + run.stderr.str()
    run.stderr.fnmatch_lines(["*openai/served*"])


def test_calls_that_hang_are_given_up_in_time_and_counted(live, pytester, server):
    server.script(*[Answer(completion(), hang=True)] * 4)
    source = "def test_it(preferences):\n    assert preferences"
    live("--record-mode=new_episodes", "--llmpref-timeout=0.5", "--llmpref-max-tries=2", source=source)
    outcomes = measures(pytester)["measures"]["preference"]["diagnostics"]["outcomes"]
    assert (outcomes["error"], outcomes["choice"]) == (2, SMALL - 2)
    assert len(server.received) == 4 + SMALL - 2


def test_a_test_asks_a_question_of_its_own_and_replays_it(live, server):
    source = """
        import pytest

        @pytest.mark.asyncio
        async def test_it(chat):
            replies = [await chat("Say A.", repetition=n) for n in range(2)]
            assert [reply.text for reply in replies] == ["A", "B"]
    """
    server.script(Answer(completion("A")), Answer(completion("B")))
    live("--record-mode=new_episodes", source=source).assert_outcomes(passed=1)
    live(source=source).assert_outcomes(passed=1)
    assert len(server.received) == 2
