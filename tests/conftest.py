"""Fixtures of all tests."""

from pathlib import Path

import pytest

from copygen.generation.transformer import TransformerGenerator
from copygen.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The cache of converted weights, shared with the commands: converting takes half a minute."""
    return Settings.load().cache


@pytest.fixture(scope="session")
def generator(model_cache: Path) -> TransformerGenerator:
    """The real model with the packaged adapter."""
    return TransformerGenerator("", model_cache, device="cpu")


@pytest.fixture
def brief_file() -> Path:
    """The example brief."""
    return EXAMPLES / "briefs" / "autumn-knitwear.yaml"


@pytest.fixture
def brand_file() -> Path:
    """The example brand."""
    return EXAMPLES / "brands" / "harrow-and-pine.yaml"
