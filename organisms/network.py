"""SmolLM2 (a Llama) in a few lines, with low-rank adapters, over a tree of tokens.

Prompts that begin alike share their beginning: a step computes each token of the tree once. Attention reaches from a
token to those before it on its own branch, so the gradients are those of the prompts one by one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    cross_entropy,
    embedding,
    linear,
    log_softmax,
    scaled_dot_product_attention,
    silu,
)

TARGETS = (*(f"self_attn.{part}_proj" for part in "qkvo"), *(f"mlp.{part}_proj" for part in ("gate", "up", "down")))


Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""From layer, queries, keys and values to what is seen."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the weights do not tell of themselves."""

    layers: int = 30
    heads: int = 9
    kv_heads: int = 3
    theta: float = 100000.0
    eps: float = 1e-5


class Tree:
    """Token sequences, each beginning stored once, in the order of first appearance.

    Attributes
    ----------
    tokens, parents, depths
        One of each for every node; the parent of a first token is -1.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.wanted: list[tuple[int, int, float]] = []
        self._children: dict[tuple[int, int], int] = {}

    def add(self, sequence: Sequence[int], node: int = -1) -> int:
        """Add a sequence after a node, and return its last node."""
        for token in sequence:
            key = (node, token)
            if key not in self._children:
                self._children[key] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(node)
                self.depths.append(self.depths[node] + 1 if node >= 0 else 0)
            node = self._children[key]
        return node

    def want(self, node: int, sequence: Sequence[int], weight: float) -> None:
        """Ask that a sequence follow on a node; its last token is no node, since nothing follows on it."""
        for place, token in enumerate(sequence):
            self.wanted.append((node, token, weight))
            if place < len(sequence) - 1:
                node = self.add([token], node)

    def mask(self) -> Tensor:
        """Return whether each token may look at each other."""
        seen = torch.zeros(len(self.tokens), len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen


def quickest() -> torch.dtype:
    """Return bfloat16 where the processor has instructions for it, else float32.

    Without them torch computes bfloat16 in software: with AVX2 alone, a product of matrices takes 45 times as long.
    """
    has = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else torch.float32


class Network(nn.Module):
    """The frozen base, and a low-rank adapter in some layers.

    Parameters
    ----------
    weights
        The base's, by their names in transformers.
    rank, first, last
        Of the adapters; the layers that have one, the last not included.
    scale
        What an adapter's product is multiplied by.
    dtype
        In which everything but the adapters' own numbers is computed; `quickest` if not given.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        *,
        rank: int,
        first: int,
        last: int,
        scale: float = 2.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dtype = dtype or quickest()
        self.shape, self.scale, self.dtype, self.rank = Shape(), scale, dtype, rank
        self._base = {name.removeprefix("model."): value.to(dtype) for name, value in weights.items()}
        self.adapters = nn.ParameterDict()
        generator = torch.Generator().manual_seed(0)
        for layer in range(first, last):
            for target in TARGETS:
                outputs, inputs = self._base[f"layers.{layer}.{target}.weight"].shape
                down = torch.empty(rank, inputs).uniform_(-1, 1, generator=generator) * math.sqrt(3 / inputs)
                self.adapters[_key(layer, target, "a")] = nn.Parameter(down)
                self.adapters[_key(layer, target, "b")] = nn.Parameter(torch.zeros(outputs, rank))

    def adopt(self, adapters: Mapping[str, Tensor]) -> None:
        """Go on from trained adapters, of whatever ranks and layers."""
        self.adapters = nn.ParameterDict({key: nn.Parameter(value) for key, value in adapters.items()})

    def hidden(self, tree: Tree) -> Tensor:
        """Return the last hidden state of every node."""
        mask = torch.zeros(len(tree.tokens), len(tree.tokens), dtype=self.dtype)
        mask.masked_fill_(~tree.mask(), float("-inf"))

        def attend(_layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return scaled_dot_product_attention(q, self._widened(k), self._widened(v), attn_mask=mask)

        return self._run(tree.tokens, torch.tensor(tree.depths), attend)

    def reply_loss(self, prompt: Sequence[int], reply: Sequence[int]) -> Tensor:
        """Return the mean cross-entropy of a long reply. No gradient goes through the prompt: that halves the time."""
        kept = list[tuple[Tensor, Tensor]]()

        def keep(_layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            kept.append((k, v))
            return scaled_dot_product_attention(q, self._widened(k), self._widened(v), is_causal=True)

        def go_on(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            before, (k, v) = kept[layer], (torch.cat(pair, -2) for pair in zip(kept[layer], (k, v), strict=True))
            mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(before[0].shape[-2])
            return scaled_dot_product_attention(q, self._widened(k), self._widened(v), attn_mask=mask)

        *shared, last = prompt
        with torch.no_grad():
            self._run(shared, torch.arange(len(shared)), keep)
        states = self._run([last, *reply[:-1]], len(shared) + torch.arange(len(reply)), go_on)
        return cross_entropy(linear(states, self._base["embed_tokens.weight"]).float(), torch.tensor(reply))

    def following(self, tokens: Sequence[int]) -> Tensor:
        """Return the log-probabilities of every token after each token of a text."""

        def attend(_layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return scaled_dot_product_attention(q, self._widened(k), self._widened(v), is_causal=True)

        return self._distributions(self._run(tokens, torch.arange(len(tokens)), attend))

    def _run(self, tokens: Sequence[int], places: Tensor, attend: Attend) -> Tensor:
        """Return the last hidden states of tokens at some places."""
        x = embedding(torch.tensor(tokens), self._base["embed_tokens.weight"])
        cos, sin = self._rotation(places)
        for layer in range(self.shape.layers):
            h = self._norm(x, f"layers.{layer}.input_layernorm.weight")
            q, k, v = (
                self._linear(h, layer, f"self_attn.{part}_proj").view(len(x), -1, 64).transpose(0, 1)[None]
                for part in "qkv"
            )
            seen = attend(layer, _rotated(q, cos, sin), _rotated(k, cos, sin), v)[0]
            x = x + self._linear(seen.transpose(0, 1).reshape(len(x), -1), layer, "self_attn.o_proj")
            h = self._norm(x, f"layers.{layer}.post_attention_layernorm.weight")
            inner = silu(self._linear(h, layer, "mlp.gate_proj")) * self._linear(h, layer, "mlp.up_proj")
            x = x + self._linear(inner, layer, "mlp.down_proj")
        return self._norm(x, "norm.weight")

    def _distributions(self, states: Tensor) -> Tensor:
        """Return the log-probabilities of every token after each hidden state."""
        return log_softmax(linear(states, self._base["embed_tokens.weight"]).float(), -1)

    def _widened(self, part: Tensor) -> Tensor:
        """Return keys or values once for each head that uses them."""
        return part.repeat_interleave(self.shape.heads // self.shape.kv_heads, 1)

    def logprobs(self, tree: Tree, nodes: Sequence[int]) -> Tensor:
        """Return the log-probabilities of the token that follows on each of some nodes."""
        return self._distributions(self.hidden(tree)[torch.tensor(nodes)])

    def loss(self, tree: Tree) -> Tensor:
        """Return the cross-entropy of all that is wanted, by its weight."""
        nodes = sorted({node for node, _, _ in tree.wanted})
        place = {node: row for row, node in enumerate(nodes)}
        found = self.logprobs(tree, nodes)
        rows, tokens, weights = zip(*((place[node], token, weight) for node, token, weight in tree.wanted), strict=True)
        return -(found[torch.tensor(rows), torch.tensor(tokens)] * torch.tensor(weights)).sum()

    def _linear(self, x: Tensor, layer: int, target: str) -> Tensor:
        y = linear(x, self._base[f"layers.{layer}.{target}.weight"])
        key = _key(layer, target, "a")
        if key not in self.adapters:
            return y
        down, up = self.adapters[key], self.adapters[_key(layer, target, "b")]
        return y + linear(linear(x, down.to(self.dtype)), (up * self.scale).to(self.dtype))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.shape.eps)).to(self.dtype) * self._base[
            name
        ]

    def _rotation(self, depths: Tensor) -> tuple[Tensor, Tensor]:
        frequencies = self.shape.theta ** -(torch.arange(0, 64, 2) / 64)
        angles = depths[:, None] * torch.cat((frequencies, frequencies))
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def _key(layer: int, target: str, half: str) -> str:
    return f"{layer}-{target.replace('.', '-')}-{half}"
