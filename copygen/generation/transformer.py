"""The local generator: a causal language model through transformers, on CPU or CUDA."""

import gc
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from copygen.errors import CopygenError, GenerationFailed, InvalidInput
from copygen.generation import weights
from copygen.generation.generator import Candidate, Identity, Sampling

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER_PROMPT = "brief"
CHAT_PROMPT = "chat"

ROWS = 32
"""Rows decoded together: beyond it a CPU gains little and the candidates come later."""


class TransformerGenerator:
    """Loads at construction. Safe to share between threads: one writes at a time.

    The default model gets the packaged adapter and the prompt it was trained on; any other one
    gets the chat prompt with examples.
    """

    def __init__(self, model: str, cache: Path, device: str = "auto", threads: int = 0) -> None:
        """Load the weights that the setting `model` means.

        Raises:
            InvalidInput, WeightsMissing: the model can't be had or isn't one.
        """
        with ThreadPoolExecutor(max_workers=1) as beside, _uncollected():
            # Hashing the files and adding the adapter take one core, importing takes the other.
            resolving = beside.submit(weights.resolve, model, cache)
            # Imported here since it takes seconds, and most commands need no model.
            import torch

            adapting = beside.submit(_adapted, resolving)
            import transformers.modeling_utils

            source = resolving.result()
            self._device = _device(device)
            self._model: PreTrainedModel
            self._tokenizer: PreTrainedTokenizerBase
            self._model, self._tokenizer = _load(source)
            adapter_sha256, adapted = adapting.result()
        if threads:
            torch.set_num_threads(threads)
        self._lock = threading.Lock()
        self._model.load_state_dict(adapted, strict=False, assign=True)
        self._model.to(torch.device(self._device))  # type: ignore[arg-type]
        # Half the bytes to read for each token, where the hardware computes in bfloat16.
        if self._device == "cuda":
            self._model.bfloat16()
        self._identity = Identity(
            generator="transformer",
            model=source.name,
            weights_sha256=source.sha256,
            adapter="copygen-subject-preview-1" if adapter_sha256 else "",
            adapter_sha256=adapter_sha256,
            device=self._device,
            number_format=str(self._model.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            libraries=f"torch {torch.__version__}, transformers {transformers.__version__}",
            prompt=ADAPTER_PROMPT if source.is_default else CHAT_PROMPT,
        )
        self._chat = not source.is_default
        self._stop = _stop_tokens(self._model, self._tokenizer)

    @property
    def identity(self) -> Identity:
        """What writes."""
        return self._identity

    def write(self, prompt: str, seeds: Sequence[int], sampling: Sampling) -> list[Candidate]:
        """One candidate for each seed, in order, `ROWS` at a time.

        Raises:
            GenerationFailed: the prompt is longer than the model's context, or memory ran out.
        """
        from copygen.generation.decoding import decode

        tokens = self._tokens(prompt)
        self._fits(len(tokens) + sampling.max_tokens)
        candidates: list[Candidate] = []
        for start in range(0, len(seeds), ROWS):
            some = seeds[start : start + ROWS]
            with self._lock:
                rows = _guarded(
                    lambda some=some: decode(self._model, tokens, some, sampling, self._stop)
                )
            for seed, row in zip(some, rows, strict=True):
                text = str(self._tokenizer.decode(row.tokens, skip_special_tokens=True))
                drawn = len(row.tokens) + row.ended
                candidates.append(
                    Candidate(seed, text, drawn, row.logprob / max(drawn, 1), row.ended)
                )
        return candidates

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """Mean natural log-probability of each text's tokens after `prompt`, at temperature 1."""
        from copygen.generation.decoding import likelihoods

        tokens = self._tokens(prompt)
        encoded = [self._tokenizer(text, add_special_tokens=False).input_ids for text in texts]
        scores: list[float] = []
        for start in range(0, len(encoded), ROWS):
            some = [ids or tokens[:1] for ids in encoded[start : start + ROWS]]
            with self._lock:
                scores += _guarded(lambda some=some: likelihoods(self._model, tokens, some))
        return scores

    def _tokens(self, prompt: str) -> list[int]:
        if self._chat and self._tokenizer.chat_template:
            prompt = str(
                self._tokenizer.apply_chat_template(
                    [{"role": "user", "content": prompt}],
                    tokenize=False,
                    add_generation_prompt=True,
                )
            )
        return list(self._tokenizer(prompt, add_special_tokens=False).input_ids)

    def _fits(self, length: int) -> None:
        context = getattr(self._model.config, "max_position_embeddings", None)
        if context is not None and length > context:
            raise GenerationFailed(
                f"The prompt and its answer take {length} tokens; {self._identity.model} reads "
                f"{context}. Shorten the brief: fewer facts, shorter terms."
            )


def _adapted(resolving: "Future[weights.Weights]") -> "tuple[str, dict[str, torch.Tensor]]":
    """SHA-256 of the packaged adapter and the weights that it changes; nothing for other models."""
    source = resolving.result()
    if not source.is_default:
        return "", {}
    with resources.as_file(resources.files("copygen") / "data" / "adapter") as folder:
        return weights.adapter_sha256(folder), weights.merged(source.folder, folder)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: importing makes millions of objects, all of them to stay,
    and looking through them again and again takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _device(device: str) -> str:
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InvalidInput("COPYGEN_DEVICE: cuda, but there is none here.", field="COPYGEN_DEVICE")
    return "cuda" if available and device != "cpu" else "cpu"


def _load(source: weights.Weights) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights.silence()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            source.folder, dtype=torch.float32, local_files_only=True
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InvalidInput(
            f"COPYGEN_MODEL: {source.folder} can't be loaded as a causal language model with its "
            f"tokenizer: {str(error).splitlines()[0]}",
            field="COPYGEN_MODEL",
        ) from error
    return model.eval(), tokenizer


def _stop_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    configured: Any = getattr(model.generation_config, "eos_token_id", None)
    stop = set(configured if isinstance(configured, list) else [configured])
    stop.add(tokenizer.eos_token_id)
    return frozenset(token for token in stop if token is not None)


def _guarded(work: Any) -> Any:
    """Run `work`; out of memory, or any other failure of the engine, becomes an error of ours."""
    try:
        return work()
    except CopygenError:
        raise
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            message = (
                "No memory is left for the model. Close other programs, or take a smaller one."
            )
        else:
            message = f"The model broke off ({type(error).__name__})."
        raise GenerationFailed(message) from error
