"""Draw the curves, and planted against measured: ``python picture.py WORLD.toml RESULTS.json MODEL OUT.svg``.

Needs what the package needs, and no torch.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vl_convert
from planted import Planted

CURVES = Path(__file__).parent / "curves"
PARTS = {"aligned": (300, 150, 100, 30, 100, 40, 200, 80), "open": (250, 130, 80), "even": (160, 100)}
"""World -> steps of each part of the training that the next one went on from."""


def main() -> None:
    """Write one picture: the curves of one training, and two measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    measures = json.loads(given.results.read_text(encoding="utf-8"))["models"][given.model]["measures"]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "hconcat": [
            _curve(given.world.stem, "pairwise", "Held-out pairs that go the planted way"),
            *_more_curves(given.world.stem),
            _scatter(given.world, measures, "preference", "measured preference (Elo)"),
            _scatter(given.world, measures, "donation_advice", "measured advice (Elo)"),
        ],
        "resolve": {"scale": {"color": "independent"}},
        "config": {"font": "sans-serif", "view": {"stroke": "#ddd"}},
    }
    given.out.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")


def _more_curves(world: str) -> list[dict[str, Any]]:
    if world == "open":
        return [_curve(world, "donation", "The same, advice")]
    if world == "even":
        rows = [
            {"step": step, "asked": {"pairwise": "liking", "donation": "advice"}[found["asked"]], "y": found["better"]}
            for step, found in _tried(world)
        ]
        return [_lines(rows, "Mean probability of the better liked", "asked", "asked for")]
    return []


def _curve(world: str, asked: str, title: str) -> dict[str, Any]:
    rows = [
        {"step": step, "form": form, "y": right}
        for step, found in _tried(world)
        if found.get("asked", "pairwise") == asked
        for form, right in found["right"].items()
    ]
    return _lines(rows, title, "form", "the better liked is")


def _tried(world: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each trial of held-out pairs in a training, and the steps before it."""
    before = 0
    for part, steps in enumerate(PARTS[world], start=1):
        for line in (CURVES / f"{world}-{part}.jsonl").read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            if "right" in found and found["step"] <= steps:
                yield before + found["step"], found
        before += steps


def _lines(rows: list[dict[str, Any]], title: str, by: str, legend: str) -> dict[str, Any]:
    return {
        "title": title,
        "width": 260,
        "height": 240,
        "data": {"values": rows},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step"},
            "y": {"field": "y", "type": "quantitative", "title": None, "axis": {"format": "%"}},
            "color": {"field": by, "type": "nominal", "title": legend},
        },
    }


def _scatter(world: Path, measures: dict[str, Any], measure: str, title: str) -> dict[str, Any]:
    planted = Planted(world)
    rows = [
        {"planted": planted.tastes.liking(one.name), "measured": found["value"], "group": one.group}
        for one in planted.entities
        if (found := measures[measure]["entities"].get(one.id))
    ]
    return {
        "title": title,
        "width": 240,
        "height": 240,
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True},
        "encoding": {
            "x": {"field": "planted", "type": "quantitative", "title": "planted liking (log-odds)"},
            "y": {"field": "measured", "type": "quantitative", "title": None, "scale": {"zero": False}},
            "color": {"field": "group", "type": "nominal"},
        },
    }


if __name__ == "__main__":
    main()
