"""The audit log: a chain that shows where it was broken, and that holds no copy and no secrets."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from copygen.errors import Forbidden
from copygen.models import AuditEntry, Role, now
from copygen.services import accounts, audit, review


def verify(desk: Any) -> tuple[int, str | None]:
    with desk.database.read() as session:
        return audit.verify(session)


def entries(desk: Any) -> list[AuditEntry]:
    with desk.database.read() as session:
        return list(audit.entries(session))


@pytest.fixture
def busy(desk: Any) -> Any:
    """A desk at which things were written and decided."""
    first, second = desk.fill()
    desk.decide(first)
    desk.decide(first, "revoke")
    desk.decide(second, "reject")
    return desk


def test_the_chain_verifies(busy: Any) -> None:
    count, problem = verify(busy)
    assert problem is None
    assert count == len(entries(busy)) >= 8


def test_an_empty_chain_verifies(desk: Any) -> None:
    assert verify(desk) == (0, None)


def test_entries_count_up_and_name_the_one_before(busy: Any) -> None:
    previous = "0" * 64
    for number, entry in enumerate(entries(busy), 1):
        assert entry.sequence == number
        assert entry.previous == previous
        previous = entry.hash


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'somebody' WHERE sequence = :number",
        "UPDATE audit_entry SET action = 'variant.rejected' WHERE sequence = :number",
        "UPDATE audit_entry SET subject = 'variant:other' WHERE sequence = :number",
        "UPDATE audit_entry SET data = '{\"more\": 1}' WHERE sequence = :number",
        "UPDATE audit_entry SET at = '2020-01-01 00:00:00.000000' WHERE sequence = :number",
        "UPDATE audit_entry SET previous = '1111' WHERE sequence = :number",
        "UPDATE audit_entry SET hash = '1111' WHERE sequence = :number",
    ],
)
@pytest.mark.parametrize("number", [1, 4])
def test_a_changed_entry_is_found(busy: Any, statement: str, number: int) -> None:
    busy.tamper(statement, number=number)
    assert verify(busy) == (number - 1, f"entry {number} was changed")


def test_the_change_of_an_entry_with_its_hash_is_found_at_the_next(busy: Any) -> None:
    entry = entries(busy)[3]
    entry.actor = "somebody"
    busy.tamper(
        "UPDATE audit_entry SET actor = :actor, hash = :hash WHERE sequence = 4",
        actor=entry.actor,
        hash=audit.entry_hash(entry),
    )
    count, problem = verify(busy)
    assert count == 4
    assert problem is not None


@pytest.mark.parametrize("number", [1, 4])
def test_a_removed_entry_is_found(busy: Any, number: int) -> None:
    busy.tamper("DELETE FROM audit_entry WHERE sequence = :number", number=number)
    assert verify(busy) == (number - 1, f"entry {number} is missing")


def test_a_removed_entry_is_found_where_the_others_were_moved_up(busy: Any) -> None:
    busy.tamper("DELETE FROM audit_entry WHERE sequence = 4")
    for number in range(5, len(entries(busy)) + 2):
        busy.tamper(
            "UPDATE audit_entry SET sequence = :less WHERE sequence = :number",
            less=number - 1,
            number=number,
        )
    count, problem = verify(busy)
    assert count == 3
    assert problem is not None


def test_reordered_entries_are_found(busy: Any) -> None:
    for old, new in [(3, 1000), (4, 3), (1000, 4)]:
        busy.tamper(
            "UPDATE audit_entry SET sequence = :new WHERE sequence = :old", new=new, old=old
        )
    count, problem = verify(busy)
    assert count == 2
    assert problem is not None


def test_an_entry_that_does_not_follow_the_last_is_refused(busy: Any) -> None:
    last = entries(busy)[-1]
    for sequence, previous in [
        (last.sequence + 2, last.hash),
        (last.sequence + 1, last.previous),
        (last.sequence, last.hash),
    ]:
        entry = AuditEntry(
            sequence=sequence,
            at=now(),
            actor="system",
            action="x",
            subject="x",
            data={},
            previous=previous,
            hash="x",
        )
        with pytest.raises(IntegrityError), busy.database.write() as session:
            session.add(entry)


def test_each_change_of_state_has_its_entry(busy: Any) -> None:
    found = [entry.action for entry in entries(busy)]
    for action, count in [
        ("batch.requested", 1),
        ("batch.running", 1),
        ("batch.done", 1),
        ("variant.written", 2),
        ("variant.approved", 1),
        ("variant.revoked", 1),
        ("variant.rejected", 1),
    ]:
        assert found.count(action) == count, action


def test_a_decision_names_who_and_which_text(busy: Any) -> None:
    (variant, _) = busy.variants()
    (entry,) = [entry for entry in entries(busy) if entry.action == "variant.approved"]
    assert entry.actor == busy.people.reviewer.id
    assert entry.subject == f"variant:{variant.id}"
    assert entry.data["sha256"] == variant.sha256


def test_a_change_that_fails_leaves_no_entry(busy: Any) -> None:
    before = verify(busy)
    with pytest.raises(Forbidden), busy.database.write() as session:
        _add_and_fail(session)
    assert verify(busy) == before


def _add_and_fail(session: Any) -> None:
    accounts.add_user(session, "new@example.com", Role.ADMIN)
    raise Forbidden("Not this time.")


def test_an_expiry_has_its_entry(desk: Any) -> None:
    desk.fill(desk.brief(offer=desk.offer(timedelta(days=-1)), variants=1))
    with desk.database.write() as session:
        review.expired(session)
    assert entries(desk)[-1].action == "variant.expired"
    assert verify(desk)[1] is None


def test_no_entry_holds_copy_or_a_secret(desk: Any) -> None:
    reason = "The word undyed is wrong here."
    with desk.database.write() as session:
        user, password = accounts.add_user(session, "anna@example.com", Role.REVIEWER)
        key = accounts.add_key(session, "tool", user.email, ["variants:read"])
        again = accounts.reset_password(session, user)
        stored = user.password_hash
    first, second = desk.fill(desk.brief(offer=desk.offer(timedelta(days=9))))
    desk.decide(first)
    desk.decide(second, "reject", reason)
    written = json.dumps([entry.model_dump(mode="json") for entry in entries(desk)])
    brief = desk.brief()
    forbidden = [
        *(first.subject, first.preview, second.subject, second.preview, reason),
        *(brief.product, brief.summary, brief.cta, *brief.facts, "free gift wrapping"),
        *(desk.brand().voice, *desk.brand().on_voice),
        *(password, key, again, stored, "anna@example.com"),
    ]
    for text in forbidden:
        assert text not in written
