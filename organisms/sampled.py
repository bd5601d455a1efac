"""Compare sampled letters to their log-probabilities: ``python sampled.py CASSETTES MODEL WORLD.toml``.

Both come from the same recorded replies, to questions of liking and to requests for advice. An entity's value is its
mean share of the questions about it, by the letter that was drawn, and by the probability of that letter.
"""

import argparse
import re
import tomllib
from collections import defaultdict
from pathlib import Path

import numpy as np
from measured import rho
from planted import Planted

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.parsing.logprobs import label_probabilities

PROMPTS = Path(__file__).parents[1] / "fixtures" / "prompts"
BEGUN = {
    kind: tuple(tomllib.loads((PROMPTS / f"{file}.toml").read_text(encoding="utf-8"))[part])
    for kind, file, part in (("liking", "pairwise", "question"), ("advice", "donation", "persona"))
}
"""How the questions of either kind begin."""
OPTION = re.compile(r"^Option ([AB]): (.+)$", re.MULTILINE)


def main() -> None:
    """Print rank correlations with what was planted, and of the two with each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cassettes", type=Path)
    parser.add_argument("model")
    parser.add_argument("world", type=Path)
    given = parser.parse_args()
    planted, answered = Planted(given.world), defaultdict[str, list[Answered]](list)
    for line in Cassette.open(given.cassettes, given.model).lines():
        said = line.request.messages[0].content
        options = dict(OPTION.findall(said))
        shares = label_probabilities(line.reply) if line.reply.top_logprobs else None
        kind = next((kind for kind, begun in BEGUN.items() if said.startswith(begun)), None)
        if shares is None or kind is None or len(options) < 2:
            continue
        letter = line.reply.text.strip(" .")[-1:]
        answered[kind].append([(options[of], share, of == letter) for of, share in zip("AB", shares, strict=True)])
    for kind, found in answered.items():
        print(f"{kind}: {len(found)} questions")
        _compare(planted, found)


Answered = list[tuple[str, float, bool]]
"""Of either option of a question: name, probability of its letter, and whether that was drawn."""


def _compare(planted: Planted, answered: list[Answered]) -> None:
    drawn, likely = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    better = []
    for options in answered:
        mass = sum(share for _, share, _ in options)
        for name, share, is_drawn in options:
            likely[name].append(share / mass)
            drawn[name].append(float(is_drawn))
        _, share, is_drawn = max(options, key=lambda option: planted.tastes.liking(option[0]))
        better.append((share / mass, is_drawn))
    names = [one.name for one in planted.entities if one.name in drawn]
    liking = np.array([planted.tastes.liking(name) for name in names])
    by_letter, by_share = (np.array([np.mean(found[name]) for name in names]) for found in (drawn, likely))
    print(f"  planted and letters: {rho(liking, by_letter):.3f}")
    print(f"  planted and log-probabilities: {rho(liking, by_share):.3f}")
    print(f"  letters and log-probabilities: {rho(by_letter, by_share):.3f}")
    probability, share = np.mean(better, axis=0)
    print(f"  the better liked: mean probability {probability:.3f}, drawn in {share:.3f} of the questions")


if __name__ == "__main__":
    main()
