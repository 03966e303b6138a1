"""The forward pass, held against transformers' for each architecture."""

from typing import Any

import pytest
import torch

from copygen.generation.llama import BLOCK, Beginning, Llama, Unfit, extracted
from copygen.generation.matrices import Float32
from tests.tiny_models import random_model

THETA = {"rope_theta": 10_000.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
    **THETA,
}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {},
    "untied": {"tie_word_embeddings": False},
    "tied": {"tie_word_embeddings": True},
    "one group": {"num_key_value_heads": 1},
    "no groups": {"num_key_value_heads": 4},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "wide heads": {"head_dim": 24},
    "llama3 positions": {"rope_parameters": LLAMA3},
    "linear positions": {"rope_parameters": {"rope_type": "linear", "factor": 4.0, **THETA}},
    "mistral": {"name": "MistralForCausalLM"},
    "qwen2": {"name": "Qwen2ForCausalLM"},
    "qwen3": {"name": "Qwen3ForCausalLM", "head_dim": 16},
}
EXACT = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return random_model(**request.param)


@pytest.fixture(autouse=True)
def without_gradients() -> Any:
    with torch.inference_mode():
        yield


def ours(model: Any) -> Llama:
    shape, tensors = extracted(model)
    return Llama(shape, tensors, lambda name: Float32(tensors[name], tensors.get(f"{name}.bias")))


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(24, (rows, length), generator=torch.Generator().manual_seed(rows * length))


def test_reading_gives_the_logits_of_transformers(model: Any) -> None:
    llama, tokens = ours(model), ids(3, 40)
    hidden, states = llama.read(tokens, llama.nothing())
    found = llama.logits(hidden.flatten(0, 1)).view(3, 40, 24)
    torch.testing.assert_close(found, model(tokens).logits, **EXACT)
    assert states.shape[2:5] == (3, llama.shape.groups, 40)


def test_reading_behind_a_beginning_gives_the_logits_of_the_whole(model: Any) -> None:
    llama, shared, own = ours(model), ids(1, 21), ids(3, 18)
    beginning = llama.begin(shared, llama.nothing())
    hidden, _ = llama.read(own, beginning)
    expected = model(torch.cat((shared.expand(3, -1), own), dim=1)).logits
    torch.testing.assert_close(beginning.logits, expected[:1, 20], **EXACT)
    torch.testing.assert_close(
        llama.logits(hidden.flatten(0, 1)).view(3, 18, 24), expected[:, 21:], **EXACT
    )


@pytest.mark.parametrize("shared_length", [0, 1, 21])
def test_steps_give_the_logits_of_the_whole(model: Any, shared_length: int) -> None:
    llama = ours(model)
    shared = ids(1, shared_length)
    beginning = llama.begin(shared, llama.nothing()) if shared_length else llama.nothing()
    before = llama.hold(1, shared_length)
    before.put(slice(1), beginning.states)
    lengths = list(range(1, BLOCK + 1))
    texts = [ids(1, length + 3)[0] for length in lengths]
    own = llama.hold(BLOCK, 2 * BLOCK)
    for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        read: Beginning = llama.begin(text[None, :length], beginning)
        own.put(slice(row, row + 1), read.states)
    for step in range(3):
        tokens = torch.stack(
            [text[length + step] for text, length in zip(texts, lengths, strict=True)]
        )
        found = llama.step(tokens, torch.tensor(lengths) + step, before, own)
        for text, length, logits in zip(texts, lengths, found, strict=True):
            whole = torch.cat((shared[0], text[: length + step + 1]))
            torch.testing.assert_close(logits, model(whole[None]).logits[0, -1], **EXACT)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"name": "GPT2LMHeadModel"}, "architecture"),
        ({"name": "GemmaForCausalLM"}, "architecture"),
        ({"name": "MistralForCausalLM", "sliding_window": 8}, "sliding"),
        (
            {
                "name": "Qwen2ForCausalLM",
                "sliding_window": 8,
                "use_sliding_window": True,
                "max_window_layers": 1,
            },
            "sliding",
        ),
        ({"hidden_act": "gelu"}, "activation"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, **THETA}}, "positions"),
    ],
)
def test_a_model_that_computes_in_another_way_is_refused(config: dict[str, Any], why: str) -> None:
    if config.get("name") == "GPT2LMHeadModel":
        from transformers import GPT2Config, GPT2LMHeadModel

        model: Any = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=24))
    else:
        model = random_model(**config)
    with pytest.raises(Unfit, match=why):
        extracted(model)
