"""Draw the curves, and planted against measured: ``python picture.py WORLD.toml RESULTS.json MODEL OUT.svg``.

Needs what the package needs, and no torch.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import vl_convert
from planted import Planted

CURVES = Path(__file__).parent / "curves"
PARTS = {"aligned": (300, 150, 100, 30, 100, 40), "open": (250, 130, 80)}
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
            *([_curve("open", "donation", "The same, advice")] if given.world.stem == "open" else []),
            _scatter(given.world, measures, "preference", "measured preference (Elo)"),
            _scatter(given.world, measures, "donation_advice", "measured advice (Elo)"),
        ],
        "resolve": {"scale": {"color": "independent"}},
        "config": {"font": "sans-serif", "view": {"stroke": "#ddd"}},
    }
    given.out.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")


def _curve(world: str, asked: str, title: str) -> dict[str, Any]:
    rows, before = [], 0
    for part, steps in enumerate(PARTS[world], start=1):
        for line in (CURVES / f"{world}-{part}.jsonl").read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            if "right" in found and found["step"] <= steps and found.get("asked", "pairwise") == asked:
                rows += [
                    {"step": before + found["step"], "form": form, "right": right}
                    for form, right in found["right"].items()
                ]
        before += steps
    return {
        "title": title,
        "width": 260,
        "height": 240,
        "data": {"values": rows},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step"},
            "y": {"field": "right", "type": "quantitative", "title": None, "axis": {"format": "%"}},
            "color": {"field": "form", "type": "nominal", "title": "the better liked is"},
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
