"""Entity sets written as TOML and CSV."""

import csv
import io
import json
from pathlib import Path


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def toml_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_toml(rows: list[dict[str, str]]) -> str:
    tables = ("\n".join(["[[entities]]", *(f"{key} = {toml_string(row[key])}" for key in row)]) for row in rows)
    return "\n\n".join(tables)


def as_csv(rows: list[dict[str, str]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
