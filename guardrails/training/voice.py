"""Training the brand-voice head: vectors in which lines of one voice lie close."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrails.embeddings import WEIGHTS_SHA256, Encoder, plain
from guardrails.learned.heads import Array, Head
from guardrails.learned.style import NAMES, styles
from guardrails.learned.voice import EMBEDDING_SCALE, Lines, VoiceHead, features
from guardrails.training.labelled import Voice, data_sha256, voices

if TYPE_CHECKING:
    from torch import Tensor

SEED = 7
EPOCHS = 40
HIDDEN, SIZE = 128, 64
BRANDS_A_STEP = 16
SWAPPED = 0.2
"""Share of episodes in which a brand's off-voice lines play its voice, so that the head compares
with the examples and doesn't learn one fixed idea of bad style."""
OWN_COPY_REVIEWED = 0.05

Numbers = Sequence[int]


@dataclass(frozen=True)
class Indexed:
    """A brand with its lines as row numbers."""

    voice: Voice
    on: Numbers
    off: Numbers
    variants: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Corpus:
    """All lines of some brands, embedded once: embeddings (n, 384) and styles (n, 47)."""

    texts: Sequence[str]
    embeddings: Array
    styles: Array
    brands: Sequence[Indexed]

    def lines(self, head: VoiceHead) -> Lines:
        """The lines as `head` sees them."""
        return head.lines(self.texts, self.embeddings, self.styles)


def gather(found: Sequence[Voice], embed: Encoder) -> Corpus:
    """The lines of `found`, embedded, with their styles."""
    rows: dict[str, int] = {}

    def row(text: str) -> int:
        return rows.setdefault(plain(text), len(rows))

    brands = [
        Indexed(
            voice,
            [row(text) for text in voice.brand.on_voice],
            [row(text) for text in voice.brand.off_voice],
            [(row(subject), row(preview)) for subject, preview in voice.variants],
        )
        for voice in found
    ]
    texts = list(rows)
    return Corpus(texts, embed.encode(texts), styles(texts), brands)


def train(data: Traversable, embed: Encoder) -> Head:
    """Fit the vectors on the train brands; the answer and its thresholds on the validation ones."""
    found = voices(data)
    fitting = gather([voice for voice in found if voice.split == "train"], embed)
    arrays = _fit_vectors(fitting)
    choosing = gather([voice for voice in found if voice.split == "validation"], embed)
    head = VoiceHead(Head(arrays, {}))
    thresholds, more = _fit_answer(choosing, head)
    arrays = {
        name: array.astype(np.float16 if array.ndim == 2 else np.float32)
        for name, array in (arrays | more).items()
    }
    return Head(
        arrays,
        {
            "labels": ["brand_voice"],
            "style_features": list(NAMES),
            "data_sha256": data_sha256(data, ["corpus"]),
            "embedding_sha256": WEIGHTS_SHA256,
            "seed": SEED,
            "thresholds": thresholds,
            "figures": {f"threshold_{name}": value for name, value in thresholds.items()},
        },
    )


