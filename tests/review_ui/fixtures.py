"""Fixtures that tests of pages share, with a browser and without."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from copygen.models import User
from tests.review_ui.samples import Shop, open_shop

Stocked = tuple[Path, dict[str, tuple[User, str]]]


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Stocked:
    """A home with a store and accounts, made once, since hashing passwords is slow by design."""
    home = tmp_path_factory.mktemp("stocked")
    shop = open_shop(home)
    shop.database.close()
    return home, shop.users


@pytest.fixture
def shop(tmp_path: Path, stocked: Stocked) -> Iterator[Shop]:
    """A shop for one test, over a copy of that store."""
    home, users = stocked
    shutil.copytree(home, tmp_path / "home")
    opened = open_shop(tmp_path / "home", users)
    yield opened
    opened.database.close()
