"""Run pytest, and the command llmpref, in processes that begin as copies of one that has imported what they need.

A run of a test's own takes a second of computing, most of it for imports, and three where litellm is among them. There
are hundreds of such runs. Each copy is a process of its own still: it has its own folder, variables and output, and may
crash. What must hold of imports is tested in processes that begin empty (`test_imports`).

``python fork_server.py MODULE ...`` imports the modules and waits for orders on standard input, one JSON object a line.
It says in a line which process began, and in another how each ended. A copy may serve itself: it imports more, and the
imports that two servers share are made once.
"""

import atexit
import contextlib
import dataclasses
import gc
import importlib.util
import json
import os
import re
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from forked_workers import IS_POSSIBLE, copy_workers
from repository import REPLIES

PLUGIN = (
    "numpy",
    "scipy.sparse",
    "scipy.special",
    "ahocorasick_rs",
    "jinja2",
    "pytest_llmpref.experiments.pairs.measure",
    "pytest_llmpref.experiments.reading.by_preference",
    "pytest_llmpref.plugin.findings",
    "pytest_llmpref.plugin.outcomes",
    "pytest_llmpref.report.page",
    "pytest_llmpref.report.terminal",
    "pytest_llmpref.stats.association",
    "pytest_llmpref.stats.attenuation",
    "pytest_llmpref.study.studies",
)
"""What a run that replays imports."""
LIVE = (
    *PLUGIN,
    "litellm",
    "vcr",
    "vcr.stubs.aiohttp_stubs",
    "vcr.stubs.httpx_stubs",
    "pytest_llmpref.cassettes.vcr_bridge",
    "pytest_llmpref.cassettes.wire",
    "pytest_llmpref.models.litellm_client",
    "pytest_llmpref.models.live",
    "pytest_llmpref.models.retrying",
    "pytest_llmpref.report.progress",
    # What litellm imports at its first call: most of a second.
    "openai.resources",
    "openai.resources.beta.realtime",
    "litellm.litellm_core_utils.litellm_logging",
    "litellm.llms.openai.chat.gpt_audio_transformation",
    "litellm.llms.vertex_ai.vertex_ai_partner_models.anthropic.transformation",
    "litellm.proxy._types",
)
"""What a run imports that asks a provider, or looks up what its model costs. For others it is more to copy."""
AGENTS = (
    *LIVE,
    "pytest_llmpref.experiments.agents.measure",
    "pytest_llmpref.experiments.agents.running",
    # What Inspect loads with its first model: all tasks of the packages that are installed.
    "inspect_cyber._registry",
    "inspect_evals._registry",
)
"""What a run of agents imports: four seconds more. Their conversations go through litellm, too."""
_AT_START = ("PYTHON", "LC_", "LANG", "COVERAGE", "OPENBLAS")
"""What variables begin with that a process reads when it starts, and never again."""
_GIVEN = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
"""Those of them that a copy heeds."""


def imported_by(command: Sequence[str], otherwise: Sequence[str] = PLUGIN) -> Sequence[str]:
    """Return what a run imports, as far as the words of its command tell."""
    if any("--llmpref-agentic" in word for word in command) and importlib.util.find_spec("inspect_ai"):
        return AGENTS
    # What such a model costs is looked up with litellm, though it is not asked.
    return LIVE if any(re.search(r"gpt-|openai/|replay=wire", word) for word in command) else otherwise


