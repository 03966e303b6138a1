"""Themes and widths, on every page."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.review_ui.samples import Shop, Text, found

LONG = "Supercalifragilisticexpialidocious" * 3
PHONE = (360, 740)


def paths(shop: Shop) -> list[str]:
    findings = [
        found(LONG, "fragilistic", "A message that is long enough to be broken into two lines."),
        found(LONG, "listicexpiali", LONG),
        found("x" * 200, "x" * 200, "Too long.", where="preview", severity="block"),
    ]
    batch = shop.add_batch({"winter-shoppers": [Text(LONG, "x" * 200, findings), Text("A" * 90)]})
    return [
        "/queue",
        f"/queue?campaign={LONG}",
        f"/variants/{shop.variant(LONG).variant.id}",
        f"/variants/{shop.variant('A' * 90).variant.id}",
        "/batches",
        f"/batches/{batch}",
        f"/{LONG}",
    ]


def overflow(page: Page) -> int:
    root = "document.documentElement"
    width: int = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    return width


def test_nothing_is_wider_than_a_small_phone(shop: Shop, open_page: OpenPage) -> None:
    login = open_page(None, size=PHONE)
    assert overflow(login) == 0
    page = open_page(size=PHONE)
    for path in paths(shop):
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("element => element.open = true")
        assert overflow(page) == 0, path


@pytest.mark.parametrize(("theme", "is_dark"), [("light", False), ("dark", True)])
def test_pages_follow_the_theme_of_the_system(
    open_page: OpenPage, theme: str, is_dark: bool
) -> None:
    page = open_page(theme=theme)
    colours = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    ground, ink = (sum(map(int, each[4:-1].split(","))) for each in colours)
    assert (ground < ink) is is_dark


def test_buttons_and_fields_are_large_enough_for_a_finger(shop: Shop, open_page: OpenPage) -> None:
    """At least 24 by 24 CSS pixels (WCAG 2.2, 2.5.8)."""
    page = open_page(size=PHONE)
    for path in paths(shop):
        page.goto(path)
        for control in page.locator("button:visible, select:visible, textarea:visible").all():
            box = control.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24, path
