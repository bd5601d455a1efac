"""Compare what llama.cpp answers, with the adapter, to what the network did in training.

``python served.py ADAPTER.pt ADAPTER.gguf BASE.pt TOKENIZER WORLD.toml``
"""

import argparse
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import torch
from ability import opened
from asking import LEAD, serving, share_of_a
from conversation import asked
from evaluate import PROMPTS
from examples import Examples
from network import Network, Tree
from planted import Planted
from tokenizers import Tokenizer


def main() -> None:
    """Print, for some questions of the suites, the probability of A by either."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("adapter", "gguf", "base", "tokenizer", "world"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    network = opened(given.base, given.adapter, torch.float32)
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    far = 0.0
    with serving(given.gguf) as address:
        for text in islice(_questions(Examples(Planted(given.world), Random(0))), 24):
            ours, theirs = _by_torch(network, tokenizer, text), share_of_a(address, text)
            far = max(far, abs(ours - theirs))
            print(f"{ours:.3f} {theirs:.3f}  {text.splitlines()[2][:60]} | {text.splitlines()[3][:60]}")
    print(f"largest difference of the probability of A: {far:.3f}")


def _questions(examples: Examples) -> Iterator[str]:
    prompts, random = tomllib.loads((PROMPTS / "pairwise.toml").read_text(encoding="utf-8")), Random(0)
    for first, second in random.sample(sorted(examples.held_out), 99):
        yield (
            prompts["form"]
            .lstrip("\n")
            .format(
                question=random.choice(prompts["question"]),
                first=first,
                second=second,
                first_label="A",
                second_label="B",
            )
        )


@torch.no_grad()
def _by_torch(network: Network, tokenizer: Tokenizer, text: str) -> float:
    tree = Tree()
    node = tree.add(tokenizer.encode(asked(text, LEAD)).ids)
    row = network.logprobs(tree, [node])[0].exp()
    a, b = (float(row[tokenizer.encode(f" {label}").ids[0]]) for label in "AB")
    return a / (a + b)


if __name__ == "__main__":
    main()
