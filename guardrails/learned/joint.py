"""Four layers that read subject and preview together, above the layers that embeddings share.

A text is one sequence: a token for the brief's intent, the tokens of the subject, those of the
preview. The first sees the others and is not seen, so the four intents are told from the text
alone, while what is disallowed may depend on the brief.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from guardrails import transformer
from guardrails.embeddings import Reading
from guardrails.learned.heads import INTENTS, Array

LAYERS = 4
SUBJECT, PREVIEW = 1 + len(INTENTS), 2 + len(INTENTS)
"""Rows of the table `kinds` that mark a token's field; before them no intent and each intent."""

Pair = tuple[Reading | None, Reading | None]
"""A subject and a preview; None where there is none. One of them is there."""


@dataclass(frozen=True)
class Packed:
    """Some texts as rows: `states` (tokens, 384), what each token is, and the runs they form."""

    states: Tensor
    kinds: Tensor
    runs: transformer.Runs


def kind(intent: str | None) -> int:
    """The row of `kinds` for a brief's intent."""
    return 0 if intent is None else 1 + INTENTS.index(intent)


def length(pair: Pair) -> int:
    """Tokens of a text with the one for the brief."""
    return 1 + sum(len(field.states) for field in pair if field)


def pack(pairs: Sequence[Pair], contexts: Sequence[str | None]) -> Packed:
    """`pairs`, shortest first, as rows."""
    states: list[NDArray[np.floating]] = []
    kinds: list[int] = []
    first = np.zeros((1, transformer.WIDTH), dtype=np.float32)
    for pair, context in zip(pairs, contexts, strict=True):
        states.append(first)
        kinds.append(kind(context))
        for field, number in zip(pair, (SUBJECT, PREVIEW), strict=True):
            if field:
                states.append(field.states)
                kinds += [number] * len(field.states)
    rows = torch.from_numpy(np.concatenate(states).astype(np.float32, copy=False))
    runs = transformer.runs_of([length(pair) for pair in pairs])
    return Packed(rows, torch.tensor(kinds), runs)


def logits(
    weights: Mapping[str, Tensor], packed: Packed, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Logits of the intents (n, 4), and of "allowed" and the disallowed labels (n, 11)."""
    rows = packed.states + functional.embedding(packed.kinds, weights["kinds"])
    for number in range(LAYERS):
        own = {
            name.removeprefix(f"{number}."): weight
            for name, weight in weights.items()
            if name.startswith(f"{number}.")
        }
        rows = transformer.layer(rows, own, packed.runs, hidden_first=True, dropout=dropout)
    parts = list(transformer.by_text(rows, packed.runs))
    text = torch.cat([part[:, 1:].mean(dim=1) for part in parts])
    brief = torch.cat([part[:, 0] for part in parts])
    answers = (text, text + brief)
    if dropout:
        answers = (functional.dropout(text, 0.2), functional.dropout(text + brief, 0.2))
    return (
        functional.linear(answers[0], weights["intents.weight"], weights["intents.bias"]).float(),
        functional.linear(
            answers[1], weights["disallowed.weight"], weights["disallowed.bias"]
        ).float(),
    )


class Joint:
    """The trained layers, ready to judge."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]]) -> "Joint":
        """From the arrays of a head."""
        return cls({name: torch.from_numpy(array) for name, array in arrays.items()})

    def logits(self, pairs: Sequence[Pair], contexts: Sequence[str | None]) -> tuple[Array, Array]:
        """Logits of the intents (n, 4) and of "allowed" and the disallowed labels (n, 11)."""
        found: dict[int, tuple[Array, Array]] = {}
        with torch.inference_mode():
            for step in transformer.steps([length(pair) for pair in pairs]):
                found.update(zip(step, self._step(pairs, contexts, step), strict=True))
        rows = [found[place] for place in range(len(pairs))]
        return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])

    def _step(
        self, pairs: Sequence[Pair], contexts: Sequence[str | None], step: Sequence[int]
    ) -> Iterator[tuple[Array, Array]]:
        packed = pack([pairs[i] for i in step], [contexts[i] for i in step])
        intents, risks = logits(self._weights, packed)
        return zip(intents.numpy(), risks.numpy(), strict=True)
