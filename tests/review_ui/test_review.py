import html
import re

import pytest

from copygen.models import DecisionKind, VariantState
from review_ui.review import PAGE_SIZE
from tests.review_ui.samples import Shop, Text, found

HURRY = "Hurry, must-have jumpers"
FINDING = found(HURRY, "must-have", "It is on the brand's list of banned phrases.")


def fill(shop: Shop) -> None:
    shop.add_batch(
        {
            "new-subscribers": [Text("First in"), Text(HURRY, findings=[FINDING])],
            "winter-shoppers": [Text("For boots")],
        }
    )
    tea = {"campaign": "spring-tea", "segments": [{"name": "tea-club", "description": "members"}]}
    shop.add_batch({"tea-club": [Text("First flush")]}, brief=tea)


def subjects(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'class="subject" dir="auto">([^<]+)', page)]


def location(shop: Shop, subject: str) -> str:
    return f"/variants/{shop.variant(subject).variant.id}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["First in", HURRY, "For boots", "First flush"]),
        ("?campaign=spring-tea", ["First flush"]),
        ("?segment=winter-shoppers", ["For boots"]),
        ("?verdict=review", [HURRY]),
        ("?campaign=autumn-knitwear&verdict=pass", ["First in", "For boots"]),
        ("?campaign=&segment=&verdict=", ["First in", HURRY, "For boots", "First flush"]),
        ("?campaign=none", []),
        ("?page=nonsense", ["First in", HURRY, "For boots", "First flush"]),
    ],
)
def test_the_queue_is_oldest_first_and_filtered(
    shop: Shop, query: str, expected: list[str]
) -> None:
    fill(shop)
    page = shop.client("reviewer").get(f"/queue{query}").text
    assert subjects(page) == expected
    if expected:
        assert f"{len(expected)} variant" in page


def test_a_row_tells_findings_sensitivity_and_age(shop: Shop) -> None:
    fill(shop)
    page = shop.client("reviewer").get("/queue").text
    rows = re.findall(r"<li>\s*<a href=.*?</li>", page, re.S)
    assert ["1 finding" in row for row in rows] == [False, True, False, False]
    assert ["High sensitivity" in row for row in rows] == [False, False, True, False]
    assert all("just now</time>" in row for row in rows)


def test_the_links_of_the_queue_keep_its_filters(shop: Shop) -> None:
    fill(shop)
    page = shop.client("reviewer").get("/queue?campaign=autumn-knitwear&verdict=pass").text
    link = f"{location(shop, 'First in')}?campaign=autumn-knitwear&amp;verdict=pass"
    assert link in page
    assert '<option value="autumn-knitwear" selected>' in page


def test_a_long_queue_has_pages(shop: Shop) -> None:
    brief = {"variants": 30}
    texts = [Text(f"Jumper {number}") for number in range(PAGE_SIZE + 2)]
    shop.add_batch({"new-subscribers": texts}, brief=brief)
    client = shop.client("reviewer")
    first = client.get("/queue?segment=new-subscribers").text
    assert len(subjects(first)) == PAGE_SIZE
    assert '/queue?segment=new-subscribers&amp;page=2" rel="next"' in first
    second = client.get("/queue?segment=new-subscribers&page=2").text
    assert subjects(second) == ["Jumper 25", "Jumper 26"]
    assert 'href="/queue?segment=new-subscribers&amp;page=1" rel="prev"' in second
    assert client.get("/queue?page=9").headers["location"] == "/queue"


def test_an_empty_queue_says_so(shop: Shop) -> None:
    client = shop.client("reviewer")
    assert "Nothing waits.<br>" in client.get("/queue").text
    fill(shop)
    filtered = client.get("/queue?campaign=none").text
    assert "Nothing waits with these filters." in filtered
    assert '<option value="none" selected>' in filtered


def test_htmx_gets_the_page_without_its_frame_and_an_address_without_empty_filters(
    shop: Shop,
) -> None:
    fill(shop)
    answer = shop.client("reviewer").get(
        "/queue?campaign=&segment=tea-club&verdict=", headers={"HX-Request": "true"}
    )
    assert answer.text.startswith("<title>Queue · copygen</title>")
    assert "<html" not in answer.text
    assert subjects(answer.text) == ["First flush"]
    assert answer.headers["HX-Push-Url"] == "/queue?segment=tea-club"
    assert "HX-Request" in answer.headers["Vary"]


