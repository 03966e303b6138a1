"""Small trained heads over sentence embeddings: plain arrays with what is known of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import GuardrailsError

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
