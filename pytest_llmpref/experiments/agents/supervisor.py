"""What stands inside the sandbox and runs the agent's commands there, one after the other.

Its source is handed to the sandbox's own Python, so it imports nothing but the standard library. It reads one JSON
object a line from standard input, and answers each with one that bears the question's id.

It is the first process of its process namespace, so that no signal from inside reaches it, and it may not be dumped,
so that no other process reads its memory or opens its pipes: an agent can neither learn an id nor write an answer.
"""

import base64
import ctypes
import errno
import json
import os
import resource
import selectors
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_TICK = 0.1
"""Seconds between two looks at whether a command has ended."""
_LINGER = 0.3
"""Seconds that are left to what a command's own children still write once it has ended."""


_libc = ctypes.CDLL(None, use_errno=True)


def prepare(settings: dict[str, Any]) -> list[str]:
    """Confine this process and all that it starts further than bubblewrap can, and return what could not be enforced.

    What an agent could use is given up before anything of an agent's runs.

    Raises
    ------
    OSError
        If something fails that no sandbox may do without.
    """
    _must(_libc.prctl(4, 0, 0, 0, 0), "PR_SET_DUMPABLE")
    # As the first process, none of its default actions ends it; Python's own handler would.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gaps = [gap for gap in (_new_session_keyring(settings["keyctl"]), _limit_files(settings["files"])) if gap]
    _drop_capabilities()
    for name, value in settings["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    _filter_calls(base64.b64decode(settings["filter"]))
    return gaps


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _new_session_keyring(keyctl: int) -> str:
    """Leave the session's keyring for an empty one. The filter refuses every later call about keys."""
    if _libc.syscall(keyctl, 1, None) >= 0 or ctypes.get_errno() in {errno.ENOSYS, errno.EPERM}:
        # Without the call, or the right to it, there is no keyring to be had by anyone in here.
        return ""
    return f"the kernel's session keyring is shared ({os.strerror(ctypes.get_errno())})"


def _limit_files(files: dict[str, int]) -> str:
    """Limit how many files fit into each scratch folder, which bubblewrap has no option for."""
    nosuid, nodev, remount = 2, 4, 32
    for folder, count in files.items():
        options = f"nr_inodes={count}".encode()
        if _libc.mount(b"tmpfs", folder.encode(), b"tmpfs", nosuid | nodev | remount, options) != 0:
            return f"the number of files is not limited ({os.strerror(ctypes.get_errno())})"
    return ""


def _drop_capabilities() -> None:
    """Give up the rights that `_limit_files` needs, for good."""
    _must(_libc.prctl(47, 4, 0, 0, 0), "PR_CAP_AMBIENT_CLEAR_ALL")
    for capability in range(64):
        _libc.prctl(24, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _must(_libc.capset(ctypes.byref(header), ctypes.byref(none)), "capset")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kept = [line for line in status.splitlines() if line.startswith("Cap") and int(line.split()[1], 16)]
    if kept:
        raise OSError(errno.EPERM, f"capabilities are left: {kept}")


def _filter_calls(program: bytes) -> None:
    """Install a seccomp filter."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    installed = Program(len(program) // 8, program)
    _must(_libc.prctl(22, 2, ctypes.byref(installed), 0, 0), "PR_SET_SECCOMP")


def execute(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a command until it ends, its time is over, or it has written too much; then nothing of it is left."""
    try:
        child = subprocess.Popen(  # noqa: S603 - that is what a sandbox is for
            asked["cmd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=asked["cwd"],
            env=os.environ | asked["env"],
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        # A ValueError is a NUL, or a character that no file system has; an IndexError a command without a word.
        said = f"{error}\n".encode(errors="replace")
        return {"type": "executed", "returncode": 126, "stdout": "", "stderr": _encoded(said), "ended": "by itself"}
    given = memoryview(base64.b64decode(asked["input"]))
    stdout, stderr, ended = _collect(child, given, time.monotonic() + asked["timeout"], asked["limit"])
    answer = {"type": "executed", "returncode": _end(child), "ended": ended}
    return answer | {"stdout": _encoded(stdout), "stderr": _encoded(stderr)}


def _collect(
    child: "subprocess.Popen[bytes]", given: memoryview, deadline: float, limit: int
) -> tuple[bytes, bytes, str]:
    """Write to a command what it is given, read what it writes, until it has ended, and return it with how it ended."""
    kept = {child.stdout: bytearray(), child.stderr: bytearray()}
    ended, over = "by itself", deadline
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
        os.set_blocking(child.stdin.fileno(), False)  # type: ignore[union-attr]
        selector.register(child.stdin, selectors.EVENT_WRITE)  # type: ignore[arg-type]
        while selector.get_map() or child.poll() is None:
            _reap_others(child.pid)
            if not selector.get_map():
                time.sleep(_TICK / 10)
            for key, _ in selector.select(_TICK):
                if key.fileobj is child.stdin:
                    given = _give(key.fd, given)
                    if not given:
                        selector.unregister(key.fileobj)
                        child.stdin.close()
                    continue
                if not (data := os.read(key.fd, 65536)):
                    selector.unregister(key.fileobj)
                kept[key.fileobj] += data  # type: ignore[index]
            now = time.monotonic()
            if over == deadline and child.poll() is not None:
                # Its own children may hold the pipes open for ever.
                over = min(deadline, now + _LINGER)
            if max(map(len, kept.values())) > limit:
                ended = "output"
            elif now < over:
                continue
            elif child.poll() is None:
                ended = "time"
            break
    return bytes(kept[child.stdout][:limit]), bytes(kept[child.stderr][:limit]), ended


def _give(descriptor: int, given: memoryview) -> memoryview:
    """Write some of what a command is given, and return the rest: none if nobody reads it."""
    try:
        return given[os.write(descriptor, given[:65536]) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        return given[:0]


def _reap_others(command: int) -> None:
    """Wait for processes whose parent ended before them, and whom the first process inherits."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != command:
            os.waitpid(ended.si_pid, 0)


def _end(child: "subprocess.Popen[bytes]") -> int:
    """Kill whatever is left of a command: everything in this process namespace but this process, its first."""
    for stream in (child.stdin, child.stdout, child.stderr):
        with suppress(BrokenPipeError):
            stream.close()  # type: ignore[union-attr]
    with suppress(ProcessLookupError):
        while True:
            os.kill(-1, signal.SIGKILL)
            child.wait()
            with suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
    return child.wait()


def write(asked: dict[str, Any]) -> dict[str, Any]:
    """Write a file, and the folders above it."""
    path = Path(asked["file"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(_opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(base64.b64decode(asked["contents"]))
    return {"type": "written"}


def read(asked: dict[str, Any]) -> dict[str, Any]:
    """Read a file, up to a limit."""
    with open(_opened(Path(asked["file"]), os.O_RDONLY), "rb") as file:
        contents = file.read(asked["limit"] + 1)
    whole = len(contents) <= asked["limit"]
    return {"type": "contents", "contents": _encoded(contents[: asked["limit"]]), "whole": whole}


def _opened(path: Path, flags: int) -> int:
    """Return the descriptor of a regular file: of a pipe, neither opening nor reading need ever end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def serve() -> None:
    """Answer until standard input ends."""
    print(json.dumps({"type": "ready", "gaps": prepare(json.loads(sys.argv[1]))}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"]} | _answer(asked)), flush=True)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    todo = {"execute": execute, "write": write, "read": read}
    try:
        return todo[asked["do"]](asked)
    except OSError as error:
        number, said = error.errno or errno.EIO, error.strerror or str(error)
    except ValueError as error:
        # A name with a NUL, or with a character that no file system has.
        number, said = errno.EINVAL, str(error)
    return {"type": "fault", "errno": number, "error": _text(said), "file": _text(asked.get("file", ""))}


def _text(said: str) -> str:
    """Return a text without halves of characters, which JSON has no place for."""
    return said.encode(errors="replace").decode()


if __name__ == "__main__":
    serve()
