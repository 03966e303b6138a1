"""The queue, and decisions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import select

from copygen.errors import Conflict, CopygenError, Forbidden, InvalidInput, NotFound
from copygen.models import Decision, DecisionKind, Variant, VariantState
from copygen.services import review
from copygen.services.review import Filters


def queue(desk: Any, offset: int = 0, limit: int = 50, **filters: str) -> review.Queue:
    with desk.database.read() as session:
        return review.queue(session, Filters(**filters), offset=offset, limit=limit)


def following(desk: Any, variant: str, **filters: str) -> str | None:
    with desk.database.read() as session:
        return review.following(session, Filters(**filters), variant)


def decisions(desk: Any) -> list[Decision]:
    with desk.database.read() as session:
        return list(session.exec(select(Decision)))


@pytest.fixture
def variant(desk: Any) -> Variant:
    """A pending variant, requested by the marketer."""
    return desk.fill(desk.brief(variants=1))[0]


@pytest.fixture
def full(desk: Any, writer_of: Any, word_check: Any) -> Any:
    """A desk with two campaigns of two segments each, some of it up for review, some blocked."""
    checks = [word_check("Scotland", "review"), word_check("grandparents", "block")]
    segments = [desk.segment("first"), desk.segment("second", sensitivity="high")]
    for campaign in ("autumn-knitwear", "winter-coats"):
        brief = desk.brief(campaign=campaign, segments=segments, variants=8)
        desk.fill(brief, writer=writer_of(checks=checks))
    return desk


def pending(desk: Any) -> list[Variant]:
    rows = [each for each in desk.variants() if each.state == VariantState.PENDING]
    return sorted(rows, key=lambda each: (each.created_at, each.id))


def test_the_queue_holds_what_is_pending_oldest_first(full: Any) -> None:
    expected = [each.id for each in pending(full)]
    assert [row.id for row in queue(full).rows] == expected
    assert len(expected) == 4 * 7


def test_the_queue_tells_what_it_leaves_and_what_it_can_be_filtered_by(full: Any) -> None:
    found = queue(full, limit=5)
    assert len(found.rows) == 5
    assert found.total == 28
    assert found.campaigns == ["autumn-knitwear", "winter-coats"]
    assert found.segments == ["first", "second"]


def test_pages_of_the_queue_hold_each_row_once(full: Any) -> None:
    rows = [row.id for offset in range(0, 35, 5) for row in queue(full, offset, 5).rows]
    assert rows == [each.id for each in pending(full)]


def test_the_queue_is_filtered(full: Any) -> None:
    found = queue(full, campaign="winter-coats", segment="second", verdict="review")
    assert found.total == len(found.rows) == 1
    (row,) = found.rows
    assert (row.campaign, row.segment, row.verdict) == ("winter-coats", "second", "review")
    assert row.high_sensitivity
    assert row.findings == 1
    # The choice of filters stays whole, so that one can be changed for another.
    assert found.campaigns == ["autumn-knitwear", "winter-coats"]


def test_verdicts_add_up_to_the_whole_queue(full: Any) -> None:
    assert queue(full, verdict="review").total == 4
    assert queue(full, verdict="pass").total == 24
    assert queue(full, verdict="block").total == 0


def test_a_filter_that_nothing_meets_leaves_nothing(full: Any) -> None:
    found = queue(full, campaign="spring")
    assert (found.rows, found.total) == ([], 0)


def test_what_is_decided_leaves_the_queue(full: Any) -> None:
    first, second, *rest = pending(full)
    full.decide(first)
    full.decide(second, "reject")
    assert [row.id for row in queue(full).rows] == [each.id for each in rest]


def test_following_walks_the_queue_and_begins_again(full: Any) -> None:
    expected = [each.id for each in pending(full)]
    walked = [expected[0]]
    while len(walked) < len(expected):
        found = following(full, walked[-1])
        assert found is not None
        walked.append(found)
    assert walked == expected
    assert following(full, expected[-1]) == expected[0]


def test_following_goes_on_from_what_was_just_decided(full: Any) -> None:
    rows = pending(full)
    full.decide(rows[3])
    assert following(full, rows[3].id) == rows[4].id


def test_following_keeps_to_its_filters(full: Any) -> None:
    filters = {"campaign": "winter-coats", "segment": "first"}
    expected = [row.id for row in queue(full, **filters).rows]
    assert following(full, pending(full)[0].id, **filters) == expected[0]
    assert following(full, expected[0], **filters) == expected[1]
    assert following(full, expected[-1], **filters) == expected[0]


def test_nothing_follows_the_only_one(desk: Any, variant: Variant) -> None:
    assert following(desk, variant.id) is None
    assert following(desk, "x") == variant.id
    desk.decide(variant)
    assert following(desk, variant.id) is None
    assert following(desk, "x") is None


def test_the_detail_has_all_that_a_decision_takes(desk: Any, variant: Variant) -> None:
    desk.decide(variant, "reject", "Too plain.")
    with desk.database.read() as session:
        detail = review.detail(session, variant.id)
        assert detail.brief == desk.brief(variants=1)
        assert detail.brand == desk.brand()
        assert detail.segment.name == "new-subscribers"
        ((decision, user),) = detail.decisions
        assert (decision.reason, user.email) == ("Too plain.", "reviewer@example.com")
        with pytest.raises(NotFound):
            review.detail(session, "x")


def test_a_reviewer_approves(desk: Any, variant: Variant) -> None:
    approved = desk.decide(variant)
    assert approved.state == VariantState.APPROVED
    assert approved.approved_at is not None
    assert (approved.subject, approved.preview) == (variant.subject, variant.preview)
    (decision,) = decisions(desk)
    assert decision.kind == DecisionKind.APPROVE
    assert decision.user_id == desk.people.reviewer.id
    assert decision.sha256 == variant.sha256


def test_a_reviewer_rejects_with_a_reason(desk: Any, variant: Variant) -> None:
    assert desk.decide(variant, "reject", "  Too loud. ").state == VariantState.REJECTED
    assert decisions(desk)[0].reason == "Too loud."


def test_an_approval_can_be_revoked(desk: Any, variant: Variant) -> None:
    desk.decide(variant)
    revoked = desk.decide(variant, "revoke", "The price has changed.", desk.people.other_reviewer)
    assert revoked.state == VariantState.REVOKED
    assert [each.kind for each in decisions(desk)] == ["approve", "revoke"]


@pytest.mark.parametrize("kind", ["reject", "revoke"])
@pytest.mark.parametrize("reason", ["", "  \n "])
def test_a_rejection_and_a_revocation_need_a_reason(
    desk: Any, variant: Variant, kind: str, reason: str
) -> None:
    if kind == "revoke":
        desk.decide(variant)
    with pytest.raises(InvalidInput) as caught, desk.database.write() as session:
        review.decide(
            session,
            desk.people.reviewer,
            variant.id,
            DecisionKind(kind),
            variant.sha256,
            reason,
        )
    assert caught.value.field == "reason"


def test_a_reason_has_a_longest_length(desk: Any, variant: Variant) -> None:
    with pytest.raises(InvalidInput) as caught:
        desk.decide(variant, "reject", "x" * 1001)
    assert caught.value.field == "reason"
    assert desk.decide(variant, "reject", "x" * 1000).state == VariantState.REJECTED


@pytest.mark.parametrize("role", ["reviewer", "admin"])
def test_whoever_requested_can_not_approve(desk: Any, role: str) -> None:
    requester = getattr(desk.people, role)
    (variant,) = desk.fill(desk.brief(variants=1), by=requester)
    with pytest.raises(Forbidden, match="somebody else"):
        desk.decide(variant, by=requester)
    assert desk.variants()[0].state == VariantState.PENDING
    assert desk.decide(variant, by=desk.people.other_reviewer).state == VariantState.APPROVED


def test_whoever_requested_can_reject(desk: Any) -> None:
    (variant,) = desk.fill(desk.brief(variants=1), by=desk.people.reviewer)
    assert desk.decide(variant, "reject").state == VariantState.REJECTED


@pytest.mark.parametrize("role", ["marketer", "auditor"])
@pytest.mark.parametrize("kind", ["approve", "reject", "revoke"])
def test_only_reviewers_and_admins_decide(
    desk: Any, variant: Variant, role: str, kind: str
) -> None:
    with pytest.raises(Forbidden):
        desk.decide(variant, kind, by=getattr(desk.people, role))


def test_a_reviewer_whose_account_was_closed_decides_nothing(desk: Any, variant: Variant) -> None:
    with desk.database.write() as session:
        session.merge(desk.people.reviewer).active = False
    desk.people.reviewer.active = False
    with pytest.raises(Forbidden):
        desk.decide(variant)


@pytest.mark.parametrize("sha256", ["", "0" * 64])
@pytest.mark.parametrize("kind", ["approve", "reject"])
def test_a_decision_on_another_text_is_a_conflict(
    desk: Any, variant: Variant, sha256: str, kind: str
) -> None:
    with pytest.raises(Conflict), desk.database.write() as session:
        review.decide(
            session, desk.people.reviewer, variant.id, DecisionKind(kind), sha256, "Because."
        )
    assert decisions(desk) == []


def test_a_tampered_text_can_not_be_approved(desk: Any, variant: Variant) -> None:
    desk.tamper("UPDATE variant SET subject = 'Buy now'")
    with pytest.raises(Conflict):
        desk.decide(variant)


def test_a_blocked_variant_can_not_be_approved(desk: Any, writer_of: Any, word_check: Any) -> None:
    texts = ["Wool is back\nSix undyed colours."]
    writer = writer_of(texts, [word_check("Wool", "block")])
    (variant,) = desk.fill(desk.brief(variants=1), writer=writer)
    with pytest.raises(Conflict, match="blocked"):
        desk.decide(variant)


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_variant_is_decided_once(desk: Any, variant: Variant, first: str, second: str) -> None:
    desk.decide(variant, first)
    with pytest.raises(Conflict, match="by now"):
        desk.decide(variant, second, by=desk.people.other_reviewer)
    assert len(decisions(desk)) == 1


def test_what_was_never_approved_can_not_be_revoked(desk: Any, variant: Variant) -> None:
    with pytest.raises(Conflict):
        desk.decide(variant, "revoke")


def test_a_revoked_variant_can_not_be_approved_again(desk: Any, variant: Variant) -> None:
    desk.decide(variant)
    desk.decide(variant, "revoke")
    with pytest.raises(Conflict):
        desk.decide(variant, by=desk.people.other_reviewer)


def test_an_edit_is_not_decided_here(desk: Any, variant: Variant) -> None:
    with pytest.raises(InvalidInput):
        desk.decide(variant, "revise")


def test_of_two_who_decide_at_once_exactly_one_wins(desk: Any, variant: Variant) -> None:
    together = Barrier(6)

    def decide(number: int) -> str:
        people = [desk.people.reviewer, desk.people.other_reviewer, desk.people.admin]
        kind = ["approve", "reject"][number % 2]
        together.wait(10)
        try:
            return str(desk.decide(variant, kind, by=people[number % 3]).state)
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(decide, range(6)))
    assert results.count("conflict") == 5
    (won,) = [each for each in results if each != "conflict"]
    assert desk.variants()[0].state == won
    assert len(decisions(desk)) == 1


def test_an_ended_offer_can_not_be_approved(desk: Any) -> None:
    (variant,) = desk.fill(desk.brief(offer=desk.offer(timedelta(minutes=-1)), variants=1))
    with pytest.raises(Conflict, match="offer ended"):
        desk.decide(variant)
    assert desk.decide(variant, "reject").state == VariantState.REJECTED


def test_what_has_ended_expires_and_nothing_else_does(desk: Any) -> None:
    ended = desk.fill(desk.brief(offer=desk.offer(timedelta(minutes=-1)), variants=3))
    running = desk.fill(desk.brief(offer=desk.offer(timedelta(hours=1))))
    endless = desk.fill()
    desk.decide(ended[0], "reject")
    desk.decide(running[0])
    with desk.database.write() as session:
        moved = {each.id for each in review.expired(session)}
    assert moved == {ended[1].id, ended[2].id}
    states = {each.id: each.state for each in desk.variants()}
    assert [states[each.id] for each in ended] == ["rejected", "expired", "expired"]
    assert [states[each.id] for each in running] == ["approved", "pending"]
    assert [states[each.id] for each in endless] == ["pending", "pending"]
    with desk.database.write() as session:
        assert list(review.expired(session)) == []


def test_a_refused_decision_leaves_no_trace(desk: Any, variant: Variant) -> None:
    before = desk.count("audit_entry")
    for kind, by in [
        ("approve", desk.people.marketer),
        ("revoke", desk.people.reviewer),
        ("revise", desk.people.reviewer),
    ]:
        with pytest.raises(CopygenError):
            desk.decide(variant, kind, by=by)
    assert desk.count("audit_entry") == before
    assert decisions(desk) == []
