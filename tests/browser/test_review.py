"""A reviewer's stories, each with JavaScript and without."""

import re

import pytest
from playwright.sync_api import Page, expect

from copygen.models import DecisionKind, VariantState
from tests.browser.conftest import OpenPage
from tests.review_ui.samples import Shop, Text, found

HURRY = "Hurry, must-have jumpers"
INJECTION = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">\''
BOTH = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])


def fill(shop: Shop) -> str:
    finding = found(HURRY, "must-have", "It is on the brand's list of banned phrases.")
    tea = {"campaign": "spring-tea", "segments": [{"name": "tea-club", "description": "members"}]}
    shop.add_batch({"tea-club": [Text("First flush")]}, brief=tea)
    return shop.add_batch(
        {
            "new-subscribers": [Text("First in"), Text(HURRY, findings=[finding])],
            "winter-shoppers": [Text("For boots")],
        }
    )


def filter_queue(page: Page, javascript: bool, label: str, value: str) -> None:
    page.get_by_label(label).select_option(value)
    if not javascript:
        page.get_by_role("button", name="Filter").click()


@BOTH
def test_filter_approve_and_the_next_one_appears(
    shop: Shop, open_page: OpenPage, javascript: bool
) -> None:
    fill(shop)
    page = open_page(javascript=javascript)
    expect(page.get_by_role("heading", level=1)).to_have_text("4 variants waiting")
    filter_queue(page, javascript, "Campaign", "autumn-knitwear")
    expect(page.get_by_role("heading", level=1)).to_have_text("3 variants waiting")
    expect(page).to_have_url(re.compile(r"campaign=autumn-knitwear"))
    filter_queue(page, javascript, "Verdict", "pass")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 variants waiting")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 variants waiting")
    page.get_by_role("link", name="First in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First in")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("For boots")
    expect(page).to_have_title("For boots · copygen")
    expect(page.get_by_role("status")).to_contain_text("You approved “First in”.")
    assert page.evaluate("window.sameDocument === true") is javascript
    assert shop.variant("First in").variant.state == VariantState.APPROVED
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Nothing waits with these filters.")).to_be_visible()
    page.get_by_role("link", name="Show the whole queue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 variants waiting")


@BOTH
def test_a_rejection_without_a_reason_is_refused_and_nothing_is_lost(
    shop: Shop, open_page: OpenPage, javascript: bool
) -> None:
    fill(shop)
    page = open_page(javascript=javascript)
    page.get_by_role("link", name=HURRY).click()
    page.get_by_role("button", name="Reject").click()
    assert page.evaluate("document.querySelector('#reason').validity.valueMissing")
    page.get_by_label("Or reject it. Why?").fill("   ")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_have_text("Say why, to reject.")
    expect(page.get_by_role("heading", level=1)).to_have_text(HURRY)
    assert shop.variant(HURRY).variant.state == VariantState.PENDING
    page.get_by_label("Or reject it. Why?").fill("“Must-have” is banned.")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(HURRY)
    found_again = shop.variant(HURRY)
    assert found_again.variant.state == VariantState.REJECTED
    assert [each.reason for each, _ in found_again.decisions] == ["“Must-have” is banned."]


@BOTH
def test_a_stale_tab_is_told_kindly_and_keeps_the_reason(
    shop: Shop, open_page: OpenPage, javascript: bool
) -> None:
    fill(shop)
    page = open_page(javascript=javascript)
    page.get_by_role("link", name="First in").click()
    page.get_by_label("Or reject it. Why?").fill("Too dull.")
    shop.decide("First in", DecisionKind.APPROVE)
    page.get_by_role("button", name="Reject").click()
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("This variant is approved by now. Nothing was changed.")
    expect(page.get_by_label("Take the approval back. Why?")).to_have_value("Too dull.")
    expect(page.get_by_text("by admin@example.com")).to_be_visible()
    if javascript:
        expect(page).to_have_url(re.compile(r"/variants/[0-9a-f]{32}$"))
    assert shop.variant("First in").variant.state == VariantState.APPROVED


@BOTH
def test_an_approval_is_revoked_with_a_reason(
    shop: Shop, open_page: OpenPage, javascript: bool
) -> None:
    fill(shop)
    page = open_page(javascript=javascript)
    page.get_by_role("link", name="First in").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("status").get_by_role("link", name="First in").click()
    page.get_by_label("Take the approval back. Why?").fill("A typo.")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("You revoked “First in”.")
    assert shop.variant("First in").variant.state == VariantState.REVOKED


@BOTH
def test_findings_stand_under_the_words_they_concern(
    shop: Shop, open_page: OpenPage, javascript: bool
) -> None:
    fill(shop)
    page = open_page("marketer", javascript=javascript)
    page.get_by_role("link", name=HURRY).click()
    expect(page.locator("h1 mark")).to_have_text("must-have")
    expect(page.locator(".copy .notes")).to_contain_text("banned phrases")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


@BOTH
def test_script_in_any_field_never_runs(shop: Shop, open_page: OpenPage, javascript: bool) -> None:
    hostile = found(INJECTION, "<script>", INJECTION)
    brief = {"facts": [INJECTION], "summary": INJECTION, "cta": INJECTION}
    batch = shop.add_batch(
        {"new-subscribers": [Text(INJECTION, INJECTION, [hostile])]}, brief=brief
    )
    page = open_page(javascript=javascript)
    page.get_by_role("link", name="window.pwned").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(INJECTION)
    page.get_by_label("Or reject it. Why?").fill(INJECTION)
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("status").get_by_role("link").click()
    expect(page.locator(".history .reason")).to_have_text(INJECTION)
    where = f"/variants/{shop.variant(INJECTION).variant.id}"
    for path in [where, f"/batches/{batch}", "/queue", f"/queue?campaign={INJECTION}"]:
        page.goto(path)
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("img:not([src^='/static/'])").count() == 0, path


def test_going_back_after_a_decision_shows_the_present_state(
    shop: Shop, open_page: OpenPage
) -> None:
    fill(shop)
    page = open_page()
    page.get_by_role("link", name="First in").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HURRY)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("First in")
    expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_have_text(HURRY)


def test_the_queue_and_a_decision_by_keyboard_alone(shop: Shop, open_page: OpenPage) -> None:
    fill(shop)
    page = open_page()
    row = page.get_by_role("link", name="First in")
    for _ in range(20):
        page.keyboard.press("Tab")
        if row.evaluate("element => element === document.activeElement"):
            break
    outline = row.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_visible()
    # The text has the focus, so the next stop after it is the decision.
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(approve).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(HURRY)


def test_an_ended_login_leads_back_to_the_same_variant(shop: Shop, open_page: OpenPage) -> None:
    fill(shop)
    page = open_page()
    page.get_by_role("link", name="First in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First in")
    page.context.clear_cookies()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/login?next=**")
    user, password = shop.users["reviewer"]
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First in")
    assert shop.variant("First in").variant.state == VariantState.PENDING


def test_logging_out_leads_to_the_login(shop: Shop, open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto("/queue")
    page.wait_for_url("**/login?next=/queue")
