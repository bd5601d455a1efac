"""Any task of Inspect's: how a user names it, how it is loaded, and what its samples are."""

import argparse
import difflib
import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from pytest_llmpref.errors import LLMPrefError

LIMITS = ("message_limit", "token_limit", "turn_limit", "time_limit", "working_limit", "cost_limit")
"""What a task may limit, in Inspect's words."""
_MOST_NAMED = 8
"""Tasks that a message lists at most. Our choice."""


class TasksError(LLMPrefError):
    """Tasks that cannot be had; the message says what is missing, and how to get it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A task as a user names it, with Inspect's own flags behind its name.

    Attributes
    ----------
    given
        As it was given, for messages.
    spec
        ``PACKAGE/TASK`` or ``FILE.py@TASK``.
    arguments
        Those of the task (``-T NAME=VALUE``).
    epochs
        How often each sample is run (``--epochs``); as often as the task says if ``None``.
    limit
        How many samples are run, from the first (``--limit``); all if ``None``.
    """

    given: str
    spec: str
    arguments: Mapping[str, Any]
    epochs: int | None
    limit: int | None

    @property
    def file(self) -> Path | None:
        """The file that the task is in; ``None`` for a task of a package."""
        name = self.spec.rpartition("@")[0] or self.spec
        return Path(name) if name.endswith(".py") else None

    def fault(self, what: str) -> TasksError:
        """Return an error about this task."""
        return TasksError(f"--llmpref-agentic {self.given}: {what}")


@dataclass(frozen=True, slots=True)
class InspectTask:
    """A task of Inspect's, as far as a plan needs it.

    Attributes
    ----------
    named
        How the user names it.
    shown
        Its name and arguments, without the folder that its file is in.
    version
        That of the task, and of its package or its file: runs of another version are other runs.
    epochs
        How often each sample is run.
    limits
        Those that it sets, by Inspect's words.
    sandboxes
        The kinds of sandbox that its samples run in.
    """

    named: Named
    shown: str
    version: str
    epochs: int
    limits: Mapping[str, Any]
    sandboxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InspectSample:
    """A sample of a task of Inspect's.

    Attributes
    ----------
    task
        The task.
    id
        Its id there.
    level
        How hard it is, where its metadata say so under ``level``; else 1.
    prompt
        What the user asks in it.
    digest
        Of its input, choices and target: a sample that changed is another one.
    """

    task: InspectTask
    id: int | str
    level: int
    prompt: str
    digest: str = field(repr=False)


class _Flags(argparse.ArgumentParser):
    def __init__(self, given: str) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self._given = given
        self.add_argument("spec")
        self.add_argument("-T", action="append", default=[], dest="arguments", metavar="NAME=VALUE")
        self.add_argument("--epochs", type=int)
        self.add_argument("--limit", type=int)

    def error(self, message: str) -> NoReturn:
        raise TasksError(
            f"--llmpref-agentic {self._given}: {message}; write inspect:PACKAGE/TASK or inspect:FILE.py@TASK, then any "
            "of -T NAME=VALUE, --epochs N, --limit N"
        )


def named_task(given: str) -> Named:
    """Read the name of a task and the flags behind it.

    Raises
    ------
    TasksError
        If it cannot be read.

    Examples
    --------
    >>> named = named_task("inspect_evals/gsm8k -T fewshot=0 --epochs 3")
    >>> named.spec, dict(named.arguments), named.epochs
    ('inspect_evals/gsm8k', {'fewshot': 0}, 3)
    """
    from inspect_ai._util.config import parse_cli_args  # noqa: PLC0415 - of the extra

    whole = f"inspect:{given}"
    flags = _Flags(whole)
    try:
        found = flags.parse_args(shlex.split(given))
    except ValueError as error:
        flags.error(str(error))
    for name in ("epochs", "limit"):
        if (number := getattr(found, name)) is not None and number < 1:
            flags.error(f"--{name} {number}: give at least 1")
    if unread := [argument for argument in found.arguments if "=" not in argument]:
        flags.error(f"-T {unread[0]}: write NAME=VALUE")
    return Named(whole, found.spec, parse_cli_args(found.arguments), found.epochs, found.limit)


def samples_of(given: str) -> list[InspectSample]:
    """Return the samples of a task, in its own order.

    Raises
    ------
    TasksError
        If there is no such task, or no study can be made of it.
    """
    named = named_task(given)
    task = build(named)
    if task.scorer is None:
        raise named.fault("it has no scorer, so that nothing says whether a run succeeds; add one to the task")
    if task.sample_source is not None:
        raise named.fault("it makes its samples as it runs, and a study plans them before; give it a dataset")
    numbered = _numbered(task)[: named.limit]
    if twice := [id_ for id_, times in Counter(str(id_) for id_, _ in numbered).items() if times > 1]:
        raise named.fault(f"several samples have the id {twice[0]!r}; give each its own")
    info = _info(named, task)
    return [
        InspectSample(info, id_, _level(sample), asked(sample, named), digest_of(sample)) for id_, sample in numbered
    ]


