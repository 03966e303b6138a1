"""Rebuilding the trained heads from the labelled data: `python -m guardrails train intent|voice`.

With the embeddings cached it takes about two minutes for each on two cores; embedding the data
takes another two to four, once. Seeded: the same data give the same head on the same machine.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guardrails.embeddings import DIMENSIONS, WEIGHTS_SHA256, Embedder, Reader, Reading
from guardrails.learned.heads import Head
from guardrails.training import intent, voice

HEADS: Mapping[str, tuple[str, Callable[[Traversable, Reader], Head]]] = {
    "intent": ("intent", intent.train),
    "voice": ("brand_voice", voice.train),
}
"""What can be trained: the name of its file, and what trains it."""

CHUNK = 1024


class CachedEmbedder:
    """An Embedder that keeps what it embedded in a folder, for training again and again."""

    def __init__(self, folder: Path, embedder: Reader) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"embeddings-{WEIGHTS_SHA256[:12]}.npz"
        self._embedder = embedder
        self._rows: dict[str, NDArray[np.float32]] = {}
        if self._path.exists():
            with np.load(self._path) as stored:
                self._rows = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of `texts`: shape (len(texts), 384), rows of length 1."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows
        }
        new = sorted(missing.items(), key=lambda pair: (len(pair[1]), pair[0]))
        for start in range(0, len(new), CHUNK):
            part = new[start : start + CHUNK]
            rows = self._embedder.encode([text for _, text in part])
            self._rows.update(zip((key for key, _ in part), rows, strict=True))
            print(f"embedded {start + len(part)} of {len(new)} texts", file=sys.stderr)
        if new:
            every = list(self._rows)
            np.savez(self._path, keys=every, rows=np.stack([self._rows[key] for key in every]))
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._rows[key] for key in keys])

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Embeddings and token states of `texts`, in order: too large to keep."""
        return self._embedder.read(texts)


def default_cache() -> Path:
    """Where embeddings are kept if no other folder is named."""
    return Path(tempfile.gettempdir()) / "copygen-embeddings"


def train(name: str, data: Path, target: Path, cache: Path) -> Path:
    """Train the head `name` from `data` and write it into the folder `target`: its path."""
    file, trainer = HEADS[name]
    head = trainer(data, CachedEmbedder(cache, Embedder()))
    path = target / f"{file}.safetensors"
    head.save(path)
    for figure, value in head.metadata["figures"].items():
        print(f"{figure}: {value}", file=sys.stderr)
    print(f"wrote {path}", file=sys.stderr)
    return path
