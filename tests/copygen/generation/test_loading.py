"""Model folders: what is loaded, and what is refused with one clear message."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation import weights
from copygen.generation.loading import load
from tests.tiny_models import change_config, write_folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, to copy."""
    return write_folder(tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


def refusal(folder: Path) -> str:
    """What is said of a folder that can't be used."""
    with pytest.raises(InvalidInput) as caught:
        load(weights.resolve(str(folder), folder.parent), torch.float32)
    assert caught.value.field == "COPYGEN_MODEL"
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folder_is_loaded_in_the_wanted_format(folder: Path, dtype: torch.dtype) -> None:
    model, tokenizer = load(weights.resolve(str(folder), folder.parent), dtype)
    assert model.dtype == dtype
    assert not model.training
    assert tokenizer.decode(tokenizer.encode("abc")) == "abc"


def cut(name: str) -> Callable[[Path], None]:
    """Keep the first half of a file."""

    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return spoil


def written(name: str, content: bytes) -> Callable[[Path], None]:
    """Put something else into a file."""
    return lambda folder: (folder / name).write_bytes(content) and None


def removed(*patterns: str) -> Callable[[Path], None]:
    """Remove files."""

    def spoil(folder: Path) -> None:
        for pattern in patterns:
            for path in folder.glob(pattern):
                path.unlink()

    return spoil


def changed(**config: object) -> Callable[[Path], None]:
    """Change the configuration."""
    return lambda folder: change_config(folder, **config)


def a_missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def a_missing_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def another_tokenizer(folder: Path) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = document["model"]["vocab"]
    vocabulary.update({f"word{number}": len(vocabulary) + number for number in range(1000)})
    (folder / "tokenizer.json").write_text(json.dumps(document))


def an_encoder(folder: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)


def pickled_code(folder: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (folder / "ran",))

    (folder / "model.safetensors").unlink()
    torch.save({"x": Code()}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (removed("*"), "holds no model"),
        (removed("*.safetensors"), "holds no model"),
        (removed("config.json"), "holds no model"),
        (removed("tokenizer*"), "no tokenizer"),
        (removed("tokenizer.json"), "no tokenizer"),
        (cut("tokenizer.json"), "tokenizer can't be loaded"),
        (another_tokenizer, "another model's"),
        (cut("config.json"), "broken JSON"),
        (written("config.json", b"\xff\xfe"), "broken JSON"),
        (written("config.json", b"[]"), "no JSON object"),
        (written("config.json", b"{}"), "model_type"),
        (changed(model_type=["llama"]), "model_type"),
        (changed(model_type="made-up"), "architecture 'made-up'"),
        (changed(hidden_size="many"), "hidden_size"),
        (changed(hidden_size=32), "sizes differ"),
        (an_encoder, "no causal language model (bert)"),
        (changed(model_type="t5"), "no causal language model (t5)"),
        (cut("model.safetensors"), "cut off"),
        (written("model.safetensors", b""), "cut off"),
        (written("model.safetensors", struct.pack("<Q", 4) + b"nope"), "header is broken"),
        (written("model.safetensors", struct.pack("<Q", 9) + b'{"a": {}}'), "header is broken"),
        (a_missing_shard, "lacks model-2.safetensors"),
        (a_missing_tensor, "up_proj"),
        (pickled_code, "damaged, or holds more than weights"),
    ],
)
def test_a_broken_folder_is_refused(folder: Path, spoil: Callable[[Path], None], told: str) -> None:
    spoil(folder)
    message = refusal(folder)
    assert told in message
    assert len(message) < 500
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("kind", ["config", "tokenizer"])
def test_code_that_a_model_brings_never_runs(folder: Path, kind: str) -> None:
    (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    if kind == "config":
        classes = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}
        change_config(folder, model_type="made-up", auto_map=classes)
    else:
        document = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
        (folder / "tokenizer_config.json").write_text(json.dumps(document))
    assert "code" in refusal(folder)
    assert not (folder / "ran").exists()


def test_too_little_memory_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def full(*args: object, **options: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate …")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(GenerationFailed, match="memory"):
        load(weights.resolve(str(folder), folder.parent), torch.float32)


def test_files_that_transformers_does_not_load_do_not_count(folder: Path) -> None:
    before = weights.resolve(str(folder), folder.parent).sha256
    save_file({"other": torch.zeros(2)}, folder / "prepared.safetensors")
    assert weights.resolve(str(folder), folder.parent).sha256 == before
