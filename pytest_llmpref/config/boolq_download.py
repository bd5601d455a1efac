"""BoolQ's development set: where it is published, and how it gets into the user's cache folder. Never into a project.

Its authors' own address, a storage bucket that github.com/google-research-datasets/boolean-questions names, answers
with an error since its account was closed (as several projects noted in September and October 2026). What is fetched is
the copy that the authors' organisation publishes on the Hugging Face hub, at a fixed revision. Size and checksum are
those that the hub lists for it and that independent projects have pinned; we could not fetch the file ourselves to
compare, and whoever does is protected by the comparison.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmpref.errors import LLMPrefError

if TYPE_CHECKING:
    import httpx

URL = (
    "https://huggingface.co/datasets/google/boolq/resolve/35b264d03638db9f4ce671b711558bf7ff0f80d5/"
    "data/validation-00000-of-00001.parquet"
)
SHA256 = "52355d11524b4b874a9b9dcc278feb10f672d52c4f4eff9872e695ede59820f8"
BYTES = 1_257_630
QUESTIONS = 3270
LICENCE = (
    "BoolQ (Clark et al. 2019, arXiv 1905.10044), development set, 3,270 questions; passages from Wikipedia. "
    "Creative Commons Attribution-ShareAlike 3.0: https://creativecommons.org/licenses/by-sa/3.0/"
)
TRIES = 5


class DownloadError(LLMPrefError):
    """The file could not be fetched; what arrived is kept, and the next try goes on from there."""


def downloaded_file() -> Path:
    """Return where the development set is, or will be: in the user's cache folder."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - needed by few

    return user_cache_path("pytest-llmpref") / "boolq" / "validation.parquet"


def download(
    target: Path,
    *,
    url: str = URL,
    sha256: str = SHA256,
    tries: int = TRIES,
    pause: float = 1.0,
    say: Callable[[str], object] = print,
) -> Path:
    """Fetch a file, unless it is there and whole, and return its path.

    What arrived before a break is kept beside the target, and asked for no second time (HTTP ranges, RFC 9110 section
    14). The target itself appears at the end, in one step, if the checksum is right.

    Parameters
    ----------
    target
        The file.
    url, sha256
        Where it is, and its checksum in hex.
    tries
        Most connections; a break between them costs no try if new bytes arrived.
    pause
        Seconds before the second connection; doubled for each further one.
    say
        Told in words how it goes.

    Raises
    ------
    DownloadError
        If the server cannot be reached, does not have the file, or sends another one.
    """
    if target.is_file() and _digest(target) == sha256:
        say(f"{target}: is there already, and whole")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    left = tries
    while True:
        before = part.stat().st_size if part.exists() else 0
        problem = _fetch(url, part, say)
        if not problem:
            break
        arrived = (part.stat().st_size if part.exists() else 0) - before
        left -= arrived <= 0
        if left <= 0 or problem.startswith("HTTP 4"):
            kept = f"; {part.stat().st_size:,} bytes are kept for the next try" if part.exists() else ""
            raise DownloadError(f"{url}: {problem}{kept}. Without a network, copy the file to {target} by hand")
        say(f"{problem}; trying again")
        time.sleep(pause)
        pause *= 2
    if (found := _digest(part)) != sha256:
        part.unlink()
        raise DownloadError(
            f"{url}: what arrived has the SHA-256 {found}, not {sha256}; it was deleted. Another file is published "
            "there by now, or something on the way changed it"
        )
    part.replace(target)
    return target


def _fetch(url: str, part: Path, say: Callable[[str], object]) -> str:
    """Append what is missing to a partial file; return what went wrong, or nothing."""
    import httpx  # noqa: PLC0415 - slow to import, and needed by few

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30.0) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return ""  # all of it is there; the checksum tells
            if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
                return f"HTTP {response.status_code} {response.reason_phrase}"
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT and _starts_at(response.headers, have)
            if have:
                say(f"going on after {have:,} bytes" if resumed else "the server cannot go on; starting anew")
            with part.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return ""


def _starts_at(headers: "httpx.Headers", place: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {place}-")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
