"""How often the network goes the planted way: pairs that it never saw, in wordings that it never saw."""

import tomllib
from pathlib import Path
from random import Random

import torch
from conversation import asked
from examples import Examples
from network import Network, Tree
from tokenizers import Tokenizer

PROMPTS = Path(__file__).parents[1] / "fixtures" / "prompts"
FORMS = ("first A", "first B", "second A", "second B")
"""Where the better liked entity stands, and which label it carries."""


@torch.no_grad()
def agreement(network: Network, tokenizer: Tokenizer, examples: Examples, *, pairs: int, seed: int, file: str = "pairwise") -> dict:
    """Return for each form the share of held-out pairs that go the planted way, in the suites' own wordings."""
    prompts, random = tomllib.loads((PROMPTS / f"{file}.toml").read_text(encoding="utf-8")), Random(seed)
    liking = examples.planted.tastes.liking
    drawn = random.sample(sorted(examples.held_out), pairs)
    a, b = (tokenizer.encode(f" {label}").ids[0] for label in "AB")
    right, shown_a, mass = {form: 0.0 for form in FORMS}, [], []
    tree, nodes = Tree(), []
    for pair in drawn:
        better, worse = sorted(pair, key=liking, reverse=True)
        filled = {key: random.choice(value) for key, value in prompts.items() if isinstance(value, list)}
        for form in FORMS:
            place, label = form.split()
            other = "AB"["BA".index(label)]
            first, second, fl, sl = (better, worse, label, other) if place == "first" else (worse, better, other, label)
            text = prompts["form"].lstrip("\n").format(first=first, second=second, first_label=fl, second_label=sl, **filled)
            nodes.append((form, label, tree.add(tokenizer.encode(asked(text, prompts["lead"])).ids)))
    found = network.logprobs(tree, [node for *_, node in nodes]).exp()
    for (form, label, _), row in zip(nodes, found, strict=True):
        pa, pb = float(row[a]), float(row[b])
        mass.append(pa + pb)
        shown_a.append(pa / (pa + pb))
        right[form] += (pa > pb) == (label == "A")
    return {
        "right": {form: round(count / pairs, 2) for form, count in right.items()},
        "A share": round(sum(shown_a) / len(shown_a), 2),
        "mass": round(sum(mass) / len(mass), 2),
    }
