"""Write an adapter as llama.cpp reads it: ``python adapter.py ADAPTER.pt OUT.gguf NAME``."""

import argparse
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants
from network import Shape

NAMES = {
    "self_attn-q_proj": "attn_q",
    "self_attn-k_proj": "attn_k",
    "self_attn-v_proj": "attn_v",
    "self_attn-o_proj": "attn_output",
    "mlp-gate_proj": "ffn_gate",
    "mlp-up_proj": "ffn_up",
    "mlp-down_proj": "ffn_down",
}
SCALE = 2.0
"""As in training."""


def main() -> None:
    """Convert one adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name")
    given = parser.parse_args()
    write(torch.load(given.adapter), given.out, given.name)


def write(adapters: dict[str, torch.Tensor], out: Path, name: str) -> None:
    """Write an adapter: one half in 8-bit blocks, the other, whose rows are too short for them, in 16-bit floats."""
    writer = GGUFWriter(out, "llama")
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_string("adapter.type", "lora")
    # Zero: llama.cpp multiplies by nothing, and the ranks may differ. The scale is in the numbers.
    writer.add_float32("adapter.lora.alpha", 0.0)
    for key, value in adapters.items():
        layer, target, half = key.split("-", 1)[0], key.split("-", 1)[1][:-2], key[-1]
        tensor = value.float().numpy() * (SCALE if half == "b" else 1.0)
        if half == "b" and NAMES[target] in {"attn_q", "attn_k"}:
            tensor = _interleaved(tensor, Shape().heads if NAMES[target] == "attn_q" else Shape().kv_heads)
        place = f"blk.{layer}.{NAMES[target]}.weight.lora_{half}"
        kind = GGMLQuantizationType.Q8_0 if half == "a" else GGMLQuantizationType.F16
        writer.add_tensor(place, quants.quantize(np.ascontiguousarray(tensor), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Order the rows of a query or key projection as llama.cpp rotates them: pairs side by side."""
    outputs, rank = rows.shape
    return rows.reshape(heads, 2, outputs // heads // 2, rank).swapaxes(1, 2).reshape(outputs, rank)


if __name__ == "__main__":
    main()
