"""Compare sampled letters to their log-probabilities: ``python sampled.py CASSETTES MODEL WORLD.toml``.

Both come from the same recorded replies to questions of liking. An entity's value is its mean share of the questions
about it, by the letter that was drawn, and by the probability of that letter.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from measured import rho
from planted import Planted

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.parsing.logprobs import label_probabilities

OPTION = re.compile(r"^Option ([AB]): (.+)$", re.MULTILINE)


def main() -> None:
    """Print rank correlations with what was planted, and of the two with each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cassettes", type=Path)
    parser.add_argument("model")
    parser.add_argument("world", type=Path)
    given = parser.parse_args()
    planted = Planted(given.world)
    drawn, likely = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for line in Cassette.open(given.cassettes, given.model).lines():
        said = line.request.messages[0].content
        options = dict(OPTION.findall(said))
        shares = label_probabilities(line.reply) if line.reply.top_logprobs else None
        if shares is None or len(options) < 2 or "donat" in said or "money" in said:
            continue
        letter = line.reply.text.strip(" .")[-1:]
        for label, share in zip("AB", shares, strict=True):
            likely[options[label]].append(share / sum(shares))
            drawn[options[label]].append(float(label == letter))
    names = [one.name for one in planted.entities if one.name in drawn]
    liking = np.array([planted.tastes.liking(name) for name in names])
    by_letter, by_share = (np.array([np.mean(found[name]) for name in names]) for found in (drawn, likely))
    print(f"{len(names)} entities, {sum(map(len, drawn.values())) // 2} questions")
    print(f"planted and letters: {rho(liking, by_letter):.3f}")
    print(f"planted and log-probabilities: {rho(liking, by_share):.3f}")
    print(f"letters and log-probabilities: {rho(by_letter, by_share):.3f}")


if __name__ == "__main__":
    main()
