"""The MiniLM encoder: tokens in, unit vectors and token states out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from guardrails import transformer

LAYERS = 6
SHARED = 2
"""Layers below those that the intent check has of its own: what they give serves both."""

TOKENS = 256
"""Tokens of a text that are read, as in the model's own configuration."""

Array = NDArray[np.float32]


class MiniLM:
    """all-MiniLM-L6-v2 in float32."""

    def __init__(self, tokenizer: Tokenizer, published: Mapping[str, Tensor]) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(TOKENS)
        self._tokenizer = tokenizer
        self._published = published
        self._layers = [transformer.layer_weights(published, n) for n in range(LAYERS)]

    @classmethod
    def load(cls, folder: Path) -> "MiniLM":
        """The tokenizer and weights in `folder`."""
        return cls(
            Tokenizer.from_file(str(folder / "tokenizer.json")),
            load_file(folder / "model.safetensors"),
        )

    def layer_weights(self, number: int) -> dict[str, Tensor]:
        """The weights of layer `number`, counted from 0."""
        return dict(self._layers[number])

    def read(self, texts: Sequence[str]) -> list[tuple[Array, Array]]:
        """For each text its unit vector (384,) and what layer 2 gives for its tokens (n, 384)."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        found: dict[int, tuple[Array, Array]] = {}
        with torch.inference_mode():
            for step in transformer.steps([len(each) for each in ids]):
                found.update(zip(step, self._step([ids[place] for place in step]), strict=True))
        return [found[place] for place in range(len(texts))]

    def _step(self, ids: Sequence[Sequence[int]]) -> list[tuple[Array, Array]]:
        lengths = [len(each) for each in ids]
        runs = transformer.runs_of(lengths)
        rows = self._embedded(ids)
        states = rows
        for number, weights in enumerate(self._layers):
            rows = transformer.layer(rows, weights, runs)
            states = rows if number == SHARED - 1 else states
        means = torch.cat([part.mean(dim=1) for part in transformer.by_text(rows, runs)])
        vectors = functional.normalize(means, dim=1).numpy()
        parts = np.split(states.numpy(), np.cumsum(lengths)[:-1])
        return [(vector, part.copy()) for vector, part in zip(vectors, parts, strict=True)]

    def _embedded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        def table(name: str) -> Tensor:
            return self._published[f"embeddings.{name}.weight"]

        words = torch.tensor([token for each in ids for token in each])
        places = torch.tensor([place for each in ids for place in range(len(each))])
        rows = table("word_embeddings")[words] + table("position_embeddings")[places]
        return functional.layer_norm(
            rows + table("token_type_embeddings")[0],
            (transformer.WIDTH,),
            table("LayerNorm"),
            self._published["embeddings.LayerNorm.bias"],
            transformer.EPSILON,
        )
