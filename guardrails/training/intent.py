"""Training the intent head: logistic regression over embeddings and hashed n-grams."""

import random
import sys
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.embeddings import WEIGHTS_SHA256, Encoder, plain
from guardrails.learned import ngrams
from guardrails.learned.heads import DISALLOWED, INTENTS, Array, Head, Texts, softmax
from guardrails.training.labelled import Labelled, data_sha256, intents

SEED = 20_250
INVERSE_REGULARISATION = 30.0
FOLDS = 4
CONTEXT = True

BLOCKED_SHARE, REVIEWED_SHARE = 0.02, 0.08
"""Of allowed lines, how many may be blocked and how many reviewed."""
MISMATCH_SHARE = 0.01
"""Of allowed lines with their own brief, how many may be reviewed as a mismatch."""

SOURCE_WEIGHTS = {"disallowed": 2.0, "hard_negatives": 2.0, "extra": 4.0}

Labels = NDArray[np.int64]


def gather(lines: Sequence[Labelled], contexts: Sequence[str | None], embed: Encoder) -> Texts:
    """`lines` as the classifier sees them."""
    subjects = [plain(line.subject) for line in lines]
    previews = [plain(line.preview) for line in lines]
    return Texts(subjects, previews, contexts, embed.encode(subjects), _embed_some(previews, embed))


def _embed_some(texts: Sequence[str], embed: Encoder) -> Array:
    """Embeddings of `texts`, zero where there is none."""
    rows = embed.encode(list(texts))
    return np.where(np.array([[bool(text)] for text in texts]), rows, np.float32(0))


def drawn_contexts(lines: Sequence[Labelled], generator: random.Random) -> list[str | None]:
    """A brief's intent for each line, or none for half of them.

    An allowed line gets its own; a disallowed one any, as often as allowed lines have it: the line
    is disallowed whatever the campaign, and the campaign alone must not give it away.
    """
    own = [line.intent for line in lines if line.disallowed is None]
    drawn: list[str | None] = []
    for line in lines:
        chosen = line.intent if line.disallowed is None else generator.choice(own)
        drawn.append(chosen if generator.random() < 0.5 else None)
    return drawn


def augmented(lines: Sequence[Labelled], generator: random.Random) -> list[Labelled]:
    """`lines` and a quarter of the unsubtle ones again without preview, as some texts come."""
    return [
        *lines,
        *(
            Labelled(line.subject, "", line.intent, line.disallowed, False, line.source, line.split)
            for line in lines
            if not line.subtle and generator.random() < 0.25
        ),
    ]


def disallowed_labels(lines: Sequence[Labelled]) -> Labels:
    """0 for an allowed line, else 1 + the place of its label in DISALLOWED."""
    return np.array([1 + DISALLOWED.index(x.disallowed) if x.disallowed else 0 for x in lines])


def intent_labels(lines: Sequence[Labelled]) -> Labels:
    """The place of each line's intent in INTENTS."""
    return np.array([INTENTS.index(line.intent) for line in lines])


def matrix(texts: Texts, with_context: bool) -> Any:
    """Damped n-gram counts as a sparse matrix: shape (n, ngrams.SPACE)."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    rows = texts.sparse(with_context)
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    return csr_matrix(
        (np.concatenate([v for _, v in rows]), np.concatenate([c for c, _ in rows]), ends),
        shape=(len(rows), ngrams.SPACE),
    )


def weighted(counts: Any, idf: Array) -> Any:
    """`counts` times `idf`, rows of length 1."""
    from scipy.sparse import diags

    product = counts @ diags(idf)
    lengths = np.sqrt(np.asarray(product.multiply(product).sum(axis=1)).ravel())
    return diags(1 / np.maximum(lengths, 1e-9)) @ product


def inverse_frequency(counts: Any) -> Array:
    """Rarer n-grams weigh more: ln((1 + n) / (1 + lines with it)) + 1."""
    frequency = np.asarray((counts != 0).sum(axis=0)).ravel()
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + frequency)) + 1, dtype=np.float32)


def fit(
    texts: Texts,
    counts: Any,
    labels: Labels,
    weights: Array,
    dense: bool = True,
    pieces: bool = True,
) -> tuple[Any, Array]:
    """A fitted logistic regression and the idf it was fitted with."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression

    idf = inverse_frequency(counts)
    blocks = ([csr_matrix(texts.dense)] if dense else []) + (
        [weighted(counts, idf)] if pieces else []
    )
    model = LogisticRegression(
        C=INVERSE_REGULARISATION, max_iter=200, class_weight="balanced", random_state=SEED
    )
    model.fit(csr_matrix(hstack(blocks)), labels, sample_weight=weights)
    return model, idf


