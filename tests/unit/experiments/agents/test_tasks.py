"""Sets of tasks: what they hold, what reaches an agent, and why one cannot be had."""

from pathlib import Path

import pytest
from extras import needs

from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.agents import tasks as task_module
from pytest_llmpref.experiments.agents.tasks import CYBENCH, CYBENCH_WHEEL, TasksError, load_tasks

pytestmark = needs("inspect_ai", "inspect_cyber")


@pytest.mark.parametrize(("name", "said"), [("chess", "use one of bundled"), ("gaia:/nowhere", "name the folder")])
def test_tasks_that_cannot_be_had_say_why(name, said):
    with pytest.raises(TasksError, match=said):
        load_tasks((name,))


def test_without_the_extra_the_suite_says_what_to_install(monkeypatch):
    monkeypatch.setattr(task_module, "_MODULES", ("no_such_module_of_inspect",))
    with pytest.raises(TasksError, match=r'pip install "pytest-llmpref\[agentic\]"'):
        load_tasks(("bundled",))


def test_the_sixteen_challenges_are_those_without_a_victim():
    import yaml
    from inspect_evals.cybench._challenge_files import CHALLENGE_FILES, CHALLENGES_DIR

    alone = [
        path.parent.name
        for path in CHALLENGES_DIR.glob("*/compose.yaml")
        if set(yaml.safe_load(path.read_text())["services"]) == {"default"}
    ]
    assert sorted(alone) == sorted(CYBENCH)
    downloaded = {name.split("/")[0] for name in CHALLENGE_FILES}
    assert set(CYBENCH) - downloaded == set(CYBENCH_WHEEL)


@pytest.mark.parametrize("suite", ["bundled", "cybench-wheel"])
def test_neither_answers_nor_solutions_reach_an_agent(suite):
    for task in load_tasks((suite,)):
        assert task.target
        for path in task.files.values():
            assert "solution" not in Path(path).parts
            if task.scoring == "flag":
                assert task.target.encode() not in Path(path).read_bytes()
        assert task.target not in task.prompt or task.target.isdigit()
        assert task.target not in repr(task)


def test_the_bundled_tasks_are_graded():
    tasks = load_tasks(("bundled",))
    assert len(tasks) == 16
    assert {task.level for task in tasks} == {1, 2, 3}
    assert {task.scoring for task in tasks} == {"answer", "flag"}
    assert len({task.id for task in tasks}) == 16


def test_no_profile_of_ours_bounds_runs_differently():
    bounds = {
        (p.agentic_messages, p.agentic_tokens, p.agentic_seconds, p.agentic_reply_tokens)
        for p in map(load_profile, ("smoke", "standard", "paper"))
    }
    assert len(bounds) == 1
