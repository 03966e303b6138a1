"""transformers' own `model.generate`, with the same weights and the same sampling."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, GenerationConfig

from copygen.bench.work import Part, Unsupported, Work
from copygen.generation import weights
from copygen.generation.generator import Sampling
from copygen.generation.loading import load


class Reference:
    """The model in transformers, called once per segment for all of its candidates.

    `transformers.generate` reads the prompt once for each candidate, as `generate` does.
    `transformers.generate-cached` reads it once and hands `generate` the cache, repeated.
    """

    def __init__(self, work: Work) -> None:
        source = weights.resolve(work.model, Path(work.cache))
        if work.threads:
            torch.set_num_threads(work.threads)
        cuda = work.device == "cuda" or (work.device == "auto" and torch.cuda.is_available())
        if cuda and work.number_format == "int8":
            raise Unsupported("int8 linears are for CPUs")
        model: Any
        model, _ = load(source, torch.float32)
        if source.is_default:
            adapted = weights.merged(source.folder, weights.adapter_folder())
            model.load_state_dict(adapted, strict=False, assign=True)
        if work.number_format == "int8":
            self._model = _int8(model)
        else:
            self._model = model.to("cuda" if cuda else "cpu", getattr(torch, work.number_format))
        self._cached = work.engine.endswith("-cached")
        self.number_format = work.number_format

    def write(self, parts: Sequence[Part], sampling: Sampling) -> Iterator[int]:
        """One call per segment: all of its candidates are finished together."""
        configured = self._model.generation_config
        ends = configured.eos_token_id
        stop = set(ends if isinstance(ends, list) else [ends])
        make: Any = GenerationConfig
        config = make(
            do_sample=True,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=1.0,
            repetition_penalty=1.0,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=ends,
            pad_token_id=min(stop),
            bos_token_id=configured.bos_token_id,
        )
        for part in parts:
            torch.manual_seed(part.seed)
            ids = torch.tensor([part.ids], device=self._model.device)
            with torch.inference_mode():
                rows = self._called(ids, part.count, config)
            for row in rows[:, len(part.ids) :].tolist():
                ended = (place for place, token in enumerate(row, 1) if token in stop)
                yield next(ended, len(row))

    def _called(self, ids: torch.Tensor, count: int, config: GenerationConfig) -> torch.Tensor:
        more: dict[str, Any] = {"num_return_sequences": count}
        if self._cached:
            cache = DynamicCache(config=self._model.config)
            self._model(input_ids=ids[:, :-1], cache=cache, logits_to_keep=1)
            cache.batch_repeat_interleave(count)
            ids, more = ids.expand(count, -1), {"cache": cache}
        rows: torch.Tensor = self._model.generate(
            ids, attention_mask=torch.ones_like(ids), generation_config=config, **more
        )
        return rows


def _int8(model: Any) -> Any:
    """The linear layers in int8, their inputs quantized as they come."""
    try:
        quantize: Any = torch.ao.quantization.quantize_dynamic
        return quantize(model, {torch.nn.Linear}, dtype=torch.qint8)
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        raise Unsupported(f"torch makes no int8 linears here ({error})") from error