def apply(
    fitted: tuple[Any, Array], texts: Texts, counts: Any, dense: bool = True, pieces: bool = True
) -> Array:
    """Logits of a fitted regression: shape (n, labels)."""
    from scipy.sparse import csr_matrix, hstack

    model, idf = fitted
    blocks = ([csr_matrix(texts.dense)] if dense else []) + (
        [weighted(counts, idf)] if pieces else []
    )
    return np.asarray(model.decision_function(csr_matrix(hstack(blocks))), dtype=np.float32)


def line_weights(lines: Sequence[Labelled]) -> Array:
    """How much each line counts: the corpus outnumbers what was written to be hard or everyday."""
    return np.array([SOURCE_WEIGHTS.get(line.source, 1.0) for line in lines], dtype=np.float32)


def calibrate(logits: Array, labels: Labels) -> tuple[float, Array]:
    """Temperature and a shift of the first label (0 elsewhere) that fit held-out labels best."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    def loss(values: NDArray[np.float64]) -> float:
        moved = logits / np.exp(values[0])
        moved[:, 0] += values[1]
        return float(-np.log(softmax(moved)[np.arange(len(labels)), labels] + 1e-9).mean())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    shift = np.zeros(logits.shape[1], dtype=np.float32)
    shift[0] = best[1]
    return float(np.exp(best[0])), shift


def quantile(values: Array, weights: Array, share: float) -> float:
    """The value that `share` of the weight lies above."""
    order = np.argsort(-values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, share)])


def balance(lines: Sequence[Labelled]) -> Array:
    """Weights that give corpus lines and all other lines half of the weight each."""
    corpus = np.array([line.source == "corpus" for line in lines])
    shares = np.where(corpus, 0.5 / max(corpus.sum(), 1), 0.5 / max((~corpus).sum(), 1))
    return np.asarray(shares, dtype=np.float32)


def train(data: Traversable, embed: Encoder) -> Head:
    """Fit the head on the train and validation lines of `data`; thresholds by cross-fitting."""
    lines = [line for line in intents(data) if line.split != "test"]
    generator = random.Random(SEED)  # noqa: S311
    lines = augmented(lines, generator)
    contexts = drawn_contexts(lines, generator)
    texts = gather(lines, contexts, embed)
    folds = np.array([_fold(line) for line in lines])
    weights = line_weights(lines)
    allowed = np.array([line.disallowed is None for line in lines])
    arrays: dict[str, NDArray[Any]] = {}
    held_out: dict[str, Array] = {}
    for name, labels, used in (
        ("disallowed", disallowed_labels(lines), np.ones(len(lines), dtype=bool)),
        ("intents", intent_labels(lines), allowed),
    ):
        counts = matrix(texts, CONTEXT and name == "disallowed")
        logits = np.zeros((len(lines), int(labels.max()) + 1), dtype=np.float32)
        for fold in range(FOLDS):
            print(f"train intent: {name}, fold {fold + 1} of {FOLDS}", file=sys.stderr)
            inside, outside = used & (folds != fold), folds == fold
            fitted = fit(some(texts, inside), counts[inside], labels[inside], weights[inside])
            logits[outside] = apply(fitted, some(texts, outside), counts[outside])
        temperature, shift = calibrate(logits[used], labels[used])
        held_out[name] = softmax(logits / temperature + shift)
        print(f"train intent: {name}, all lines", file=sys.stderr)
        model, idf = fit(some(texts, used), counts[used], labels[used], weights[used])
        width = texts.dense.shape[1]
        arrays |= {
            f"{name}.dense": model.coef_[:, :width].T.astype(np.float16),
            f"{name}.sparse": model.coef_[:, width:].T.astype(np.float16),
            f"{name}.bias": model.intercept_.astype(np.float32),
            f"{name}.idf": idf.astype(np.float16),
            f"{name}.temperature": np.array([temperature], dtype=np.float32),
            f"{name}.shift": shift,
        }
    thresholds = choose(lines, held_out)
    return Head(
        arrays,
        {
            "labels": [*INTENTS, *DISALLOWED],
            "context": CONTEXT,
            "data_sha256": data_sha256(data, ["corpus", "intent"]),
            "embedding_sha256": WEIGHTS_SHA256,
            "seed": SEED,
            "thresholds": thresholds,
            "figures": figures(lines, held_out, thresholds),
        },
    )


def choose(lines: Sequence[Labelled], held_out: dict[str, Array]) -> dict[str, float]:
    """Thresholds that keep to the shares of allowed lines, on predictions of unseen lines."""
    allowed = np.array([line.disallowed is None for line in lines])
    risk = 1 - held_out["disallowed"][:, 0]
    kept = [line for line in lines if line.disallowed is None]
    weights = balance(kept)
    own = held_out["intents"][np.arange(len(lines)), intent_labels(lines)]
    gap = held_out["intents"].max(axis=1) - own
    return {
        "block": quantile(risk[allowed], weights, BLOCKED_SHARE),
        "review": quantile(risk[allowed], weights, BLOCKED_SHARE + REVIEWED_SHARE),
        "mismatch": max(quantile(gap[allowed], weights, MISMATCH_SHARE), 0.5),
    }


def figures(
    lines: Sequence[Labelled], held_out: dict[str, Array], thresholds: dict[str, float]
) -> dict[str, float]:
    """What cross-fitting says of the head: shares of lines, and macro-F1 of the four intents."""
    from sklearn.metrics import f1_score

    risk = 1 - held_out["disallowed"][:, 0]
    allowed = np.array([line.disallowed is None for line in lines])
    found = {
        "macro_f1": f1_score(
            intent_labels(lines)[allowed],
            held_out["intents"][allowed].argmax(axis=1),
            average="macro",
        ),
        "disallowed_found": float((risk[~allowed] > thresholds["review"]).mean()),
        "allowed_reviewed_or_blocked": float((risk[allowed] > thresholds["review"]).mean()),
        "allowed_blocked": float((risk[allowed] > thresholds["block"]).mean()),
    }
    for source in sorted({line.source for line in lines}):
        of = np.array([line.source == source for line in lines])
        for name, rows in (("allowed", of & allowed), ("disallowed", of & ~allowed)):
            if rows.any():
                found[f"{source}_{name}_flagged"] = float(
                    (risk[rows] > thresholds["review"]).mean()
                )
                found[f"{source}_{name}_blocked"] = float((risk[rows] > thresholds["block"]).mean())
    return {name: round(float(value), 4) for name, value in found.items()}


def some(texts: Texts, rows: NDArray[np.bool_]) -> Texts:
    """The texts at `rows`."""
    at = np.flatnonzero(rows).tolist()
    return Texts(
        [texts.subjects[i] for i in at],
        [texts.previews[i] for i in at],
        [texts.contexts[i] for i in at],
        texts.subject_embeddings[at],
        texts.preview_embeddings[at],
    )


def _fold(line: Labelled) -> int:
    # Validation lines are one fold; lines of training fall into the others by their subject.
    if line.split == "validation":
        return 0
    return 1 + sum(line.subject.encode()) % (FOLDS - 1)
