"""Where model weights come from."""

import json
import shutil
from pathlib import Path

import pytest

from copygen.errors import InvalidInput, WeightsMissing
from copygen.generation import weights


def test_the_packaged_weights_are_converted_once(model_cache: Path) -> None:
    first = weights.resolve("", model_cache)
    made = (first.folder / "model.safetensors").stat().st_mtime_ns
    again = weights.resolve("", model_cache)
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == made
    assert again.sha256 == weights.PACKAGE_SHA256
    assert again.is_default


def test_a_gguf_file_is_a_model_without_the_adapter(model_cache: Path) -> None:
    path = weights.installed()
    assert path is not None
    found = weights.resolve(str(path), model_cache)
    assert not found.is_default
    assert found.sha256 == weights.PACKAGE_SHA256


def test_a_damaged_conversion_is_noticed(model_cache: Path, tmp_path: Path) -> None:
    folder = weights.resolve("", model_cache).folder
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("model.safetensors"))
    (copy / "model.safetensors").write_bytes(b"half of it")
    assert weights._is_whole(folder)
    assert not weights._is_whole(copy)


def test_missing_weights_say_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    with pytest.raises(WeightsMissing, match="copygen models pull"):
        weights.resolve("", tmp_path)


def test_other_weights_than_the_pinned_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "PACKAGE_SHA256", "0" * 64)
    with pytest.raises(WeightsMissing, match="SHA-256"):
        weights.resolve("", tmp_path)


def test_a_broken_gguf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(InvalidInput, match=r"broken\.gguf"):
        weights.resolve(str(path), tmp_path / "cache")
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"")
    with pytest.raises(InvalidInput, match="COPYGEN_MODEL"):
        weights.resolve(str(path), tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(InvalidInput, match="holds no model"):
        weights.resolve(str(tmp_path), tmp_path)


def test_a_name_that_is_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InvalidInput, match="COPYGEN_MODEL"):
        weights.resolve("no-one/no-such-model", tmp_path)
    with pytest.raises(InvalidInput, match="COPYGEN_MODEL"):
        weights.resolve("./no/such/folder", tmp_path)
