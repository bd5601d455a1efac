"""Attacks that once succeeded against the bubblewrap sandbox. Each is bounded, and harms nothing if it succeeds."""

import asyncio
import base64
import errno
import hashlib
import json
import os
import struct
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("psutil")

from confinement import confined

from pytest_llmpref.experiments.agents import bubblewrap, confinement
from pytest_llmpref.experiments.agents.bubblewrap import Confined, Limits, SandboxDiedError


def within(use, limits=None):
    """Have something done with a sandbox, and return what it comes to."""

    async def run():
        sandbox = await Confined.start(limits)
        try:
            return await use(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(run())


def inside(*commands, seconds=20, limits=None):
    """Run commands in one sandbox, and return what came of each. A string is a program for bash."""

    async def use(sandbox):
        asked = [["bash", "-c", command] if isinstance(command, str) else command for command in commands]
        return [await sandbox.execute(command, seconds) for command in asked]

    return within(use, limits)


def python(program):
    """Return a command that runs Python, with the C library at hand: ``call(name or number, ...)``."""
    start = """
        import ctypes, errno, os, signal, socket, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def call(what, *arguments):
            ctypes.set_errno(0)
            function = getattr(libc, what) if isinstance(what, str) else lambda *rest: libc.syscall(what, *rest)
            result = function(*arguments)
            return errno.errorcode[ctypes.get_errno()] if result == -1 else "done"
    """
    return ["python3", "-c", textwrap.dedent(start) + textwrap.dedent(program)]


ON_X86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls are those of x86-64")


# --- what no namespace confines: keys, sockets of virtual machines, other processes' files, new namespaces


@confined
@ON_X86
def test_the_sessions_keyring_is_neither_seen_nor_read_nor_cleared():
    """The keyring is that of a process of its own, and not of whoever runs the tests."""
    program = """
        import asyncio, ctypes, sys
        from pytest_llmpref.experiments.agents.bubblewrap import Confined
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall(250, 1, b"llmpref-test")                                # KEYCTL_JOIN_SESSION_KEYRING
        key = libc.syscall(248, b"user", b"llmpref-key", b"the-secret", 10, -3)  # add_key
        if key == -1:
            sys.exit(3)
        attack = '''
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            print(open("/proc/keys").read())
        except PermissionError:
            pass
        found = libc.syscall(250, 10, -3, b"user", b"llmpref-key", 0)        # KEYCTL_SEARCH
        kept = ctypes.create_string_buffer(100)
        libc.syscall(250, 11, found, kept, 100)                              # KEYCTL_READ
        print(found, kept.value)
        print("cleared", libc.syscall(250, 7, -3), ctypes.get_errno())       # KEYCTL_CLEAR
        print("added", libc.syscall(248, b"user", b"x", b"y", 1, -3), ctypes.get_errno())
        print("requested", libc.syscall(249, b"user", b"llmpref-key", None, -3), ctypes.get_errno())
        '''
        async def run():
            sandbox = await Confined.start()
            done = await sandbox.execute(["python3", "-c", __import__("textwrap").dedent(attack)], 20)
            await sandbox.close()
            return done
        done = asyncio.run(run())
        print(done.stdout.decode(), done.stderr.decode())
        kept = ctypes.create_string_buffer(100)
        print("still", libc.syscall(250, 11, key, kept, 100), kept.value)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("this kernel, or what surrounds the tests, has no keys")
    assert "still 10 b'the-secret'" in done.stdout
    seen = done.stdout.split("still")[0]
    assert "llmpref-key" not in seen
    assert "keyring" not in seen
    assert "the-secret" not in seen
    for what in ("cleared", "added", "requested"):
        assert f"{what} -1 {errno.EPERM}" in seen


@confined
def test_only_sockets_that_the_network_namespace_confines_can_be_made():
    program = """
        for family in range(46):
            print(family, call("socket", family, socket.SOCK_DGRAM, 0))
            print(family, call("socket", family, socket.SOCK_STREAM, 0))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
                answer = call("socketpair", family, kind, 0, (ctypes.c_int * 2)())
                if family not in (1, 2, 10, 16) and answer != "EAFNOSUPPORT":
                    print("a pair reached the kernel's code:", family, answer)
    """
    [seen] = inside(python(program))
    assert b"a pair" not in seen.stdout
    made = {int(line.split()[0]) for line in seen.stdout.decode().splitlines() if line.endswith("done")}
    assert made - {1, 2, 10, 16} == set()
    assert made >= {1, 2}
    assert b"40 EAFNOSUPPORT" in seen.stdout


@confined
@ON_X86
def test_no_way_past_the_filter_and_out_of_the_namespaces():
    program = """
        itself = os.pidfd_open(os.getpid())
        print("pidfd_getfd", call(438, itself, 0, 0))
        print("io_uring", call(425, 1, ctypes.create_string_buffer(200)))
        print("clone3", call(435, ctypes.create_string_buffer(88), 88))
        print("x32", call(0x40000000 + 39))
        print("setns", call("setns", os.open("/proc/self/ns/user", os.O_RDONLY), 0))
        for bit in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            print("unshare", call("unshare", bit))
            if bit != 0x80 and call(56, bit | signal.SIGCHLD, 0, 0, 0, 0) != "EPERM":
                os._exit(1)
    """
    [seen] = inside(python(program))
    answers = [tuple(line.split()) for line in seen.stdout.decode().splitlines()]
    assert answers == [
        ("pidfd_getfd", "EPERM"),
        ("io_uring", "ENOSYS"),
        ("clone3", "ENOSYS"),
        ("x32", "ENOSYS"),
        ("setns", "EPERM"),
        *[("unshare", "EPERM")] * 8,
    ]
    assert seen.returncode == 0


@confined
@ON_X86
def test_no_way_past_the_filter_by_other_names_of_a_call():
    """By the 32-bit calls of an x86-64 kernel, and by a number whose upper half is not zero."""
    program = """
        import mmap
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        def by_interrupt(number, first=0, second=0):
            words = [word.to_bytes(4, "little") for word in (number, first, second)]
            code.seek(0)
            code.write(b"\\x53\\xb8" + words[0] + b"\\xbb" + words[1] + b"\\xb9" + words[2] + b"\\xcd\\x80\\x5b\\xc3")
            answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
            return errno.errorcode.get(-answer, answer)
        # getpid, keyctl, socket of VSOCK, and clone into a new user namespace
        print(*(by_interrupt(*asked) for asked in ((20,), (288,), (359, 40, 1), (120, 0x10000000))))
        print(*(call(ctypes.c_long(number | 1 << 32), 0, -3) for number in (250, 319, 435)))
    """
    [seen] = inside(python(program))
    assert seen.stdout == b"ENOSYS ENOSYS ENOSYS ENOSYS\nEPERM ENOSYS ENOSYS\n", seen.stderr.decode()


@confined
@ON_X86
def test_nested_user_namespaces_are_refused_by_the_filter_alone(monkeypatch):
    """So the filter is what holds: where it lets everything pass, this kernel makes such a namespace."""
    ways = """
        print("clone", call(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0))
        print("clone, all at once", call(56, 0x7E020000 | signal.SIGCHLD, 0, 0, 0, 0))
        print("clone3", call(435, (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, signal.SIGCHLD), 88))
        print("unshare", call("unshare", 0x10000000))
    """
    program = python(ways.replace("print(", "print(os.getpid(), "))
    [refused] = inside(program, ["unshare", "--user", "true"])[:1]
    said = [line.partition(" ")[2] for line in refused.stdout.decode().splitlines()]
    assert said == ["clone EPERM", "clone, all at once EPERM", "clone3 ENOSYS", "unshare EPERM"]

    monkeypatch.setattr(bubblewrap, "filter_program", lambda _machine: struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
    [made] = inside(["unshare", "--user", "sh", "-c", "echo made"])
    if made.stdout != b"made\n":
        pytest.skip("this host refuses such namespaces itself")


@confined
def test_it_has_no_capability_and_cannot_lift_a_limit():
    program = """
        print([line for line in open("/proc/self/status") if line.startswith("Cap") and int(line.split()[1], 16)])
        print(call("mount", b"tmpfs", b"/root", b"tmpfs", 32, b"nr_inodes=1000000"))
        print(call("umount", b"/root"), call("prctl", 23, 21, 0, 0, 0), call("chroot", b"/tmp"))
    """
    [seen] = inside(python(program))
    assert seen.stdout.split(b"\n")[:3] == [b"[]", b"EPERM", b"EPERM done EPERM"]


# --- memory


@confined
@ON_X86
def test_no_memory_is_held_by_descriptors_or_outlives_a_command():
    program = """
        taken = 0
        for _ in range(8):
            descriptor = libc.syscall(319, b"m", 0)
            if descriptor >= 0:
                taken += os.write(descriptor, b"x" * 2**22)
        print("memfd", taken, call(447, 0))
        print("shm", call("shmget", 0, 2**22, 0o1600), call("semget", 0, 9, 0o1600), call("msgget", 0, 0o1600))
        print("mq", call(240, b"m", os.O_CREAT | os.O_RDWR, 0o600, None))
    """
    took, left = inside(python(program), "cat /proc/sysvipc/* | grep -vc key")
    assert took.stdout == b"memfd 0 ENOSYS\nshm ENOSYS ENOSYS ENOSYS\nmq ENOSYS\n"
    assert left.stdout == b"0\n"


@confined
def test_files_are_limited_in_number_even_if_they_are_empty():
    program = """
        made = {}
        for folder in ("/root", "/tmp", "/shared_files", "/dev/shm"):
            made[folder] = 0
            try:
                for number in range(20_000):
                    os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
                    made[folder] += 1
            except OSError as error:
                print(errno.errorcode[error.errno])
        print(sorted(made.values())[-1])
    """
    made, after = inside(python(program), "rm -r /root/1*; echo again > /root/a && cat /root/a")
    if "number of files" in " ".join(within(_gaps)):
        pytest.skip("this host does not let the number of files be limited, and the sandbox says so")
    *faults, most = made.stdout.split()
    assert faults == [b"ENOSPC"] * 4
    assert int(most) <= 16_384
    assert after.stdout == b"again\n"


@confined
def test_links_folders_and_pipes_count_as_files():
    program = """
        os.close(os.open("/root/a", os.O_CREAT | os.O_WRONLY))
        ways = {
            "/root": lambda path: os.link("/root/a", path),
            "/tmp": lambda path: os.symlink("x" * 4000, path),
            "/shared_files": os.mkdir,
            "/dev/shm": os.mkfifo,
        }
        for folder, make in ways.items():
            made = 0
            try:
                for made in range(20_000):
                    make(f"{folder}/{made}")
            except OSError as error:
                print(made <= 16_384, errno.errorcode[error.errno])
    """
    [made] = inside(python(program))
    if "number of files" in " ".join(within(_gaps)):
        pytest.skip("this host does not let the number of files be limited, and the sandbox says so")
    assert made.stdout == b"True ENOSPC\n" * 4


@confined
def test_shared_memory_that_nobody_has_in_use_counts_all_the_same():
    """Five processes fill 60 MiB each and let go of every page, so that the kernel counts them for none of them."""
    program = """
        import mmap
        def fill():
            memory = mmap.mmap(-1, 60 * 2**20)
            for start in range(0, 60 * 2**20, 2**20):
                memory[start : start + 2**20] = b"x" * 2**20
                memory.madvise(mmap.MADV_DONTNEED)
            time.sleep(10)
            os._exit(0)
        made = [os.fork() or fill() for _ in range(5)]
        print([os.waitpid(process, 0)[1] for process in made])
    """
    limits = Limits(memory=100 * 2**20, processes=20, scratch={"/root": 2**20, "/tmp": 2**20})
    filled, after = inside(python(program), "echo alive", limits=limits)
    assert b"Killed: more than 100 MiB of memory" in filled.stderr
    assert after.stdout == b"alive\n"
    shared = (
        "import mmap; m = mmap.mmap(-1, 40 * 2**20); m.write(b'x' * 40 * 2**20); import os; os.fork(); print('done')"
    )
    [within_limit] = inside(["python3", "-c", shared], limits=limits)
    assert within_limit.stdout == b"done\ndone\n"


async def _gaps(sandbox):
    return sandbox.gaps


def emulate_systemd(folder, monkeypatch, *, limit):
    """Put a program in the place of systemd-run that notes what it is asked for, and runs it with no group around it.

    It answers with a limit where it is asked which one holds.
    """
    folder.chmod(0o755)
    manager = folder / "systemd-run"
    manager.write_text(
        f'#!/bin/sh\ncase "$*" in *memory.max*) echo {limit}; exit;; esac\necho "$@" >> {folder}/asked\n'
        'while [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    manager.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "asked"


@confined
def test_where_systemd_makes_control_groups_the_sandbox_starts_in_one(tmp_path, monkeypatch):
    asked = emulate_systemd(tmp_path, monkeypatch, limit=2**26)

    async def use(sandbox):
        return sandbox.gaps, await sandbox.execute(["id", "-u"], 20)

    gaps, done = within(use, Limits(memory=2**28, processes=50, scratch={"/root": 2**20, "/tmp": 2**20}))
    assert "control group" not in " ".join(gaps)
    assert done.stdout == b"0\n"
    bounds = f"--property=MemoryMax={2**28 + 2**21 + 2**26} --property=MemorySwapMax=0 --property=TasksMax=58 -- "
    assert bounds in asked.read_text()
    assert ("--user" in asked.read_text()) == (os.geteuid() != 0)


@confined
def test_where_the_groups_limit_no_memory_the_sandbox_starts_without_one_and_says_so(tmp_path, monkeypatch):
    asked = emulate_systemd(tmp_path, monkeypatch, limit="max")
    assert within(_gaps)[0] == (
        "no control group, so that the memory's limit is a watched one (systemd may not limit memory here)"
    )
    assert not asked.exists()
    monkeypatch.setattr(confinement.shutil, "which", lambda _name: None)
    assert asyncio.run(confinement.group_command(1, 1)).gap.endswith("(systemd-run is not installed)")


@confined
def test_what_a_host_does_not_enforce_is_a_warning_of_the_run(tmp_path, monkeypatch):
    pytest.importorskip("inspect_ai")
    from pytest_llmpref.experiments.agents import sandboxes as sandbox

    emulate_systemd(tmp_path, monkeypatch, limit="max")
    sandbox._say_once.cache_clear()
    with pytest.warns(sandbox.SandboxWarning, match="enforces less on this host: no control group"):
        assert asyncio.run(sandbox.find_sandbox("bubblewrap")) == "bubblewrap"


# --- the supervisor

FORGED = json.dumps({
    "id": "", "type": "executed", "returncode": 0, "stdout": base64.b64encode(b"forged").decode(), "stderr": "",
    "ended": "by itself",
})  # fmt: skip


@confined
def test_its_answers_cannot_be_forged_and_its_memory_not_read():
    program = f"""
        forged = {FORGED!r} + chr(10)
        for process in [name for name in os.listdir("/proc") if name.isdigit() and int(name) < os.getpid()]:
            for file in ("fd/1", "fd/0", "mem", "environ", "maps", "ns/user"):
                try:
                    flags = os.O_WRONLY if file in ("fd/1", "mem") else os.O_RDONLY
                    opened = os.open(f"/proc/{{process}}/{{file}}", flags | os.O_NONBLOCK)
                    print("opened", process, file)
                    if file == "fd/1":
                        os.write(opened, forged.encode())
                except OSError:
                    pass
            print("ptrace", call("ptrace", 16, int(process), 0, 0))
        time.sleep(0.5)
    """
    [seen, after] = inside(python(program), "echo after")
    assert seen.stdout == b"ptrace EPERM\n"
    assert after.stdout == b"after\n"


@confined
def test_it_can_be_neither_ended_nor_stopped_nor_replaced():
    signals = "for p in $(seq 1 $(($$ - 1))); do for n in $(seq 1 64); do kill -$n $p; done; done 2> /dev/null"
    first, second = inside(f"touch /tmp/kept; {signals}; echo sent", "ls /tmp; echo alive")
    assert first.stdout == b"sent\n"
    assert second.stdout == b"kept\nalive\n"


@confined
@ON_X86
def test_it_can_be_neither_limited_nor_slowed_down_nor_read():
    """With no descriptors left it would answer no call any more, with a little memory it would die."""
    program = """
        class Pair(ctypes.Structure):
            _fields_ = [("first", ctypes.c_ulong), ("second", ctypes.c_ulong)]
        for supervisor in (1, 1 | 1 << 32):
            for kind in range(16):
                if call(302, ctypes.c_long(supervisor), kind, ctypes.byref(Pair(1, 1)), None) != "EPERM":
                    print("limited", kind)
        print(call(203, 1, 8, ctypes.byref(ctypes.c_long(1))), call(144, 1, 5, ctypes.byref(ctypes.c_int(0))))
        print(call(142, 1, ctypes.byref(ctypes.c_int(0))), call(314, 1, ctypes.create_string_buffer(48), 0))
        here, none = ctypes.create_string_buffer(8), ctypes.c_long(0)
        mine, its = Pair(ctypes.addressof(here), 8), Pair(0x400000, 8)
        print(*(call(copy, 1, ctypes.byref(mine), 1, ctypes.byref(its), 1, none) for copy in (310, 311)))
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        print(*(call(203, itself, 8, ctypes.byref(ctypes.c_long(1))) for itself in (0, os.getpid())))
    """

    async def use(sandbox):
        seen = await sandbox.execute(python(program), 20)
        await sandbox.write("/root/a", b"x")
        return seen, await sandbox.read("/root/a"), await sandbox.execute(["echo", "alive"], 20)

    seen, read, after = within(use)
    assert seen.stdout == b"EPERM EPERM\nEPERM EPERM\nEPERM EPERM\ndone done\n", seen.stderr.decode()
    assert read == (b"x", True)
    assert after.stdout == b"alive\n"


MISFITS = {
    "no JSON": "nothing",
    "no object": "[]",
    "empty": "{}",
    "no id": FORGED.replace('"id": "", ', ""),
    "another's id": FORGED,
    "no number": FORGED.replace("0,", '"0",'),
    "no base64": FORGED.replace('"stderr": ""', '"stderr": "!"'),
    "no stdout": FORGED.replace('"stdout"', '"stdin"'),
    "another way to end": FORGED.replace("by itself", "well"),
    "another answer": '{"id": "", "type": "written"}',
    "an errno that is none": '{"id": "", "type": "fault", "errno": "x", "error": "", "file": ""}',
    "a number beyond all bounds": FORGED.replace("0,", "1" + "0" * 400 + ","),
    "too long": FORGED.replace('"stderr": ""', '"stderr": "LONG"'),
    "nested": "[" * 100_000,
}
"""Answers that do not fit: of a supervisor that knows the id of the question, where they have one."""


def answering(line, monkeypatch, *, with_id=True):
    """Make supervisors that do all that is asked, but answer a command with a line."""
    source = bubblewrap._supervisor()
    answered = line if with_id else line.replace('"id": ""', '"id": "another"')
    fill = """.replace('"id": ""', '"id": "' + asked.get("id", "") + '"').replace("LONG", "A" * 1_500_000)"""
    answer = f"print({answered!r}{fill})"
    replaced = f"def execute(asked):\n    {answer}\n    sys.stdout.flush()\n    time.sleep(30)\n\n"
    monkeypatch.setattr(
        bubblewrap,
        "_supervisor",
        lambda: source.replace('if __name__ == "__main__":', replaced + 'if __name__ == "__main__":'),
    )


@confined
@pytest.mark.parametrize("misfit", MISFITS)
def test_an_answer_that_does_not_fit_ends_the_sandbox_and_nothing_else(misfit, monkeypatch):
    answering(MISFITS[misfit], monkeypatch, with_id=misfit != "another's id")
    with pytest.raises(SandboxDiedError, match="the sandbox died"):
        inside("true")


@confined
@pytest.mark.parametrize("misfit", ["empty", "no base64", "another's id"])
def test_an_answer_that_does_not_fit_is_the_agents_failure_and_no_missing_run(misfit, monkeypatch, tmp_path):
    pytest.importorskip("inspect_ai")
    from scripted_agents import BASH, SUBMIT, Scripted, made

    from pytest_llmpref.experiments.agents.run import ending_of

    answering(MISFITS[misfit], monkeypatch, with_id=misfit != "another's id")
    ending = ending_of(made(tmp_path, Scripted(("bash", BASH % "true"), ("bash", BASH % "true"), SUBMIT)))
    assert ending is not None
    assert ending.faults == {"sandbox": 2}
    assert ending.ended == "submitted"


# --- what no system call takes


@confined
@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", f"a{chr(0xDCFF)}b"], ids=["NUL", "surrogate", "byte"])
def test_a_character_that_no_system_call_takes_is_an_error_to_the_agent(name):
    async def use(sandbox):
        done = await sandbox.execute(["bash", "-c", f"echo {name}"], 20)
        await sandbox.execute(["true"], 20, cwd=f"/root/{name}", env={name: name})
        for call in (sandbox.read(f"/root/{name}/x"), sandbox.write(f"/proc/{name}/x", b"")):
            with pytest.raises(OSError, match=r"(null byte|surrogates|No such file)"):
                await call
        return done, await sandbox.execute(["echo", "alive"], 20)

    done, after = within(use)
    assert done.returncode == (0 if chr(0xDCFF) in name else 126)
    assert after.stdout == b"alive\n"


@confined
@pytest.mark.parametrize(
    "command",
    [[], [""], ["a" * 200_000], ["true", *["x" * 1000] * 5000], ["/root"], ["/root/none/x"]],
    ids=["no word", "empty", "long word", "many words", "folder", "nothing there"],
)
def test_a_command_that_cannot_start_is_an_error_to_the_agent(command):
    async def use(sandbox):
        return await sandbox.execute(command, 20), await sandbox.execute(["echo", "alive"], 20)

    done, after = within(use)
    assert done.returncode == 126
    assert done.stderr
    assert after.stdout == b"alive\n"


@confined
def test_a_pipe_or_a_device_in_place_of_a_file_is_an_error_to_the_agent():
    async def use(sandbox):
        await sandbox.execute(["mkfifo", "/root/pipe"], 20)
        for call in (
            sandbox.read("/root/pipe"),
            sandbox.write("/root/pipe", b"x"),
            sandbox.read("/dev/zero"),
            sandbox.read("/root"),
            sandbox.write("/root/pipe/x", b""),
        ):
            with pytest.raises(OSError):  # noqa: PT011 - of many kinds
                await asyncio.wait_for(call, 10)
        return await sandbox.execute(["echo", "alive"], 20)

    assert within(use).stdout == b"alive\n"


@confined
def test_what_a_command_is_given_reaches_it_whole_and_may_be_left_unread():
    async def use(sandbox):
        given = bytes(range(256)) * 4096
        read = await sandbox.execute(["md5sum"], 20, given=given)
        unread = await sandbox.execute(["true"], 20, given=given)
        held = await sandbox.execute(["bash", "-c", "sleep 20 & exit 7"], 20, given=given)
        return [read, unread, held, await sandbox.execute(["cat"], 20)]

    read, unread, held, none = within(use)
    assert read.stdout.split()[0].decode() == hashlib.md5(bytes(range(256)) * 4096).hexdigest()
    assert (unread.returncode, held.returncode, none.stdout) == (0, 7, b"")
    assert {done.ended for done in (read, unread, held, none)} == {"by itself"}


@confined
def test_an_agent_that_uses_such_characters_goes_on(tmp_path):
    pytest.importorskip("inspect_ai")
    from scripted_agents import SUBMIT, Scripted, made

    from pytest_llmpref.experiments.agents.run import ending_of

    steps = [
        ("bash", r'{"command": "echo a\u0000b"}'),
        ("bash", r'{"command": "echo a\ud800b"}'),
        ("python", r'{"code": "print(1)\u0000"}'),
        ("python", r'{"code": "print(\"\ud800\")"}'),
        ("bash", '{"command": "mkfifo /root/pipe"}'),
        SUBMIT,
    ]
    reply = made(tmp_path, Scripted(*steps), messages=20)
    ending = ending_of(reply)
    assert ending is not None, reply.text
    assert ending.correct
    assert ending.faults["parsing"] == 2
    assert set(ending.faults) <= {"parsing"}
    assert made(tmp_path, Scripted(), replay=True, messages=20) == reply


# --- the filter by itself, on both processors
