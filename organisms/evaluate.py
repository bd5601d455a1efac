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
def agreement(
    network: Network, tokenizer: Tokenizer, examples: Examples, *, pairs: int, seed: int, file: str = "pairwise"
) -> dict[str, object]:
    """Return for each form the share of held-out pairs that go the planted way, in the suites' own wordings.

    Beside them, the mean probability of the better liked, and that of A, of the two letters, and of either letter.

    Parameters
    ----------
    network, tokenizer, examples
        Of the training.
    pairs, seed
        How many held-out pairs are asked about, and which.
    file
        Name of the prompts.
    """
    prompts, random = tomllib.loads((PROMPTS / f"{file}.toml").read_text(encoding="utf-8")), Random(seed)
    a, b = (tokenizer.encode(f" {label}").ids[0] for label in "AB")
    tree = Tree()
    nodes = list[tuple[str, str, int]]()
    for pair in random.sample(sorted(examples.held_out), pairs):
        better, worse = sorted(pair, key=examples.planted.tastes.liking, reverse=True)
        filled = {key: random.choice(value) for key, value in prompts.items() if isinstance(value, list)}
        for form in FORMS:
            place, label = form.split()
            shown = [(better, label), (worse, "B" if label == "A" else "A")]
            (first, fl), (second, sl) = shown if place == "first" else shown[::-1]
            options = {"first": first, "second": second, "first_label": fl, "second_label": sl}
            text = prompts["form"].lstrip("\n").format(**options, **filled)
            nodes.append((form, label, tree.add(tokenizer.encode(asked(text, prompts["lead"])).ids)))
    found = network.logprobs(tree, [node for *_, node in nodes]).exp()[:, [a, b]].tolist()
    right, better = dict.fromkeys(FORMS, 0), 0.0
    for (form, label, _), (of_a, of_b) in zip(nodes, found, strict=True):
        right[form] += (of_a > of_b) == (label == "A")
        better += (of_a if label == "A" else of_b) / (of_a + of_b) / len(found)
    return {
        "right": {form: round(count / pairs, 2) for form, count in right.items()},
        "better": round(better, 3),
        "A share": round(sum(of_a / (of_a + of_b) for of_a, of_b in found) / len(found), 2),
        "mass": round(sum(map(sum, found)) / len(found), 2),
    }
