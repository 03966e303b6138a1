"""What is done once for a model on a machine."""

import os
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from copygen.generation import conversion, prepared, preparing
from copygen.generation.generator import Request, Sampling
from copygen.generation.llama import Unfit, extracted
from copygen.generation.matrices import Float32, activation_limit
from copygen.generation.preparing import PROBE, Preparing
from copygen.generation.transformer import TransformerGenerator
from tests.tiny_models import random_model, write_folder

needs_int8 = pytest.mark.skipif(activation_limit() is None, reason="no int8 here")


def encode(prompt: str) -> tuple[int, ...]:
    return tuple(ord(character) % 24 for character in prompt)


def with_outliers(**config: Any) -> Any:
    """A model in which some channels are far larger than the others, as in real ones."""
    model = random_model(hidden_size=64, intermediate_size=96, **config)
    with torch.no_grad():
        for layer in model.model.layers:
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight[::16] *= 40
            for matrix in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.mlp.gate_proj):
                matrix.weight[:, ::16] /= 40
            layer.self_attn.v_proj.weight[:, ::16] /= 40
            layer.self_attn.v_proj.weight[::8] *= 20
            layer.self_attn.o_proj.weight /= 5
            layer.mlp.up_proj.weight[:, ::16] /= 40
            layer.mlp.up_proj.weight[::24] *= 20
            layer.mlp.down_proj.weight[:, ::24] /= 20
    return model


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"attention_bias": True, "mlp_bias": True},
        {"num_key_value_heads": 1},
        {"name": "Qwen2ForCausalLM"},
        {"name": "Qwen3ForCausalLM", "head_dim": 24, "tie_word_embeddings": True},
    ],
    ids=str,
)
def test_smoothing_changes_nothing_in_exact_arithmetic(config: dict[str, Any]) -> None:
    model = with_outliers(**config)
    made = Preparing(model, encode, frozenset())
    smoothed = made._smoothed
    changed = [name for name in smoothed if not torch.equal(smoothed[name], made._tensors[name])]
    assert {name.rpartition(".")[2] for name in changed} >= {*prepared.MATRICES, "head", "norm"}
    llama, tokens = made._built(smoothed, Float32), torch.tensor([encode(PROBE)])
    with torch.inference_mode():
        hidden, _ = llama.read(tokens, llama.nothing())
        torch.testing.assert_close(
            llama.logits(hidden[0]), model(tokens).logits[0], atol=1e-3, rtol=1e-3
        )


@needs_int8
def test_smoothing_brings_int8_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Preparing(with_outliers(), encode, frozenset())
    continued = made._continued(encode(PROBE))
    smoothed = made._divergence("int8", continued)
    monkeypatch.setattr(Preparing, "_in_range", lambda self, number_format: self._tensors)
    plain = made._divergence("int8", continued)
    assert 0 < smoothed < plain / 2


def test_a_format_that_is_too_far_off_is_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Preparing(random_model(), encode, frozenset())
    times = {"float32": 9.0, "bfloat16": 2.0, "int8": 1.0}
    monkeypatch.setattr(
        preparing, "_milliseconds", lambda number_format, matrices: times[number_format]
    )
    divergence = {"float32": 0.0, "bfloat16": 0.01, "int8": 0.02}
    monkeypatch.setattr(made, "_divergence", lambda number_format, _: divergence[number_format])
    for worst, expected in ((0.02, "int8"), (0.015, "bfloat16"), (0.0, "float32")):
        monkeypatch.setattr(preparing, "WORST_DIVERGENCE", worst)
        assert made.choose().format == expected


def test_every_format_but_float32_diverges_and_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "WORST_DIVERGENCE", 0.0)
    # float32 last, so that each of the others is compared with it.
    monkeypatch.setattr(
        preparing, "_milliseconds", lambda number_format, _: float(number_format == "float32")
    )
    choice = Preparing(with_outliers(), encode, frozenset()).choose()
    assert choice.format == "float32"
    assert choice.divergence["float32"] == 0 < choice.divergence["bfloat16"] < 0.1
    assert choice.divergence["int8"] > 0


def test_a_model_whose_numbers_differ_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: Any) -> Any:
        shape, tensors = extracted(model)
        return shape, tensors | {"0.attention_norm": tensors["0.attention_norm"] * 1.1}

    monkeypatch.setattr(preparing, "extracted", wrong)
    with pytest.raises(Unfit, match="differ"):
        Preparing(random_model(), encode, frozenset())


def test_a_model_that_computes_no_numbers_is_refused() -> None:
    model = random_model()
    with torch.no_grad():
        model.model.norm.weight[:] = torch.nan
    with pytest.raises(Unfit, match="differ"):
        Preparing(model, encode, frozenset())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "small")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def made(folder: Path, cache: Path, **settings: Any) -> TransformerGenerator:
    return TransformerGenerator(str(folder), cache, device="cpu", **settings)


