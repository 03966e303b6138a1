"""How near a line is to a brand's voice: a small trained head over embeddings and style."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guardrails.learned.heads import Array, Head
from guardrails.learned.style import NAMES

EMBEDDING_SCALE = 8.0
"""MiniLM's components are about 0.05; so they weigh about as much as a style feature."""


def unit(rows: Array) -> Array:
    """`rows` at length 1."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-9), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines as the head sees them: texts, embeddings (n, 384), styles (n, 47), vectors (n, 64)."""

    texts: Sequence[str]
    embeddings: Array
    styles: Array
    vectors: Array

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, places: Sequence[int]) -> "Lines":
        """The lines at `places`."""
        chosen = list(places)
        return Lines(
            [self.texts[i] for i in chosen],
            self.embeddings[chosen],
            self.styles[chosen],
            self.vectors[chosen],
        )


class VoiceHead:
    """The trained head: vectors in which lines of one voice lie close, and a calibrated answer."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._arrays = head.arrays

    def lines(self, texts: Sequence[str], embeddings: Array, styles: Array) -> Lines:
        """`texts` with their vectors; `styles` come in standardised."""
        a = self._arrays
        standard = np.clip((styles - a["style.mean"]) / a["style.deviation"], -4, 4)
        hidden = embeddings * EMBEDDING_SCALE @ a["embedding.weight"] + standard @ a["style.weight"]
        vectors = np.maximum(hidden + a["hidden.bias"], 0) @ a["out.weight"] + a["out.bias"]
        return Lines(texts, embeddings, standard.astype(np.float32), unit(vectors))

    def probability(self, item: Lines, on: Lines, off: Lines) -> float:
        """How likely a text, given as its fields, is in the voice of `on`: 0 to 1."""
        kind = "with_off" if len(off) else "on_alone"
        logit = features(item, on, off) @ self._arrays[f"{kind}.weight"]
        return float(1 / (1 + np.exp(-(float(logit) + float(self._arrays[f"{kind}.bias"][0])))))

    def threshold(self, has_off: bool) -> float:
        """Below it a person decides; reviews about 5% of a brand's own copy."""
        return float(self.head.metadata["thresholds"]["with_off" if has_off else "on_alone"])


def features(item: Lines, on: Lines, off: Lines) -> Array:
    """Likeness of a text to the example lines, the mean over its fields: shape (6,) or (11,).

    To `on`: by vector to the centre, the nearest and the nearest three; by embedding to the centre
    and the nearest; distance in style. To `off`, where there are any: the same without the three.
    """
    parts = [*_likeness(item, on), _near(item.vectors @ on.vectors.T, 3)]
    if len(off):
        parts += _likeness(item, off)
    return np.array([float(part.mean()) for part in parts], dtype=np.float32)


def _likeness(item: Lines, lines: Lines) -> list[Array]:
    by_vector = item.vectors @ unit(lines.vectors.mean(axis=0))
    by_embedding = item.embeddings @ unit(lines.embeddings.mean(axis=0))
    in_style = np.abs(item.styles - lines.styles.mean(axis=0)).mean(axis=1)
    return [
        by_vector,
        _near(item.vectors @ lines.vectors.T, 1),
        by_embedding,
        _near(item.embeddings @ lines.embeddings.T, 1),
        in_style,
    ]


def _near(similarities: Array, count: int) -> Array:
    """Mean of the `count` highest similarities of each row."""
    return np.asarray(np.sort(similarities, axis=1)[:, -count:].mean(axis=1), dtype=np.float32)


def nearest(item: Lines, on: Lines) -> str:
    """The example line most like the text."""
    return on.texts[int((item.vectors @ on.vectors.T).mean(axis=0).argmax())]


def unlike(item: Lines, on: Lines, count: int = 3) -> list[tuple[str, bool]]:
    """The style features in which the text stands out most: (name, whether it has more of it)."""
    spread = on.styles.std(axis=0) + 0.5
    away = (item.styles.mean(axis=0) - on.styles.mean(axis=0)) / spread
    # A preview is longer than the example lines, so its length says nothing of its voice.
    away[: NAMES.index("length of sentences")] = 0
    order = np.argsort(-np.abs(away))[:count]
    return [(NAMES[i], bool(away[i] > 0)) for i in order if abs(away[i]) > 1.5]
