"""GGUF files, and their conversion into folders that transformers maps into memory."""

import contextlib
import errno
import fcntl
import io
import json
import logging
import os
import shutil
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copygen.errors import InvalidInput, OutOfSpace
from copygen.generation import files
from copygen.generation.files import unusable

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

FOLDER = "models"
"""Of the conversions, in the cache: one folder each, named by its source's hash."""

PREPARED = "prepared"
"""Folder in the cache of weights that are ready for this machine."""

CHOICES = "formats.json"
"""File in that folder: the number format that was chosen for each model on each machine."""

RECORD = "copygen.json"
"""In a conversion's folder: `{"name", "source", "files": {name: SHA-256}}`."""

UNFINISHED = ".converting-"
"""Begins the name of a conversion's folder until it is whole."""

MADE = "model"
"""Name of what becomes the conversion, in the unfinished folder."""

LOCK = ".lock"
MAGIC = b"GGUF"
SLACK = 16 << 20
"""Bytes left for the tokenizer and the rest, beside the weights."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself. `size`: bytes of its weights in float32."""

    architecture: str
    size: int


def folder_of(sha256: str, cache: Path) -> Path:
    """Where the conversion of the file with this hash belongs."""
    return cache / FOLDER / sha256[:32]


def is_whole(folder: Path) -> bool:
    """Whether `folder` holds all that was recorded when it was made: every file with its hash."""
    try:
        listed = json.loads((folder / RECORD).read_text())["files"]
        return all(files.sha256(folder / name) == digest for name, digest in listed.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


@contextlib.contextmanager
def locked(cache: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the cache's conversions, or tell by False that another process does.

    Raises:
        InvalidInput: the cache can't be written to.
    """
    folder = cache / FOLDER
    with writable(cache):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("wb")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def busy(cache: Path) -> bool:
    """Whether a process converts weights into the cache right now. Writes nothing."""
    try:
        with (cache / FOLDER / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def writable(cache: Path) -> Iterator[None]:
    """Say in words of ours why the cache can't be written to.

    Raises:
        OutOfSpace: the disk is full.
        InvalidInput: the system refuses.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpace(f"The disk is full: {cache}.") from error
        raise InvalidInput(
            f"COPYGEN_CACHE: {cache} can't be written to ({error.strerror}).", field="COPYGEN_CACHE"
        ) from error


def convert(source: Path, sha256: str, name: str, cache: Path) -> Path:
    """The GGUF file as a folder of safetensors in float32, made where it is not there yet.

    float32, since a CPU computes in it: then loading maps the file and converts nothing.

    Raises:
        InvalidInput: the file is damaged, or no model that transformers reads.
        OutOfSpace: the disk is full.
    """
    folder = folder_of(sha256, cache)
    if is_whole(folder):
        return folder
    header = read_header(source)
    if busy(cache):
        logger.warning("Another process converts weights; waiting for it to end …")
    with locked(cache, wait=True):
        if not is_whole(folder):  # Another process may have made it meanwhile.
            # The lock is ours, so that whatever is unfinished was cut off.
            for path in [folder, *folder.parent.glob(f"{UNFINISHED}*")]:
                shutil.rmtree(path, ignore_errors=True)
            _room(cache, header.size)
            logger.warning("Converting the weights of %s, once; it takes a while …", name)
            with writable(cache):
                temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=UNFINISHED))
            try:
                _make(source, header, temporary, cache)
                with writable(cache):
                    record(temporary / MADE, name, sha256)
                    os.replace(temporary / MADE, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


def read_header(path: Path) -> Header:
    """Read a GGUF file's header, and see that its tensors are all there.

    Raises:
        InvalidInput: it is damaged, cut off, one part of several, or has no tokenizer.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        architecture = str(reader.fields["general.architecture"].contents())
        parts = reader.fields.get("split.count")
        split = int(parts.contents()) if parts else 1
    except OSError as error:
        raise unusable(f"{path} can't be read ({error.strerror}).") from error
    except Exception as error:  # Of a damaged file, its reader can raise anything.
        raise unusable(
            f"{path} is cut off, damaged, or of a version that can't be read. Get it again."
        ) from error
    if split > 1:
        raise unusable(f"{path} is one of {split} parts. Join them: llama-gguf-split --merge")
    if "tokenizer.ggml.tokens" not in reader.fields:
        raise unusable(f"{path} has no tokenizer in it. Take a GGUF file of the whole model.")
    return Header(architecture, sum(4 * int(tensor.n_elements) for tensor in reader.tensors))


def _room(cache: Path, size: int) -> None:
    free = shutil.disk_usage(cache).free
    if free < size + SLACK:
        raise OutOfSpace(
            f"The disk is full: {cache} has {free >> 20} MB left, and the converted weights take "
            f"{(size + SLACK) >> 20} MB."
        )


def _make(source: Path, header: Header, temporary: Path, cache: Path) -> None:
    # Slow imports, and only for the first start.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    silence()
    try:
        # Alone in a folder: what stands beside the file has no say in how it is read.
        alone = temporary / "source" / source.name
        alone.parent.mkdir()
        alone.symlink_to(source.absolute())
        with contextlib.redirect_stderr(io.StringIO()):  # The bars of the conversion.
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(alone.parent),
                gguf_file=alone.name,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=False,
            )
            model, info = loaded
            tokenizer = AutoTokenizer.from_pretrained(
                str(alone.parent), gguf_file=alone.name, trust_remote_code=False
            )
            _unmark_quantized(model)
            if not info["missing_keys"]:
                model.save_pretrained(temporary / MADE)
                tokenizer.save_pretrained(temporary / MADE)
    except Exception as error:  # transformers raises whatever a file brings it to.
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise OutOfSpace(f"The disk is full: {cache}.") from error
        if no_memory(error):
            raise unusable(
                f"{source.name} takes {header.size >> 20} MB of memory, and there is less. Close "
                "other programs, or take a smaller model."
            ) from error
        raise unusable(
            f"{source.name} (architecture {header.architecture!r}) can't be read as a causal "
            f"language model: {told(error)}\nTake its Hugging Face folder, or another model."
        ) from error
    missing_weights(source.name, info["missing_keys"])


def missing_weights(source: str, missing: "set[str]") -> None:
    """Refuse a model that lacks weights: transformers has drawn them at random.

    Raises:
        InvalidInput: `missing`, the names of those weights, is not empty.
    """
    if missing:
        raise unusable(
            f"{source} lacks {len(missing)} of the model's weights, first {min(missing)}. "
            "It is not the whole model, or not a causal language model."
        )


def record(folder: Path, name: str, sha256: str) -> None:
    """Record, in a folder that was made from the file of hash `sha256`, each of its files' hashes."""
    listing = {path.name: files.sha256(path) for path in sorted(folder.iterdir())}
    content = {"name": name, "source": sha256, "files": listing}
    (folder / RECORD).write_text(json.dumps(content))


def silence() -> None:
    """Keep transformers' own notices and bars out of ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _unmark_quantized(model: "PreTrainedModel") -> None:
    """The weights are dequantized by now; transformers refuses to save while the mark is there."""
    for owner in (model, model.config):
        for name in ("quantization_config", "hf_quantizer", "is_quantized", "quantization_method"):
            if name in vars(owner):
                delattr(owner, name)


def no_memory(error: BaseException) -> bool:
    """Whether the memory ran out: torch and the system each say it in their own way."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error).lower()


def told(error: BaseException) -> str:
    """An error's type and text, on one line that fits into a message."""
    text = " ".join(str(error).split())
    return (
        f"{type(error).__name__}: {textwrap.shorten(text, 160)}" if text else type(error).__name__
    )
