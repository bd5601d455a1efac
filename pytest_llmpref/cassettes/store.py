"""The cassette: all recorded interactions of one model, in a packed file and a journal."""

import contextlib
import errno
import gzip
import io
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from filelock import FileLock

from pytest_llmpref.cassettes import journal
from pytest_llmpref.cassettes.decoding import Source, decode_lines, decode_packed
from pytest_llmpref.cassettes.errors import CassetteError, CassetteWarning
from pytest_llmpref.cassettes.interaction import Exchange, Interaction, Line
from pytest_llmpref.cassettes.scrub import Scrubber
from pytest_llmpref.cassettes.slug import slug
from pytest_llmpref.models.chat import Reply, Request

MOST_PACKINGS = 50
"""Gzip members of a packed file, after which it is written anew. Our choice."""


class Extent(NamedTuple):
    """How much of a cassette's files was read: which packed file, if any, and so many bytes and lines of a journal."""

    packed: tuple[int, ...] | None
    journal: int
    lines: int


NOTHING_READ = Extent(None, 0, 0)


class Cassette:
    """All recorded interactions of one model. Use `Cassette.open`.

    Threads may share a cassette, and processes may append to one at the same time.

    Attributes
    ----------
    model
        The model's name as given to ``--model``.
    packed
        The compressed file, written by `pack`.
    journal
        The file that live runs append to, one line as each interaction completes.
    """

    def __init__(self, folder: Path, model: str) -> None:
        stem = slug(model)
        self.model = model
        self.packed = folder / f"{stem}.jsonl.gz"
        self.journal = folder / f"{stem}.jsonl"
        self._lock_file = folder / f"{stem}.lock"
        self._interactions: dict[str, Interaction] = {}
        self._packed_state: tuple[int, ...] | None = None
        self._in_packed = frozenset[str]()
        self._read = self._lines_read = 0
        self._scrubber: Scrubber | None = None
        self._alone = threading.RLock()

    @classmethod
    def open(cls, folder: Path, model: str) -> Self:
        """Read the cassette of a model; an empty one if nothing was recorded yet.

        A last line of the journal that a crash cut off is moved to ``<journal>.cut``, with a `CassetteWarning`; the
        study asks for it again.

        Raises
        ------
        CassetteError
            If a file is corrupt, truncated, of another version or another model's.
        """
        cassette = cls(folder, model)
        cassette.reload()
        cassette._mend()
        return cassette

    def __len__(self) -> int:
        return len(self._interactions)

    def __contains__(self, key: object) -> bool:
        return key in self._interactions

    def get(self, key: str) -> Reply | None:
        """Return the recorded reply to the request with this key."""
        found = self._interactions.get(key)
        return None if found is None else found.reply

    def interaction(self, key: str) -> Interaction | None:
        """Return all that was recorded of the request with this key."""
        return self._interactions.get(key)

    def interactions(self) -> Iterator[Interaction]:
        """Return the interactions in the order in which their requests were first recorded."""
        return iter(list(self._interactions.values()))

    @property
    def extent(self) -> Extent:
        """How much of the files was read."""
        with self._alone:
            return Extent(self._packed_state, self._read, self._lines_read)

    def lines(self, after: Extent = NOTHING_READ) -> list[Line]:
        """Read the files anew, for all that `interactions` leaves out; in the same order.

        Parameters
        ----------
        after
            An earlier extent, beyond which to read. Where the cassette was packed since, all is read.

        Raises
        ------
        CassetteError
            As `open`.
        """
        with self._alone:
            while True:
                self.reload()
                since = after if after.packed == self._packed_state else NOTHING_READ
                known = since.packed == self._packed_state
                packed = [] if known else decode_packed(Source(self.packed, self.model), Line)
                journal_read = self._journal_read(since.journal)
                # Packed meanwhile: what was read of the journal is the beginning of another one.
                if _state(self.packed) == self._packed_state:
                    break
            recorded = (*packed, *self._decoded(journal_read, since.lines))
            return list({line.key: line for line in recorded}.values())

    @contextlib.contextmanager
    def lock(self) -> Iterator[FileLock]:
        """Wait until no other process runs an experiment of this model, and keep them waiting meanwhile.

        A process that is killed leaves no lock behind.

        Raises
        ------
        CassetteError
            If the folder cannot be written.
        """
        lock = FileLock(self._lock_file)
        try:
            lock.acquire()
        except OSError as error:
            raise CassetteError(
                f"{self._lock_file}: cannot write ({error.strerror}); make the folder writable, or free disk space"
            ) from error
        try:
            yield lock
        finally:
            lock.release()

    def append(
        self, request: Request, reply: Reply, exchange: Exchange | None = None, *, at: datetime | None = None
    ) -> Reply:
        """Record an interaction: scrub it, append its line, and flush. It came now, unless said otherwise.

        Returns
        -------
        Reply
            The reply as recorded, which is what any later replay returns.

        Raises
        ------
        CassetteError
            If the request is another model's, or the journal cannot be written.
        """
        return self._record(request.key, request, reply, exchange, at or datetime.now(UTC)).reply

    def add(self, line: Line) -> None:
        """Record an interaction that was recorded elsewhere before, with its key and its time; see `append`."""
        self._record(line.key, line.request, line.reply, line.exchange, line.at)

    def reload(self) -> int:
        """Read what other processes recorded since, from the tail of the journal only.

        Returns
        -------
        int
            How many requests have a reply now that had none.

        Raises
        ------
        CassetteError
            As `open`.
        """
        with self._alone:
            before = len(self._interactions)
            try:
                self._reread()
            except OSError as error:
                raise CassetteError(f"{error.filename}: cannot read ({error.strerror}); make it readable") from error
            return len(self._interactions) - before

    def pack(self) -> Path:
        """Merge the journal into the compressed file; the same interactions, packed at once, give the same bytes.

        What the file holds stays byte for byte, and the new follows as a gzip member of its own: so version control,
        which keeps each version of a file, keeps only what is new. It is written anew where an interaction was
        recorded again, or after many packings. The file is replaced in one step, and the journal removed only then.

        Returns
        -------
        Path
            The compressed file.

        Raises
        ------
        CassetteError
            As `open`, or if the folder cannot be written.
        """
        with self._alone:
            try:
                self._pack()
            except OSError as error:
                raise CassetteError(
                    f"{self.packed}: cannot write ({error.strerror}); make the folder writable, or free disk space"
                ) from error
        return self.packed

    def _pack(self) -> None:
        self.packed.parent.mkdir(parents=True, exist_ok=True)
        with journal.locked(self.journal, remove=True) as (descriptor, _):
            self.reload()
            self._set_aside(descriptor)
            _replace(self.packed, self._repacked())
            self._packed_state = _state(self.packed)
            self._in_packed = frozenset(self._interactions)
            self._read = self._lines_read = 0

    def _repacked(self) -> bytes:
        before = self.packed.read_bytes() if self._in_packed else b""
        new = {line.key: line for line in self._decoded(self._journal_read())}
        again = not self._in_packed.isdisjoint(new)
        if again or not before or before.count(_HEADER) >= MOST_PACKINGS:
            return _compress(self.lines())
        return before + _compress(new.values()) if new else before

    def _journal_read(self, start: int = 0) -> bytes:
        """Return again what was read of the journal."""
        with contextlib.suppress(FileNotFoundError), self.journal.open("rb") as file:
            file.seek(start)
            return file.read(self._read - start)
        return b""

    def _decoded(self, journal_read: bytes, before: int = 0) -> list[Line]:
        return decode_lines(journal_read, Source(self.journal, self.model, before + 1), Line)

    def _reread(self) -> None:
        while True:
            state = _state(self.packed)
            if state != self._packed_state:
                # Packed since: what was read of the journal is part of it, and a new journal may have begun.
                self._interactions = {}
                self._read = self._lines_read = 0
                if state is not None:
                    self._take(decode_packed(Source(self.packed, self.model), Interaction))
                self._packed_state = state
                self._in_packed = frozenset(self._interactions)
            unread = self._unread()
            if _state(self.packed) == state:
                break
        complete = unread[: unread.rfind(b"\n") + 1]
        if complete:
            source = Source(self.journal, self.model, self._lines_read + 1)
            self._take(decode_lines(complete, source, Interaction))
            self._lines_read += complete.count(b"\n")
            self._read += len(complete)

    def _take(self, recorded: list[Interaction]) -> None:
        for one in recorded:
            self._interactions[one.key] = one

    def _unread(self) -> bytes:
        try:
            with self.journal.open("rb") as file:
                file.seek(self._read)
                return file.read()
        except FileNotFoundError:
            return b""

    def _mend(self) -> None:
        """Set a cut-off last line aside, unless it is one that a living process is writing."""
        if not self._unread():
            return
        try:
            with journal.locked(self.journal) as (descriptor, _):
                self.reload()
                self._set_aside(descriptor)
        except OSError:
            warnings.warn(f"{self.journal}: the last line is cut off, and was left out", CassetteWarning, stacklevel=3)

    def _set_aside(self, descriptor: int) -> None:
        """Set aside what follows the last complete line. The journal is locked, so nobody is still writing it."""
        tail = journal.read_from(descriptor, self._read)
        if not tail:
            return
        moved = journal.set_tail_aside(descriptor, self.journal, tail)
        where = f"was moved to {self.journal.name}.cut" if moved else "was left out"
        warnings.warn(
            f"{self.journal}: the last line is cut off ({len(tail)} bytes, likely of a killed run); it {where}, "
            "and its question will be asked again by the next recording run",
            CassetteWarning,
            stacklevel=4,
        )

    def _record(self, key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime) -> Interaction:
        if request.model != self.model:
            raise CassetteError(
                f"{self.journal}: an interaction of {request.model!r} does not belong into "
                f"the cassette of {self.model!r}; open the cassette of that model"
            )
        with self._alone:
            if self._scrubber is None:
                # Not before: importing litellm may read a .env file into the environment.
                self._scrubber = Scrubber()
            recorded, line = self._scrubber.interaction(key, request, reply, exchange, at)
            try:
                self._append(line + b"\n")
            except OSError as error:
                raise CassetteError(
                    f"{self.journal}: cannot append ({error.strerror}); make the folder writable, or free disk space"
                ) from error
            self._interactions[key] = recorded
        return recorded

    def _append(self, line: bytes) -> None:
        try:
            self._write(line)
        except FileNotFoundError:
            self.journal.parent.mkdir(parents=True, exist_ok=True)
            self._write(line)

    def _write(self, line: bytes) -> None:
        with journal.locked(self.journal) as (descriptor, found):
            size = found
            if size != self._read:
                # Another process wrote; if a crash cut its last line off, this line must not be glued to it.
                self.reload()
                self._set_aside(descriptor)
                size = os.fstat(descriptor).st_size
            written = os.write(descriptor, line)
            if written != len(line):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._read = size + written
            self._lines_read += 1


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _compress(lines: Iterable[Line]) -> bytes:
    buffer = io.BytesIO()
    # Without a name and a time in its header, the file depends on its content alone.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        for line in lines:
            file.write(msgspec.json.encode(line) + b"\n")
    return buffer.getvalue()


_HEADER = _compress([])[:10]
"""With which each gzip member begins."""


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that at any time either the old or the new content is there, whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
