"""A llama.cpp server with an adapter, asked for the letter that it would answer.

``python asking.py ADAPTER.gguf`` serves it until it is stopped, and prints its address.
"""

import argparse
import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

from pytest_llmpref.models.local import KNOWN
from pytest_llmpref.models.server_process import ServerProcess

LEAD = "Answer: Option"


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    given = parser.parse_args()
    with serving(given.adapter) as address:
        print(f"export HOSTED_VLLM_API_BASE={address}/v1", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


@contextmanager
def serving(adapter: Path | None) -> Iterator[str]:
    """Serve SmolLM2 with an adapter, or without one, and give the server's address."""
    base = KNOWN["smollm2-135m"]
    server = ServerProcess(base.find(), "organism", base.chat_template, adapter)
    try:
        yield server.start(120)
    finally:
        server.stop()


def share_of_a(address: str, text: str) -> float:
    """Return the probability of A against B, where the answer is led into.

    Only the spellings with a space count: others are rare, and the network was asked for these. A letter that is not
    among the likeliest tokens counts as nothing.
    """
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": LEAD}]
    body = {"messages": messages, "max_tokens": 1, "logprobs": True, "top_logprobs": 20}
    call = Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(call) as reply:
        found = json.load(reply)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    shares = {one["token"]: math.exp(one["logprob"]) for one in found}
    a, b = (shares.get(f" {label}", 0.0) for label in "AB")
    return a / (a + b) if a + b else 0.5


if __name__ == "__main__":
    main()
