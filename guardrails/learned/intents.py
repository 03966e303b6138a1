"""The trained intent head: layers of its own over the shared encoder, and a linear part beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from guardrails.embeddings import DIMENSIONS, Reading
from guardrails.learned import ngrams
from guardrails.learned.heads import Array, Head, softmax

if TYPE_CHECKING:
    from guardrails.learned.joint import Joint

EMBEDDING_WEIGHT = 0.6
"""Weight of the embeddings beside the n-grams; of 0.6 and 1, the better one on validation."""


@dataclass(frozen=True)
class Texts:
    """Texts to classify: fields, the brief's intents, and what the encoder reads in the fields.

    A field that is missing is "" with no reading; each text has at least one field.
    """

    subjects: Sequence[str]
    previews: Sequence[str]
    contexts: Sequence[str | None]
    subject_readings: Sequence[Reading | None]
    preview_readings: Sequence[Reading | None]

    @cached_property
    def dense(self) -> Array:
        """Both embeddings side by side: shape (n, 768)."""
        return np.hstack(
            [_embeddings(self.subject_readings), _embeddings(self.preview_readings)]
        ) * np.float32(EMBEDDING_WEIGHT)

    @cached_property
    def sparse(self) -> list[ngrams.Row]:
        """Columns and damped counts of each text's n-grams."""
        return ngrams.rows(self.subjects, self.previews)

    def at(self, places: Sequence[int]) -> "Texts":
        """The texts at `places`."""
        return Texts(
            [self.subjects[i] for i in places],
            [self.previews[i] for i in places],
            [self.contexts[i] for i in places],
            [self.subject_readings[i] for i in places],
            [self.preview_readings[i] for i in places],
        )


def _embeddings(readings: Sequence[Reading | None]) -> Array:
    nothing = np.zeros(DIMENSIONS, dtype=np.float32)
    return np.stack([each.embedding if each else nothing for each in readings])


class Intents:
    """Four allowed intents, and ten disallowed ones against "allowed"."""

    def __init__(self, head: Head) -> None:
        self._arrays = head.arrays
        self.thresholds: Mapping[str, float] = head.metadata["thresholds"]

    @cached_property
    def _joint(self) -> "Joint":
        # Imported here since it takes seconds, and most commands judge nothing.
        from guardrails.learned.joint import Joint

        return Joint.of(
            {
                name.removeprefix("joint."): array
                for name, array in self._arrays.items()
                if name.startswith("joint.")
            }
        )

    def judge(self, texts: Texts) -> tuple[Array, Array]:
        """Probabilities of INTENTS, from the text alone: shape (n, 4), rows sum to 1; and of
        "allowed" and then of DISALLOWED, with the brief in view: shape (n, 11), rows sum to 1."""
        pairs = list(zip(texts.subject_readings, texts.preview_readings, strict=True))
        joint = self._joint.logits(pairs, texts.contexts)
        linear = self._linear("intents", texts), self._linear("disallowed", texts)
        intents, risks = (
            softmax(combined(each, beside, self._arrays[f"{name}.mix"]))
            for name, each, beside in zip(("intents", "disallowed"), joint, linear, strict=True)
        )
        return intents, risks

    def _linear(self, name: str, texts: Texts) -> Array:
        dense, sparse, bias, idf = (
            self._arrays[f"{name}.{part}"] for part in ("dense", "sparse", "bias", "idf")
        )
        logits = texts.dense @ dense + bias
        for row, (columns, values) in enumerate(texts.sparse):
            weighted = values * idf[columns]
            length = float(np.linalg.norm(weighted)) or 1.0
            # The two kinds of n-grams are one unit vector together.
            logits[row] += (weighted / length) @ sparse[columns]
        return np.asarray(logits, dtype=np.float32)


def combined(joint: Array, linear: Array, mix: Array) -> Array:
    """Calibrated logits: `mix` holds the weights of the two, then a shift of each label."""
    return np.asarray(mix[0] * joint + mix[1] * linear + mix[2:], dtype=np.float32)
