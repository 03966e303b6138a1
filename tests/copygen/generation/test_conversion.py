"""GGUF files and their conversion, with a tiny model."""

import errno
import fcntl
import json
import logging
import os
import threading
from pathlib import Path

import pytest

from copygen.errors import InvalidInput, OutOfSpace
from copygen.generation import conversion, weights
from copygen.generation.loading import load
from tests.tiny_models import TOKENS, write_gguf


def refusal(path: Path, cache: Path) -> str:
    """What is said of a file that can't be used; nothing half-made may stay."""
    with pytest.raises(InvalidInput) as caught:
        weights.resolve(str(path), cache)
    assert caught.value.field == "COPYGEN_MODEL"
    assert not list(cache.glob("models/[!.]*"))
    assert not list(cache.glob("models/.converting-*"))
    assert path.name in str(caught.value)
    return str(caught.value)


def test_a_gguf_file_is_converted_once_and_remembers_its_name(tmp_path: Path) -> None:
    import torch

    path = write_gguf(tmp_path / "tiny.gguf")
    found = weights.resolve(str(path), tmp_path / "cache")
    made = (found.folder / "model.safetensors").stat().st_mtime_ns
    again = weights.resolve(str(path), tmp_path / "cache")
    assert again == found
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == made
    record = json.loads((found.folder / "copygen.json").read_text())
    assert (record["name"], record["source"]) == ("tiny", found.sha256)
    model, tokenizer = load(found, torch.float32)
    assert model.dtype == torch.float32
    assert tokenizer.decode(tokenizer.encode("abc")) == "abc"
    assert tokenizer.encode("ab") == [TOKENS.index("ab")]


def test_what_stands_beside_a_gguf_file_has_no_say(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        (tmp_path / name).write_text('{"auto_map": {"AutoTokenizer": ["code.Mine", null]')
    assert weights.resolve(str(path), tmp_path / "cache").name == "tiny"


def test_an_architecture_that_is_unknown_is_named(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", "made-up")
    assert "architecture 'made-up'" in refusal(path, tmp_path / "cache")


def test_a_model_that_is_no_causal_one_is_refused(tmp_path: Path) -> None:
    message = refusal(write_gguf(tmp_path / "tiny.gguf", "t5"), tmp_path / "cache")
    assert "causal language model" in message
    assert len(message) < 400


@pytest.mark.parametrize("kept", [5, 12, 30, 1000, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else int(kept)])
    assert "cut off" in refusal(path, tmp_path / "cache")


def test_a_file_of_another_kind_is_refused_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"\x89PNG\r\n" + bytes(1000))
    assert "no GGUF file" in refusal(path, tmp_path / "cache")


def test_a_file_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", tokenizer=False)
    assert "no tokenizer" in refusal(path, tmp_path / "cache")


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", without="blk.0.ffn_up.weight")
    message = refusal(path, tmp_path / "cache")
    assert "lacks 1 of the model's weights" in message
    assert "up_proj" in message


def test_a_disk_that_is_too_small_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr(conversion, "SLACK", 1 << 60)
    with pytest.raises(OutOfSpace, match=str(tmp_path / "cache")):
        weights.resolve(str(path), tmp_path / "cache")


def test_a_disk_that_fills_up_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = write_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutOfSpace):
        weights.resolve(str(path), tmp_path / "cache")
    assert [each.name for each in (tmp_path / "cache" / "models").iterdir()] == [".lock"]


def test_a_cache_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput) as caught:
        weights.resolve(str(write_gguf(tmp_path / "tiny.gguf")), tmp_path / "file" / "cache")
    assert caught.value.field == "COPYGEN_CACHE"


def test_what_a_killed_conversion_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / "cache" / "models" / ".converting-x" / "model"
    left.mkdir(parents=True)
    weights.resolve(str(write_gguf(tmp_path / "tiny.gguf")), tmp_path / "cache")
    assert not left.exists()


def test_two_at_once_convert_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, cache = write_gguf(tmp_path / "tiny.gguf"), tmp_path / "cache"
    (cache / "models").mkdir(parents=True)
    found: list[weights.Weights] = []
    waiting = threading.Thread(
        target=lambda: found.append(weights.resolve(str(path), cache)), daemon=True
    )
    with (cache / "models" / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert conversion.busy(cache)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    with caplog.at_level(logging.WARNING):
        here = weights.resolve(str(path), cache)
        waiting.join()
    assert not conversion.busy(cache)
    assert found == [here]
    assert caplog.text.count("Converting") == 1