def _fit_vectors(corpus: Corpus) -> dict[str, NDArray[Any]]:
    """Episodes: some lines of a brand are its examples; its other lines and copy must lie nearer to
    them than its off-voice lines do, and nearer than to other brands' examples."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(SEED)
    draw = np.random.default_rng(SEED)
    mean = corpus.styles.mean(axis=0)
    deviation = corpus.styles.std(axis=0) + 0.05
    embeddings = torch.from_numpy(corpus.embeddings * EMBEDDING_SCALE)
    standard = torch.from_numpy(
        np.clip((corpus.styles - mean) / deviation, -4, 4).astype(np.float32)
    )
    by_embedding = nn.Linear(embeddings.shape[1], HIDDEN)
    by_style = nn.Linear(standard.shape[1], HIDDEN, bias=False)
    out = nn.Linear(HIDDEN, SIZE)
    parts = nn.ModuleList([by_embedding, by_style, out])
    optimiser = torch.optim.AdamW(parts.parameters(), lr=2e-3, weight_decay=1e-3)

    def vectors(rows: Numbers) -> "Tensor":
        at = torch.tensor(rows, dtype=torch.long)
        hidden = by_embedding(functional.dropout(embeddings[at], 0.2))
        hidden = hidden + by_style(functional.dropout(standard[at], 0.1))
        return functional.normalize(out(functional.dropout(torch.relu(hidden), 0.2)), dim=-1)

    for epoch in range(EPOCHS):
        order = draw.permutation(len(corpus.brands))
        for start in range(0, len(order), BRANDS_A_STEP):
            step = [corpus.brands[i] for i in order[start : start + BRANDS_A_STEP]]
            loss = _loss([_episode(brand, draw) for brand in step], vectors)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if epoch % 10 == 9:
            print(f"train voice: {epoch + 1} of {EPOCHS} rounds", file=sys.stderr)

    def array(tensor: "Tensor") -> NDArray[np.float32]:
        return np.asarray(tensor.detach().numpy(), dtype=np.float32)

    return {
        "style.mean": mean,
        "style.deviation": deviation,
        "embedding.weight": array(by_embedding.weight.T),
        "style.weight": array(by_style.weight.T),
        "hidden.bias": array(by_embedding.bias),
        "out.weight": array(out.weight.T),
        "out.bias": array(out.bias),
    }


def _episode(brand: Indexed, draw: np.random.Generator) -> tuple[Numbers, ...]:
    """Example rows on and off voice, and rows to judge: on voice, and off voice."""
    on, off = draw.permutation(brand.on).tolist(), draw.permutation(brand.off).tolist()
    if draw.random() < SWAPPED:
        return off[:4], on[: draw.integers(0, 5)], off[4:], on[5:]
    picked = draw.choice(len(brand.variants), 8, replace=False)
    copy = [brand.variants[i][draw.integers(2)] for i in picked]
    return on[: draw.integers(4, 11)], off[: draw.integers(0, 5)], on[10:] + copy, off[4:]


def _loss(episodes: Sequence[tuple[Numbers, ...]], vectors: Any) -> Any:
    import torch
    from torch.nn import functional

    every = [row for episode in episodes for part in episode for row in part]
    parts = iter(vectors(every).split([len(part) for episode in episodes for part in episode]))
    centres, answers = [], []
    ranking: Any = 0.0
    for _ in episodes:
        on, off, good, bad = (next(parts) for _ in range(4))
        centre = functional.normalize(on.mean(dim=0), dim=-1)
        away = off.mean(dim=0) * 0.7 if len(off) else torch.zeros_like(centre)
        better, worse = (good @ (centre - away) * 10, bad @ (centre - away) * 10)
        ranking = ranking + functional.softplus(worse[None] - better[:, None]).mean()
        ranking = (
            ranking + functional.softplus(3 - better).mean() + functional.softplus(worse - 3).mean()
        )
        centres.append(centre)
        answers.append(good)
    among = torch.cat(answers) @ torch.stack(centres).T * 10
    owner = torch.cat([torch.full((len(good),), i) for i, good in enumerate(answers)])
    return ranking / len(episodes) + 0.5 * functional.cross_entropy(among, owner)


def cases(
    corpus: Corpus, draw: np.random.Generator, count: int, with_off: bool
) -> list[tuple[int, str, list[int], list[int], list[int], bool]]:
    """Texts to judge: (brand, kind, rows of the text, rows on voice, rows off voice, whether on).

    `count` example lines stand for each brand. A line that is judged is never among its own
    examples. Kinds: own (copy written for the brand), line (an example line), subject (of own
    copy), off (its off-voice line), foreign (copy for another brand of its part of the corpus).
    """
    found = []
    for number, brand in enumerate(corpus.brands):
        shown = draw.permutation(brand.on).tolist()[:count]
        off = list(brand.off) if with_off else []
        others = [
            pair
            for other in corpus.brands
            if other is not brand and other.voice.sector_file == brand.voice.sector_file
            for pair in other.variants
        ]
        for pair in brand.variants:
            found.append((number, "own", [*pair], shown, off, True))
            found.append((number, "subject", [pair[0]], shown, off, True))
        for row in brand.on:
            found.append((number, "line", [row], [i for i in shown if i != row], off, True))
        for row in brand.off:
            found.append((number, "off", [row], shown, [i for i in off if i != row], False))
        for i in draw.permutation(len(others))[:24]:
            found.append((number, "foreign", [*others[i]], shown, off, False))
    return found


KIND_WEIGHT = {"own": 1.0, "subject": 0.5, "line": 0.5, "off": 3.0, "foreign": 0.35}
"""Weights in fitting the answer: all that is on voice about as much as all that is off."""


def _fit_answer(
    corpus: Corpus, head: VoiceHead
) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
    """A logistic regression over likeness, with and without off-voice lines: calibrated by itself,
    since it is fitted on brands that the vectors have not seen."""
    from sklearn.linear_model import LogisticRegression

    lines = corpus.lines(head)
    draw = np.random.default_rng(SEED)
    thresholds: dict[str, float] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for kind, with_off in (("with_off", True), ("on_alone", False)):
        rows, labels, weights, kinds = [], [], [], []
        for count in (12, 8, 5):
            for _, what, text, on, off, good in cases(corpus, draw, count, with_off):
                rows.append(features(lines.at(text), lines.at(on), lines.at(off)))
                labels.append(good)
                weights.append(KIND_WEIGHT[what])
                kinds.append(what)
        table = np.stack(rows)
        mean, deviation = table.mean(axis=0), table.std(axis=0) + 1e-6
        model = LogisticRegression(C=1.0, max_iter=1000)
        model.fit((table - mean) / deviation, labels, sample_weight=weights)
        weight = model.coef_[0] / deviation
        arrays[f"{kind}.weight"] = weight.astype(np.float32)
        arrays[f"{kind}.bias"] = (model.intercept_ - weight @ mean).astype(np.float32)
        answers = model.predict_proba((table - mean) / deviation)[:, 1]
        own = answers[[what == "own" for what in kinds]]
        thresholds[kind] = round(float(np.quantile(own, OWN_COPY_REVIEWED)), 4)
    return thresholds, arrays
