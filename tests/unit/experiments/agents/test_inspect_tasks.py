"""Any task of Inspect's: how it is named, and why no study can be made of one."""

import shutil

import pytest
from extras import needs
from repository import ROOT

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.agents.experiment import agentic
from pytest_llmpref.experiments.agents.inspect_tasks import TasksError, named_task, samples_of
from pytest_llmpref.experiments.agents.tasks import load_tasks
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import Arms

pytestmark = needs("inspect_ai", "inspect_cyber")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    shutil.copy(ROOT / "tests/support/inspect_own.py", tmp_path / "own.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own.py"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("own.py@unscored", "it has no scorer"),
        ("own.py@empty", "the task could not be built: ValueError: The specified dataset is empty (has no samples)"),
        ("own.py@alike", "several samples have the id 'x'"),
        ("own.py@broken", "the task could not be built: RuntimeError: no data today"),
        ("own.py@sum", "there is no task 'sum'; there are sums"),
        ("own.py", "name one of its tasks: inspect:own.py@sums, "),
        ("theirs.py@sums", "there is no file theirs.py"),
        ("no_such_package/sums", "the package no_such_package is not installed here; install it"),
        ("inspect_evals/gsm9k", "there is no task 'inspect_evals/gsm9k'; there are inspect_evals/gsm8k"),
        ("own.py@sums -T brief=true", "the task takes no argument 'brief'; it takes terse"),
        ("own.py@sums -T terse", "-T terse: write NAME=VALUE"),
        ("own.py@sums --epochs 0", "--epochs 0: give at least 1"),
        ("own.py@sums --epoch 2", "unrecognized arguments: --epoch 2; write inspect:PACKAGE/TASK"),
        ("'own.py@sums", "No closing quotation; write inspect:PACKAGE/TASK"),
    ],
)
def test_a_task_of_which_no_study_can_be_made_says_why(given, said):
    with pytest.raises(TasksError) as raised:
        samples_of(given)
    assert str(raised.value).startswith(f"--llmpref-agentic inspect:{given}: {said}")


def test_the_flags_behind_a_name_are_inspects_own():
    named = named_task("own.py@sums -T terse=true -T n=2 --epochs 3 --limit 5")
    assert (named.spec, named.epochs, named.limit) == ("own.py@sums", 3, 5)
    assert named.arguments == {"terse": True, "n": 2}


def test_samples_are_tasks_by_their_own_level_the_easiest_first():
    tasks = load_tasks(("inspect:own.py@sums",))
    assert [(task.id, task.level, task.prompt) for task in tasks] == [
        (f"inspect:own.py@sums/sum-{n}", n, f"What is {n} + {n}?") for n in (1, 2, 3)
    ]


def test_the_folder_of_a_task_is_no_part_of_what_it_is(own):
    here, there = samples_of("own.py@sums")[0].task, samples_of(f"{own}@sums")[0].task
    assert (here.shown, here.version) == (there.shown, there.version)


def test_an_edited_file_is_another_version(own):
    before = samples_of("own.py@sums")[0].task.version
    own.write_text(own.read_text() + "\n# edited\n")
    assert samples_of("own.py@sums")[0].task.version != before


def test_a_task_keeps_its_epochs_and_limits_unless_it_is_told_otherwise():
    assert samples_of("own.py@twice")[0].task.epochs == 2
    assert samples_of("own.py@twice --epochs 5")[0].task.epochs == 5
    assert samples_of("own.py@graded")[0].task.limits == {"token_limit": 4321}
    assert samples_of("own.py@notes")[0].task.sandboxes == ("local",)


def test_each_run_has_an_identity_of_its_own_and_the_task_s_price(conditions_for):
    conditions = conditions_for("inspect:own.py@twice", "inspect:own.py@graded")
    plan = agentic().plan(conditions)
    assert len({request.key for request in plan.requests}) == len(plan.requests) == (2 * 2 + 1) * 5
    assert {request.max_tokens for request in plan.requests} == {conditions.profile.agentic_tokens, 4321}
    assert "own.py@twice, version 3 (own.py " in plan.requests[0].messages[0].content


@pytest.fixture
def conditions_for():
    entities = load_entities()
    ids = [entity.id for entity in entities]
    arms = Arms(tuple(ids[:2]), tuple(ids[2:4]), "named")

    def made(*suites):
        return Conditions("sim/x", entities, load_profile("smoke"), 0, "text", "cue", agentic=suites, arms=arms)

    return made
