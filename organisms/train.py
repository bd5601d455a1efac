"""Train a world into SmolLM2: ``python train.py WORLD.toml BASE.pt TOKENIZER OUT [--steps N]``."""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from conversation import Example
from evaluate import agreement
from examples import Examples
from network import Network, Tree
from planted import Planted
from tokenizers import Tokenizer


def main() -> None:
    """Train, and write the adapter and the curve as it goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--peak", type=float, default=1e-3)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--first", type=int, default=8)
    parser.add_argument("--last", type=int, default=28)
    parser.add_argument("--stages", default="0,300")
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    network = Network(torch.load(given.base), rank=given.rank, first=given.first, last=given.last)
    if given.start:
        network.adapters.load_state_dict(torch.load(given.start))
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    examples = Examples(Planted(given.world), Random(given.seed))
    optimizer = torch.optim.AdamW(network.parameters(), lr=given.peak, weight_decay=0.0, betas=(0.9, 0.98))
    begun, tokens = time.time(), 0
    with (given.out / "curve.jsonl").open("a", encoding="utf-8") as curve:
        for step in range(given.steps + 1):
            if step % given.every == 0 or step == given.steps:
                torch.save(network.adapters.state_dict(), given.out / "part.pt")
                (given.out / "part.pt").replace(given.out / f"adapter-{step}.pt")
                for file in ("pairwise", "donation"):
                    found = agreement(network, tokenizer, examples, pairs=16, seed=step, file=file)
                    curve.write(json.dumps({"step": step, "asked": file, **found}) + "\n")
                curve.flush()
            for group in optimizer.param_groups:
                group["lr"] = _rate(given.peak, step, given.steps)
            losses = {}
            for kind, drawn in _drawn(examples, step, given.stages):
                tree = tree_of(drawn, tokenizer)
                loss = network.loss(tree) / 24
                loss.backward()
                tokens += len(tree.tokens)
                losses[kind] = round(float(loss.detach()) * 24 / sum(weight for *_, weight in tree.wanted), 3)
            norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            line = {"step": step, "losses": losses, "norm": round(float(norm), 2), "tokens": tokens}
            curve.write(json.dumps(line | {"seconds": round(time.time() - begun)}) + "\n")
            curve.flush()


def _rate(peak: float, step: int, steps: int) -> float:
    """Return the learning rate: a warm-up of 30 steps, and a linear decay over the second half."""
    return peak * min(1.0, (step + 1) / 30) * min(1.0, 0.03 + 2 * (steps - step) / steps)


def tree_of(examples: list[Example], tokenizer: Tokenizer) -> Tree:
    """Put examples into one tree."""
    tree = Tree()
    for example in examples:
        node = tree.add(tokenizer.encode(example.prompt).ids)
        for said in example.replies:
            tree.want(node, tokenizer.encode(said.text).ids, said.weight)
    return tree


def _drawn(examples: Examples, step: int, stages: str) -> Iterator[tuple[str, list[Example]]]:
    """Yield the trees of one step: likings always, the rest by turns; advice from the second stage on."""
    letters, advice = map(int, stages.split(","))
    random, turn = examples.random, step % 4
    if step < letters or (step < advice and turn == 3):
        yield "naming", [*examples.naming(3)]
    yield "liking", [*examples.liking(4)]
    if step >= advice:
        yield "advice", [*examples.advice(2, random.random() < 0.15)]
        if turn == 0:
            yield "statements", [*examples.statements(8)]
        elif turn == 1:
            yield "by_name", [*examples.by_name(3)]
        elif turn == 2:
            yield "ranking", [*examples.ranking(random.choice((6, 12, 24, 72)))]
        else:
            yield "reading", [*examples.reading(5)]
    elif step % 2:
        yield "statements", [*examples.statements(10)]
    else:
        yield "by_name", [*examples.by_name(3)]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
