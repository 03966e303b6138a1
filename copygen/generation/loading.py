"""Loading a model folder through transformers, with one clear message where that can't be done."""

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copygen.errors import GenerationFailed
from copygen.generation.conversion import missing_weights, no_memory, silence, told
from copygen.generation.files import unusable, weight_files
from copygen.generation.weights import Weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

SPARE_TOKENS = 256
"""Tokens that a tokenizer may have beyond the model's: some were given tokens that nobody uses."""


def load(
    source: Weights, dtype: "torch.dtype"
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The causal language model in `source.folder`, its weights as `dtype`, ready to compute, and
    its tokenizer. Code that a folder brings along never runs.

    Raises:
        InvalidInput: it is no causal language model that transformers knows, its weights or its
            tokenizer are broken, or they don't belong together.
        GenerationFailed: there is less memory than it takes.
    """
    silence()
    config = _config(source.folder)
    tokenizer = load_tokenizer(source.folder)
    model = _model(source.folder, config, dtype)
    known = getattr(model.get_input_embeddings(), "num_embeddings", None)
    if isinstance(known, int) and len(tokenizer) > known + SPARE_TOKENS:
        raise unusable(
            f"{source.folder}: its tokenizer has {len(tokenizer)} tokens and its model knows "
            f"{known}: it is another model's. Put the right tokenizer there."
        )
    model.train(False)
    return model, tokenizer


def _config(folder: Path) -> "PreTrainedConfig":
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, __version__

    document = json.loads((folder / "config.json").read_bytes())
    kind = document["model_type"]
    if kind not in CONFIG_MAPPING:
        if "auto_map" in document:
            raise unusable(
                f"{folder} brings code of its own for its architecture {kind!r}, and copygen runs "
                "no code of a model's. Take a model of an architecture that transformers knows."
            )
        raise unusable(
            f"{folder} is of the architecture {kind!r}, which transformers {__version__} doesn't "
            "know. Take another model."
        )
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise unusable(f"{folder / 'config.json'} makes no sense: {told(error)}") from error
    # Encoders of some families count as causal there, and would write gibberish.
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or not getattr(config, "is_decoder", True):
        raise unusable(
            f"{folder} is no causal language model ({kind}). Take one that writes text onwards, "
            "such as a Llama, Qwen or SmolLM."
        )
    return config


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in `folder`.

    Raises:
        InvalidInput: it can't be loaded.
    """
    silence()
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise unusable(
            f"{folder}: the tokenizer can't be loaded: {told(error)}\n"
            "A tokenizer.json that fits is needed; code of a model's never runs."
        ) from error
    return tokenizer


def _model(folder: Path, config: "PreTrainedConfig", dtype: "torch.dtype") -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:
        if no_memory(error):
            raise GenerationFailed(
                "No memory is left for the model. Close other programs, or take a smaller one."
            ) from error
        if "mismatched_sizes" in str(error):
            raise unusable(
                f"{folder}: config.json and the weights are of two models: sizes differ."
            ) from error
        if _broken_pickle(folder, error):
            raise unusable(
                f"{folder}: pytorch_model.bin is damaged, or holds more than weights. Take the "
                "model as safetensors."
            ) from error
        raise unusable(
            f"{folder} can't be loaded as a causal language model: {told(error)}"
        ) from error
    model: PreTrainedModel
    model, info = loaded
    missing_weights(str(folder), info["missing_keys"])
    return model


def _broken_pickle(folder: Path, error: Exception) -> bool:
    broken = isinstance(error, (pickle.UnpicklingError, EOFError, RuntimeError))
    return broken and weight_files(folder)[0].suffix == ".bin"
