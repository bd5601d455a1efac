"""The tutorial's code is extracted from it and run: on its simulated model, and recorded and replayed over HTTP."""

import json
import re
import shlex

import pytest
from planted import PlantedModel
from planted_server import PlantedServer
from repository import ROOT

TUTORIAL = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL))
FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in FENCED.findall(TUTORIAL) for line in block.splitlines()]


@pytest.fixture
def tutorial(pytester):
    """Lay the tutorial's files into a folder, and return what runs one of its commands there."""
    for name, text in FILES.items():
        (pytester.path / name).write_text(text)

    def run(command: str):
        program, *words = shlex.split(command)
        assert program == "pytest"
        return pytester.runpytest_subprocess(*words, "-p", "no:cacheprovider")

    return run


def claims(folder):
    (model,) = json.loads((folder / "reports/latest/results.json").read_text())["models"].values()
    return model["claims"]


def test_a_hypothesis_takes_under_forty_lines():
    code = [line for name, text in FILES.items() if not name.endswith(".toml") for line in text.splitlines()]
    assert set(FILES) == {"languages.csv", "conftest.py", "test_first_language.py", "likes-compiled.toml"}
    assert len([line for line in code if line.strip()]) < 40


def test_it_holds_for_a_simulated_model_with_the_figures_that_the_tutorial_gives(tutorial, pytester):
    run = tutorial(COMMANDS[0])
    assert run.ret == 0
    (said,) = [line.strip() for line in run.stdout.lines if line.startswith(" + ")]
    assert f"`{said.split('.. ')[1]}`" in TUTORIAL


def test_a_hypothesis_finds_the_recordings_of_a_clone_elsewhere(tutorial, pytester):
    start = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", start, re.MULTILINE | re.DOTALL)
    (pytester.path / "test_advice.py").write_text(code)
    run = tutorial(COMMANDS[1].replace("/path/to/clone", str(ROOT)))
    assert run.ret == 0
    run.stdout.fnmatch_lines([f"rootdir: {pytester.path}", " + advice_follows_preference *"])


def test_it_is_planned_recorded_and_replayed_over_http(tutorial, pytester, monkeypatch):
    names = [line.split(",")[0] for line in FILES["languages.csv"].splitlines()[1:]]
    server = PlantedServer(PlantedModel({name: 0.8 * rank - 4.4 for rank, name in enumerate(names)}))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    try:
        plan, record, replay = COMMANDS[2:]
        planned = tutorial(plan).stdout.str()
        assert "  first_language            132      132" in planned
        assert not server.received
        assert tutorial(record).ret == 0
        recorded, asked = claims(pytester.path), len(server.received)
        assert asked == 264
        assert recorded[0]["verdict"] == "supported"
        monkeypatch.delenv("OPENAI_API_KEY")
        assert tutorial(replay).ret == 0
        assert claims(pytester.path) == recorded
        assert len(server.received) == asked
    finally:
        server.stop()
