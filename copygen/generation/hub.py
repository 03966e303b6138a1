"""Models of the Hugging Face hub, as they lie in the cache."""

import errno
from pathlib import Path

from copygen.errors import CopygenError, OutOfSpace
from copygen.generation.files import unusable

FOLDER = "hub"
"""Of the models, in the cache; its layout is that of huggingface_hub."""

PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""What is fetched: no pickles and no code."""

IGNORED = ["*/*", "consolidated*"]
"""Many a repository holds the same weights again, for other programs."""


def snapshot(model: str, cache: Path) -> Path | None:
    """The folder of the model as it was fetched last, if all of it is there; asks no host.

    Raises:
        InvalidInput: `model` is no hub id.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _download(model, cache, here=True)
    except LocalEntryNotFoundError:
        return None


def fetch(model: str, cache: Path) -> None:
    """Get the newest files of the model into the cache.

    Raises:
        InvalidInput: the hub can't be reached, or doesn't have it.
        OutOfSpace: the disk is full.
    """
    try:
        _download(model, cache, here=False)
    except CopygenError:
        raise
    except Exception as error:  # Of the network, of the host and of the files.
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise OutOfSpace(f"The disk is full: {cache}.") from error
        raise unusable(
            f"{model!r} is no folder or file here, and the hub can't be reached or doesn't have it "
            f"({type(error).__name__})."
        ) from error


def _download(model: str, cache: Path, *, here: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(
            snapshot_download(
                model,
                cache_dir=cache / FOLDER,
                allow_patterns=PATTERNS,
                ignore_patterns=IGNORED,
                local_files_only=here,
            )
        )
    except HFValidationError as error:
        raise unusable(f"{model!r} is no folder, no file and no hub id.") from error
