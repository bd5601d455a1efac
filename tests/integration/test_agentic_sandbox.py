"""Attempts to break out of the bubblewrap sandbox. Each is bounded by itself, so that a failure harms nothing."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytest.importorskip("psutil")

import psutil
from confinement import confined
from loopback import serving

from pytest_llmpref.experiments.agents.bubblewrap import Confined, Limits, NoSandboxError

pytestmark = confined


def inside(*commands, seconds=20, limits=None):
    """Run commands in one sandbox, and return what came of each."""

    async def run():
        sandbox = await Confined.start(limits)
        try:
            return [await sandbox.execute(["bash", "--login", "-c", command], seconds) for command in commands]
        finally:
            await sandbox.close()

    return asyncio.run(run())


def test_it_sees_no_file_of_the_machine(tmp_path):
    (tmp_path / "secret.txt").write_text("of the machine")
    home = Path.home()
    [seen] = inside(f"ls -A {home} /home /var /mnt /opt /srv {tmp_path} {Path.cwd()} /root; cat {tmp_path}/secret.txt")
    assert b"of the machine" not in seen.stdout
    assert b"total" not in seen.stdout
    assert [line for line in seen.stdout.decode().split() if not line.endswith(":")] == []


def test_it_sees_no_installed_package_which_might_hold_solutions():
    program = (
        "find / -xdev -name 'inspect_evals' -o -name 'pytest_llmpref' -o -name solution 2>/dev/null | grep -v proc"
    )
    listing = "ls -A /usr/local /usr/lib/python3/dist-packages; find / -name 'inspect_evals*' 2>/dev/null"
    found, listed = inside(program, listing)
    assert found.stdout == b""
    assert [line for line in listed.stdout.decode().split() if not line.endswith(":")] == []


def test_it_sees_no_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-agents")
    [seen] = inside("env; cat /proc/*/environ | tr '\\0' '\\n'")
    assert b"sk-not-for-agents" not in seen.stdout
    assert {line.split("=")[0] for line in seen.stdout.decode().split() if "=" in line} <= {
        "PATH", "HOME", "LANG", "PWD", "SHLVL", "_", "OLDPWD", "MAIL", "LC_CTYPE",
    }  # fmt: skip


def test_it_sees_no_other_process_and_can_end_none():
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        [seen] = inside(f"ls /proc | grep -c '^[0-9]'; kill -9 {bystander.pid}")
        assert int(seen.stdout) < 10
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_it_reaches_no_network_and_not_this_machine_either():
    with serving() as server:
        [seen] = inside(
            f"timeout 3 bash -c 'echo GET / > /dev/tcp/127.0.0.1/{server.port}'; echo $?;"
            "timeout 3 bash -c 'echo GET / > /dev/tcp/1.1.1.1/80'; echo $?; ls /sys/class/net 2>/dev/null"
        )
        assert server.received == []
    assert "0" not in seen.stdout.decode().split()


def test_it_writes_nowhere_but_in_its_scratch_which_is_small():
    limits = Limits(scratch={"/root": 2**20, "/tmp": 2**20})
    seen, after = inside(
        "touch /usr/x /etc/x /x /dev/x /usr/local/x 2>/dev/null && echo wrote;"
        "for n in 1 2 3 4; do head -c 600000 /dev/zero > /root/$n; done; du -sb /root | cut -f1",
        "rm /root/*; echo again > /root/a; cat /root/a",
        limits=limits,
    )
    assert b"wrote" not in seen.stdout
    assert int(seen.stdout) <= 1.1 * 2**20
    assert after.stdout == b"again\n"


def test_it_cannot_fork_without_end():
    program = textwrap.dedent("""
        import os, time
        made = 0
        for _ in range(300):  # not without end, should the limit fail
            try:
                if os.fork() == 0:
                    time.sleep(20)
                    os._exit(0)
                made += 1
            except OSError:
                break
        print(made)
    """)
    seen, after = inside(f"python3 -c '{program}'", "echo alive; ls /proc | grep -c '^[0-9]'")
    assert 10 < int(seen.stdout) < 64
    assert after.stdout.split()[0] == b"alive"
    assert int(after.stdout.split()[1]) < 10


def test_it_cannot_take_all_memory_alone_or_in_company():
    limits = Limits(memory=200 * 2**20)
    alone, company, after = inside(
        "python3 -c 'bytearray(400 * 2**20)'",
        "for n in 1 2 3; do python3 -c 'b = bytearray(120 * 2**20); import time; time.sleep(8)' & done; wait",
        "echo alive",
        limits=limits,
    )
    assert b"MemoryError" in alone.stderr
    assert b"more than 200 MiB of memory" in company.stderr
    assert after.stdout == b"alive\n"


def test_output_and_time_end_a_command_and_nothing_of_it_is_left():
    flood, slow, left, after = inside(
        "timeout 20 yes",
        "sleep 30",
        "(sleep 30 & disown); nohup sleep 30 > /dev/null 2>&1 & echo started",
        "ls /proc | grep -c '^[0-9]'; echo alive",
        seconds=2,
    )
    assert (flood.ended, slow.ended, left.ended) == ("output", "time", "by itself")
    assert len(flood.stdout) <= 2**20
    assert left.stdout == b"started\n"
    assert int(after.stdout.split()[0]) < 8


def test_it_does_not_outlive_the_run_however_that_ends():
    program = """
        import asyncio, sys
        from pytest_llmpref.experiments.agents.bubblewrap import Confined
        async def run():
            sandbox = await Confined.start()
            print(sandbox._process.pid, flush=True)
            await sandbox.execute(["sleep", "50"], 60)
        asyncio.run(run())
    """
    running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    pid = int(running.stdout.readline())
    deadline = time.monotonic() + 10
    while not (inner := psutil.Process(pid).children(recursive=True)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert inner
    running.send_signal(signal.SIGKILL)
    running.wait()
    _gone, alive = psutil.wait_procs(inner, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_without_bubblewrap_nothing_starts(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoSandboxError, match="bubblewrap is not installed"):
        inside("true")
