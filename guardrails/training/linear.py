"""Logistic regression over embeddings and hashed n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.learned import ngrams
from guardrails.learned.heads import Array
from guardrails.learned.intents import Texts

SEED = 20_250
INVERSE_REGULARISATION = 30.0

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Texts as numbers: embeddings (n, 768) and damped n-gram counts (n, ngrams.SPACE), sparse."""

    dense: Array
    counts: Any

    def at(self, places: Sequence[int] | NDArray[np.int64]) -> "Table":
        """The rows at `places`."""
        return Table(self.dense[places], self.counts[places])


def table(texts: Texts) -> Table:
    """`texts` as a table."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    rows = texts.sparse
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    counts = csr_matrix(
        (np.concatenate([v for _, v in rows]), np.concatenate([c for c, _ in rows]), ends),
        shape=(len(rows), ngrams.SPACE),
    )
    return Table(texts.dense, counts)


def _weighted(counts: Any, idf: Array) -> Any:
    """`counts` times `idf`, rows of length 1."""
    from scipy.sparse import diags

    product = counts @ diags(idf)
    lengths = np.sqrt(np.asarray(product.multiply(product).sum(axis=1)).ravel())
    return diags(1 / np.maximum(lengths, 1e-9)) @ product


def _inverse_frequency(counts: Any) -> Array:
    """Rarer n-grams weigh more: ln((1 + n) / (1 + lines with it)) + 1."""
    frequency = np.asarray((counts != 0).sum(axis=0)).ravel()
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + frequency)) + 1, dtype=np.float32)


@dataclass(frozen=True)
class Fitted:
    """A fitted regression: weights (768, labels) and (ngrams.SPACE, labels), bias, and idf."""

    dense: Array
    sparse: Array
    bias: Array
    idf: Array

    def logits(self, rows: Table) -> Array:
        """Logits of each label: shape (n, labels)."""
        sparse = _weighted(rows.counts, self.idf) @ self.sparse
        return np.asarray(rows.dense @ self.dense + sparse + self.bias, dtype=np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The parts by name, as they are shipped."""
        half = {"dense": self.dense, "sparse": self.sparse, "idf": self.idf}
        named: dict[str, NDArray[Any]] = {k: v.astype(np.float16) for k, v in half.items()}
        return named | {"bias": self.bias}


def fit(rows: Table, labels: Labels, weights: Array) -> Fitted:
    """A logistic regression of `labels`, each label as heavy as the others."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression

    idf = _inverse_frequency(rows.counts)
    model = LogisticRegression(
        C=INVERSE_REGULARISATION, max_iter=200, class_weight="balanced", random_state=SEED
    )
    both = csr_matrix(hstack([csr_matrix(rows.dense), _weighted(rows.counts, idf)]))
    model.fit(both, labels, sample_weight=weights)
    weight = model.coef_.T.astype(np.float32)
    width = rows.dense.shape[1]
    return Fitted(weight[:width], weight[width:], model.intercept_.astype(np.float32), idf)
