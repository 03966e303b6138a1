"""Exceptions: who makes them, what they change from then on, and what they would have changed."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound
from copygen.exception_commands import (
    add_exception,
    list_exceptions,
    replay_exception,
    revoke_exception,
)
from copygen.models import Finding, Variant, VariantState, Waiver, now
from copygen.services import audit, exceptions
from copygen.settings import Settings
from copygen.worker import Worker
from guardrails import Guardrails, Policy
from guardrails.policy import CheckPolicy, PolicyFile
from tests.copygen.test_worker import until_finished

TEXT = "Wool is back\nSix undyed colours."


def policy(*rules: str) -> Policy:
    """A policy that allows exceptions from what blocks for these rules."""
    checks = {"word_block": CheckPolicy(exceptions=rules)}
    return Policy(PolicyFile(name="test", version=1, checks=checks), "0" * 64)


@pytest.fixture
def write(desk: Any, writer_of: Any, word_check: Any) -> Any:
    """Writes a variant in which the word is found."""

    def written(
        severity: str = "review", text: str = TEXT, rules: tuple[str, ...] = (), by: Any = None
    ) -> Variant:
        writer = writer_of([text], [word_check("Wool", severity)])
        guardrails = Guardrails(policy(*rules), [word_check("Wool", severity)])
        object.__setattr__(writer, "guardrails", guardrails)
        (variant,) = desk.fill(desk.brief(variants=1), by=by, writer=writer)
        return variant

    return written


def add(desk: Any, variant: Variant, rule: str = "word_review/word", **changes: Any) -> Waiver:
    """Except what a rule found in a variant, by default as the reviewer."""
    values = {"reason": "It is our goods.", "expires_at": now() + timedelta(days=1)} | changes
    values = {"policy": policy(), "user": desk.people.reviewer} | values
    user = values.pop("user")
    with desk.database.write() as session:
        return exceptions.add(session, user, variant.id, rule, **values)


def revoke(desk: Any, waiver: Waiver, user: Any = None) -> None:
    with desk.database.write() as session:
        exceptions.revoke(session, user or desk.people.reviewer, waiver.id)


def findings(desk: Any, variant: Variant) -> list[Finding]:
    with desk.database.read() as session:
        return list(session.scalars(sa.select(Finding).where(Finding.variant_id == variant.id)))


def replay(desk: Any, waiver: Waiver, *rules: str) -> list[tuple[str, str, str]]:
    with desk.database.read() as session:
        changes = exceptions.replay(session, waiver.id, policy(*rules))
    return [(each.variant_id, each.without, each.under) for each in changes]


def test_an_exception_applies_from_then_on(desk: Any, write: Any) -> None:
    first = write()
    waiver = add(desk, first)
    second = write(text="Wool again\nSix undyed colours.")
    assert (first.verdict, second.verdict) == ("review", "pass")
    assert [each.waived_by for each in findings(desk, first)] == [None]
    assert [each.waived_by for each in findings(desk, second)] == [waiver.id]
    assert second.provenance["exceptions"] == [waiver.id]
    assert first.provenance["exceptions"] == []


def test_an_exception_that_is_revoked_or_expired_applies_no_more(desk: Any, write: Any) -> None:
    revoke(desk, add(desk, write()))
    add(desk, write(), expires_at=now() + timedelta(seconds=1))
    desk.tamper("UPDATE waiver SET expires_at = '2020-01-01 00:00:00.000000'")
    assert write().verdict == "review"


def test_an_exception_holds_for_its_brand_alone(desk: Any, write: Any) -> None:
    add(desk, write())
    with desk.database.read() as session:
        assert len(exceptions.active(session, "harrow-and-pine")) == 1
        assert exceptions.active(session, "somebody-else") == []


def test_what_blocks_is_excepted_where_the_policy_allows(desk: Any, write: Any) -> None:
    blocked = write("block")
    with pytest.raises(Forbidden, match=r"word_block/word blocks.*checks\.word_block\.exceptions"):
        add(desk, blocked, "word_block/word")
    add(desk, blocked, "word_block/word", policy=policy("word"))
    assert write("block").state == VariantState.BLOCKED
    allowed = write("block", rules=("word",))
    assert (allowed.verdict, allowed.state) == ("pass", VariantState.PENDING)


@pytest.mark.parametrize("role", ["marketer", "auditor"])
def test_only_a_reviewer_or_admin_makes_and_revokes_exceptions(
    desk: Any, write: Any, role: str
) -> None:
    variant, user = write(by=desk.people.admin), getattr(desk.people, role)
    with pytest.raises(Forbidden, match="Only a reviewer"):
        add(desk, variant, user=user)
    waiver = add(desk, variant)
    with pytest.raises(Forbidden, match="Only a reviewer"):
        revoke(desk, waiver, user)


def test_whoever_requested_a_batch_does_not_except_its_findings(desk: Any, write: Any) -> None:
    for user in (desk.people.reviewer, desk.people.admin):
        with pytest.raises(Forbidden, match="You requested this batch"):
            add(desk, write(by=user), user=user)


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"reason": " "}, InvalidInput, "reason: say why"),
        ({"reason": "a\0b"}, InvalidInput, "reason: .*control character"),
        ({"expires_at": now()}, InvalidInput, "expires_at"),
        ({"expires_at": now() + timedelta(days=400)}, InvalidInput, "expires_at: .* 366 days"),
        ({"rule": "word_review/other"}, NotFound, "no finding of 'word_review/other'"),
        ({"rule": "word"}, NotFound, "no finding of 'word'"),
        ({"words": "lambswool"}, NotFound, "with such words"),
    ],
)
def test_what_is_wrong_with_an_exception_is_named(
    desk: Any, write: Any, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        add(desk, write(), **changes)
    assert desk.count("waiver") == 0


def test_of_several_findings_the_words_tell_one(desk: Any, write: Any) -> None:
    variant = write()
    with desk.database.write() as session:
        (found,) = session.scalars(sa.select(Finding))
        copied = found.model_dump(exclude={"id"}) | {"start": 5, "end": 7}
        session.add(Finding(**copied))
    with pytest.raises(InvalidInput, match="found 2 different things"):
        add(desk, variant)
    assert add(desk, variant, words="IS").phrase == "is"


def test_an_exception_is_made_once(desk: Any, write: Any) -> None:
    variant = write()
    waiver = add(desk, variant)
    with pytest.raises(Conflict, match=waiver.id):
        add(desk, variant, user=desk.people.admin)
    revoke(desk, waiver)
    with pytest.raises(Conflict, match="revoked already"):
        revoke(desk, waiver)
    assert add(desk, variant).id != waiver.id


def test_exceptions_are_listed_with_their_state(desk: Any, write: Any) -> None:
    variant = write()
    revoke(desk, add(desk, variant))
    waiver = add(desk, variant)
    with desk.database.read() as session:
        force = exceptions.listed(session, "harrow-and-pine")
        ever = exceptions.listed(session, ended=True)
        assert exceptions.listed(session, "somebody-else") == []
    assert [each.id for each, _ in force] == [waiver.id]
    assert [exceptions.state(each) for each, _ in ever] == ["revoked", "active"]
    assert [user.email for _, user in force] == ["reviewer@example.com"]


def test_a_replay_shows_what_an_exception_would_have_changed(desk: Any, write: Any) -> None:
    first, blocked = write(), write("block")
    write(text="Something else\nSix undyed colours.")
    waiver = add(desk, first)
    after = write(text="Wool again\nSix undyed colours.")
    assert replay(desk, waiver) == [(first.id, "review", "pass"), (after.id, "review", "pass")]
    stronger = add(desk, blocked, "word_block/word", policy=policy("word"))
    assert replay(desk, stronger) == []
    assert replay(desk, stronger, "word") == [(blocked.id, "block", "pass")]
    revoke(desk, waiver)
    assert len(replay(desk, waiver)) == 2
    assert [each.verdict for each in desk.variants()[:2]] == ["review", "block"]


def test_an_exception_is_in_the_audit_log_without_its_text(desk: Any, write: Any) -> None:
    waiver = add(desk, write())
    revoke(desk, waiver)
    with desk.database.read() as session:
        added, revoked = list(audit.entries(session))[-2:]
        assert audit.verify(session)[1] is None
    assert (added.action, revoked.action) == ("exception.added", "exception.revoked")
    assert added.subject == revoked.subject == f"exception:{waiver.id}"
    assert added.data["rule"] == "word_review/word"
    assert added.data["sha256"] == exceptions.sha256(waiver)
    assert "our goods" not in str(added.data)
    assert "wool" not in str(added.data)


@pytest.mark.parametrize("severity", ["review", "block"])
def test_what_a_revoked_exception_kept_from_being_blocked_is_not_approved(
    desk: Any, write: Any, severity: str
) -> None:
    rule = f"word_{severity}/word"
    waiver = add(desk, write(severity), rule, policy=policy("word"))
    first, second = (write(severity, rules=("word",)) for _ in range(2))
    assert desk.decide(first).state == VariantState.APPROVED
    revoke(desk, waiver)
    if severity == "review":
        assert desk.decide(second).state == VariantState.APPROVED
        return
    with pytest.raises(Conflict, match=f"{waiver.id} .* in force no more"):
        desk.decide(second)
    assert desk.decide(second, "reject").state == VariantState.REJECTED


def test_the_worker_checks_with_the_exceptions_in_force(
    desk: Any, write: Any, settings: Settings, writer_of: Any, word_check: Any
) -> None:
    waiver = add(desk, write())
    batch_id = desk.request(desk.brief(variants=1))
    writer = writer_of([TEXT], [word_check("Wool", "review")])
    with Worker(desk.database, settings, lambda: writer):
        until_finished(desk, batch_id)
    (variant,) = desk.variants(batch_id)
    assert (variant.verdict, variant.provenance["exceptions"]) == ("pass", [waiver.id])


def test_the_commands_make_list_replay_and_revoke_an_exception(
    desk: Any, write: Any, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    variant, email = write(), "reviewer@example.com"
    add_exception(settings, variant.id, "word_review/word", "", "It is our goods.", 30, email)
    identifier = capsys.readouterr().out.strip()
    list_exceptions(settings, "", ended=False, as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["id"], listed["state"], listed["phrase"]) == (identifier, "active", "wool")
    replay_exception(settings, identifier, as_json=True)
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["variant_id"], change["without"], change["under"]) == (
        variant.id, "review", "pass",
    )  # fmt: skip
    replay_exception(settings, identifier, as_json=False)
    revoke_exception(settings, identifier, email)
    list_exceptions(settings, "", ended=False, as_json=True)
    list_exceptions(settings, "", ended=True, as_json=False)
    _, table = capsys.readouterr().out.split("[]")
    assert "revoked" in table


REVOKED = """UPDATE waiver SET revoked_at = created_at,
    revoked_by = (SELECT id FROM user_account WHERE role = 'admin')"""


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"{REVOKED}, phrase = 'x'", "never changes"),
        (f"{REVOKED}, \"check\" = 'x'", "never changes"),
        (f"{REVOKED}, expires_at = '2099-01-01 00:00:00.000000'", "never changes"),
        ("UPDATE waiver SET revoked_by = (SELECT id FROM user_account WHERE role = 'admin')",
         "revoked once"),
        ("UPDATE waiver SET revoked_at = created_at, revoked_by ="
         " (SELECT id FROM user_account WHERE role = 'marketer')", "revoked once"),
        ("DELETE FROM waiver", "never deleted"),
        ("INSERT INTO waiver SELECT 'other', brand_slug, \"check\", rule, phrase, variant_id,"
         " (SELECT id FROM user_account WHERE role = 'marketer'), reason, created_at, expires_at,"
         " NULL, NULL FROM waiver", "only an active reviewer"),
        ("INSERT INTO waiver SELECT 'other', brand_slug, \"check\", rule, phrase, variant_id,"
         " (SELECT id FROM user_account WHERE role = 'admin'), reason, created_at, expires_at,"
         " NULL, NULL FROM waiver", "whoever requested"),
    ],
)  # fmt: skip
def test_the_database_holds_exceptions_to_it(
    desk: Any, write: Any, statement: str, named: str
) -> None:
    add(desk, write(by=desk.people.admin))
    with pytest.raises(IntegrityError, match=named):
        desk.sql(statement)
