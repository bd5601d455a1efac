"""The cassette: all recorded interactions of one model, in a packed file and a journal."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from pytest_llmpref.cassettes import files
from pytest_llmpref.cassettes.decoding import LostNumber, Source, check_decodes, decode_lines, decode_packed
from pytest_llmpref.cassettes.files import Journal, slug
from pytest_llmpref.cassettes.interaction import CassetteError, CassetteWarning, Exchange, Interaction, Line
from pytest_llmpref.cassettes.redaction import Scrubber
from pytest_llmpref.files import explained
from pytest_llmpref.models.chat import Reply, Request, possible

MOST_PACKINGS = 50
"""Gzip members of a packed file, after which it is written anew. Our choice."""

_FIX = "make the folder writable, or free disk space"


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
    lock_file
        The file that `lock` holds; there only as long as somebody holds it, or waits for it.
    design
        Version of the design of questions that what is recorded from now on belongs to.
    """

    def __init__(self, folder: Path, model: str) -> None:
        stem = slug(model)
        self.model = model
        self.packed = folder / f"{stem}.jsonl.gz"
        self.journal = folder / f"{stem}.jsonl"
        self.lock_file = folder / f"{stem}.lock"
        self.design = 1
        self._interactions: dict[str, Interaction] = {}
        self._packed_state: tuple[int, ...] | None = None
        self._in_packed = frozenset[str]()
        self._journal = Journal(self.journal)
        self._lost: dict[str, LostNumber] = {}
        self._told = set[str]()
        self._scrubber: Scrubber | None = None
        self._alone = threading.RLock()

    @classmethod
    def open(cls, folder: Path, model: str) -> Self:
        """Read the cassette of a model; an empty one if nothing was recorded yet.

        Nothing is written. A last line of the journal that a crash cut off is left out, with a `CassetteWarning`, and
        so is one that an earlier release wrote with a number that JSON cannot hold. The study asks for both again;
        whoever writes next moves them to ``<journal>.cut``: `append` the first, `pack` the others.

        Raises
        ------
        CassetteError
            If a file is corrupt, truncated, of another version or another model's, or is a link.
        """
        cassette = cls(folder, model)
        cassette.reload()
        if cassette._journal.tail:
            # Unless a living process was just writing it.
            with contextlib.suppress(OSError), files.settled(cassette.journal):
                cassette.reload()
        if cassette._journal.tail:
            warnings.warn(
                f"{cassette.journal}: the last line is cut off ({cassette._journal.tail} bytes, likely of a killed "
                "run); it was left out, and its question will be asked again by the next recording run",
                CassetteWarning,
                stacklevel=2,
            )
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
    def designs(self) -> frozenset[int]:
        """Versions of the design of questions that recorded interactions belong to."""
        return frozenset(one.design for one in self._interactions.values())

    @property
    def extent(self) -> Extent:
        """How much of the files was read."""
        with self._alone:
            return Extent(self._packed_state, self._journal.read, self._journal.lines)

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
                packed = [] if known else decode_packed(Source(self.packed, self.model), Line, [])
                journal_read = self._journal.again(since.journal)
                # Packed meanwhile: what was read of the journal is the beginning of another one.
                if files.state(self.packed) == self._packed_state:
                    break
            recorded = (*packed, *self._decoded(journal_read, since.lines))
            return list({line.key: line for line in recorded}.values())

    @contextlib.contextmanager
    def lock(self) -> Iterator[Self]:
        """Wait until no other process runs an experiment of this model, and keep them waiting meanwhile.

        A process that is killed leaves no lock behind, only an empty file, which the next one removes. The file goes
        while it is still locked, and `files.locked` starts again where it has locked a file that is gone: so whoever
        waited for the old file, and whoever made a new one since, never both go on.

        Raises
        ------
        CassetteError
            If the folder cannot be written.
        """
        with contextlib.ExitStack() as held:
            try:
                self.lock_file.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(files.locked(self.lock_file))
            except OSError as error:
                raise CassetteError(explained(error, "write", _FIX)) from error
            try:
                yield self
            finally:
                # Windows removes no file that is open.
                with contextlib.suppress(OSError):
                    self.lock_file.unlink()

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
            If the request is another model's, the reply is none that could be read again, or the journal cannot be
            written.
        """
        return self._record(request.key, request, reply, exchange, at or datetime.now(UTC), self.design).reply

    def add(self, line: Line) -> None:
        """Record an interaction that was recorded elsewhere before, with its key and its time; see `append`."""
        self._record(line.key, line.request, line.reply, line.exchange, line.at, line.design)

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
                raise CassetteError(explained(error, "read", "make it readable")) from error
            self._tell_of_lost()
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
                error.filename = error.filename or str(self.packed)
                raise CassetteError(explained(error, "write", _FIX)) from error
        return self.packed

    def _pack(self) -> None:
        self.packed.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(self.journal, remove=True) as (descriptor, _):
            self.reload()
            self._journal.set_tail_aside(descriptor)
            files.replace(self.packed, self._repacked())
            self._packed_state = files.state(self.packed)
            self._in_packed = frozenset(self._interactions)
            self._journal.forget()

    def _repacked(self) -> bytes:
        before = files.read(self.packed) if self._in_packed else b""
        lost = list[LostNumber]()
        new = {line.key: line for line in self._decoded(self._journal.again(), lost=lost)}
        again = not self._in_packed.isdisjoint(new)
        if again or not before or files.packings(before) >= MOST_PACKINGS:
            if self._packed_state is not None:
                decode_packed(Source(self.packed, self.model), Interaction, lost)
            content = files.compressed(self.lines())
        else:
            content = before + files.compressed(new.values()) if new else before
        # What will be in the file no longer was paid for all the same.
        for one in lost:
            files.set_aside(self.journal, one.line)
        return content

    def _decoded(self, journal_read: bytes, before: int = 0, *, lost: list[LostNumber] | None = None) -> list[Line]:
        source = Source(self.journal, self.model, before + 1)
        return decode_lines(journal_read, source, Line, [] if lost is None else lost)

    def _reread(self) -> None:
        while True:
            state = files.state(self.packed)
            if state != self._packed_state:
                # Packed since: what was read of the journal is part of it, and a new journal may have begun.
                self._interactions = {}
                self._journal.forget()
                if state is not None:
                    lost = list[LostNumber]()
                    self._take(decode_packed(Source(self.packed, self.model), Interaction, lost), lost)
                self._packed_state = state
                self._in_packed = frozenset(self._interactions)
            unread = self._journal.unread()
            if files.state(self.packed) == state:
                break
        if unread:
            source = Source(self.journal, self.model, self._journal.lines + 1)
            lost = []
            self._take(decode_lines(unread, source, Interaction, lost), lost)
            self._journal.count(unread)

    def _take(self, recorded: list[Interaction], lost: list[LostNumber]) -> None:
        for one in recorded:
            self._interactions[one.key] = one
        self._lost |= {one.key: one for one in lost}

    def _tell_of_lost(self) -> None:
        """Warn, once, of lines that were left out and whose questions have no other reply."""
        for key in [key for key in self._lost if key in self._interactions]:
            del self._lost[key]
        for key, one in self._lost.items():
            if key not in self._told:
                self._told.add(key)
                warnings.warn(one.said, CassetteWarning, stacklevel=3)

    def _record(
        self, key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime, design: int
    ) -> Interaction:
        if request.model != self.model:
            raise CassetteError(
                f"{self.journal}: an interaction of {request.model!r} does not belong into "
                f"the cassette of {self.model!r}; open the cassette of that model"
            )
        with self._alone:
            recorded, line = self._readable(key, request, reply, exchange, at, design)
            try:
                self._journal.append(line, self.reload)
            except OSError as error:
                error.filename = error.filename or str(self.journal)
                raise CassetteError(explained(error, "append", _FIX)) from error
            self._interactions[key] = recorded
        return recorded

    def _readable(
        self, key: str, request: Request, reply: Reply, exchange: Exchange | None, at: datetime, design: int
    ) -> tuple[Interaction, bytes]:
        """Return an interaction as any later run will read it, and its line. What cannot be is taken out."""
        if self._scrubber is None:
            # Not before: importing litellm may read a .env file into the environment.
            self._scrubber = Scrubber()
        for made_readable in (lambda one: one, possible):
            try:
                line = self._scrubber.interaction(key, request, made_readable(reply), exchange, at, design)[1]
                return check_decodes(line, self.model), line
            except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
                wrong = error
        raise CassetteError(
            f"{self.journal}: the reply to key {key} could never be read again, so it was not recorded ({wrong}); "
            "report it to whoever made the model's adapter"
        ) from wrong
