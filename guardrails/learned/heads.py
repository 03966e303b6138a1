"""Small trained heads over sentence embeddings: plain arrays, applied with numpy alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import GuardrailsError
from guardrails.learned import ngrams

Array = NDArray[np.float32]

DATA: Traversable = resources.files("guardrails") / "data"

INTENTS = ("promotional", "transactional", "informational", "reengagement")
DISALLOWED = (
    "deceptive_reply",
    "phishing",
    "fear_pressure",
    "false_urgency",
    "guaranteed_outcome",
    "medical_claim",
    "financial_claim",
    "sensitive_inference",
    "fake_transactional",
    "prize_bait",
)
EMBEDDING_WEIGHT = 0.6
"""Weight of the embeddings beside the n-grams; of 0.6 and 1, the better one on validation."""


@dataclass(frozen=True)
class Head:
    """Arrays and what is known of them: labels, hashes of the data and weights, figures."""

    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write to `path` as safetensors, the metadata as JSON in its header."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        header = {"head": json.dumps(self.metadata, sort_keys=True)}
        save_file(arrays, path, metadata=header)

    @classmethod
    def load(cls, name: str, folder: Traversable = DATA) -> "Head":
        """The head `name` of `folder`, its arrays as float32.

        Raises:
            GuardrailsError: the file is missing or is no head.
        """
        from safetensors import SafetensorError, safe_open

        source = folder / f"{name}.safetensors"
        try:
            with (
                resources.as_file(source) as path,
                safe_open(path, framework="numpy") as file,
            ):
                arrays = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
                return cls(arrays, json.loads(file.metadata()["head"]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise GuardrailsError(
                f"The head {source} can't be read ({error}). Install the package again, or "
                f"train it: python -m guardrails train {name.removeprefix('brand_')}"
            ) from error


def softmax(logits: Array) -> Array:
    """Rows that sum to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class Texts:
    """Texts to classify, with their embeddings (n, 384); a preview that is missing is "" and 0."""

    subjects: Sequence[str]
    previews: Sequence[str]
    contexts: Sequence[str | None]
    subject_embeddings: Array
    preview_embeddings: Array

    @cached_property
    def dense(self) -> Array:
        """Both embeddings side by side: shape (n, 768)."""
        both = np.hstack([self.subject_embeddings, self.preview_embeddings])
        return np.asarray(both * EMBEDDING_WEIGHT, dtype=np.float32)

    def sparse(self, with_context: bool) -> list[ngrams.Row]:
        """Columns and damped counts of each text's n-grams."""
        contexts = self.contexts if with_context else [None] * len(self.subjects)
        return ngrams.rows(self.subjects, self.previews, contexts)


class Intents:
    """The trained intent head: four allowed intents, and ten disallowed ones against "allowed"."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._arrays = head.arrays
        self.thresholds: Mapping[str, float] = head.metadata["thresholds"]

    def intents(self, texts: Texts) -> Array:
        """Probabilities of INTENTS: shape (n, 4), rows sum to 1."""
        return softmax(self._logits("intents", texts, with_context=False))

    def disallowed(self, texts: Texts) -> Array:
        """Probabilities of "allowed" and then of DISALLOWED: shape (n, 11), rows sum to 1."""
        return softmax(self._logits("disallowed", texts, bool(self.head.metadata["context"])))

    def _logits(self, name: str, texts: Texts, with_context: bool) -> Array:
        dense, sparse, bias, idf = (
            self._arrays[f"{name}.{part}"] for part in ("dense", "sparse", "bias", "idf")
        )
        logits = texts.dense @ dense + bias
        for row, (columns, values) in enumerate(texts.sparse(with_context)):
            weighted = values * idf[columns]
            length = float(np.linalg.norm(weighted)) or 1.0
            # The two kinds of n-grams are one unit vector together.
            logits[row] += (weighted / length) @ sparse[columns]
        scaled = logits / self._arrays[f"{name}.temperature"]
        return np.asarray(scaled + self._arrays[f"{name}.shift"], dtype=np.float32)
