"""Run pytest, and the command llmpref, in processes that begin as copies of one that has imported what they need.

A run of a test's own takes a second of computing, most of it for imports, and three where litellm is among them. There
are hundreds of such runs. Each copy is a process of its own still: it has its own folder, variables and output, and may
crash. What must hold of imports is tested in processes that begin empty (`test_imports`).

``python fork_server.py MODULE ...`` imports the modules and waits for orders on standard input, one JSON object a line.
It answers each with two lines: the process, and how it ended.
"""

import atexit
import contextlib
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

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
    """A process that has imported some modules, and copies itself for each run."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.variables = at_start(os.environ)
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, __file__, *modules],
            cwd=self._folder.name,
            # All plugins, those too that the runs leave out: see `_import_all`.
            env={name: said for name, said in os.environ.items() if name != "PYTEST_ADDOPTS"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

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

    def _start(
        self, module: str, arguments: Sequence[str], variables: Mapping[str, str], folder: str, stdout: str, stderr: str
    ) -> "Run":
        order = {"module": module, "arguments": list(arguments), "variables": dict(variables), "folder": folder}
        self._process.stdin.write(json.dumps(order | {"stdout": stdout, "stderr": stderr}) + "\n")
        return Run(int(self._answer()), self._answer)

    def _answer(self, timeout: float | None = None) -> str:
        if timeout is not None and not select.select([self._process.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("pytest", timeout)
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the fork server ended; its error is above")
        return line

    def stop(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


class Run:
    """As much of `subprocess.Popen` as `pytest.Pytester.run` asks for."""

    stdin = None

    def __init__(self, process: int, answer) -> None:
        self.pid, self._answer, self.returncode = process, answer, None

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process ended, as `subprocess` says it."""
        if self.returncode is None:
            self.returncode = int(self._answer(timeout))
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def serve(modules: Sequence[str]) -> None:
    """Import the modules, and make a copy for each order."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    _import_all(modules)
    for line in orders:
        if not (process := os.fork()):
            orders.close()
            answers.close()
            _run(**json.loads(line))
        print(process, file=answers)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), file=answers)


def _import_all(modules: Sequence[str]) -> None:
    import pytest

    # A run that finds no test loads all plugins as pytest does, which would warn of plugins that it did not load.
    empty = Path.cwd() / "empty"
    empty.mkdir()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([str(empty), f"--rootdir={empty}", "-p", "no:cacheprovider", f"--basetemp={empty / 'temporary'}"])
    for module in modules:
        importlib.import_module(module)
    from pytest_llmpref.parsing.language import languages
    from pytest_llmpref.report.page import template

    # What a run reads of the package's own data, and nothing else can change.
    languages()
    template("report.html.j2")
    _read_replies()
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


def _run(
    *, module: str, arguments: list[str], variables: dict[str, str], folder: str, stdout: str, stderr: str
) -> None:
    """Become a process as ``python -m`` starts it."""
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


def _end(status: int) -> None:
    """End as `multiprocessing` ends a copy: taking thousands of modules down would copy the memory of all."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    serve(sys.argv[1:])
