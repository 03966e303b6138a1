"""Weights that are ready for `Llama`, kept in the cache with what the start needs beside them."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from copygen.errors import OutOfSpace
from copygen.generation import conversion
from copygen.generation.llama import Llama, Shape
from copygen.generation.matrices import FORMATS, BFloat16, Float32, Format, Int8, Matrix, held

FILE = "prepared.safetensors"
VERSION = 2
"""Raised when what is prepared, or what is computed with it, changes."""

MATRICES = ("attention", "output", "gate_up", "down")
"""Of each layer."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The number format for a machine: how long a step's matrices take in each, in milliseconds, and
    how far each is from float32 in nats per token."""

    format: Format
    milliseconds: dict[Format, float]
    divergence: dict[Format, float]


def folder_of(cache: Path, weights_sha256: str, adapter_sha256: str, number_format: Format) -> Path:
    """Where prepared weights are kept."""
    adapter = adapter_sha256[:8] or "plain"
    return (
        cache / conversion.PREPARED / f"{weights_sha256[:32]}-{adapter}-{number_format}-{VERSION}"
    )


def save(
    folder: Path,
    source: tuple[str, str],
    shape: Shape,
    tensors: Mapping[str, torch.Tensor],
    stop: frozenset[int],
) -> None:
    """Keep prepared weights in `folder` of the cache; `source`: name and hash of the model.

    Whoever reads meanwhile sees the old ones or the new ones.

    Raises:
        OutOfSpace: the disk is full.
        InvalidInput: the cache can't be written to.
    """
    cache = folder.parents[1]
    head = {"shape": json.dumps(asdict(shape)), "stop": json.dumps(sorted(stop))}
    with conversion.locked(cache, wait=True), conversion.writable(cache):
        folder.parent.mkdir(exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=conversion.UNFINISHED))
        try:
            # Each with memory of its own: safetensors keeps no shared tensors.
            owned = {name: each.contiguous().clone() for name, each in tensors.items()}
            save_file(owned, temporary / FILE, head)
            conversion.record(temporary, *source)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
        except SafetensorError as error:
            raise OutOfSpace(f"The disk is full: {cache}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def load(folder: Path, number_format: Format, device: str) -> tuple[Llama, frozenset[int]] | None:
    """The model and its stop tokens from prepared weights; None where they are missing or broken."""
    if not conversion.is_whole(folder):
        return None
    try:
        with safe_open(folder / FILE, "pt", device=device) as opened:
            head = opened.metadata()
            shape = Shape(**json.loads(head["shape"]))
            names = set(opened.keys())

            def matrix(name: str) -> Matrix:
                parts = {
                    part: opened.get_tensor(f"{name}{part}") if f"{name}{part}" in names else None
                    for part in ("", ".scale", ".bias")
                }
                return _matrix(number_format, *parts.values())

            matrices = {f"{layer}.{each}" for layer in range(shape.layers) for each in MATRICES}
            rest = {
                name: opened.get_tensor(name)
                for name in names
                if name.removesuffix(".scale").removesuffix(".bias") not in {*matrices, "head"}
            }
            return Llama(shape, rest, matrix, held(number_format)), frozenset(
                json.loads(head["stop"])
            )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _matrix(
    number_format: Format,
    weight: torch.Tensor | None,
    scale: torch.Tensor | None,
    bias: torch.Tensor | None,
) -> Matrix:
    if weight is None or weight.dtype != getattr(torch, number_format):
        raise KeyError("weight")
    if number_format == "float32":
        return Float32(weight, bias)
    if number_format == "bfloat16":
        return BFloat16(weight, bias)
    if scale is None:
        raise KeyError("scale")
    return Int8(weight, scale, bias)


def machine_key(weights_sha256: str, adapter_sha256: str) -> str:
    """What a measurement holds for: the weights, the processor, and the library that computes."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "flags", "Features")):
                processor += line
            elif not line:
                break  # The others are the same.
    parts = (
        weights_sha256,
        adapter_sha256,
        hashlib.sha256(processor.encode()).hexdigest(),
        f"torch {torch.__version__}",
        f"threads {torch.get_num_threads()}",
        f"version {VERSION}",
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def chosen(cache: Path, key: str) -> Format | None:
    """The number format that was chosen for `key`; None where none was."""
    choice = _choices(cache).get(key)
    found = choice.get("format") if isinstance(choice, dict) else None
    return found if found in FORMATS else None


def remember(cache: Path, key: str, choice: Choice) -> None:
    """Keep a choice."""
    file = cache / conversion.PREPARED / conversion.CHOICES
    # Another process may keep its own at the same time.
    with conversion.locked(cache, wait=True), conversion.writable(cache):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{conversion.CHOICES}.{os.getpid()}")
        temporary.write_text(json.dumps(_choices(cache) | {key: asdict(choice)}, indent=1))
        os.replace(temporary, file)


def _choices(cache: Path) -> dict[str, Any]:
    try:
        found = json.loads((cache / conversion.PREPARED / conversion.CHOICES).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
