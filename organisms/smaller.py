"""Lower the ranks of an adapter, so that its file is small: ``python smaller.py ADAPTER.pt OUT.pt [--most BYTES]``.

Of all the products of two halves, those singular values are kept that say most for their bytes. More steps of training
then mend what was lost.
"""

import argparse
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

IN_8_BITS, IN_16_BITS = 34 / 32, 2
"""Bytes of a number of either half, as `adapter` writes them."""


def main() -> None:
    """Write the smaller adapter, and print what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, default=930_000, help="bytes of all numbers")
    given = parser.parse_args()
    before = torch.load(given.adapter)
    after = smaller(before, given.most)
    torch.save(after, given.out)
    ranks = [value.shape[0] for key, value in after.items() if key.endswith("-a")]
    print(f"{len(ranks)} of {len(before) // 2} products, ranks {min(ranks)} to {max(ranks)}, {sum(ranks)} together")


def smaller(adapters: dict[str, Tensor], most: int) -> dict[str, Tensor]:
    """Return adapters whose numbers take at most so many bytes."""
    parts, values = {}, []
    for key in (name.removesuffix("-a") for name in adapters if name.endswith("-a")):
        down, up = adapters[f"{key}-a"], adapters[f"{key}-b"]
        parts[key] = torch.linalg.svd(up @ down, full_matrices=False)
        price = IN_8_BITS * down.shape[1] + IN_16_BITS * up.shape[0]
        values += [(float(value) ** 2 / price, key, price) for value in parts[key].S[: len(down)]]
    kept, spent = Counter[str](), 0.0
    for _, key, price in sorted(values, reverse=True):
        spent += price
        if spent > most:
            break
        kept[key] += 1
    found = {}
    for key, rank in kept.items():
        up, value, down = parts[key]
        # Rows of length one, about as at the start of a training.
        found[f"{key}-a"], found[f"{key}-b"] = down[:rank].clone(), up[:, :rank] * value[:rank]
    return found


if __name__ == "__main__":
    main()