def test_a_variant_shows_all_that_a_decision_takes(shop: Shop) -> None:
    fill(shop)
    page = html.unescape(shop.client("reviewer").get(location(shop, HURRY)).text)
    assert re.search(r'<mark class="review"[^>]* data-notes="1">must-have</mark>', page)
    for part in [
        FINDING.message,
        FINDING.suggestion,
        "<code>made-up</code>",
        "15% off the first jumper",
        "FIRSTLAYER",
        "New customers only",
        "Spun in a mill in Hawick",
        "Gmail app",
        "brand voice",
        "0.93",
        "by hand",
        shop.variant(HURRY).variant.sha256,
    ]:
        assert part in page, part


def test_a_finding_without_words_is_listed_and_not_marked(shop: Shop) -> None:
    missing = found("A jumper", "", "The terms are missing.", where="preview")
    shop.add_batch({"new-subscribers": [Text("A jumper", findings=[missing])]})
    page = shop.client("reviewer").get(location(shop, "A jumper")).text
    assert "<mark" not in page
    assert "The terms are missing." in page
    assert "The preview as a whole" in page


def test_a_check_that_did_not_run_is_plain_to_see(shop: Shop) -> None:
    text = Text("A jumper", outcomes={"brand_voice": "not_run"})
    shop.add_batch({"new-subscribers": [text]})
    page = shop.client("reviewer").get(location(shop, "A jumper")).text
    assert "The check <em>brand voice</em> did not run" in page
    assert '<li class="not_run">' in page
    assert "/decision" not in page


def test_merge_tags_show_their_fallback_in_the_inbox_alone(shop: Shop) -> None:
    subject = '{{ first_name | default: "friend" }}, it is in'
    shop.add_batch({"new-subscribers": [Text(subject)]})
    page = html.unescape(shop.client("reviewer").get(location(shop, subject)).text)
    assert f'">{subject}</h1>' in page
    assert page.count('dir="auto">friend, it is in</span>') == 3


def test_approving_leads_to_the_next_and_keeps_the_filters(shop: Shop) -> None:
    fill(shop)
    client = shop.client("reviewer")
    query = "?campaign=autumn-knitwear&verdict=pass"
    answer = shop.post_decision(client, "First in", "approve", query=query)
    assert answer.status_code == 303
    there = answer.headers["location"]
    assert there.startswith(f"{location(shop, 'For boots')}{query}&done=")
    assert "You approved" in client.get(there).text
    last = shop.post_decision(client, "For boots", "approve", query=query)
    assert last.headers["location"].startswith(f"/queue{query}&done=")
    told = client.get(last.headers["location"]).text
    assert "“For boots”" in told
    assert "Nothing waits with these filters." in told
    for subject in ["First in", "For boots"]:
        assert shop.variant(subject).variant.state == VariantState.APPROVED


def test_nobody_is_told_of_a_decision_that_somebody_else_made(shop: Shop) -> None:
    fill(shop)
    shop.decide("First in", DecisionKind.APPROVE)
    done = shop.variant("First in").variant.id
    assert "You approved" not in shop.client("reviewer").get(f"/queue?done={done}").text


def test_a_rejection_takes_a_reason_and_is_shown_with_it(shop: Shop) -> None:
    fill(shop)
    client = shop.client("reviewer")
    refused = shop.post_decision(client, "First in", "reject", "  ")
    assert refused.status_code == 422
    assert "Say why, to reject." in refused.text
    assert shop.variant("First in").variant.state == VariantState.PENDING
    shop.post_decision(client, "First in", "reject", "Too dull.")
    page = client.get(location(shop, "First in")).text
    assert "Too dull." in page
    assert "reviewer@example.com" in page
    assert shop.variant("First in").variant.state == VariantState.REJECTED


def test_a_reason_that_is_too_long_is_kept(shop: Shop) -> None:
    fill(shop)
    reason = "\nword " * 300
    answer = shop.post_decision(shop.client("reviewer"), "First in", "reject", reason)
    assert answer.status_code == 422
    kept = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.S)
    assert kept is not None
    assert kept[1] == reason


