"""Where in a results file something is wrong."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pytest_llmpref.errors import LLMPrefError

FIX = "use the file as the run wrote it, or run pytest again to write a new one"


class ResultsFileError(LLMPrefError):
    """A results file that cannot be used; the message names the file, the field and the fix."""


class Place:
    """A place in a file, which errors name: ``models."sim/plain".measures.refusal.trials.key``."""

    def __init__(self, source: str, *path: str, fix: str = FIX) -> None:
        self._source, self._path, self._fix = source, path, fix

    def inside(self, *names: str) -> "Place":
        """Return a place inside this one."""
        return Place(self._source, *self._path, *names, fix=self._fix)

    def error(self, what: str, *names: str) -> ResultsFileError:
        """Return an error about a field inside this place."""
        shown = (name if re.fullmatch(r"[\w\[\]]+", name) else f'"{name}"' for name in (*self._path, *names))
        field = ".".join(shown).replace(".[", "[")
        return ResultsFileError(f"{self._source}: field {field}: {what}; {self._fix}")

    def convert(self, value: Any, kind: Any, *names: str) -> Any:  # noqa: ANN401 - the type that is asked for
        """Check a value against a type."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at ")
            deeper = [part for part in where.strip("`$").split(".") if part]
            raise self.error(what, *names, *deeper) from None

    def table(self, record: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return a field that must hold an object."""
        found = record.get(name)
        if not isinstance(found, dict):
            what = "it is missing" if found is None else f"an object is needed, not {type(found).__name__}"
            raise self.error(what, name)
        return found
