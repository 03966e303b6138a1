"""The labelled data, the trained heads and how they are rebuilt and measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from guardrails.embeddings import WEIGHTS_SHA256, Embedder, Reading
from guardrails.errors import GuardrailsError
from guardrails.evaluate import auc, evaluate, macro_f1, wilson
from guardrails.learned import heads
from guardrails.learned.heads import DISALLOWED, INTENTS, Head
from guardrails.training import intent as train_intent
from guardrails.training import joint as train_joint
from guardrails.training import voice as train_voice
from guardrails.training.heads import CachedEmbedder
from guardrails.training.labelled import (
    BLOCK,
    Labelled,
    data_sha256,
    intents,
    split_of,
    together,
    voices,
)

DATA = Path(heads.__file__).parents[1] / "data"


class Hashed:
    """Rows that depend on the text alone: fast, and enough to see that training is repeatable."""

    def encode(self, texts):  # type: ignore[no-untyped-def]
        rows = [np.random.default_rng(sum(t.encode()) % 997).normal(size=384) for t in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)

    def read(self, texts):  # type: ignore[no-untyped-def]
        rows = self.encode(texts)
        return [Reading(row, np.stack([row, row[::-1], -row])) for row in rows]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slice of the data that trains in seconds, with all labels and splits in it."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "corpus").mkdir()
    (folder / "intent").mkdir()
    for path in sorted((DATA / "corpus").glob("*.jsonl"))[:2]:
        lines = path.read_text().splitlines()
        (folder / "corpus" / path.name).write_text("\n".join(lines[:12]))
    for path in (DATA / "intent").glob("*.jsonl"):
        lines = path.read_text().splitlines()
        (folder / "intent" / path.name).write_text("\n".join(lines[::4]))
    return folder


@pytest.fixture(scope="module")
def lines() -> list[Labelled]:
    return intents(DATA)


def test_all_splits_hold_all_labels(lines: list[Labelled]) -> None:
    for split in ("train", "validation", "test"):
        of = [line for line in lines if line.split == split]
        assert {line.disallowed for line in of} == {None, *DISALLOWED}
        assert {line.intent for line in of} == set(INTENTS)


def test_brands_are_split_by_their_slug() -> None:
    for voice in voices(DATA):
        assert voice.split == split_of(voice.brand.slug)


def test_near_duplicates_share_a_key() -> None:
    texts = [
        "Your order of lambswool jumpers has shipped today",
        "Something else about the garden entirely",
        "Your order of lambswool jumpers has shipped",
    ]
    keys = together(texts)
    assert keys[0] == keys[2]
    assert keys[1] != keys[0]


def test_neighbouring_pairs_share_a_split(lines: list[Labelled]) -> None:
    splits = [line.split for line in lines if line.source == "more"]
    assert all(len({*splits[i : i + BLOCK]}) == 1 for i in range(0, len(splits), BLOCK))
    assert {*splits} == {"train", "validation", "test"}


def test_the_campaign_of_a_fake_notice_is_a_promotion_unless_it_says_so(
    lines: list[Labelled],
) -> None:
    of = [line for line in lines if line.source == "disallowed"]
    assert {x.brief_intent for x in of if x.disallowed == "fake_transactional"} == {"promotional"}
    assert all(x.brief_intent == x.intent for x in of if x.disallowed == "phishing")


def test_no_line_of_the_labelled_files_stands_twice() -> None:
    seen = [
        (row["subject"], row["preview"])
        for path in (DATA / "intent").glob("*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    ]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("name", "folders"), [("intent", ["corpus", "intent"]), ("brand_voice", ["corpus"])]
)
def test_a_shipped_head_was_made_from_the_shipped_data(name: str, folders: list[str]) -> None:
    metadata = Head.load(name).metadata
    assert metadata["data_sha256"] == data_sha256(DATA, folders)
    assert metadata["embedding_sha256"] == WEIGHTS_SHA256
    assert metadata["labels"]
    assert metadata["figures"]


def test_a_missing_head_is_an_error_that_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(GuardrailsError, match="guardrails train voice"):
        Head.load("brand_voice", tmp_path)
    (tmp_path / "intent.safetensors").write_bytes(b"nonsense")
    with pytest.raises(GuardrailsError, match="guardrails train intent"):
        Head.load("intent", tmp_path)


def test_training_the_intent_head_twice_gives_the_same_bytes(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_joint, "EPOCHS", 1)
    for name in ("one", "two"):
        train_intent.train(small, Hashed()).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_training_the_voice_head_twice_gives_the_same_bytes(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_voice, "EPOCHS", 2)
    for name in ("one", "two"):
        train_voice.train(small, Hashed()).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_training_never_sees_the_test_split(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_joint, "EPOCHS", 1)
    seen: set[str] = set()

    class Watching(Hashed):
        def read(self, texts):  # type: ignore[no-untyped-def]
            seen.update(texts)
            return super().read(texts)

    train_intent.train(small, Watching())
    tested = {line.subject for line in intents(small) if line.split == "test"}
    trained = {line.subject for line in intents(small) if line.split != "test"}
    assert tested
    assert not (tested - trained) & seen


def test_embeddings_are_kept_in_the_cache_folder(tmp_path: Path) -> None:
    class Once(Hashed):
        calls = 0

        def encode(self, texts):  # type: ignore[no-untyped-def]
            Once.calls += 1
            return super().encode(texts)

    first = CachedEmbedder(tmp_path, Once()).encode(["a", "b", "a"])
    again = CachedEmbedder(tmp_path, Once()).encode(["b", "a"])
    assert Once.calls == 1
    assert np.array_equal(first[:2], again[::-1])


def test_the_evaluation_prints_both_checks_with_intervals(small: Path) -> None:
    table = "\n".join(evaluate(small, Embedder()))
    assert "intent, test split" in table
    assert "brand_voice, test split" in table
    assert "[" in table


def test_calibration_error_is_the_gap_between_said_and_happened() -> None:
    said = np.array([0.9, 0.9, 0.1, 0.1], dtype=np.float32)
    happened = np.array([True, True, False, False])
    assert train_intent.calibration_error(said, happened) == pytest.approx(0.1, abs=1e-6)


def test_the_measures_are_right_on_cases_done_by_hand() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert auc([3, 2], [1, 2]) == 0.875
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]) == pytest.approx(2 / 3)
