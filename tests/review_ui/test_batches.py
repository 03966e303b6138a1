from copygen.services import batches
from tests.review_ui.samples import Shop, Text, found


def test_a_running_batch_shows_what_is_written_and_asks_again(shop: Shop) -> None:
    batch = shop.add_batch({"new-subscribers": [Text("First in")]}, finish=False)
    page = shop.client("marketer").get(f"/batches/{batch}").text
    assert f'hx-get="/batches/{batch}" hx-trigger="every 2s"' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert "1 of 8" in page
    assert "0 of 8, queued" in page
    assert "First in" in page
    with shop.database.write() as session:
        (job,) = batches.work(session, batch).jobs
        batches.begin_segment(session, job.id)
    assert "0 of 8, running" in shop.client("marketer").get(f"/batches/{batch}").text


def test_a_finished_batch_asks_no_more(shop: Shop) -> None:
    batch = shop.add_batch({"new-subscribers": [Text("First in")]})
    page = shop.client("marketer").get(f"/batches/{batch}").text
    assert "hx-trigger" not in page
    assert "http-equiv" not in page


def test_a_failed_batch_says_why(shop: Shop) -> None:
    batch = shop.add_batch({"new-subscribers": [Text("First in")]}, finish=False)
    with shop.database.write() as session:
        batches.finish(session, batch, "The model broke off.")
    page = shop.client("marketer").get(f"/batches/{batch}").text
    assert "The model broke off." in page
    assert "0 of 8, failed" in page
    assert "hx-trigger" not in page


def test_blocked_variants_are_shown_with_their_findings(shop: Shop) -> None:
    prize = found("Claim your prize", "prize", "There is no prize.", severity="block")
    texts = [Text("Claim your prize", findings=[prize]), Text("First in")]
    batch = shop.add_batch({"new-subscribers": texts})
    client = shop.client("marketer")
    page = client.get(f"/batches/{batch}").text
    assert 'class="block" title="There is no prize." data-notes="1">prize</mark>' in page
    assert "Blocked" in page
    assert "Claim your prize" not in client.get("/queue").text


def test_batches_are_listed_newest_first_with_their_counts(shop: Shop) -> None:
    prize = found("Claim your prize", "prize", "There is no prize.", severity="block")
    texts = [Text("Claim your prize", findings=[prize]), Text("First in"), Text("Second in")]
    older = shop.add_batch({"new-subscribers": texts})
    newer = shop.add_batch({}, by="reviewer", finish=False)
    page = shop.client("auditor").get("/batches").text
    assert page.index(f"/batches/{newer}") < page.index(f"/batches/{older}")
    assert "3 of 16 written: 1 blocked, 2 pending" in page
    assert "0 of 16 written" in page
    assert "2 batches" in page


def test_without_batches_the_page_says_how_to_request_one(shop: Shop) -> None:
    assert "copygen generate BRIEF" in shop.client("marketer").get("/batches").text
