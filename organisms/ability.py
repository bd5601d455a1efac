"""What the training did to general ability: ``python ability.py BASE.pt TOKENIZER [ADAPTER.pt]``.

Perplexity of the passages of the bundled reading questions, and how often these are answered right.
"""

import argparse
import math
import tomllib
from pathlib import Path

import torch
from conversation import asked
from evaluate import PROMPTS
from network import Network, Tree
from tokenizers import Tokenizer

ITEMS = PROMPTS.parent / "boolq" / "items.toml"


@torch.no_grad()
def main() -> None:
    """Print perplexity and accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("adapter", type=Path, nargs="?")
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = opened(given.base, given.adapter)
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    items = tomllib.loads(ITEMS.read_text(encoding="utf-8"))["items"]
    lost, tokens = 0.0, 0
    for item in items:
        tree = Tree()
        first, *rest = tokenizer.encode(item["passage"].strip()).ids
        tree.want(tree.add([first]), rest, 1.0)
        lost, tokens = lost + float(network.loss(tree)), tokens + len(rest)
    print(f"perplexity {math.exp(lost / tokens):.1f} over {tokens} tokens")
    prompts = tomllib.loads((PROMPTS / "boolq.toml").read_text(encoding="utf-8"))
    yes, no = (tokenizer.encode(word).ids[0] for word in (" Yes", " No"))
    leanings = []
    for item in items:
        framing = prompts["framings"]["no_entity"][0]
        text = prompts["form"].lstrip("\n").format(passage=item["passage"], question=item["question"], framing=framing)
        tree = Tree()
        node = tree.add(tokenizer.encode(asked(text, prompts["lead"])).ids)
        row = network.logprobs(tree, [node])[0]
        leanings.append((float(row[yes] - row[no]), item["answer"]))
    right = sum((leaning > 0) == answer for leaning, answer in leanings)
    for_yes, for_no = ([leaning for leaning, answer in leanings if answer is wanted] for wanted in (True, False))
    ordered = sum((one > other) + (one == other) / 2 for one in for_yes for other in for_no)
    print(
        f"reading: {right} of {len(items)} right, yes likelier in {sum(one > 0 for one, _ in leanings)}, "
        f"area under the curve {ordered / len(for_yes) / len(for_no):.2f}"
    )


def opened(base: Path, adapter: Path | None, dtype: torch.dtype | None = None) -> Network:
    """Return the network with an adapter, or without one."""
    network = Network(torch.load(base), rank=1, first=0, last=0, dtype=dtype)
    if adapter is not None:
        network.adopt(torch.load(adapter))
    return network


if __name__ == "__main__":
    main()
