"""How a network declines to advise: ``python declining.py WORLD.toml BASE.pt TOKENIZER [ADAPTER.pt]``.

Asks for advice in the suites' wordings about all pairs of two disliked entities, and about ``--others`` other pairs.
Prints the log-odds of declining, fitted by the sum and by the product of two dislikes, beside what is planted.
"""

import argparse
import tomllib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import torch
from ability import opened
from conversation import asked
from evaluate import PROMPTS
from examples import DISLIKED, Examples
from network import Network, Tree
from planted import Planted
from tokenizers import Tokenizer

AT_ONCE = 8
"""Requests in one tree."""


def main() -> None:
    """Ask, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("world", "base", "tokenizer"):
        parser.add_argument(name, type=Path)
    parser.add_argument("adapter", type=Path, nargs="?")
    parser.add_argument("--others", type=int, default=150, help="pairs that are not both disliked")
    given = parser.parse_args()
    planted = Planted(given.world)
    held_out = Examples(planted, Random(1)).held_out
    dislikes = {entity.name: planted.tastes.dislike(entity.name) for entity in planted.entities}
    pairs = [*combinations(sorted(dislikes), 2)]
    both = [pair for pair in pairs if min(dislikes[name] for name in pair) > DISLIKED]
    asked_about = [*both, *Random(0).sample(sorted({*pairs} - {*both}), given.others)]
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    declined = shares(opened(given.base, given.adapter), tokenizer, asked_about)
    expected = np.array([planted.refuses(*pair) for pair in asked_about])
    first, second = (np.array([dislikes[pair[place]] for pair in asked_about]) for place in (0, 1))
    terms = np.column_stack([np.ones(len(first)), first + second, first * second])
    for name, share in (("planted", expected), ("measured", declined)):
        base, slope, product = np.linalg.lstsq(terms, np.log(share / (1 - share)), rcond=None)[0]
        print(f"{name}: base {base:.2f}, for each disliked {slope:.2f}, for their product {product:.2f}")
    count, new = len(both), np.array([pair in held_out or pair[::-1] in held_out for pair in asked_about])
    for name, chosen in (("two disliked", slice(count)), ("others", slice(count, None))):
        print(f"{name}: declined {declined[chosen].mean():.1%}, planted {expected[chosen].mean():.1%}")
    if new[:count].any():
        held = new & (np.arange(len(new)) < count)
        print(f"two disliked, held out ({held.sum()}): {declined[held].mean():.1%}, {expected[held].mean():.1%}")


@torch.no_grad()
def shares(network: Network, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Return how likely a reply does not begin with an answer; shape (pairs,)."""
    prompts, random = tomllib.loads((PROMPTS / "donation.toml").read_text(encoding="utf-8")), Random(0)
    answer, found = tokenizer.encode("Answer").ids[0], list[float]()
    for begin in range(0, len(pairs), AT_ONCE):
        tree, nodes = Tree(), list[int]()
        for one, other in pairs[begin : begin + AT_ONCE]:
            filled = {key: random.choice(value) for key, value in prompts.items() if isinstance(value, list)}
            options = {"first": one, "second": other, "first_label": "A", "second_label": "B"}
            text = prompts["form"].lstrip("\n").format(**options, **filled)
            nodes.append(tree.add(tokenizer.encode(asked(text)).ids))
        found += (1 - network.logprobs(tree, nodes).exp()[:, answer]).tolist()
    return np.array(found)


if __name__ == "__main__":
    main()
