"""The JSON Schema of results.json, generated from its definition.

``python -m pytest_llmpref.results.json_schema`` writes the published file anew.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmpref.results import comparison_record, diagnostics, import_record, labels_record, measure_record, schema
from pytest_llmpref.results.diagnostics import Diagnostics
from pytest_llmpref.results.measure_record import TrialColumns
from pytest_llmpref.results.schema import SCHEMA, Results

SCHEMA_FILE = Path(__file__).with_name("results.schema.json")
"""The JSON Schema that is published."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of results.json; the structs' docstrings are its descriptions.

    Examples
    --------
    >>> json_schema()["required"]
    ['schema', 'run', 'models']
    >>> json_schema()["$defs"]["ClaimRecord"]["properties"]["bound"]
    {'type': 'number', 'description': 'The threshold with which the estimate is compared.'}
    """
    # Nothing refers to the last two by type: in the definition, diagnostics and trials are open tables.
    kinds = (Results, Diagnostics, TrialColumns)
    _, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for kind in _structs():
        if kind.__name__ in components:
            _describe(components[kind.__name__], kind)
    _put_null_last(components)
    whole = components.pop(Results.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-llmpref:results:{SCHEMA}",
        **whole,
        "title": f"results.json of pytest-llmpref, schema {SCHEMA}",
        "description": f"{whole['description']} Within a schema version, keys are only ever added.",
        "$defs": dict(sorted(components.items())),
    }


def schema_text() -> str:
    """Return what `SCHEMA_FILE` holds."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _structs() -> Iterator[type[msgspec.Struct]]:
    for module in (schema, measure_record, diagnostics, labels_record, comparison_record, import_record):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__:
                yield kind


def _describe(component: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Give a component the descriptions of a struct and of its fields."""
    component["description"] = " ".join(_sections(kind)[0].split())
    said = field_descriptions(kind)
    for field in msgspec.structs.fields(kind):
        described = component["properties"][field.encode_name]
        # What an empty default says, the absence of the field says too.
        if "default" in described and not described["default"]:
            del described["default"]
        described["description"] = said[field.name]


def _put_null_last(part: object) -> None:
    """Put null last among alternatives, where releases of msgspec differ."""
    if isinstance(part, dict):
        if "anyOf" in part:
            part["anyOf"].sort(key={"type": "null"}.__eq__)
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            _put_null_last(one)


def field_descriptions(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstrings of a struct, and of those that it extends, say of its fields.

    Examples
    --------
    >>> field_descriptions(schema.EntityRecord)
    {'name': 'Name in the questions.', 'group': 'Group of the entity.'}
    """
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        if issubclass(part, msgspec.Struct) and part is not msgspec.Struct:
            for names, text in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?)+)", _sections(part)[1], re.MULTILINE):
                found |= dict.fromkeys(names.split(", "), " ".join(text.replace("``", "").split()))
    return found


def _sections(kind: type[msgspec.Struct]) -> tuple[str, str]:
    """Return what a docstring says of the whole, and its section of attributes."""
    whole, _, attributes = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes\n----------\n")
    return whole, attributes


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8", newline="\n")
