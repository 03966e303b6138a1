"""llama.cpp: many sequences in one batch, from a GGUF file."""

import ctypes
import operator
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import llama_cpp as library

from copygen.bench.work import Part, Work
from copygen.errors import CopygenError
from copygen.generation.generator import Sampling

PROMPT = 0
"""The sequence that holds the newest prompt."""

BATCH = 2048
"""Tokens at most in one call."""

ROWS = 32
"""Candidates decoded together: the best of 8, 16, 32, 48, 64 and 128 for this job on 2 cores. More
cost more, since every row looks through the cells of all others."""


@dataclass(slots=True)
class _Row:
    sequence: int
    sampler: Any
    token: int
    position: int
    drawn: int = 0


class LlamaCpp:
    """Each prompt is read once, from where it differs from the one before; candidates share its
    cells. As one is finished the next takes its place. The rest is as the library chooses."""

    def __init__(self, work: Work) -> None:
        library.llama_log_set(_unheard, None)
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(
            work.gguf.encode(), library.llama_model_default_params()
        )
        if not self._model:
            raise CopygenError(f"llama.cpp can't load {work.gguf}.")
        params = library.llama_context_default_params()
        longest = max(len(part.ids) for part in work.parts)
        params.n_ctx = (ROWS + 1) * work.sampling.max_tokens + 2 * longest + BATCH
        params.n_batch = BATCH
        params.n_seq_max = ROWS + 1
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = work.threads or os.cpu_count() or 1
        self._context = library.llama_init_from_model(self._model, params)
        self._memory = library.llama_get_memory(self._context)
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self._batch = library.llama_batch_init(BATCH, 0, 1)
        self._read: tuple[int, ...] = ()
        self.number_format = "int8"

    def write(self, parts: Sequence[Part], sampling: Sampling) -> Iterator[int]:
        waiting = deque(
            (part, part.seed + number) for part in parts for number in range(part.count)
        )
        free = list(range(1, ROWS + 1))
        rows: list[_Row] = []
        while waiting or rows:
            while waiting and free:
                part, seed = waiting.popleft()
                self._read_prompt(part.ids)
                sequence = free.pop()
                library.llama_memory_seq_cp(self._memory, PROMPT, sequence, -1, -1)
                place = len(part.ids) - 1
                rows.append(_Row(sequence, _sampler(sampling, seed), part.ids[place], place))
            self._decode([(row.token, row.position, row.sequence) for row in rows], logits=True)
            going = []
            for index, row in enumerate(rows):
                row.token = library.llama_sampler_sample(row.sampler, self._context, index)
                row.position += 1
                row.drawn += 1
                ended = library.llama_vocab_is_eog(self._vocabulary, row.token)
                if not ended and row.drawn < sampling.max_tokens:
                    going.append(row)
                    continue
                library.llama_memory_seq_rm(self._memory, row.sequence, -1, -1)
                library.llama_sampler_free(row.sampler)
                free.append(row.sequence)
                yield row.drawn
            rows = going

    def _read_prompt(self, ids: tuple[int, ...]) -> None:
        """Read all but the last id, which each candidate reads for itself to draw from."""
        ids = ids[:-1]
        if ids == self._read:
            return
        same = sum(takewhile(bool, map(operator.eq, ids, self._read)))
        library.llama_memory_seq_rm(self._memory, PROMPT, same, -1)
        for start in range(same, len(ids), BATCH):
            some = range(start, min(start + BATCH, len(ids)))
            self._decode([(ids[place], place, PROMPT) for place in some], logits=False)
        self._read = ids

    def _decode(self, tokens: list[tuple[int, int, int]], *, logits: bool) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, (token, position, sequence) in enumerate(tokens):
            batch.token[index], batch.pos[index] = token, position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            batch.logits[index] = logits
        status = library.llama_decode(self._context, batch)
        if status:
            raise CopygenError(f"llama.cpp broke off (llama_decode gave {status}).")


@library.llama_log_callback  # type: ignore[untyped-decorator]
def _unheard(level: int, text: bytes, data: object) -> None:
    """In place of its own, which writes a line for each part of the model."""


def _sampler(sampling: Sampling, seed: int) -> Any:
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    for each in (
        library.llama_sampler_init_top_k(sampling.top_k),
        library.llama_sampler_init_temp(ctypes.c_float(sampling.temperature)),
        library.llama_sampler_init_dist(seed),
    ):
        library.llama_sampler_chain_add(chain, each)
    return chain
