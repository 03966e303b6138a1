"""A real Chromium before a real server."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.review_ui.fixtures import shop, stocked
from tests.review_ui.samples import Shop
from tests.support import running_server

__all__ = ["shop", "stocked"]

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = (1280, 800)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(
            f"No Chromium: none of {', '.join(NAMES)} is on PATH {os.environ.get('PATH')}. "
            "Install one, as by `apt-get install chromium`."
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def server(shop: Shop) -> Iterator[str]:
    with running_server(shop.app) as url:
        yield url


@pytest.fixture
def open_page(browser: Browser, server: str, shop: Shop) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own, logged in as `role`.

    No page may break the security policy or throw.
    """
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    with ExitStack() as stack:

        def opener(
            role: str | None = "reviewer",
            *,
            javascript: bool = True,
            size: tuple[int, int] = DESKTOP,
            theme: str = "light",
        ) -> Page:
            context = browser.new_context(
                base_url=server,
                java_script_enabled=javascript,
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if theme == "dark" else "light",
            )
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto("/login")
            if role is not None:
                user, password = shop.users[role]
                page.get_by_label("E-mail").fill(user.email)
                page.get_by_label("Password").fill(password)
                page.get_by_role("button", name="Log in").click()
                page.wait_for_url("**/queue")
            return page

        yield opener
    assert complaints == []
