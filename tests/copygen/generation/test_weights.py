"""Where model weights come from."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from copygen.errors import InvalidInput, WeightsMissing
from copygen.generation import weights
from tests.tiny_models import write_folder, write_gguf


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


def test_a_name_that_is_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InvalidInput, match=r"COPYGEN_MODEL.*hub can't be reached"):
        weights.resolve("no-one/no-such-model", tmp_path)
    with pytest.raises(InvalidInput, match=r"COPYGEN_MODEL.*no hub id"):
        weights.resolve("no such model", tmp_path)


@pytest.mark.parametrize(
    "model", ["./none", "~/no-such-thing", "~nobody-here/x", "/none", "a/b/c", "none.gguf"]
)
def test_what_looks_like_a_path_never_goes_to_the_hub(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*arguments: object, **options: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", asked)
    with pytest.raises(InvalidInput, match="is not there") as caught:
        weights.resolve(model, tmp_path)
    assert caught.value.field == "COPYGEN_MODEL"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="neither a file nor a folder"):
        weights.resolve(str(tmp_path / "pipe"), tmp_path)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Nobody's permissions: root may read whatever its mode says."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("hidden", ["tiny.gguf", "tiny/model.safetensors", "tiny/config.json"])
def test_what_may_not_be_read_is_named(
    hidden: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    write_folder(tmp_path / "tiny")
    (tmp_path / hidden).chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):  # Or it would all be out of sight.
        folder.chmod(0o755)
    request.getfixturevalue("nobody")
    with pytest.raises(InvalidInput, match="Permission denied") as caught:
        weights.resolve(str(tmp_path / Path(hidden).parts[0]), tmp_path / "cache")
    assert caught.value.field == "COPYGEN_MODEL"
    assert hidden in str(caught.value)


def test_a_file_is_held_to_its_hash(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights.resolve(str(path), tmp_path, digest).sha256 == digest
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsMissing, match="COPYGEN_MODEL_SHA256"):
        weights.resolve(str(path), tmp_path, digest)


def test_a_folder_is_held_to_its_hash(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny")
    digest = weights.resolve(str(folder), tmp_path).sha256
    assert weights.resolve(str(folder), tmp_path, digest).sha256 == digest
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsMissing, match="COPYGEN_MODEL_SHA256"):
        weights.resolve(str(folder), tmp_path, digest)


def test_the_packaged_weights_are_held_to_another_hash_too(model_cache: Path) -> None:
    with pytest.raises(WeightsMissing, match="COPYGEN_MODEL_SHA256"):
        weights.resolve("", model_cache, "0" * 64)
