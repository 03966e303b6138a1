"""A marketer watches a batch."""

from playwright.sync_api import expect

from copygen.services import batches
from tests.browser.conftest import OpenPage
from tests.review_ui.samples import Shop, Text, found


def test_a_running_batch_comes_up_to_date_by_itself(shop: Shop, open_page: OpenPage) -> None:
    prize = found("Claim your jumper", "Claim", "There is nothing to claim.")
    texts = [Text("Claim your jumper", findings=[prize])]
    batch = shop.add_batch({"new-subscribers": texts}, finish=False)
    page = open_page("marketer")
    page.get_by_role("link", name="Batches").click()
    page.get_by_role("link", name="autumn-knitwear").click()
    expect(page.get_by_text("0 of 8, queued")).to_be_visible()
    page.get_by_text("1 finding").click()
    expect(page.get_by_text("There is nothing to claim.")).to_be_visible()
    with shop.database.write() as session:
        batches.finish(session, batch, "The model broke off.")
    expect(page.get_by_text("The model broke off.")).to_be_visible()
    expect(page.get_by_text("There is nothing to claim.")).to_be_visible()
    expect(page.locator("[hx-trigger]")).to_have_count(0)


def test_without_javascript_a_running_batch_loads_itself_again(
    shop: Shop, open_page: OpenPage
) -> None:
    batch = shop.add_batch({"new-subscribers": [Text("First in")]}, finish=False)
    page = open_page("marketer", javascript=False)
    page.goto(f"/batches/{batch}")
    with shop.database.write() as session:
        batches.finish(session, batch, "The model broke off.")
    expect(page.get_by_text("The model broke off.")).to_be_visible(timeout=15_000)
