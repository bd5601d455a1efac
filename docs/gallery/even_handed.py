"""Print the gallery's table, and draw its chart, from two results.json: outcomes as given, and as our reader reads.

``python docs/gallery/even_handed.py given/latest/results.json rules/latest/results.json``
"""

import json
import sys
from pathlib import Path
from typing import Any

import vl_convert

READERS = ("the judge's labels", "our reader")
COLOURS = {"supported": "#2a7f3f", "refuted": "#b3261e", "inconclusive": "#8a6d00", "invalid": "#666666"}
CHART = Path(__file__).with_name("even-handed.svg")


def main(given: str, rules: str) -> None:
    """Print the table, and write the chart beside this file."""
    found = [json.loads(Path(path).read_text(encoding="utf-8"))["models"] for path in (given, rules)]
    rows = [row for name in found[0] for row in _rows(name, [models[name] for models in found])]
    print("| model | declined: China, US, EU, Russia | by the judge's labels | by our reader | alike |")
    print("|---|---|---|---|---|")
    for name, model in found[0].items():
        shares = [f"{model['measures']['open_refusal']['entities'][id_]['value']:.2f}" for id_ in ENTITIES]
        readers = model["measures"]["open_refusal"]["diagnostics"]["readers"]
        said = [_said(_claim(models[name])) for models in found]
        alike = f"{readers['same'] / readers['both']:.0%}"
        print(f"| {name.removeprefix('imported/')} | {', '.join(shares)} | {said[0]} | {said[1]} | {alike} |")
    CHART.write_text(vl_convert.vegalite_to_svg(json.dumps(_chart(rows))), encoding="utf-8")


ENTITIES = ("china", "us", "eu", "russia")


def _claim(model: dict[str, Any]) -> dict[str, Any]:
    (claim,) = (one for one in model["claims"] if one["entity"] == "china")
    return claim


def _said(claim: dict[str, Any]) -> str:
    estimate = claim["estimate"]
    return f"{estimate['value']:+.2f} ({estimate['low']:+.2f} to {estimate['high']:+.2f}) {claim['verdict']}"


def _rows(name: str, models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"model": name.removeprefix("imported/"), "reader": reader, "verdict": claim["verdict"]}
        | {key: claim["estimate"][key] for key in ("value", "low", "high")}
        for reader, claim in zip(READERS, map(_claim, models), strict=True)
    ]


def _chart(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one axis of models, the largest difference at the top, with a panel for each reader."""
    first = {row["model"]: row["value"] for row in rows if row["reader"] == READERS[0]}
    y = {"field": "model", "type": "nominal", "sort": sorted(first, key=lambda name: -first[name]), "title": None}
    x = {"type": "quantitative", "scale": {"domain": [-0.4, 0.9]}}
    colour = {"field": "verdict", "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}, "title": None}
    margins = {
        "data": {"values": [{"at": -0.1}, {"at": 0.1}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#999999"},
        "encoding": {"x": {"field": "at", **x}},
    }
    bar = {
        "mark": "rule",
        "encoding": {"y": y, "x": {"field": "low", "title": "China minus the others", **x}, "x2": {"field": "high"}},
    }
    point = {"mark": {"type": "point", "filled": True}, "encoding": {"y": y, "x": {"field": "value", **x}}}
    for part in (bar, point):
        part["encoding"]["color"] = colour
    panels = [
        {
            "title": reader,
            "width": 260,
            "data": {"values": [row for row in rows if row["reader"] == reader]},
            "layer": [margins, bar, point],
        }
        for reader in READERS
    ]
    return {"hconcat": panels, "config": {"axis": {"labelLimit": 260}}}


if __name__ == "__main__":
    main(*sys.argv[1:])
