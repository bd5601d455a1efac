"""The process of a llama.cpp server: start it, know how it ended, stop it whatever happens."""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from pytest_llmpref.models.chat import ModelUnavailableError

SLOTS = 4
"""Questions that the server works on at once; further ones wait in its queue."""

CONTEXT = 4096
"""Tokens of prompt and reply together, for each question."""

# Small models do not get faster with more.
_THREADS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
_LOG_LINES = 8
_STOP_LIMIT = 5.0


class ServerProcess:
    """A llama.cpp server on a free port of loopback.

    It runs in a process of its own, so that its crash is not ours, and ends when the pipe to it closes: also where
    this process is killed.

    Parameters
    ----------
    weights
        The GGUF file.
    alias
        The model's name in its API.
    chat_template
        Jinja template that makes one text of a conversation; ``None`` for the model's own.
    adapter
        GGUF file of a low-rank adapter that is added to the weights; ``None`` for none.

    Raises
    ------
    ModelUnavailableError
        If a file is no GGUF.
    """

    def __init__(self, weights: Path, alias: str, chat_template: str | None, adapter: Path | None = None) -> None:
        for path in filter(None, (weights, adapter)):
            _check_gguf(path)
        self._settings = {
            "path": str(weights),
            "alias": alias,
            "chat_template": chat_template,
            "adapter": str(adapter) if adapter else None,
            "slots": SLOTS,
            "context": CONTEXT,
            "threads": _THREADS,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server

    @property
    def pid(self) -> int | None:
        """Number of the process; ``None`` before the start and after the end."""
        return None if self._process is None else self._process.pid

    def start(self, limit: float) -> str:
        """Start the server, wait until it answers, and return its address, like ``http://127.0.0.1:1234``.

        Parameters
        ----------
        limit
            Seconds that this may take.

        Raises
        ------
        ModelUnavailableError
            If it does not get there; the message shows the end of the server's log.
        """
        # -P: this package's modules must not hide others of the same name.
        command = [sys.executable, "-P", str(Path(__file__).with_name("llama_server.py")), json.dumps(self._settings)]
        process = subprocess.Popen(  # noqa: S603 - our own file
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        self._process = process
        atexit.register(self.stop)
        assert process.stdout is not None  # noqa: S101 - for the type checker
        late = threading.Timer(limit, process.kill)
        late.start()
        address = process.stdout.readline().decode().strip()
        in_time = late.is_alive()
        late.cancel()
        if not address:
            problem = self.ending() if in_time else f"llama.cpp's server did not answer within {limit:g} s"
            self.stop()
            raise ModelUnavailableError(problem or "llama.cpp's server was stopped before it answered")
        return address

    def ending(self) -> str | None:
        """Return how the server ended, with the end of its log; ``None`` while it runs."""
        if self._process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Its connections break a moment before the process is gone.
            self._process.wait(0.5)
        if self._process.returncode is None:
            return None
        return (
            f"llama.cpp's server ended with exit status {self._process.returncode}; the end of its log:\n{self._tail()}"
        )

    def stop(self) -> None:
        """End the process, and wait until it is gone. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101
        process.stdin.close()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Not before: `start` may still be reading it, in another thread.
        process.stdout.close()
        self._log.close()

    def _tail(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])


def _check_gguf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelUnavailableError(f"{path}: cannot be read ({error.strerror})") from None
    if magic != b"GGUF":
        raise ModelUnavailableError(f"{path}: is no GGUF file; convert the model to GGUF, or name another file")
