"""What is known of a model's jobs, in a file beside its cassette: each is written down before it is submitted.

The file is a list of JSON lines that only grows. Processes, on one machine or several, may share it: whoever takes
questions into a job does so under a lock, after reading what others took.
"""

import contextlib
import hashlib
import os
import platform
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from filelock import FileLock

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import explained, open_descriptor, open_to_read
from pytest_llmpref.models.chat import Request

SUFFIX = ".batches"
"""Of the file's name."""

Ending = Literal["ended", "failed", "cancelled", "never submitted"]


class JobFileError(LLMPrefError):
    """A file of jobs cannot be read or written. The message names the file, the line and the fix."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question of a job.

    Attributes
    ----------
    key
        Of the request as the provider gets it, with room for reasoning.
    request
        The request as its recording knows it; ``None`` if it holds a secret, which no file may.
    """

    key: str
    request: Request | None = None


class Written(msgspec.Struct, frozen=True, tag_field="line", tag="written"):
    """A job was written down, and is about to be submitted."""

    job: str
    model: str
    provider: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    machine: str
    questions: list[Question]


class Submitted(msgspec.Struct, frozen=True, tag_field="line", tag="submitted"):
    """The provider took a job, and gave it an id."""

    job: str
    id: str


class Ended(msgspec.Struct, frozen=True, tag_field="line", tag="ended", omit_defaults=True):
    """A job came to its end; ``said`` is what the provider said of it."""

    job: str
    how: Ending
    said: str = ""


_Line = Written | Submitted | Ended
_DECODER = msgspec.json.Decoder(_Line)


class Job(msgspec.Struct):
    """One job, by all that its lines say. See `Written`.

    Attributes
    ----------
    id
        The provider's; empty until it is known.
    how
        How it ended; ``None`` while it may be under way.
    said
        What the provider said of its end.
    """

    written: Written
    id: str = ""
    how: Ending | None = None
    said: str = ""

    @property
    def token(self) -> str:
        """Our own name of the job, which the provider keeps with it."""
        return self.written.job

    @property
    def is_mine(self) -> bool:
        """Whether this machine wrote it down."""
        return self.written.machine == this_machine()


def this_machine() -> str:
    """Return what tells this machine from others, and names neither it nor its user."""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()}".encode()).hexdigest()[:12]


class JobFile:
    """The jobs of one model.

    Parameters
    ----------
    path
        The file. It is made with the first job.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs: dict[str, Job] = {}
        self._latest: dict[str, Job] = {}
        self._read = 0
        self._lines = 0

    def reload(self) -> None:
        """Read what was written since.

        Raises
        ------
        JobFileError
            If a line is none of these, or the file cannot be read. A last line that a kill cut off is left out.
        """
        try:
            with contextlib.suppress(FileNotFoundError), open_to_read(self.path) as file:
                file.seek(self._read)
                found = file.read()
                whole = found[: found.rfind(b"\n") + 1]
                for line in whole.splitlines():
                    self._lines += 1
                    self._take(line)
                self._read += len(whole)
        except OSError as error:
            raise JobFileError(explained(error, "read", "make it readable")) from error

    def latest(self, key: str) -> Job | None:
        """Return the latest job with a question; ``None`` if no job has it."""
        return self._latest.get(key)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from taking questions, having read what they took.

        Raises
        ------
        JobFileError
            If the folder cannot be written, or as `reload`.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(f"{SUFFIX}-lock")):
                self.reload()
                yield
        except OSError as error:
            raise JobFileError(explained(error, "write", "make the folder writable, or free disk space")) from error

    def write(self, token: str, model: str, provider: str, questions: Sequence[Question]) -> Job:
        """Write a job down, and return it once it is on the disk. To be called inside `locked`."""
        written = Written(token, model, provider, datetime.now(UTC), this_machine(), list(questions))
        self._append(written)
        return self.jobs[token]

    def submitted(self, job: Job, identity: str) -> None:
        """Note the provider's id of a job."""
        with self.locked():
            if not job.id:
                self._append(Submitted(job.token, identity))

    def ended(self, job: Job, how: Ending, said: str = "") -> None:
        """Note how a job ended."""
        with self.locked():
            if job.how is None:
                self._append(Ended(job.token, how, said))

    def _append(self, line: _Line) -> None:
        descriptor = open_descriptor(self.path, os.O_APPEND | os.O_CREAT | os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            if size > self._read:
                # A kill cut the last line off. This one must not be glued to it.
                os.ftruncate(descriptor, self._read)
            content = msgspec.json.encode(line) + b"\n"
            while content:
                content = content[os.write(descriptor, content) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.reload()

    def _take(self, line: bytes) -> None:
        try:
            found = _DECODER.decode(line)
            if isinstance(found, Written):
                self.jobs[found.job] = job = Job(found)
                self._latest |= dict.fromkeys((one.key for one in found.questions), job)
            elif isinstance(found, Submitted):
                self.jobs[found.job].id = found.id
            else:
                self.jobs[found.job].how, self.jobs[found.job].said = found.how, found.said
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise JobFileError(
                f"{self.path}:{self._lines}: no line of a file of jobs ({error}); restore the file from version "
                "control, or delete it: then what its jobs answered is asked, and paid for, again"
            ) from error


def job_files(folder: Path) -> Mapping[Path, JobFile]:
    """Return the files of jobs in a folder, read.

    Raises
    ------
    JobFileError
        As `JobFile.reload`.
    """
    found = {path: JobFile(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}
    for file in found.values():
        file.reload()
    return found
