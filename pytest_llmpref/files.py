"""Files: the data that travels with the package, and those of others, such as a pull request.

In folders that may come from somebody else, files are opened without following links.

A pull request can also bring a link in place of the folder. So no part of a folder's path below the project may be a
link. What leads to the project, and to folders elsewhere that the user names, is the user's own, and is followed.

Systems without ``O_NOFOLLOW`` (Windows) look before they open instead, which leaves a moment in between.
"""

import errno
import os
import stat
from itertools import dropwhile, islice
from pathlib import Path
from typing import BinaryIO

from pytest_llmpref.errors import LLMPrefError

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
# Opening a pipe must not wait for its other end; and no system may translate line ends.
_ALWAYS = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISLNK, "a symbolic link; links among recordings and reports are never followed"),
    (stat.S_ISDIR, "a folder, not a file"),
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
)


PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """Return the folder ``fixtures`` or ``suites``, from the wheel or from a source checkout.

    Raises
    ------
    FileNotFoundError
        If neither the installed package nor the checkout around it holds the folder.
    """
    for root in (PACKAGE / "_data", PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"pytest-llmpref is installed without its {name!r} data; reinstall the package")


class NotAFileError(OSError):
    """A link, a folder or a device stands where a file should be."""


class LinkedFolderError(LLMPrefError):
    """A folder of recordings or reports is reached by a link that a pull request can bring."""


def explained(error: OSError, doing: str, fix: str) -> str:
    """Say which file could not be opened, why, and what to do about it."""
    if isinstance(error, NotAFileError):
        return f"{error.filename}: {error.strerror}; remove it, or put the file itself there"
    return f"{error.filename}: cannot {doing} ({error.strerror}); {fix}"


def refuse_others(path: Path) -> os.stat_result | None:
    """Return the status of a file, ``None`` if there is none.

    Raises
    ------
    NotAFileError
        If it is a link, a folder, or anything else that is no regular file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise _misfit(path, status.st_mode)
    return status


def refuse_links_below(project: Path, *folders: Path) -> None:
    """Make sure that no part of a folder's path is a link, from the project on; elsewhere, links are the user's own.

    Raises
    ------
    LinkedFolderError
        If one is. The message names the link, where it leads, and what to do.
    """
    for folder in folders:
        ways = dropwhile(lambda way: not _is_same(way, project), [*reversed(folder.parents), folder])
        link = next((way for way in islice(ways, 1, None) if way.is_symlink()), None)
        if link is not None:
            raise LinkedFolderError(
                f"{link}: a symbolic link to {link.readlink()}, and links inside the project are not followed, as a "
                "pull request can bring one; put the folder itself there, or give its absolute path: "
                f"{os.path.realpath(folder)}"
            )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def refuse_linked_folder(path: Path) -> None:
    """Make sure that a folder is not a link.

    Raises
    ------
    NotAFileError
        If it is one.
    """
    if path.is_symlink():
        raise _misfit(path, stat.S_IFLNK)


def open_descriptor(path: Path, flags: int) -> int:
    """Open a regular file with the flags of ``os.open``, and return its descriptor.

    Raises
    ------
    NotAFileError
        If it is no regular file.
    OSError
        If it cannot be opened.
    """
    if not _NO_FOLLOW:
        refuse_others(path)
    try:
        descriptor = os.open(path, flags | _ALWAYS, 0o644)
    except OSError as error:
        if error.errno != errno.ENOENT:
            refuse_others(path)
        raise
    found = os.fstat(descriptor).st_mode
    if stat.S_ISREG(found):
        return descriptor
    os.close(descriptor)
    raise _misfit(path, found)


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises what `open_descriptor` does."""
    return os.fdopen(open_descriptor(path, os.O_RDONLY), "rb")


def open_given(path: Path, *, pipes: bool = False) -> BinaryIO:
    """Open a file of the user's for reading, following links. A device, from which reading never ends, is refused.

    Parameters
    ----------
    path
        The file.
    pipes
        Whether it may be a pipe, such as a shell makes of ``<(command)``.

    Raises
    ------
    IsADirectoryError, NotAFileError
        If it is a folder, or no file.
    OSError
        If it cannot be opened.
    """
    if pipes and path.is_fifo():
        return path.open("rb")
    descriptor = os.open(path, os.O_RDONLY | _ALWAYS & ~_NO_FOLLOW)
    found = os.fstat(descriptor).st_mode
    if stat.S_ISREG(found):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise _misfit(path, found)


def append(path: Path, content: bytes) -> None:
    """Append to a regular file, which is made if it is not there; raises what `open_descriptor` does."""
    with os.fdopen(open_descriptor(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY), "ab") as file:
        file.write(content)


def write_whole(path: Path, content: bytes, draft: str, *, durable: bool = False) -> None:
    """Write a file so that at any time either the old or the new content is there, whole.

    Parameters
    ----------
    path, content
        The file, and what it will hold.
    draft
        Name of the file beside it that is written first. It is gone afterwards, whatever happens.
    durable
        Whether the content must be on the disk before the old one goes.

    Raises
    ------
    NotAFileError
        If the file or its draft is no regular file; nothing is written then.
    OSError
        If the file cannot be written. It names the file, not its draft.
    """
    refuse_others(path)
    unfinished = path.with_name(draft)
    descriptor = open_descriptor(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        # What is said of a write or of a draft means the file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _misfit(path: Path, mode: int) -> NotAFileError:
    what = next((said for fits, said in _KINDS if fits(mode)), "no regular file")
    return NotAFileError(errno.ELOOP if stat.S_ISLNK(mode) else errno.EINVAL, what, str(path))
