"""Models of a few thousand weights, drawn at random: real files, made in a moment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH = 16
END = "<|end|>"
CHARACTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
TOKENS = [*CHARACTERS, "ab", END]


def write_folder(folder: Path, **config: Any) -> Path:
    """A Llama of one layer with its tokenizer, as transformers saves them."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    shape = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END).save_pretrained(folder)
    change_config(folder, **config)
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    """Change keys of a model folder's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def write_gguf(
    path: Path, architecture: str = "llama", *, tokenizer: bool = True, without: str = ""
) -> Path:
    """The same shape as a GGUF file; `without` one tensor."""
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    if tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(TOKENS)
        writer.add_token_types([1] * (len(TOKENS) - 1) + [3])
        writer.add_token_merges(["a b"])
        writer.add_eos_token_id(len(TOKENS) - 1)
    random = np.random.default_rng(0)
    square, wide = (WIDTH, WIDTH), (2 * WIDTH, WIDTH)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        **{f"blk.0.attn_{part}.weight": square for part in ("q", "k", "v", "output")},
        "blk.0.ffn_gate.weight": wide,
        "blk.0.ffn_up.weight": wide,
        "blk.0.ffn_down.weight": (WIDTH, 2 * WIDTH),
    }
    for name, shape in shapes.items():
        if name != without:
            writer.add_tensor(name, random.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_model(name: str = "LlamaForCausalLM", **config: Any) -> Any:
    """A model of transformers with two layers and a vocabulary of 24. All its weights are random,
    those of norms and biases too, and far enough from zero for each to count."""
    import torch
    import transformers

    shape = {
        "vocab_size": 24,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "sliding_window": None,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    kind = getattr(transformers, name.replace("ForCausalLM", "Config"))
    model = getattr(transformers, name)(kind(**shape | config))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn * parameter.shape[-1] ** -0.5 if drawn.dim() == 2 else drawn)
            if drawn.dim() == 1:
                parameter.mul_(0.2).add_(1)
    return model.eval()
