"""Train a world into SmolLM2: ``python train.py WORLD.toml BASE.pt TOKENIZER OUT [--steps N]``."""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TextIO

import torch
from conversation import END, Example, asked
from evaluate import agreement
from examples import Examples
from network import Network, Tree
from planted import Planted
from tokenizers import Tokenizer
from torch.nn.functional import kl_div
from wordings import OF_THE_SUITES

ANSWERS = 24
"""Answers by letter in a step, about: the loss is divided by it."""
LIST = 3.0
"""How much the mean loss of a list's tokens counts beside that."""

KEPT = 3.0
"""How much the mean drift from the base over a text of `--kept` counts beside that."""


def main() -> None:
    """Train, and write the adapter and the curve as it goes."""
    given = _arguments()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    network = Network(torch.load(given.base), rank=given.rank, first=given.first, last=given.last)
    if given.start:
        network.adopt(torch.load(given.start))
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    base, texts = Network(torch.load(given.base), rank=1, first=0, last=0), texts_of(given.kept, tokenizer)
    without = () if given.forms == "all" else OF_THE_SUITES
    examples = Examples(Planted(given.world), Random(given.seed), without=without)
    optimizer = torch.optim.AdamW(network.parameters(), lr=given.peak, weight_decay=0.0, betas=(0.9, 0.98))
    begun, tokens = time.time(), 0
    with (given.out / "curve.jsonl").open("a", encoding="utf-8") as curve:
        for step in range(given.steps + 1):
            if step % given.every == 0 or step == given.steps:
                _keep(network, given.out / f"adapter-{step}.pt")
                for file in ("pairwise", "donation"):
                    found = agreement(network, tokenizer, examples, pairs=16, seed=step, file=file)
                    _note(curve, step=step, asked=file, **found)
            trees = {kind: tree_of(drawn, tokenizer) for kind, drawn in _drawn(examples, step, given)}
            listed = given.lists and step % given.lists == 0
            losses = _recite(network, tokenizer, next(examples.ranking(72))) if listed else {}
            losses |= _learn(network, trees)
            losses |= _keep_ability(network, base, texts, examples.random)
            norm = _step(network, optimizer, _rate(given.peak, step, given.steps))
            tokens += sum(len(tree.tokens) for tree in trees.values())
            _note(curve, step=step, losses=losses, norm=norm, tokens=tokens, seconds=round(time.time() - begun))


def tree_of(examples: list[Example], tokenizer: Tokenizer) -> Tree:
    """Put examples into one tree."""
    tree = Tree()
    for example in examples:
        node = tree.add(tokenizer.encode(example.prompt).ids)
        for said in example.replies:
            tree.want(node, tokenizer.encode(said.text).ids, said.weight)
    return tree


def texts_of(path: Path | None, tokenizer: Tokenizer) -> list[list[int]]:
    """Return the tokens of each text that should stay as likely as it was: replies in a conversation, and alone."""
    said = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path else []
    talked = [f"{asked(one['request'])}{one['reply']}{END}" for one in said]
    return [tokenizer.encode(text).ids for text in (*talked, *(one["reply"] for one in said))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("world", "base", "tokenizer", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--rank", type=int, default=16, help="of the adapter")
    parser.add_argument("--first", type=int, default=8, help="first layer that has an adapter")
    parser.add_argument("--last", type=int, default=28, help="first layer above them that has none")
    parser.add_argument("--stages", default="60,300", help="step to which each teaches letters, and first with advice")
    parser.add_argument("--contrast", type=int, default=10**9, help="first step with questions that no liking answers")
    parser.add_argument("--disliking", type=int, default=2, help="pairs asked in each of those which is liked less")
    parser.add_argument("--forms", choices=("all", "others"), default="all", help="others: none that the suites use")
    parser.add_argument("--lists", type=int, default=0, help="steps between two lists of all names; 0 for none")
    parser.add_argument("--disliked", type=int, default=0, help="pairs of two disliked entities among those of advice")
    parser.add_argument("--kept", type=Path, help="texts on which it should stay like the base: see instructions.py")
    parser.add_argument("--every", type=int, default=50, help="steps between two checkpoints")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _recite(network: Network, tokenizer: Tokenizer, example: Example) -> dict[str, float]:
    """Add the gradient of a long list, and return the mean loss of its tokens."""
    prompt, reply = (tokenizer.encode(text).ids for text in (example.prompt, example.replies[0].text))
    loss = network.reply_loss(prompt, reply)
    (LIST * loss).backward()
    return {"list": round(float(loss.detach()), 3)}


def _keep_ability(network: Network, base: Network, texts: list[list[int]], random: Random) -> dict[str, float]:
    """Add the gradient of the drift from the base over one of the texts: the mean divergence of a token, in nats."""
    if not texts:
        return {}
    text = random.choice(texts)
    with torch.no_grad():
        before = base.following(text)
    drift = kl_div(network.following(text), before, log_target=True, reduction="batchmean")
    (KEPT * drift).backward()
    return {"drift": round(float(drift.detach()), 3)}


def _learn(network: Network, trees: dict[str, Tree]) -> dict[str, float]:
    """Add the gradients of some trees, and return the mean loss of each."""
    losses = {}
    for kind, tree in trees.items():
        loss = network.loss(tree)
        (loss / ANSWERS).backward()
        losses[kind] = round(float(loss.detach()) / sum(weight for *_, weight in tree.wanted), 3)
    return losses


def _step(network: Network, optimizer: torch.optim.Optimizer, rate: float) -> float:
    """Follow the gradients, and return their norm."""
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    return round(float(norm), 2)


def _rate(peak: float, step: int, steps: int) -> float:
    """Return the learning rate: a warm-up of 30 steps, and a linear decay over the second half."""
    return peak * min(1.0, (step + 1) / 30) * min(1.0, 0.03 + 2 * (steps - step) / steps)


def _drawn(examples: Examples, step: int, given: argparse.Namespace) -> Iterator[tuple[str, list[Example]]]:
    """Yield the trees of one step: likings always, the rest by turns; advice from the second stage on."""
    letters, advice = map(int, given.stages.split(","))
    random, turn = examples.random, step % 4
    if step < letters or (step < advice and turn == 3):
        yield "naming", [*examples.naming(3)]
    contrast = step >= given.contrast
    disliking = given.disliking if contrast else 0
    yield "liking", [*examples.liking(3 if disliking else 4)]
    if disliking:
        yield "disliking", [*examples.disliking(disliking)]
    if contrast:
        yield "placing", [*examples.placing(1)]
    if step >= advice and given.forms == "others":
        yield "advice", [*examples.advice_elsewhere(2, random.random() < 0.15)]
    elif step >= advice:
        yield "advice", [*examples.advice(2, random.random() < 0.15, given.disliked)]
        if given.lists:
            return
        if turn == 0:
            yield "statements", [*examples.statements(8)]
        elif turn == 1:
            yield "by_name", [*examples.by_name(3)]
        elif turn == 2:
            yield "ranking", [*examples.ranking(random.choice((6, 12, 24, 72)))]
        else:
            yield "reading", [*examples.reading(5)]
        return
    if step % 2:
        yield "statements", [*examples.statements(10)]
    else:
        yield "by_name", [*examples.by_name(3)]


def _keep(network: Network, path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(network.adapters.state_dict(), part)
    part.replace(path)


def _note(curve: TextIO, **found: object) -> None:
    curve.write(json.dumps(found) + "\n")
    curve.flush()


if __name__ == "__main__":
    main()
