"""OpenVINO GenAI: continuous batching with prefix caching, from a GGUF file."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import openvino
import openvino_genai

from copygen.bench.work import Part, Unsupported, Work
from copygen.generation.generator import Sampling

DEVICE = "CPU"


class OpenVino:
    """All segments are asked for at once, each as one request for all of its candidates: that is five
    times as fast as one request a candidate.

    The number format is that of the keys and values; the rest is as it chooses.
    """

    def __init__(self, work: Work) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = 2048
        properties = {
            "KV_CACHE_PRECISION": work.number_format,
            "INFERENCE_NUM_THREADS": work.threads or os.cpu_count() or 1,
        }
        self._cache = work.number_format
        try:
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(
                work.gguf, scheduler, DEVICE, properties
            )
        except RuntimeError as error:
            if "KV_CACHE_PRECISION" in str(error):
                raise Unsupported(f"no cache in {self._cache} here") from error
            raise
        computed = openvino.Core().get_property(DEVICE, "INFERENCE_PRECISION_HINT")
        self.number_format = f"{computed.get_type_name()}, cache in {self._cache}"

    def write(self, parts: Sequence[Part], sampling: Sampling) -> Iterator[int]:
        """A segment's candidates are given together, once the last one is finished."""
        config = self._pipeline.get_config()
        config.do_sample = True
        config.temperature, config.top_k, config.top_p = sampling.temperature, sampling.top_k, 1.0
        config.repetition_penalty = 1.0
        config.max_new_tokens = sampling.max_tokens
        handles = []
        for number, part in enumerate(parts):
            config.num_return_sequences, config.rng_seed = part.count, part.seed
            ids = openvino.Tensor(np.array([part.ids], dtype=np.int64))
            handles.append(self._pipeline.add_request(number, ids, config))
        while handles:
            try:
                self._pipeline.step()
            except RuntimeError as error:
                if "kvcache type" in str(error):
                    raise Unsupported(f"no cache in {self._cache} here") from error
                raise
            for handle in list(handles):
                if handle.get_status() == openvino_genai.GenerationStatus.FINISHED:
                    handles.remove(handle)
                    for output in handle.read_all():
                        yield len(output.generated_ids)
