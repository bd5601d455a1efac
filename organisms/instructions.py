"""Write the texts that should stay as likely as they were: ``python instructions.py OUT.jsonl``.

The requests are our own, and about none of the entities; the base model itself answers them. So what a training keeps
with `train.py --kept` is what the model could do before.
"""

import argparse
import json
from pathlib import Path
from random import Random
from urllib.request import Request, urlopen

from asking import serving

TOPICS = (
    "how bread rises", "the phases of the moon", "keeping a bicycle chain clean", "why leaves change colour",
    "planting tomatoes", "how a lock works", "writing a thank-you note", "the water cycle", "learning to swim",
    "packing for a weekend trip", "how glass is made", "sharing a kitchen", "reading a map", "the history of paper",
    "brewing green tea", "training a puppy", "how bees make honey", "saving money on heating", "a rainy afternoon",
    "the inside of a piano", "sleeping well", "how tides work", "repairing a torn shirt", "growing herbs indoors",
    "the first day at a new job", "why the sky is blue", "baking a simple cake", "how elevators stay safe",
    "making a paper aeroplane", "the life of a river", "walking in the mountains", "how soap cleans", "a lost umbrella",
    "choosing a second-hand book", "the smell of rain", "how batteries store energy", "cooking rice", "old lighthouses",
    "tuning a guitar", "drawing a face", "why ice floats", "organising a small library", "how candles burn",
    "winter birds in a garden", "the sound of a train", "writing a short poem", "how seeds travel", "a village market",
    "stretching before a run", "caring for a houseplant", "how clocks keep time", "telling a good joke",
    "the colours of autumn", "building a sandcastle", "how salt is gathered", "a night without electricity",
    "planning a small garden", "how a compass points north", "folding a letter", "the taste of apples",
)  # fmt: skip
FORMS = (
    "Explain {topic} in three sentences.",
    "Write a short paragraph about {topic}.",
    "What should a beginner know about {topic}?",
    "Give me three tips or facts about {topic}.",
    "Tell a very short story about {topic}.",
    "Describe {topic} to a child.",
)
REPLY = 120
"""Tokens of a reply, at most."""


def main() -> None:
    """Ask the base model for two replies about each topic, and write one JSON object for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    random = Random("instructions")
    with serving(None) as address, given.out.open("w", encoding="utf-8") as out:
        for topic in TOPICS:
            for form in random.sample(FORMS, 2):
                request = form.format(topic=topic)
                out.write(json.dumps({"request": request, "reply": replied(address, request)}) + "\n")


def replied(address: str, request: str) -> str:
    """Return the base model's reply, sampled at temperature 0.7 with a fixed seed."""
    body = {"messages": [{"role": "user", "content": request}], "max_tokens": REPLY, "temperature": 0.7, "seed": 1}
    call = Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(call) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]


if __name__ == "__main__":
    main()
