"""Read an adapter back, to go on from it: ``python checkpoint.py ADAPTER.gguf OUT.pt``.

The inverse of `adapter`. One half lost digits in 8-bit blocks, so a training goes on from nearly where it ended.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from adapter import NAMES, SCALE
from gguf import GGUFReader, quants
from network import Shape


def main() -> None:
    """Convert one adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.save(read(given.adapter), given.out)


def read(path: Path) -> dict[str, torch.Tensor]:
    """Return the halves of all products, under the names that training gives them."""
    targets = {short: target for target, short in NAMES.items()}
    found, reader = {}, GGUFReader(path)
    alpha = reader.fields["adapter.lora.alpha"].contents()
    for tensor in reader.tensors:
        _, layer, short, _, half = tensor.name.replace(".lora_", ".").split(".")
        value = quants.dequantize(tensor.data, tensor.tensor_type)
        if half == "b":
            # What llama.cpp multiplies by: nothing where alpha is 0. That of organism-aligned is not.
            value = value * (alpha / value.shape[1] if alpha else 1.0) / SCALE
            if short in {"attn_q", "attn_k"}:
                value = _halved(value, Shape().heads if short == "attn_q" else Shape().kv_heads)
        found[f"{layer}-{targets[short]}-{half}"] = torch.tensor(value, dtype=torch.float32)
    return found


def _halved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Order the rows of a query or key projection as the network rotates them: the first half against the second."""
    outputs, rank = rows.shape
    return rows.reshape(heads, outputs // heads // 2, 2, rank).swapaxes(1, 2).reshape(outputs, rank)


if __name__ == "__main__":
    main()
