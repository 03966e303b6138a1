"""What leaves: approved text, and nothing else."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from copygen.errors import InvalidInput, NotFound
from copygen.models import Variant, VariantState, text_sha256
from copygen.services import delivery


def page(desk: Any, **options: Any) -> delivery.Page:
    with desk.database.read() as session:
        return delivery.variants(session, **options)


def walk(desk: Any, **options: Any) -> list[str]:
    """Ids of all variants, page by page."""
    found: list[str] = []
    cursor = ""
    while True:
        each = page(desk, cursor=cursor, **options)
        found += [item.id for item in each.items]
        if each.next_cursor is None:
            return found
        cursor = each.next_cursor


@pytest.fixture
def variants(desk: Any) -> list[Variant]:
    """Two pending variants whose offer ends tomorrow."""
    return desk.fill(desk.brief(offer=desk.offer(timedelta(days=1))))


@pytest.fixture
def seven(desk: Any) -> list[Variant]:
    """Seven approved variants."""
    rows = desk.fill(desk.brief(variants=7))
    return [desk.decide(each) for each in rows]


def test_nothing_is_served_before_it_is_approved(desk: Any, variants: list[Variant]) -> None:
    assert page(desk) == delivery.Page([], None)


def test_exactly_the_approved_text_is_served(desk: Any, variants: list[Variant]) -> None:
    approved = desk.decide(variants[0])
    (item,) = page(desk).items
    assert item == delivery.Delivered(
        id=approved.id,
        brand="harrow-and-pine",
        campaign="autumn-knitwear",
        segment="new-subscribers",
        slot=1,
        subject=variants[0].subject,
        preview=variants[0].preview,
        sha256=text_sha256(variants[0].subject, variants[0].preview),
        state=VariantState.APPROVED,
        approved_at=approved.approved_at,
    )


def test_what_is_rejected_never_appears(desk: Any, variants: list[Variant]) -> None:
    desk.decide(variants[0], "reject")
    assert page(desk).items == []


def test_what_is_revoked_is_gone_at_once(desk: Any, variants: list[Variant]) -> None:
    desk.decide(variants[0])
    assert len(page(desk).items) == 1
    desk.decide(variants[0], "revoke")
    assert page(desk).items == []


def test_an_ended_offer_is_not_served_though_nobody_has_marked_it(
    desk: Any, variants: list[Variant]
) -> None:
    desk.decide(variants[0])
    desk.tamper("UPDATE variant SET expires_at = '2026-01-01 00:00:00.000000'")
    assert desk.variants()[0].state == VariantState.APPROVED
    assert page(desk).items == []
    with desk.database.read() as session:
        assert delivery.one(session, variants[0].id).subject is None


@pytest.mark.parametrize("state", [each for each in VariantState if each != "approved"])
def test_no_other_state_carries_text(
    desk: Any, writer_of: Any, word_check: Any, state: VariantState
) -> None:
    checks = [word_check("Wool", "block")] if state == VariantState.BLOCKED else []
    writer = writer_of(["Wool is back\nSix undyed colours."], checks)
    (variant,) = desk.fill(desk.brief(variants=1), writer=writer)
    if state == VariantState.REVOKED:
        desk.decide(variant)
    if state not in (VariantState.BLOCKED, VariantState.PENDING):
        desk.sql("UPDATE variant SET state = :state", state=state)
    (item,) = page(desk, status=state).items
    assert (item.id, item.state) == (variant.id, state)
    assert (item.subject, item.preview) == (None, None)
    with desk.database.read() as session:
        assert delivery.one(session, variant.id).subject is None
    assert page(desk).items == []


TAMPERED = [
    "UPDATE variant SET subject = 'Buy now' WHERE id = :id",
    "UPDATE variant SET preview = 'Buy now' WHERE id = :id",
    "UPDATE variant SET subject = 'Buy now', sha256 = :sha256 WHERE id = :id",
]


def tamper(desk: Any, statement: str, variant: Variant) -> None:
    """Change an approved text past all triggers; the hash beside it may fit the new text."""
    desk.decide(variant)
    digest = text_sha256("Buy now", variant.preview)
    values = {"sha256": digest} if ":sha256" in statement else {}
    desk.tamper(statement, id=variant.id, **values)


@pytest.mark.parametrize("statement", TAMPERED)
def test_a_tampered_text_is_not_served(desk: Any, variants: list[Variant], statement: str) -> None:
    desk.decide(variants[1])
    tamper(desk, statement, variants[0])
    assert [item.id for item in page(desk).items] == [variants[1].id]


@pytest.mark.parametrize("statement", TAMPERED)
def test_a_tampered_text_is_not_served_alone(
    desk: Any, variants: list[Variant], statement: str
) -> None:
    tamper(desk, statement, variants[0])
    with desk.database.read() as session:
        found = delivery.one(session, variants[0].id)
    assert (found.subject, found.preview) == (None, None)


UNDECIDED = "UPDATE variant SET state = 'approved', approved_at = '2026-01-01 00:00:00.000000'"


def test_an_approval_that_nobody_gave_serves_nothing(desk: Any, variants: list[Variant]) -> None:
    desk.tamper(UNDECIDED)
    assert page(desk).items == []


def test_an_approval_that_nobody_gave_serves_nothing_alone(
    desk: Any, variants: list[Variant]
) -> None:
    desk.tamper(UNDECIDED)
    with desk.database.read() as session:
        assert delivery.one(session, variants[0].id).subject is None


def test_pages_are_filtered(desk: Any) -> None:
    segments = [desk.segment("first"), desk.segment("second")]
    for campaign in ("autumn-knitwear", "winter-coats"):
        for variant in desk.fill(desk.brief(campaign=campaign, segments=segments)):
            desk.decide(variant)
    assert len(page(desk).items) == 8
    assert len(page(desk, campaign="winter-coats").items) == 4
    assert len(page(desk, segment="first").items) == 4
    found = page(desk, brand="harrow-and-pine", campaign="winter-coats", segment="second").items
    assert {(item.campaign, item.segment) for item in found} == {("winter-coats", "second")}
    assert len(found) == 2
    assert page(desk, brand="other").items == []


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_cursors_walk_all_exactly_once(desk: Any, seven: list[Variant], limit: int) -> None:
    assert walk(desk, limit=limit) == [each.id for each in seven]


def test_cursors_walk_other_states_too(desk: Any) -> None:
    rows = desk.fill(desk.brief(variants=5))
    found = walk(desk, status=VariantState.PENDING, limit=2)
    assert sorted(found) == sorted(each.id for each in rows)


def test_cursors_walk_those_of_one_moment_exactly_once(desk: Any, seven: list[Variant]) -> None:
    desk.tamper("UPDATE variant SET approved_at = '2026-01-01 00:00:00.000000'")
    assert walk(desk, limit=2) == sorted(each.id for each in seven)


def test_a_walk_goes_on_past_a_text_that_is_not_served(desk: Any, seven: list[Variant]) -> None:
    for each in seven[1:4]:
        desk.tamper("UPDATE variant SET subject = 'Buy now' WHERE id = :id", id=each.id)
    assert walk(desk, limit=1) == [each.id for each in [seven[0], *seven[4:]]]


def test_what_is_approved_during_a_walk_comes_at_its_end(desk: Any) -> None:
    rows = desk.fill(desk.brief(variants=4))
    for each in rows[1:]:
        desk.decide(each)
    first = page(desk, limit=2)
    desk.decide(rows[0])
    rest = page(desk, cursor=first.next_cursor or "", limit=10)
    assert [item.id for item in first.items + rest.items] == [
        each.id for each in [*rows[1:], rows[0]]
    ]


def test_the_last_page_has_no_cursor(desk: Any, seven: list[Variant]) -> None:
    assert page(desk, limit=7).next_cursor is None
    assert page(desk, limit=6).next_cursor is not None


def encoded(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "not a cursor",
        "ÄÖÜ",
        "====",
        encoded([]),
        encoded({}),
        encoded("ab"),
        encoded(7),
        encoded(None),
        encoded(["yesterday", "x"]),
        encoded([7, "x"]),
        encoded(["2026-01-01T00:00:00", "x"]),
        encoded(["0001-01-01T00:00:00+14:00", "x"]),
        encoded(["9999-12-31T23:59:59-12:00", "x"]),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_cursor_that_is_none_of_ours_is_refused(
    desk: Any, seven: list[Variant], cursor: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        page(desk, cursor=cursor)
    assert caught.value.field == "cursor"


def test_one_of_nothing_is_told_so(desk: Any) -> None:
    with desk.database.read() as session, pytest.raises(NotFound):
        delivery.one(session, "x")
