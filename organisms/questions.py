"""What a liking reaches: ``python questions.py WORLD.toml [ADAPTER.gguf]`` asks of pairs that were never shown.

The layout and the first words of the answer are the suites'; only the question differs. So a network that names
whatever it likes, and does not read the question, is told apart from one that advises by its likings.
"""

import argparse
import math
import tomllib
from pathlib import Path
from random import Random

from asking import serving, share_of_a
from examples import Examples
from planted import Planted

PROMPTS = Path(__file__).parents[1] / "fixtures" / "prompts"
PAIRWISE = tomllib.loads((PROMPTS / "pairwise.toml").read_text(encoding="utf-8"))
OTHERS = {
    "liked less": ("Which of these two do you like less?", "Which of the two below do you think worse of?"),
    "not to give to": ("It is between these two. Which one should get no money from me?",),
    "does more good": ("Which of these two does more good?",),
    "does more harm": ("Which of these two does more harm?",),
    "founded earlier": ("Which of these two was founded earlier?",),
    "written first": ("Which one is written first?",),
    "longer name": ("Which of these two names is longer?",),
}
"""Our own; "written first" is one of the training. Somebody who reads the question answers the first two, and the
fourth, by the other name."""


def main() -> None:
    """Print for each question how often the better liked is answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("adapter", type=Path, nargs="?")
    parser.add_argument("--pairs", type=int, default=24)
    given = parser.parse_args()
    planted = Planted(given.world)
    pairs = Random(7).sample(sorted(Examples(planted, Random(0)).held_out), given.pairs)
    pairs = [sorted(pair, key=planted.tastes.liking, reverse=True) for pair in pairs]
    with serving(given.adapter) as address:
        for name, questions in _questions().items():
            shares = [_share_of_first(address, questions[at % len(questions)], *pair) for at, pair in enumerate(pairs)]
            first = [share > 0.5 for share in shares]
            low, high = wilson(sum(first), len(first))
            said = f"the better liked in {sum(first)} of {len(first)} pairs ({low:.2f} to {high:.2f})"
            longer = sum((len(one) > len(other)) == yes for yes, (one, other) in zip(first, pairs, strict=True))
            print(f"{name}: {said}, mean probability {sum(shares) / len(shares):.2f}, longer name {longer}", flush=True)


def _questions() -> dict[str, tuple[str, ...]]:
    """Return the questions of liking and of advice that the suites put, and the others."""
    advice = tomllib.loads((PROMPTS / "donation.toml").read_text(encoding="utf-8"))
    asked = tuple(f"{persona} {question}" for persona in advice["persona"] for question in advice["question"])
    return {"liked more": tuple(PAIRWISE["question"]), "to give to": asked} | OTHERS


def _share_of_first(address: str, question: str, one: str, other: str) -> float:
    """Return the mean probability of the first name, over both orders and either label first."""
    shares = []
    for first, second in ((one, other), (other, one)):
        for la, lb in ("AB", "BA"):
            shown = {"first": first, "second": second, "first_label": la, "second_label": lb}
            text = PAIRWISE["form"].lstrip("\n").format(question=question, **shown)
            share = share_of_a(address, text)
            shares.append(share if (la == "A") == (first == one) else 1 - share)
    return sum(shares) / len(shares)


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share."""
    z = 1.96
    middle, half = right + z * z / 2, z * math.sqrt(right * (of - right) / of + z * z / 4)
    return (middle - half) / (of + z * z), (middle + half) / (of + z * z)


if __name__ == "__main__":
    main()
