"""How fast this machine could be at most: what it reads and what it multiplies a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from copygen.generation import prepared, weights
from copygen.generation.decoding import ROWS
from copygen.generation.matrices import Format, maker

BYTES = 512 << 20
"""Read to measure the memory: more than any processor's cache."""

WIDTH = 2048
"""Of the square matrices that are multiplied to measure arithmetic."""

TRIES = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a token takes at least, by each limit, and what they follow from."""

    weights_bytes: int
    gigabytes_per_s: float
    operations_per_token: int
    operations_per_s: float
    reading_s: float
    computing_s: float


def measure(model: str, cache: Path, number_format: Format) -> Limits:
    """The limits for a model that is prepared in a number format."""
    source = weights.resolve(model, cache)
    adapter = weights.adapter_sha256(weights.adapter_folder()) if source.is_default else ""
    folder = prepared.folder_of(cache, source.sha256, adapter, number_format)
    elements = size = 0
    with safe_open(folder / prepared.FILE, "pt") as file:
        opened: Any = file
        for name in opened.keys():  # noqa: SIM118 (it is no mapping)
            if name == "head" or name.rpartition(".")[2] in prepared.MATRICES:
                tensor = opened.get_tensor(name)
                elements += tensor.numel()
                size += tensor.nbytes
    many = torch.ones(BYTES // 4)
    bandwidth = BYTES / _best(lambda: many.sum())
    weight, rows = torch.randn(WIDTH, WIDTH), torch.randn(WIDTH, WIDTH)
    matrix = maker(number_format)(weight, None)
    speed = 2 * WIDTH**3 / _best(lambda: matrix(rows))
    # The weights are read once for all rows of a step, and multiplied with each.
    return Limits(
        size, bandwidth / 1e9, 2 * elements, speed, size / bandwidth / ROWS, 2 * elements / speed
    )


@torch.inference_mode()
def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
