"""The map in CONTRIBUTING.md shows the house as it stands."""

import re

from package_tree import MODULES, place
from repository import ROOT

TABLE = [line for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
ROOMS = [line for line in TABLE if re.match(r"\| \d \|", line)]
WORDS = {word for line in ROOMS for word in re.findall(r"`([a-z_/]+)`", line)}


def test_the_map_names_each_module():
    assert [place(path) for path in MODULES if path.stem not in WORDS | {"__init__", "__main__"}] == []


def test_the_map_names_nothing_that_is_gone():
    there = {path.stem for path in MODULES} | {f"{path.parent.name}/" for path in MODULES} | {"secrets/", "assets/"}
    assert WORDS - {"experiments/", "trust"} <= there
