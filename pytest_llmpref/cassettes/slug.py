"""The file name of a model's cassette."""

import hashlib
import re

from pytest_llmpref.cassettes.errors import CassetteError

_PART = r"[a-z0-9](?:[a-z0-9._]|-(?!-|/|$))*"
_PLAIN = re.compile(rf"(?!.*\.jsonl$){_PART}(?:/{_PART})*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
# Windows takes these for devices in any folder, whatever follows a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_LONGEST = 100


def slug(model: str) -> str:
    """Return a file name stem for a model's name: safe in any folder, and different for different names.

    A plain name (lower case, no doubled hyphen) only has its slashes turned into ``--``. Any other keeps what is
    legible and ends in ``~`` and a hash, so that neither ``a/b`` and ``a--b`` nor, on a file system that does not tell
    capitals, ``GPT-4`` and ``gpt-4`` share a file. No stem names a device of Windows, such as ``con``.

    Raises
    ------
    CassetteError
        If the name is empty.

    Examples
    --------
    >>> slug("local/gemma-3-270m")
    'local--gemma-3-270m'
    """
    if not model.strip():
        raise CassetteError("a model needs a name to have a cassette: give --model a name that is not empty")
    if len(model) <= _LONGEST and _PLAIN.fullmatch(model) and not _DEVICE.match(model):
        return model.replace("/", "--")
    legible = _UNSAFE.sub("-", model.replace("/", "--")).strip("-.")[:_LONGEST]
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if _DEVICE.match(legible):
        legible = f"model-{legible}"
    return f"{legible or 'model'}~{digest}"
