"""Export to, and import from, the YAML cassettes of vcrpy."""

import base64
import binascii
import io
import os
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import msgspec
import yaml

from pytest_llmpref.cassettes.decoding import fault
from pytest_llmpref.cassettes.interaction import (
    FORMAT,
    CassetteError,
    CassetteWarning,
    Exchange,
    Headers,
    Line,
    WireRequest,
    WireResponse,
)
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.files import explained, open_descriptor, open_given
from pytest_llmpref.models.chat import Reply, Request

# libyaml where PyYAML was built with it: 10 times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_DEEPEST = 50
"""Levels of nesting; a cassette has ten."""
_MOST_BYTES = 100_000_000
"""Bytes of one body, once decompressed."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a YAML file: its line from 1, its field, the field in which that stands, and what it says."""

    line: int
    name: str
    within: str
    text: str


class _Recorded(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a cassette holds beside the exchange. Stands inside vcrpy's response, which vcrpy keeps as it finds it."""

    key: str
    request: Request
    reply: Reply
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    design: int = 1


class _Request(msgspec.Struct, frozen=True):
    method: str
    uri: str
    headers: Headers
    body: str | None = None


class _Status(msgspec.Struct, frozen=True):
    code: int
    message: str | None = None


class _Body(msgspec.Struct, frozen=True):
    string: str | None = None


class _Response(msgspec.Struct, frozen=True):
    status: _Status
    headers: Headers
    body: _Body
    llmpref: _Recorded


class _Entry(msgspec.Struct, frozen=True):
    request: _Request
    response: _Response


def export_vcr_yaml(cassette: Cassette, path: Path) -> int:
    """Write the interactions that went over HTTP as a cassette that plain vcrpy replays.

    All requests of a model go to one URL, so replay it with ``match_on`` including ``body``.

    Returns
    -------
    int
        How many interactions were written. Those of models that answer in-process have no HTTP and are left out, with
        a `CassetteWarning`.

    Raises
    ------
    CassetteError
        If the file cannot be written.
    """
    entries, without = [], 0
    for line in cassette.lines():
        exchange = line.exchange
        if exchange is None:
            without += 1
        else:
            entries.append(msgspec.to_builtins(_entry(line, exchange)))
    if without:
        warnings.warn(
            f"{path}: {without} of {len(cassette)} interactions of {cassette.model} have no HTTP and were left out",
            CassetteWarning,
            stacklevel=2,
        )
    try:
        descriptor = open_descriptor(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            yaml.dump({"interactions": entries, "version": 1}, file, Dumper=_Dumper, allow_unicode=True)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise CassetteError(explained(error, "write", "choose another path")) from error
    return len(entries)


def import_vcr_yaml(path: Path, cassette: Cassette) -> int:
    """Append the interactions of a file that `export_vcr_yaml` wrote, and that vcrpy may have rewritten since.

    Returns
    -------
    int
        How many interactions were read.

    Raises
    ------
    CassetteError
        If the file is not such a file, or its interactions are another model's. Nothing is appended then.
    """
    lines = [_line(entry, path, number, cassette.model) for number, entry in enumerate(_entries(path))]
    for line in lines:
        cassette.add(line)
    return len(lines)


def texts(path: Path) -> Iterator[Text]:
    """Yield every text of a YAML file, of whatever form, with compressed bodies read.

    Raises
    ------
    CassetteError
        If the file cannot be read, is no YAML, or holds a body that is not text.
    """
    try:
        with io.TextIOWrapper(open_given(path), encoding="utf-8") as file:
            _check_depth(file, path)
            file.seek(0)
            yield from _texts(yaml.parse(file, Loader=_Loader), path)
    except OSError as error:
        raise CassetteError(f"{path}: cannot read ({error.strerror}); make it readable") from error
    except (yaml.YAMLError, ValueError) as error:
        where = " ".join(str(error).split())
        raise CassetteError(f"{path}: not YAML ({where}); restore it from version control, or record again") from error


def _texts(events: Iterator[Any], path: Path) -> Iterator[Text]:
    """Yield the scalars of parsed YAML; nothing is made of them, so no tag and no alias can do harm."""
    open_ones = [_Open(is_mapping=False)]
    for event in events:
        inside = open_ones[-1]
        if isinstance(event, yaml.CollectionEndEvent):
            open_ones.pop()
        elif isinstance(event, yaml.NodeEvent):
            is_name = inside.is_mapping and inside.name_is_next
            inside.name_is_next = not inside.name_is_next
            if isinstance(event, yaml.ScalarEvent):
                if is_name:
                    inside.name = str(event.value)
                yield Text(_line_of(event), "" if is_name else inside.name, inside.within, _said(event, path))
            elif isinstance(event, yaml.MappingStartEvent):
                open_ones.append(_Open(is_mapping=True, within=inside.name))
            elif isinstance(event, yaml.SequenceStartEvent):
                # The values of a list belong to the field of the list.
                open_ones.append(_Open(is_mapping=False, name=inside.name, within=inside.within))


def _line_of(event: Any) -> int:  # noqa: ANN401 - an event of PyYAML
    return int(event.start_mark.line) + 1


@dataclass(slots=True)
class _Open:
    """A collection whose end is still to come."""

    is_mapping: bool
    name: str = ""
    within: str = ""
    name_is_next: bool = True


def _said(event: Any, path: Path) -> str:  # noqa: ANN401 - a scalar of PyYAML
    text = str(event.value)
    if event.tag != "tag:yaml.org,2002:binary":
        return text
    where = f"{path}: line {_line_of(event)}"
    try:
        content = base64.b64decode(text)
        if content.startswith(b"\x1f\x8b"):
            content = _unzipped(content, where)
        return content.decode()
    except (binascii.Error, UnicodeDecodeError, zlib.error):
        raise CassetteError(
            f"{where}: a body that is not text, and so was not searched; record with vcrpy's "
            "decode_compressed_response, or leave such bodies out"
        ) from None


def _unzipped(content: bytes, where: str) -> bytes:
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    found = unzip.decompress(content, _MOST_BYTES)
    if not unzip.eof and not unzip.unconsumed_tail:
        raise zlib.error("cut off")
    if unzip.unconsumed_tail:
        raise CassetteError(f"{where}: a body of more than {_MOST_BYTES:,} bytes, too long to search")
    return found


def _entry(line: Line, exchange: Exchange) -> _Entry:
    sent, received = exchange.request, exchange.response
    return _Entry(
        _Request(sent.method, sent.uri, sent.headers, sent.body),
        _Response(
            _Status(received.status, received.message),
            received.headers,
            _Body(received.body),
            _Recorded(line.key, line.request, line.reply, line.at, line.design),
        ),
    )


def _entries(path: Path) -> list[object]:
    try:
        with io.TextIOWrapper(open_given(path), encoding="utf-8") as file:
            _check_depth(file, path)
            file.seek(0)
            content = yaml.load(file, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    except OSError as error:
        raise CassetteError(f"{path}: cannot read ({error.strerror}); give the path of a vcrpy cassette") from error
    except (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        # PyYAML lets slip what its constructors of dates, numbers and truth values raise.
        raise CassetteError(f"{path}: not YAML ({error}); export it again with: llmpref cassettes export") from error
    entries = content.get("interactions") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise CassetteError(f"{path}: no list of interactions; give a vcrpy cassette in YAML")
    return entries


def _check_depth(file: TextIO, path: Path) -> None:
    """Turn away what is nested deeper than any cassette: libyaml would crash the process with its stack."""
    depth = 0
    for event in yaml.parse(file, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise CassetteError(f"{path}: nested more than {_DEEPEST} deep; give a vcrpy cassette in YAML")


def _line(entry: object, path: Path, number: int, model: str) -> Line:
    where = f"{path}: interactions[{number}]"
    try:
        found = msgspec.convert(entry, _Entry)
    except msgspec.ValidationError as error:
        raise CassetteError(
            f"{where}: {error}; only files that pytest-llmpref exported can be imported, since others do not say "
            "which question a response answers"
        ) from error
    sent, received, recorded = found.request, found.response, found.response.llmpref
    try:
        request = WireRequest(sent.method, sent.uri, sent.headers, sent.body or "")
    except ValueError as error:
        raise CassetteError(f"{where}.request.uri: {error}; give the address that was asked") from error
    status, body = received.status, received.body.string or ""
    exchange = Exchange(request, WireResponse(status.code, status.message or "", received.headers, body))
    http = msgspec.Raw(msgspec.json.encode(exchange))
    line = Line(FORMAT, recorded.key, recorded.request, recorded.reply, http, recorded.at, recorded.design)
    wrong = fault(line, model)
    if wrong is not None:
        raise CassetteError(f"{where}: {wrong}; export the file again from the cassette of {model}")
    return line
