"""Layers of a BERT encoder over texts of different lengths, packed without padding.

The rows of all texts lie in one matrix; only attention looks at each text apart. So nothing is
computed for padding, and what a text gives does not depend on the texts beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 384
HEADS = 12
EPSILON = 1e-12
"""Sizes of MiniLM-L6 (Wang et al., MiniLM, 2020), from the config that its package carries."""

TOKENS_A_STEP = 1024
"""Rows that go through a layer together: enough to keep two cores busy, few enough for caches."""

Runs = Sequence[tuple[int, int]]
"""How many texts of how many tokens follow each other in a matrix of rows."""

Weights = Mapping[str, "Tensor"]

PARTS: Mapping[str, Sequence[str]] = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "out": ("attention.output.dense",),
    "norm1": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "norm2": ("output.LayerNorm",),
}
"""Our parts of a layer, and the parts of the published weights that they are made of."""


def layer_weights(published: Weights, number: int) -> dict[str, "Tensor"]:
    """The weights of layer `number` by our names, from those of the published model."""
    return {
        f"{part}.{kind}": torch.cat(
            [published[f"encoder.layer.{number}.{name}.{kind}"] for name in names]
        )
        for part, names in PARTS.items()
        for kind in ("weight", "bias")
    }


def runs_of(lengths: Sequence[int]) -> Runs:
    """The runs of texts whose `lengths` (in tokens) are sorted."""
    return [(len(list(group)), length) for length, group in groupby(lengths)]


def steps(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places in `lengths`, shortest text first, cut where a step would hold too many tokens."""
    step: list[int] = []
    rows = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if step and rows + lengths[place] > TOKENS_A_STEP:
            yield step
            step, rows = [], 0
        step.append(place)
        rows += lengths[place]
    if step:
        yield step


def by_text(rows: "Tensor", runs: Runs) -> Iterator["Tensor"]:
    """`rows` of each run: shape (texts, tokens, width)."""
    parts = rows.split([count * length for count, length in runs])  # type: ignore[no-untyped-call]
    for part, (count, length) in zip(parts, runs, strict=True):
        yield part.view(count, length, -1)


def layer(
    rows: "Tensor",
    weights: Weights,
    runs: Runs,
    *,
    hidden_first: bool = False,
    dropout: float = 0.0,
) -> "Tensor":
    """One layer over `rows` (tokens of all texts, width): the same shape.

    With `hidden_first` the first token of each text looks at the others and is seen by none.
    """

    def linear(values: "Tensor", part: str) -> "Tensor":
        return functional.linear(values, weights[f"{part}.weight"], weights[f"{part}.bias"])

    def normed(values: "Tensor", part: str) -> "Tensor":
        scale, shift = weights[f"{part}.weight"], weights[f"{part}.bias"]
        return functional.layer_norm(values, (WIDTH,), scale, shift, EPSILON)

    def dropped(values: "Tensor") -> "Tensor":
        return functional.dropout(values, dropout) if dropout else values

    attended = torch.cat(
        [_attention(part, hidden_first, dropout) for part in by_text(linear(rows, "qkv"), runs)]
    )
    rows = normed(rows + dropped(linear(attended, "out")), "norm1")
    inner = functional.gelu(linear(rows, "up"))
    return normed(rows + dropped(linear(inner, "down")), "norm2")


def _attention(part: "Tensor", hidden_first: bool, dropout: float) -> "Tensor":
    """Attention within each text of `part` (texts, tokens, 3 widths): rows (tokens, width)."""
    count, length, _ = part.shape
    heads = part.view(count, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    seen = None
    if hidden_first:
        seen = torch.ones(length, length, dtype=torch.bool)
        seen[1:, 0] = False
    answer = functional.scaled_dot_product_attention(
        heads[0], heads[1], heads[2], attn_mask=seen, dropout_p=dropout
    )
    return answer.transpose(1, 2).reshape(count * length, WIDTH)