def test_a_stale_page_is_told_so_and_the_reason_is_kept(shop: Shop) -> None:
    fill(shop)
    shop.decide("First in", DecisionKind.APPROVE)
    answer = shop.post_decision(shop.client("reviewer"), "First in", "reject", "Too dull.")
    assert answer.status_code == 409
    assert "This variant is approved by now. Nothing was changed." in answer.text
    assert "Too dull." in answer.text
    assert answer.headers["HX-Push-Url"] == location(shop, "First in")


def test_a_decision_on_another_text_is_refused(shop: Shop) -> None:
    fill(shop)
    client = shop.client("reviewer")
    form = {"kind": "approve", "sha256": "0" * 64, "csrf": shop.csrf(client)}
    answer = client.post(f"{location(shop, 'First in')}/decision", data=form)
    assert answer.status_code == 409
    assert shop.variant("First in").variant.state == VariantState.PENDING


@pytest.mark.parametrize("kind", ["", "revise", "expire", "APPROVE"])
def test_an_unknown_decision_changes_nothing(shop: Shop, kind: str) -> None:
    fill(shop)
    assert shop.post_decision(shop.client("reviewer"), "First in", kind).status_code == 422
    assert shop.variant("First in").variant.state == VariantState.PENDING


def test_whoever_requested_a_batch_sees_why_they_cannot_approve_and_may_reject(
    shop: Shop,
) -> None:
    shop.add_batch({"new-subscribers": [Text("My own")]}, by="reviewer")
    client = shop.client("reviewer")
    page = client.get(location(shop, "My own")).text
    assert "You requested this batch, so somebody else must approve it." in page
    assert 'value="approve"' not in page
    assert shop.post_decision(client, "My own", "approve", "kept").status_code == 403
    assert shop.post_decision(client, "My own", "reject", "Not good.").status_code == 303


def test_an_approval_is_taken_back_with_a_reason(shop: Shop) -> None:
    fill(shop)
    shop.decide("First in", DecisionKind.APPROVE)
    client = shop.client("reviewer")
    assert "Take the approval back." in client.get(location(shop, "First in")).text
    assert shop.post_decision(client, "First in", "revoke").status_code == 422
    assert shop.post_decision(client, "First in", "revoke", "A typo.").status_code == 303
    assert shop.variant("First in").variant.state == VariantState.REVOKED


def test_a_text_whose_offer_has_ended_has_no_approve_button(shop: Shop) -> None:
    offer = {"text": "15% off", "ends": "2020-10-03T23:59:00+01:00"}
    shop.add_batch({"new-subscribers": [Text("Too late")]}, brief={"offer": offer})
    client = shop.client("reviewer")
    page = html.unescape(client.get(location(shop, "Too late")).text)
    assert "The offer ended on 3 October 2020, so this can't be approved." in page
    assert 'value="approve"' not in page
    assert shop.post_decision(client, "Too late", "approve").status_code == 409


def test_what_is_not_there_is_a_calm_page(shop: Shop) -> None:
    client = shop.client("reviewer")
    for path in ["/variants/none", "/batches/none", "/nowhere", "/static/none"]:
        answer = client.get(path)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text
    csrf = shop.csrf(client)
    assert client.post("/variants/none/decision", data={"csrf": csrf}).status_code == 404
    assert client.post("/queue", data={"csrf": csrf}).status_code == 405


INJECTION = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">\''


def test_markup_in_any_field_stays_text(shop: Shop) -> None:
    hostile = found(INJECTION, "<script>", INJECTION)
    text = Text(INJECTION, INJECTION, [hostile])
    brief = {"facts": [INJECTION], "summary": INJECTION, "must_avoid": [INJECTION]}
    batch = shop.add_batch({"new-subscribers": [text]}, brief=brief)
    client = shop.client("reviewer")
    shop.post_decision(client, INJECTION, "reject", INJECTION)
    where = location(shop, INJECTION)
    for path in [
        "/queue",
        f"/queue?campaign={INJECTION}&segment={INJECTION}&done={INJECTION}&page={INJECTION}",
        where,
        f"{where}?verdict={INJECTION}",
        f"/batches/{batch}",
        f"/variants/{INJECTION}",
        f"/login?next={INJECTION}",
    ]:
        page = client.get(path).text
        assert "<script>" not in page, path
        assert "<img src=x" not in page, path
