"""Files of the user's, read as the types that they should hold; what is wrong with one is said by field, with its fix.

A type is a dataclass whose annotations say what each field may be: a ``Literal``, or an ``Annotated`` type with
`msgspec.Meta`, whose description replaces the words that are made from its limits.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given

MOST_SHOWN = 20
"""Problems of one file that are shown."""
ALL = "all"
"""What files write for ``None``, which TOML lacks, where a field may be it."""
_LONGEST_SHOWN = 60


class UserFileError(LLMPrefError):
    """A file of the user's cannot be used; lists what is wrong with it, where, and how to mend it.

    Attributes
    ----------
    source
        The file, or the option that names none.
    problems
        All that is wrong with it, a line each: "field: what is wrong; fix". The message shows the first 20.
    """

    def __init__(self, source: Path | str, problems: Sequence[str]) -> None:
        # The arguments are kept as they came, so that the error survives pickling between pytest-xdist workers.
        super().__init__(source, problems)
        self.source = source
        self.problems = tuple(problems)

    def __str__(self) -> str:
        where, (first, *others) = on_one_line(str(self.source)), map(on_one_line, self.problems)
        if not others:
            return f"{where}: {first}"
        lines = [f"{where}: {len(self.problems)} problems:", *(f"  {one}" for one in (first, *others)[:MOST_SHOWN])]
        more = len(self.problems) - MOST_SHOWN
        return "\n".join([*lines, f"  ... and {more} more"] if more > 0 else lines)


def read_bytes(path: Path, error: type[UserFileError], most: int, fix: str = "check its path and permissions") -> bytes:
    """Read a file of at most so many bytes. A device, from which reading never ends, is refused.

    Raises
    ------
    UserFileError
        Of the given type, if it cannot be read, or is larger.
    """
    try:
        with open_given(path) as file:
            data = file.read(most + 1)
    except IsADirectoryError:
        raise error(path, ["is a folder; give the path of a file in it"]) from None
    except (OSError, ValueError) as problem:  # a path with a NUL is a ValueError
        why = getattr(problem, "strerror", None) or problem
        raise error(path, [f"cannot be read ({why}); {fix}"]) from problem
    if len(data) > most:
        raise error(path, [f"has more than {most:,} bytes, too many for such a file; check its path"])
    return data


def decoded(path: Path, error: type[UserFileError], data: bytes) -> str:
    """Return the text of a file, as `parse_toml` reads it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise error(path, [f"line {line} is not UTF-8; save the file with the encoding UTF-8"]) from problem


def parse_toml(path: Path, error: type[UserFileError], data: bytes) -> dict[str, Any]:
    """Return the top table of a TOML file.

    Raises
    ------
    UserFileError
        Of the given type, if it is none.
    """
    text = decoded(path, error, data)
    try:
        return tomllib.loads(text)
    except RecursionError as problem:
        raise error(path, ["is nested too deeply; no file of its kind needs that"]) from problem
    except ValueError as problem:  # TOMLDecodeError, and what the conversion of an overlong number raises
        why = str(problem).replace("at end of document", f"at line {len(text.splitlines())}, the end")
        raise error(path, [f"is not valid TOML: {why}; fix it there"]) from problem


