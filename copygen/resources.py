"""Data folders of the package: inside it once installed, at the checkout's top before."""

from pathlib import Path


def data_folder(name: str) -> Path:
    """The folder `name` ("prompts", "examples") of the package's data."""
    package = Path(__file__).parent
    installed = package / "data" / name
    return installed if installed.is_dir() else package.parent / name