def build(named: Named) -> Any:  # noqa: ANN401 - inspect-ai's Task; no floor below imports it
    """Return Inspect's own task, built anew.

    Raises
    ------
    TasksError
        If there is no such task, or its own code fails.
    """
    from inspect_ai._eval.loader import load_tasks  # noqa: PLC0415 - of the extra

    _check_name(named)
    try:
        tasks = load_tasks([named.spec], dict(named.arguments))
    except Exception as error:
        raise named.fault(f"the task could not be built: {type(error).__name__}: {error}") from error
    return tasks[0]


def _check_name(named: Named) -> None:
    """Make sure that the task is there, and takes these arguments."""
    from inspect_ai._eval.loader import load_file_tasks  # noqa: PLC0415 - of the extra
    from inspect_ai._eval.registry import _has_var_keyword  # noqa: PLC0415
    from inspect_ai._util.registry import registry_find, registry_info, registry_lookup  # noqa: PLC0415

    file, name = named.file, named.spec.rpartition("@")[2]
    if file is not None:
        if not file.is_file():
            raise named.fault(f"there is no file {file}")
        if str(file) == named.spec:
            raise named.fault(f"name one of its tasks: {_some([f'inspect:{file}@{each}' for each in _names_in(file)])}")
        try:
            load_file_tasks(file.absolute())
        except Exception as error:
            raise named.fault(f"{file} could not be loaded: {type(error).__name__}: {error}") from error
        names = _names_in(file)
    else:
        package = named.spec.partition("/")[0]
        if find_spec(package) is None:
            raise named.fault(f"the package {package} is not installed here; install it, or write inspect:FILE.py@TASK")
        name = named.spec
        registry_lookup("task", name)  # loads the package
        found = registry_find(lambda info: info.type == "task" and info.name.startswith(f"{package}/"))
        names = [registry_info(task).name for task in found]
    if name not in names:
        raise named.fault(
            f"there is no task {name!r}; there are {_some(difflib.get_close_matches(name, names) or names)}"
        )
    if (task := registry_lookup("task", name)) is None or _has_var_keyword(task):
        return
    takes = registry_info(task).metadata["params"]
    if unknown := [each for each in named.arguments if each not in takes]:
        raise named.fault(f"the task takes no argument {unknown[0]!r}; it takes {_some(takes)}")


def _names_in(file: Path | None) -> list[str]:
    from inspect_ai._util.decorator import parse_decorators  # noqa: PLC0415 - of the extra

    return [] if file is None else [name for name, *_ in parse_decorators(file, "task")]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (", ".join(names[:_MOST_NAMED]) or "none") + more


def _numbered(task: Any) -> list[tuple[int | str, Any]]:  # noqa: ANN401 - as above
    """Return the samples with their ids; Inspect numbers those that have none."""
    return [(number if sample.id is None else sample.id, sample) for number, sample in enumerate(task.dataset, 1)]


def samples_by_id(task: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the samples of a task that was built, by id."""
    return {str(id_): sample for id_, sample in _numbered(task)}


def _info(named: Named, task: Any) -> InspectTask:  # noqa: ANN401 - as above
    file = named.file
    name = named.spec if file is None else f"{file.name}@{task.name}"
    arguments = "".join(f" -T {key}={json.dumps(value, default=str)}" for key, value in named.arguments.items())
    kinds = {spec.type for spec in (task.sandbox, *(sample.sandbox for sample in task.dataset)) if spec is not None}
    return InspectTask(
        named=named,
        shown=name + arguments,
        version=f"{task.version} ({_origin(named)})",
        epochs=named.epochs or task.epochs or 1,
        limits={limit: value for limit in LIMITS if (value := getattr(task, limit)) is not None},
        sandboxes=tuple(sorted(kinds)),
    )


def _origin(named: Named) -> str:
    """Return which version of which code a task is from."""
    if (file := named.file) is not None:
        code = file.read_bytes().replace(b"\r\n", b"\n")
        return f"{file.name} {hashlib.sha256(code).hexdigest()[:12]}"
    package = named.spec.partition("/")[0]
    of_package = metadata.packages_distributions().get(package, [package])[0]
    try:
        return f"{of_package} {metadata.version(of_package)}"
    except metadata.PackageNotFoundError:
        return package


def asked(sample: Any, named: Named) -> str:  # noqa: ANN401 - as above
    """Return what the user asks in a sample: the last of the user's messages.

    Raises
    ------
    TasksError
        If the user asks nothing.
    """
    if isinstance(sample.input, str):
        return sample.input
    said = [message.text for message in sample.input if message.role == "user"]
    if not said:
        raise named.fault(f"in sample {sample.id!r} no message is the user's, so that none can say whom a run helps")
    return str(said[-1])


def digest_of(sample: Any) -> str:  # noqa: ANN401 - as above
    """Return the digest of what makes a sample what it is."""
    said = sample.input if isinstance(sample.input, str) else [(each.role, each.text) for each in sample.input]
    return hashlib.sha256(json.dumps([said, sample.choices, sample.target]).encode()).hexdigest()[:12]


def _level(sample: Any) -> int:  # noqa: ANN401 - as above
    level = str((sample.metadata or {}).get("level", ""))
    return int(level) if level.isdecimal() and len(level) < 3 else 1
