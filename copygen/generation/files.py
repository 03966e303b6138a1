"""A model's files: their hashes, and what a model folder must hold before it is loaded."""

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copygen.errors import InvalidInput

TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
"""Files that hold a vocabulary: transformers makes a tokenizer of any one of them."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""The weights that transformers loads from a folder; the first that is there, alone or in shards."""


def unusable(problem: str) -> InvalidInput:
    """The error that says why the setting COPYGEN_MODEL can't be used."""
    return InvalidInput(f"COPYGEN_MODEL: {problem}", field="COPYGEN_MODEL")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever of `path` the system refuses to read becomes a clear message.

    Raises:
        InvalidInput: no permission, a broken disk and the like.
    """
    try:
        yield
    except OSError as error:
        raise unusable(f"{error.filename or path} can't be read ({error.strerror}).") from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and hashes of a model folder's weight files."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        digest.update(path.name.encode() + b"\0" + bytes.fromhex(sha256(path)))
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers takes the weights from, by name; other ones don't count.

    Raises:
        InvalidInput: the folder holds no model, or an index names a shard that is not there.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _shards(index)
    raise unusable(f"{folder} holds no model: config.json and {WEIGHTS[0]} are needed.")


def _shards(index: Path) -> list[Path]:
    shards = _json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise unusable(f"{index} names no shards (weight_map). Get the model again.")
    paths = [index.parent / name for name in sorted({str(name) for name in shards.values()})]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise unusable(
            f"{index.parent} lacks {missing[0]}, which {index.name} names "
            f"({len(missing)} of {len(paths)} shards missing). Get the model again."
        )
    return paths


def check_folder(folder: Path) -> None:
    """Look at a model folder's files without loading them: enough to name what is wrong.

    Raises:
        InvalidInput: something is missing, broken or cut off.
    """
    if not (folder / "config.json").is_file():
        raise unusable(f"{folder} holds no model: config.json and {WEIGHTS[0]} are needed.")
    if not isinstance(_json(folder / "config.json").get("model_type"), str):
        raise unusable(
            f"{folder / 'config.json'} has no model_type, so it can't be told what model it is."
        )
    for path in weight_files(folder):
        if path.suffix == ".safetensors":
            _check_safetensors(path)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise unusable(
            f"{folder} has no tokenizer. Put the model's tokenizer.json and tokenizer_config.json "
            "beside its weights."
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise unusable(f"{path} is broken JSON: {error}.") from error
    if not isinstance(document, dict):
        raise unusable(f"{path} is no JSON object.")
    return document


def _check_safetensors(path: Path) -> None:
    """Compare the file's length with what its header promises.

    The format: 8 bytes of length N, N bytes of JSON, then the data, to the last `data_offsets`
    (https://github.com/huggingface/safetensors#format).
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        header_length = struct.unpack("<Q", start)[0] if len(start) == 8 else length
        if header_length > length - 8:
            raise unusable(f"{path} is cut off, or no safetensors file. Get it again.")
        header = file.read(header_length)
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise unusable(f"{path} is no safetensors file: its header is broken.") from error
    if 8 + header_length + end != length:
        raise unusable(
            f"{path} has {length} bytes; its header promises {8 + header_length + end}. "
            "It is cut off or damaged. Get it again."
        )