def at_start(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that count when a process starts, but for those that a copy heeds."""
    return {name: said for name, said in variables.items() if name.startswith(_AT_START) and name not in _GIVEN}


class ForkServer:
    """A process that has imported some modules, and copies itself for each run.

    Parameters
    ----------
    modules
        The modules.
    base
        A server that has imported the first of them; the process is a copy of its own.
    """

    def __init__(self, modules: Sequence[str], base: "ForkServer | None" = None) -> None:
        self.variables = at_start(os.environ)
        self._folder = tempfile.TemporaryDirectory()
        self._begun = base._copy(modules, Path(self._folder.name)) if base else self._begin(modules)
        self._answers = _Answers(self._begun.stdout.fileno())

    def _begin(self, modules: Sequence[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, __file__, *modules],
            cwd=self._folder.name,
            # All plugins, those too that the runs leave out: see `_import_all`.
            env={name: said for name, said in os.environ.items() if name != "PYTEST_ADDOPTS"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _copy(self, modules: Sequence[str], folder: Path) -> "_Copy":
        pipes = [folder / name for name in ("orders", "answers")]
        for pipe in pipes:
            os.mkfifo(pipe)
        begun = self._order({"serve": list(modules), "pipes": [*map(str, pipes)]})
        return _Copy(begun, pipes[0].open("wb"), pipes[1].open("rb"))

    def popen(self, command: Sequence[str], *, stdin: object, stdout: TextIO, stderr: TextIO) -> "Run":
        """Start pytest as `pytest.Pytester.popen` does, whose place this takes; its input is empty."""
        folders = [str(Path.cwd()), *_folders(os.environ)]
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
        return self._start("pytest", command[2:], variables, folders[0], stdout.name, stderr.name)

    def run(self, module: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a module in a folder as ``python -m`` does."""
        printed = [Path(self._folder.name) / name for name in ("stdout", "stderr")]
        for path in printed:
            path.write_text("")
        status = self._start(module, arguments, os.environ, str(folder), *map(str, printed)).wait()
        stdout, stderr = (path.read_text(encoding="utf-8") for path in printed)
        return subprocess.CompletedProcess([module, *arguments], status, stdout, stderr)

    def start(self, module: str, arguments: Sequence[str], folder: Path, printed: Path) -> "Run":
        """Start a module as ``python -m`` does, in a process group of its own that heeds Ctrl-C."""
        return self._start(module, arguments, os.environ, str(folder), str(printed), str(printed), alone=True)

    def _start(
        self,
        module: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        folder: str,
        stdout: str,
        stderr: str,
        *,
        alone: bool = False,
    ) -> "Run":
        order = {"module": module, "arguments": list(arguments), "variables": dict(variables), "folder": folder}
        return self._order(order | {"stdout": stdout, "stderr": stderr, "alone": alone})

    def _order(self, order: Mapping[str, object]) -> "Run":
        self._begun.stdin.write(json.dumps(order).encode() + b"\n")
        self._begun.stdin.flush()
        return Run(self._answers.began(), self._answers)

    def stop(self) -> None:
        """End the process."""
        self._begun.stdin.close()
        self._begun.wait()
        self._begun.stdout.close()
        self._folder.cleanup()


class _Copy:
    """As much of `subprocess.Popen` as `ForkServer` asks for."""

    def __init__(self, begun: "Run", stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.pid, self.wait, self.stdin, self.stdout = begun.pid, begun.wait, stdin, stdout


class _Answers:
    """What a server says: which process began, and how each ended."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._read, self._ended = pipe, b"", dict[int, int]()

    def began(self) -> int:
        while (answer := self._next(None))[0] != "began":
            self._note(*answer[1:])
        return int(answer[1])

    def ended(self, process: int, timeout: float | None) -> int:
        while process not in self._ended:
            self._note(*self._next(timeout)[1:])
        return self._ended.pop(process)

    def _note(self, process: str, status: str) -> None:
        self._ended[int(process)] = int(status)

    def _next(self, timeout: float | None) -> list[str]:
        while b"\n" not in self._read:
            if timeout is not None and not select.select([self._pipe], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("pytest", timeout)
            if not (more := os.read(self._pipe, 4096)):
                raise RuntimeError("the fork server ended; its error is above")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode().split()


class Run:
    """As much of `subprocess.Popen` as `pytest.Pytester.run` and the tests ask for."""

    stdin = None

    def __init__(self, process: int, answers: _Answers) -> None:
        self.pid, self._answers, self.returncode = process, answers, None

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process ended, as `subprocess` says it."""
        if self.returncode is None:
            self.returncode = self._answers.ended(self.pid, timeout)
        return self.returncode

    def poll(self) -> int | None:
        """Return how the process ended; ``None`` while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def serve(orders: int, answers: int) -> None:
    """Make a copy for each order, and say how each ended."""
    signal.signal(signal.SIGCHLD, lambda *_: _say_who_ended(answers))
    with os.fdopen(orders) as lines:
        for line in lines:
            order = json.loads(line)
            if not (process := os.fork()):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(orders)
                os.close(answers)
                if "serve" in order:
                    _serve_more(order["serve"], *order["pipes"])
                _run(**order)
            if order.get("alone"):
                os.setpgid(process, process)
            os.write(answers, f"began {process}\n".encode())


def _say_who_ended(answers: int) -> None:
    for process, status in _ended():
        os.write(answers, f"ended {process} {status}\n".encode())


def _ended() -> Iterator[tuple[int, int]]:
    """Yield each copy that ended since, and how."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def _serve_more(modules: Sequence[str], orders: str, answers: str) -> NoReturn:
    """Become a server that has imported more."""
    pipes = os.open(orders, os.O_RDONLY), os.open(answers, os.O_WRONLY)
    try:
        _import(modules)
        serve(*pipes)
    except BaseException:  # noqa: BLE001 - else the copy would go on as the server that it was
        traceback.print_exc()
        _end(1)
    _end(0)


def _import_all(modules: Sequence[str]) -> None:
    import pytest

    # A run that finds no test loads all plugins as pytest does, which would warn of plugins that it did not load.
    empty = Path.cwd() / "empty"
    empty.mkdir()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([str(empty), f"--rootdir={empty}", "-p", "no:cacheprovider", f"--basetemp={empty / 'temporary'}"])
    _import(PLUGIN)
    from pytest_llmpref.report.page import template

    # What a run reads of the package's own data, and nothing else can change.
    template("report.html.j2")
    _read_replies()
    _compile_patterns()
    _import(modules)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    assert threading.active_count() == 1, "a copy would lack the other threads, and wait for what they hold"
    tempfile.tempdir = None
    gc.collect()
    gc.freeze()


def _read_replies() -> None:
    """Read replies, so that the reader's patterns are compiled: a second of a run that reads real ones."""
    from pytest_llmpref.models.chat import Reply
    from pytest_llmpref.parsing.replies import read_choice

    for row in tomllib.loads((REPLIES / "development.toml").read_text(encoding="utf-8"))["reply"]:
        if row["language"] == "en":
            read_choice(Reply(row["text"], row["finish"]), {"A": row["a"], "B": row["b"]})


def _compile_patterns() -> None:
    """Compile what replies in English are read by: a run that reads real ones would compile the half of it."""
    from pytest_llmpref.parsing.language import languages
    from pytest_llmpref.parsing.patterns import Pattern

    (english,) = (one for one in languages() if one.name == "en")
    for field in dataclasses.fields(english):
        said = getattr(english, field.name)
        for pattern in said if isinstance(said, tuple) else (said,):
            if isinstance(pattern, Pattern):
                _ = pattern.compiled


def _run(
    *,
    module: str,
    arguments: list[str],
    variables: dict[str, str],
    folder: str,
    stdout: str,
    stderr: str,
    alone: bool,
) -> NoReturn:
    """Become a process as ``python -m`` starts it."""
    if alone:
        # Where the tests run in the background of a shell, Ctrl-C is ignored from the start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, stdout, os.O_WRONLY), (2, stderr, os.O_WRONLY)):
        opened = os.open(path, how | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    given = _folders(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[:] = [folder, *_folders(variables), *(path for path in sys.path if path not in given)]
    # xdist hands its workers the path as it was when xdist was imported.
    sys.modules["xdist.plugin"]._sys_path[:] = sys.path
    sys.dont_write_bytecode = bool(variables.get("PYTHONDONTWRITEBYTECODE"))
    importlib.invalidate_caches()
    sys.argv = [module, *arguments]
    if IS_POSSIBLE and any(word.startswith("-n") for word in arguments):
        copy_workers(_end)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        _end(1 if isinstance(ended.code, str) else int(ended.code or 0))
    _end(0)


def _folders(variables: Mapping[str, str]) -> list[str]:
    """Return the folders that the variables of a process add to its path."""
    return [folder for folder in variables.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _end(status: int) -> NoReturn:
    """End as `multiprocessing` ends a copy: taking thousands of modules down would copy the memory of all."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    pipes = os.dup(0), os.dup(1)
    # What a module prints when it is imported is no answer.
    os.dup2(2, 1)
    _import_all(sys.argv[1:])
    serve(*pipes)
