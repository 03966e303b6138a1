"""How fast this machine could decode at best: by its memory, and by its arithmetic."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copygen.generation.files import weight_files

if TYPE_CHECKING:
    import torch

    from copygen.generation.matrices import Format, Matrix

TRIES = 5
"""Runs of a measurement; the fastest counts."""

ARRAY_BYTES = 1 << 29
"""Of what is read to measure the memory: larger than any processor's cache."""

GEMM = (2048, 2048, 4096)
"""Rows, inputs and outputs of the product that measures the arithmetic."""

BYTES: "dict[Format, int]" = {"float32": 4, "bfloat16": 2, "int8": 1}


@dataclass(frozen=True, slots=True)
class Size:
    """Of a model: the weights that each token is multiplied with, and the layers' number and width,
    for attention."""

    weights: int
    layers: int
    width: int

    @classmethod
    def of(cls, folder: Path) -> "Size | None":
        """The size of the model in `folder`; None where it can't be told from its files."""
        from safetensors import SafetensorError, safe_open

        try:
            shapes: dict[str, list[int]] = {}
            for path in weight_files(folder):
                with safe_open(path, "pt") as file:
                    for name in file.keys():  # noqa: SIM118
                        shapes[name] = file.get_slice(name).get_shape()
            config = json.loads((folder / "config.json").read_text())
            matrices = {
                name: shape[0] * shape[1] for name, shape in shapes.items() if len(shape) == 2
            }
            if "lm_head.weight" in matrices:  # Else the embedding is the head too.
                matrices = {n: size for n, size in matrices.items() if "embed" not in n}
            return cls(sum(matrices.values()), config["num_hidden_layers"], config["hidden_size"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def operations(self, prompt: float, answer: float) -> float:
        """Multiplications and additions for one candidate: `prompt` tokens are seen, and `answer`
        tokens read. A token's own arithmetic is 2 for each weight, and 4 for each layer, dimension
        and token that it attends to."""
        seen = prompt + answer / 2
        return answer * (2 * self.weights + 4 * self.layers * self.width * seen)


def measure(
    size: Size, number_format: "Format", device: str, threads: int, *, prompt: float, answer: float
) -> dict[str, Any]:
    """The two limits of decoding in a format of `BYTES`, in candidates a second.

    Memory: each step reads all weights once, for all rows. Arithmetic: that of a candidate's
    `answer` tokens behind `prompt` ones. Prompts are left out: they are read once for many.
    """
    # Imported here since it takes seconds, and only some runs ask for it.
    import torch

    from copygen.generation.decoding import ROWS
    from copygen.generation.matrices import maker

    if threads:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    bandwidth = _bandwidth(device)
    make = maker(number_format)
    peak = _peak(lambda weight: make(weight, None), device)
    step_bytes = size.weights * BYTES[number_format]
    operations = size.operations(prompt, answer)
    return {
        "number_format": number_format,
        "memory": {
            "bytes_per_step": step_bytes,
            "bytes_per_s": round(bandwidth),
            "rows": ROWS,
            "candidates_per_s": round(bandwidth / step_bytes * ROWS / answer, 2),
        },
        "arithmetic": {
            "operations_per_candidate": round(operations),
            "operations_per_s": round(peak),
            "candidates_per_s": round(peak / operations, 2),
        },
    }


def _bandwidth(device: str) -> float:
    """Bytes that are read a second, by the sum of a large array."""
    import torch

    array = torch.ones(ARRAY_BYTES // 4, device=device)
    return ARRAY_BYTES / _seconds(array.sum)


def _peak(make: "Callable[[torch.Tensor], Matrix]", device: str) -> float:
    """Multiplications and additions a second, by a large product of matrices."""
    import torch

    rows, inputs, outputs = GEMM
    with torch.inference_mode():
        matrix = make(torch.randn(outputs, inputs, device=device))
        values = torch.randn(rows, inputs, device=device)
        return 2 * rows * inputs * outputs / _seconds(lambda: matrix(values))


def _seconds(work: "Callable[[], torch.Tensor]") -> float:
    best = float("inf")
    for _ in range(TRIES):
        began = time.perf_counter()
        work().flatten()[0].item()  # Wait for a device to end.
        best = min(best, time.perf_counter() - began)
    return best
