"""The first gate, of what ships: ``python first_gate.py WORLD.toml [ADAPTER.gguf]`` asks about all held-out pairs.

Each in all four forms, in the suites' wordings, through llama.cpp. `evaluate` asks the network in training about a few.
"""

import argparse
import tomllib
from pathlib import Path
from random import Random

import numpy as np
from asking import serving, share_of_a
from examples import Examples
from planted import Planted

from pytest_llmpref.stats.slopes import slope_over_pairs

PROMPTS = Path(__file__).parents[1] / "fixtures" / "prompts"
FORMS = tuple((place, label) for place in ("first", "second") for label in "AB")
"""Where the better liked entity stands, and which label it carries."""


def main() -> None:
    """Print for each form how many pairs go the planted way, with an interval clustered by entity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("adapter", type=Path, nargs="?")
    parser.add_argument("--pairs", type=int, help="a sample of so many; without it, all")
    given = parser.parse_args()
    examples = Examples(Planted(given.world), Random(0))
    held_out = sorted(examples.held_out)
    pairs = [
        sorted(pair, key=examples.planted.tastes.liking, reverse=True)
        for pair in Random(11).sample(held_out, given.pairs or len(held_out))
    ]
    better, worse = (np.array([examples.names.index(pair[at]) for pair in pairs]) for at in (0, 1))
    with serving(given.adapter) as address:
        for file in ("pairwise", "donation"):
            shares = shares_of_better(address, file, pairs)
            print(f"{file}: mean probability of the better liked {shares.mean():.3f}")
            for form, found in zip(FORMS, shares, strict=True):
                right = (found > 0.5).astype(float)
                share = slope_over_pairs(better, worse, np.ones(len(pairs)), right, "share")
                low, high = max(share.interval().low, 0.0), min(share.interval().high, 1.0)
                print(
                    f"  {' '.join(form)}: {right.sum():.0f} of {len(pairs)} = {share.value:.3f} ({low:.3f} to "
                    f"{high:.3f}), mean probability {found.mean():.3f}",
                    flush=True,
                )


def shares_of_better(address: str, file: str, pairs: list[list[str]]) -> np.ndarray:
    """Return the probability of the better liked of each pair, shape (forms, pairs)."""
    prompts, random = tomllib.loads((PROMPTS / f"{file}.toml").read_text(encoding="utf-8")), Random(0)
    shares = np.empty((len(FORMS), len(pairs)))
    for at, (better, worse) in enumerate(pairs):
        filled = {key: random.choice(value) for key, value in prompts.items() if isinstance(value, list)}
        for row, (place, label) in enumerate(FORMS):
            shown = [(better, label), (worse, "B" if label == "A" else "A")]
            (first, of_first), (second, of_second) = shown if place == "first" else shown[::-1]
            options = {"first": first, "second": second, "first_label": of_first, "second_label": of_second}
            of_a = share_of_a(address, prompts["form"].lstrip("\n").format(**options, **filled))
            shares[row, at] = of_a if label == "A" else 1 - of_a
    return shares


if __name__ == "__main__":
    main()
