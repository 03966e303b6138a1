"""Other engines, from the base weights' GGUF file: each at its best with the candidates of one prompt
at a time in one batch."""

import ctypes
import importlib
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from copygen.bench.job import Job
from copygen.generation.generator import Sampling

Encode = Any
"""From a text to its token ids."""

PROMPT = 0
"""llama.cpp's sequence that holds the newest prompt."""

BATCH = 2048
"""Tokens that are read at once."""

ROWS = 48
"""Candidates that llama.cpp decodes together."""


class OpenVino:
    """OpenVINO GenAI: continuous batching with prefix caching, all segments asked for at once."""

    number_format = "as it chooses"

    def __init__(self, gguf: str, encode: Encode, threads: int) -> None:
        self._library: Any = importlib.import_module("openvino_genai")
        self._openvino: Any = importlib.import_module("openvino")
        self._encode = encode
        scheduler = self._library.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = BATCH
        self._pipeline = self._library.ContinuousBatchingPipeline(
            gguf, scheduler, "CPU", {"INFERENCE_NUM_THREADS": threads}
        )

    def write(self, job: Job) -> Iterator[int]:
        """Tokens of each candidate."""
        import numpy as np

        config = self._pipeline.get_config()
        config.do_sample = True
        config.temperature, config.top_k = job.sampling.temperature, job.sampling.top_k
        config.top_p = config.repetition_penalty = 1.0
        config.max_new_tokens = job.sampling.max_tokens
        config.num_return_sequences = job.candidates
        handles = []
        for number, (text, _) in enumerate(job.prompts):
            config.rng_seed = number
            ids = self._openvino.Tensor(np.array([self._encode(text)], dtype=np.int64))
            handles.append(self._pipeline.add_request(number, ids, config))
        while handles:
            self._pipeline.step()
            for handle in list(handles):
                if handle.get_status() == self._library.GenerationStatus.FINISHED:
                    handles.remove(handle)
                    for output in handle.read_all():
                        yield len(output.generated_ids)


@dataclass(slots=True)
class _Row:
    sequence: int
    sampler: Any
    token: int
    position: int
    drawn: int = 0


class LlamaCpp:
    """llama.cpp: each prompt is read from where it differs from the one before, and its candidates
    share its cells. As one is finished the next takes its place."""

    number_format = "Q4_1"

    def __init__(self, gguf: str, encode: Encode, threads: int) -> None:
        library: Any = importlib.import_module("llama_cpp")
        self._library, self._encode = library, encode
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(
            gguf.encode(), library.llama_model_default_params()
        )
        params = library.llama_context_default_params()
        params.n_ctx = 4 * BATCH
        params.n_batch = BATCH
        params.n_seq_max = ROWS + 1
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        self._context = library.llama_init_from_model(self._model, params)
        self._memory = library.llama_get_memory(self._context)
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self._batch = library.llama_batch_init(BATCH, 0, 1)
        self._read: list[int] = []

    def write(self, job: Job) -> Iterator[int]:
        """Tokens of each candidate."""
        library = self._library
        prompts = [self._encode(text) for text, _ in job.prompts]
        waiting = deque(
            (ids, place * 1000 + number)
            for place, ids in enumerate(prompts)
            for number in range(job.candidates)
        )
        free = list(range(1, ROWS + 1))
        rows: list[_Row] = []
        while waiting or rows:
            while waiting and free:
                ids, seed = waiting.popleft()
                self._read_prompt(ids[:-1])
                sequence = free.pop()
                library.llama_memory_seq_cp(self._memory, PROMPT, sequence, -1, -1)
                rows.append(
                    _Row(sequence, self._sampler(job.sampling, seed), ids[-1], len(ids) - 1)
                )
            self._decode([(row.token, row.position, row.sequence) for row in rows], logits=True)
            going = []
            for index, row in enumerate(rows):
                row.token = library.llama_sampler_sample(row.sampler, self._context, index)
                row.position += 1
                row.drawn += 1
                ended = library.llama_vocab_is_eog(self._vocabulary, row.token)
                if not ended and row.drawn < job.sampling.max_tokens:
                    going.append(row)
                    continue
                library.llama_memory_seq_rm(self._memory, row.sequence, -1, -1)
                library.llama_sampler_free(row.sampler)
                free.append(row.sequence)
                yield row.drawn
            rows = going

    def _read_prompt(self, ids: list[int]) -> None:
        """Read all but a prompt's last id, which each candidate reads for itself to draw from."""
        if ids == self._read:
            return
        pairs = zip(ids, self._read, strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._library.llama_memory_seq_rm(self._memory, PROMPT, same, -1)
        self._decode([(ids[place], place, PROMPT) for place in range(same, len(ids))], logits=False)
        self._read = ids

    def _decode(self, tokens: list[tuple[int, int, int]], *, logits: bool) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, (token, position, sequence) in enumerate(tokens):
            batch.token[index], batch.pos[index] = token, position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            batch.logits[index] = logits
        status = self._library.llama_decode(self._context, batch)
        if status:
            raise RuntimeError(f"llama_decode gave {status}")

    def _sampler(self, sampling: Sampling, seed: int) -> Any:
        library = self._library
        chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        for each in (
            library.llama_sampler_init_top_k(sampling.top_k),
            library.llama_sampler_init_temp(ctypes.c_float(sampling.temperature)),
            library.llama_sampler_init_dist(seed),
        ):
            library.llama_sampler_chain_add(chain, each)
        return chain
