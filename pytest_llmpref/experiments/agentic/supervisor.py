"""What stands inside the sandbox and runs the agent's commands there, one after the other.

Its source is handed to the sandbox's own Python, so it imports nothing but the standard library. It reads one JSON
object a line from standard input, and answers each with one. All that it could be tricked into is inside the sandbox
with it: its answers are nothing but the output of the agent's own commands.
"""

import base64
import json
import os
import resource
import selectors
import signal
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


def limit_everything(limits: dict[str, int]) -> None:
    """Limit this process and all that it starts. Values are bytes or counts, by the names of `resource`."""
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def execute(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a command until it ends, its time is over, or it has written too much; then nothing of it is left."""
    given = os.memfd_create("input")
    try:
        os.write(given, base64.b64decode(asked["input"]))
        os.lseek(given, 0, os.SEEK_SET)
        child = subprocess.Popen(  # noqa: S603 - that is what a sandbox is for
            asked["cmd"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=asked["cwd"],
            env=os.environ | asked["env"],
            start_new_session=True,
        )
    except OSError as error:
        return {"returncode": 126, "stdout": "", "stderr": _encoded(f"{error}\n".encode()), "ended": "by itself"}
    finally:
        os.close(given)
    stdout, stderr, ended = _collect(child, time.monotonic() + asked["timeout"], asked["limit"])
    return {"returncode": _end(child), "stdout": _encoded(stdout), "stderr": _encoded(stderr), "ended": ended}


def _collect(child: "subprocess.Popen[bytes]", deadline: float, limit: int) -> tuple[bytes, bytes, str]:
    """Read what a command writes, until it has ended, and return it with how it ended."""
    kept = {child.stdout: bytearray(), child.stderr: bytearray()}
    ended, over = "by itself", deadline
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
        while selector.get_map() or child.poll() is None:
            if not selector.get_map():
                time.sleep(_TICK / 10)
            for key, _ in selector.select(_TICK):
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


def _end(child: "subprocess.Popen[bytes]") -> int:
    """Kill whatever is left of a command: everything in this process namespace but its first process and us."""
    for _ in range(100):
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
            child.wait()
            time.sleep(_TICK / 100)
            continue
        break
    return child.wait()


def write(asked: dict[str, Any]) -> dict[str, Any]:
    """Write a file, and the folders above it."""
    path = Path(asked["file"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(asked["contents"]))
    return {}


def read(asked: dict[str, Any]) -> dict[str, Any]:
    """Read a file, up to a limit."""
    with Path(asked["file"]).open("rb") as file:
        contents = file.read(asked["limit"] + 1)
    return {"contents": _encoded(contents[: asked["limit"]]), "whole": len(contents) <= asked["limit"]}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def serve() -> None:
    """Answer until standard input ends."""
    limit_everything(json.loads(sys.argv[1]))
    todo = {"execute": execute, "write": write, "read": read}
    print("{}", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = todo[asked["do"]](asked)
        except OSError as error:
            answer = {"errno": error.errno, "error": error.strerror, "file": error.filename}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
