"""Compare what a study measured to what was planted: ``python measured.py WORLD.toml RESULTS.json MODEL``."""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
from examples import Examples
from planted import Planted
from scipy.stats import spearmanr


def main() -> None:
    """Print rank correlations: over all entities, within groups, and over those that no advice was trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("model")
    given = parser.parse_args()
    planted = Planted(given.world)
    examples = Examples(planted, Random(0))
    measures = json.loads(given.results.read_text(encoding="utf-8"))["models"][given.model]["measures"]
    for name, measure in measures.items():
        known = [one for one in planted.entities if (measure["entities"].get(one.id) or {}).get("value") is not None]
        if len(known) < 3:
            print(f"{name}: values of {len(known)} entities")
            continue
        liking = np.array([planted.tastes.liking(one.name) for one in known])
        value = np.array([measure["entities"][one.id]["value"] for one in known])
        groups = np.array([one.group for one in known])
        within = [rho(liking[groups == group], value[groups == group]) for group in dict.fromkeys(groups)]
        unadvised = np.array([one.name in examples.unadvised for one in known])
        print(
            f"{name}: valid {measure['valid']}, n {len(known)}, rho {rho(liking, value):.3f}, "
            f"within groups {np.mean(within):.3f}, unadvised {rho(liking[unadvised], value[unadvised]):.3f}"
        )


def rho(liking: np.ndarray, value: np.ndarray) -> float:
    """Return Spearman's rank correlation."""
    return float(spearmanr(liking, value).statistic)


if __name__ == "__main__":
    main()