def fitted(
    table: object, kind: type, *, apart: Sequence[str] = (), others: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Convert all fields of a table to the fields of a dataclass, even if some are wrong.

    Parameters
    ----------
    table
        What a file holds: TOML, JSON, or a row of a table.
    kind
        The dataclass. Fields with a default may be left out; tables within are dataclasses or dicts.
    apart
        Fields that are none of the file's.
    others
        Whether the table may have more fields, which do not matter.

    Returns
    -------
    The values that fit, by field; and by field what is wrong with it, and the fix.
    """
    wanted = {name: hint for name, hint in _wanted(kind).items() if name not in apart}
    keys = ", ".join(wanted)
    if not isinstance(table, Mapping):
        return {}, {"": f"is {shown(table)}; write a table with the keys {keys}"}
    values, problems = dict[str, Any](), dict[str, str]()
    if not others:
        problems |= dict.fromkeys(sorted(table.keys() - wanted.keys()), f"unknown key; the keys are {keys}")
    for name, (hint, is_needed) in wanted.items():
        if name not in table:
            if is_needed:
                problems[name] = f"missing; write {allowed(hint)}"
            continue
        fit, wrong = _converted(table[name], hint)
        if wrong:
            problems |= {f"{name}.{below}" if below else name: said for below, said in wrong.items()}
        else:
            values[name] = fit
    return values, problems


def _converted(value: object, hint: Any) -> tuple[Any, dict[str, str]]:  # noqa: ANN401 - an annotation
    """Return a value as its type, and what is wrong with it, by the field below it; its own problem has no field."""
    kind = next((one for one in get_args(hint) if one is not NoneType), hint) if NoneType in get_args(hint) else hint
    if is_dataclass(kind):
        values, problems = fitted(value, cast("type", kind))
        return None if problems else cast("type", kind)(**values), problems
    if get_origin(kind) is dict and isinstance(value, Mapping):
        names, each = get_args(kind)
        found, problems = dict[Any, Any](), dict[str, str]()
        for name, below in value.items():
            found[name], wrong = _converted(below, each)
            if _converted(name, names)[1]:
                wrong = {"": f"unknown key; write {allowed(names)}"}
            problems |= {f"{name}.{field}" if field else name: said for field, said in wrong.items()}
        return found, problems
    try:
        fit = msgspec.convert(None if value == ALL and kind is not hint else value, hint)
    except msgspec.ValidationError:
        return None, {"": misfit(value, hint)}
    # TOML has infinities and a NaN, and nothing of ours may be one.
    return fit, {"": misfit(value, hint)} if isinstance(fit, float) and not math.isfinite(fit) else {}


def listed(problems: Mapping[str, str], place: str = "") -> list[str]:
    """Return problems by field as lines: "place: field: problem; fix"."""
    return [": ".join(filter(None, (place, shown(field, quoted=False), said))) for field, said in problems.items()]


def misfit(value: object, hint: Any) -> str:  # noqa: ANN401 - an annotation
    """Say what is wrong with a value that its type does not allow, and what it may be."""
    kind = msgspec.inspect.type_info(hint)
    while isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    quotes = ""
    if isinstance(kind, msgspec.inspect.StrType):
        if not isinstance(value, str):
            quotes = ", in quotes"
        elif kind.max_length is not None and len(value) > kind.max_length:
            return f"has {len(value):,} characters; shorten it to at most {kind.max_length:,}"
    return f"is {shown(value)}; write {allowed(hint)}{quotes}"


def allowed(hint: Any) -> str:  # noqa: ANN401 - an annotation
    """Say in words what a type allows."""
    return _said(msgspec.inspect.type_info(hint))


def shown(value: object, *, quoted: bool = True) -> str:
    """Return a value of a file for a message, which it can neither forge nor flood."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    try:
        text = str(value)
    except ValueError:  # a number of thousands of digits, which TOML can write in hex
        return "a number of thousands of digits"
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
    return ascii(text) if quoted and isinstance(value, str) else ascii(text)[1:-1]


@cache
def _wanted(kind: type) -> dict[str, tuple[Any, bool]]:
    """Return the fields of a dataclass: what each may be, and whether it is needed."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        one.name: (hints[one.name], one.default is MISSING and one.default_factory is MISSING) for one in fields(kind)
    }


def _said(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.Metadata():
            return str((kind.extra_json_schema or {}).get("description") or _said(kind.type))
        case msgspec.inspect.UnionType():
            return " or ".join(map(_said, kind.types))
        case msgspec.inspect.LiteralType():
            return f"one of {', '.join(str(value) for value in kind.values if value != '')}"
        case msgspec.inspect.NoneType():
            return f'"{ALL}"'
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return _limits("a whole number" if isinstance(kind, msgspec.inspect.IntType) else "a number", kind)
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.StrType():
            return "a text"
    return "a list" if isinstance(kind, msgspec.inspect.ListType) else "a table"


def _limits(what: str, kind: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    lowest = "of at least" if kind.le is None else "from"
    words = {"above": kind.gt, lowest: kind.ge, "to": kind.le, "and below": kind.lt}
    return " ".join([what, *(f"{word} {limit:,.10g}" for word, limit in words.items() if limit is not None)])
