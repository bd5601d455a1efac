"""Claims whose verdicts differ between two runs of the same recordings.

``python tests/support/reader_verdicts.py EARLIER/latest/results.json TODAY/latest/results.json`` prints them. The
earlier run reads as an earlier commit did: ``LLMPREF_READER=544736d^ PYTHONPATH=tests/support pytest suites --model
NAME -p earlier_reader --report-dir EARLIER``.
"""

import json
import sys
from pathlib import Path
from typing import Any


def claims(path: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the claims of a results file, by model, test and place among the claims of that test."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for model, record in json.loads(path.read_text(encoding="utf-8"))["models"].items():
        for claim in record["claims"]:
            number = sum(key[:2] == (model, claim["nodeid"]) for key in found)
            found[model, claim["nodeid"], str(number)] = claim
    return found


def changed(earlier: Path, today: Path) -> list[str]:
    """Return a row of Markdown for each claim whose verdict differs."""
    then, now = claims(earlier), claims(today)
    rows = []
    for key in sorted(then.keys() | now.keys()):
        was, is_ = (found.get(key, {}).get("verdict", "not made") for found in (then, now))
        if was != is_:
            rows.append(f"| {key[0]} | `{key[1].split('::')[-1]}` | {was} | {is_} |")
    return rows


if __name__ == "__main__":
    print("| model | claim | earlier | today |", "|---|---|---|---|", sep="\n")
    print(*changed(Path(sys.argv[1]), Path(sys.argv[2])), sep="\n")