def text(generator: TransformerGenerator) -> str:
    ((_, candidate),) = generator.write(deque([Request("Hello", 1)]), Sampling(max_tokens=8))
    return candidate.text


def never(*_: object) -> Any:
    raise AssertionError("measured again")


def test_the_choice_is_remembered(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(folder, cache)
    monkeypatch.setattr(Preparing, "choose", never)
    again = made(folder, cache)
    assert again.identity == first.identity
    assert text(again) == text(first)
    for file in (cache / conversion.PREPARED).glob("*/*.safetensors"):
        file.unlink()
    assert text(made(folder, cache)) == text(first)


def test_another_number_of_threads_is_measured_anew(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = torch.get_num_threads()
    try:
        made(folder, cache, threads=threads)
        monkeypatch.setattr(Preparing, "choose", never)
        with pytest.raises(AssertionError, match="measured again"):
            made(folder, cache, threads=threads + 1)
    finally:
        torch.set_num_threads(threads)


def test_another_torch_or_processor_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        prepared.machine_key("a", "b"),
        prepared.machine_key("a", ""),
        prepared.machine_key("c", "b"),
    }
    monkeypatch.setattr(torch, "__version__", "9.9")
    keys.add(prepared.machine_key("a", "b"))
    monkeypatch.setattr(Path, "read_text", lambda self: "model name : another\n\n")
    keys.add(prepared.machine_key("a", "b"))
    assert len(keys) == 5


@pytest.mark.parametrize(
    "number_format", ["float32", "bfloat16", pytest.param("int8", marks=needs_int8)]
)
@pytest.mark.parametrize(
    "damage",
    ["empty", "truncated", "garbage", "foreign", "another format", "no head", "a folder less"],
)
def test_a_broken_prepared_file_is_made_again(
    folder: Path, cache: Path, number_format: Any, damage: str
) -> None:
    expected = text(made(folder, cache, number_format=number_format))
    (file,) = (cache / conversion.PREPARED).glob("*/*.safetensors")
    whole, tensors = file.read_bytes(), {k: v.clone() for k, v in load_file(file).items()}
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "garbage":
        file.write_bytes(os.urandom(5000))
    elif damage == "foreign":
        file.unlink()
        save_file({"weight": torch.zeros(3)}, file)
    elif damage == "no head":
        file.unlink()
        save_file({"norm": torch.zeros(3)}, file, {"shape": '{"layers": 1}', "stop": "[]"})
    elif damage == "another format":
        other = "bfloat16" if number_format == "int8" else "int8"
        if other == "int8" and not activation_limit():
            pytest.skip("no int8 here")
        made(folder, cache, number_format=other)
        (another,) = set((cache / conversion.PREPARED).glob("*/*.safetensors")) - {file}
        another.replace(file)
    else:
        shutil.rmtree(file.parent)
    assert text(made(folder, cache, number_format=number_format)) == expected
    with safe_open(file, "pt") as mended:
        assert set(mended.keys()) == set(tensors)
        assert all(torch.equal(mended.get_tensor(name), tensors[name]) for name in tensors)


def test_broken_choices_are_measured_again(folder: Path, cache: Path) -> None:
    made(folder, cache)
    file = cache / conversion.PREPARED / conversion.CHOICES
    for broken in ("", "[]", "{", '{"KEY": 3}', '{"KEY": {"format": "int4"}}', '{"KEY": {}}'):
        key = next(iter(prepared._choices(cache)))
        file.write_text(broken.replace("KEY", key))
        made(folder, cache)
        assert list(prepared._choices(cache)) == [key]


def test_a_warm_start_of_the_default_model_imports_no_transformers(
    model_cache: Path, generator: TransformerGenerator
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from copygen.generation.transformer import TransformerGenerator\n"
        "TransformerGenerator('', Path(sys.argv[1]), device='cpu')\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(model_cache)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["True", "False"]


def test_two_processes_that_prepare_at_once_both_end_well(folder: Path, cache: Path) -> None:
    code = (
        "import sys; from collections import deque; from pathlib import Path\n"
        "from copygen.generation.generator import Request, Sampling\n"
        "from copygen.generation.transformer import TransformerGenerator\n"
        "made = TransformerGenerator(sys.argv[1], Path(sys.argv[2]), 'cpu', number_format='float32')\n"
        "written = made.write(deque([Request('Hello', 1)]), Sampling(max_tokens=8))\n"
        "print(ascii([candidate.text for _, candidate in written]))"
    )
    command = [sys.executable, "-c", code, str(folder), str(cache)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [each.communicate(timeout=60) for each in running]
    assert [each.returncode for each in running] == [0, 0], ended
    assert ended[0][0] == ended[1][0] != ""
    (made_once,) = (cache / conversion.PREPARED).iterdir()
    assert prepared.load(made_once, "float32", "cpu") is not None
