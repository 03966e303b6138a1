"""What the database itself allows, however it is asked."""

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

import copygen.migrations
from copygen.database import HEAD, Database
from copygen.errors import CopygenError, DatabaseTooNew, InvalidInput, OutOfSpace, StoreBusy
from copygen.models import (
    BATCH_TRANSITIONS,
    VARIANT_TRANSITIONS,
    BatchState,
    Decision,
    DecisionKind,
    RenderedPrompt,
    User,
    Variant,
    VariantState,
    new_id,
    now,
)
from copygen.settings import Settings

REACH_VARIANT = {
    VariantState.PENDING: [],
    VariantState.APPROVED: ["approved"],
    VariantState.REJECTED: ["rejected"],
    VariantState.REVOKED: ["approved", "revoked"],
    VariantState.EXPIRED: ["expired"],
    VariantState.SUPERSEDED: ["superseded"],
}
"""Ways from pending to each state."""

REACH_BATCH = {
    BatchState.QUEUED: [],
    BatchState.RUNNING: ["running"],
    BatchState.DONE: ["running", "done"],
    BatchState.FAILED: ["failed"],
    BatchState.CANCELLED: ["cancelled"],
}
"""Ways from queued to each state."""


def decision(
    variant: Variant,
    user: User,
    kind: DecisionKind = DecisionKind.APPROVE,
    sha256: str | None = None,
) -> Decision:
    """A decision on a variant's text, or on another one."""
    return Decision(
        variant_id=variant.id,
        user_id=user.id,
        kind=kind,
        reason="Because.",
        sha256=sha256 or variant.sha256,
    )


def add(database: Database, row: SQLModel) -> None:
    """Insert a row past all services."""
    with database.write() as session:
        session.add(row)


def one_variant(desk: Any, writer_of: Any, checks: Iterable[Any] = ()) -> Variant:
    """The only variant of a new batch."""
    writer = writer_of(["Wool is back\nSix undyed colours."], list(checks))
    (variant,) = desk.fill(desk.brief(variants=1), writer=writer)
    return variant


def moved(state: str) -> str:
    """SQL that moves all variants to `state`; the time of approval goes with the approval."""
    if state == "approved":
        return "UPDATE variant SET state = :state, approved_at = '2026-01-01 00:00:00.000000'"
    return "UPDATE variant SET state = :state"


class Undone(Exception):
    """Raised to roll back what was tried."""


def works(desk: Any, statement: str, **values: Any) -> bool:
    """Whether the database takes a statement; it is undone again."""
    try:
        with desk.database.write() as session:
            session.execute(sa.text(statement), values)
            raise Undone
    except IntegrityError:
        return False
    except Undone:
        return True


@pytest.mark.parametrize("before", VariantState)
def test_a_variant_changes_state_only_as_the_table_says(
    desk: Any, writer_of: Any, word_check: Any, before: VariantState
) -> None:
    blocked = before == VariantState.BLOCKED
    checks = [word_check("Wool", "block")] if blocked else []
    variant = one_variant(desk, writer_of, checks)
    if not blocked:
        # With an approval there, only the state is in the way of what is not allowed.
        add(desk.database, decision(variant, desk.people.reviewer))
        for state in REACH_VARIANT[before]:
            desk.sql(moved(state), state=state)
    assert desk.variants()[0].state == before
    allowed = {after for after in VariantState if works(desk, moved(after), state=after)}
    assert allowed - {before} == set(VARIANT_TRANSITIONS.get(before, []))


@pytest.mark.parametrize(
    "statement", ["UPDATE batch SET state = :state", "UPDATE segment SET state = :state"]
)
@pytest.mark.parametrize("before", BatchState)
def test_a_batch_and_its_segments_change_state_only_as_the_table_says(
    desk: Any, statement: str, before: BatchState
) -> None:
    desk.request()
    for state in REACH_BATCH[before]:
        desk.sql(statement, state=state)
    allowed = {after for after in BatchState if works(desk, statement, state=after)}
    assert allowed - {before} == set(BATCH_TRANSITIONS.get(before, []))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE variant SET state = 'sent'",
        "UPDATE batch SET state = 'sent'",
        "UPDATE segment SET state = 'sent'",
    ],
)
def test_a_state_that_there_is_not_is_refused(desk: Any, statement: str) -> None:
    desk.fill()
    with pytest.raises(IntegrityError):
        desk.sql(statement)


def test_a_variant_is_not_approved_without_a_decision(desk: Any, writer_of: Any) -> None:
    one_variant(desk, writer_of)
    with pytest.raises(IntegrityError, match="approved without a decision on this text"):
        desk.sql(moved("approved"), state="approved")


def test_a_rejection_does_not_serve_as_an_approval(desk: Any, writer_of: Any) -> None:
    variant = one_variant(desk, writer_of)
    add(desk.database, decision(variant, desk.people.reviewer, DecisionKind.REJECT))
    with pytest.raises(IntegrityError, match="approved without a decision on this text"):
        desk.sql(moved("approved"), state="approved")


def test_a_variant_is_not_approved_without_a_time(desk: Any, writer_of: Any) -> None:
    variant = one_variant(desk, writer_of)
    add(desk.database, decision(variant, desk.people.reviewer))
    with pytest.raises(IntegrityError):
        desk.sql("UPDATE variant SET state = 'approved'")


def test_the_time_of_an_approval_never_changes(desk: Any, writer_of: Any) -> None:
    desk.decide(one_variant(desk, writer_of))
    with pytest.raises(IntegrityError, match="set by the approval alone"):
        desk.sql("UPDATE variant SET approved_at = '2030-01-01 00:00:00.000000'")


@pytest.mark.parametrize("state", [each for each in VariantState if each != "pending"])
def test_a_variant_begins_as_its_verdict_says(
    desk: Any, writer_of: Any, state: VariantState
) -> None:
    first = one_variant(desk, writer_of)
    copied = first.model_dump() | {"id": new_id(), "supersedes": first.id, "state": state}
    with pytest.raises(IntegrityError, match="begins blocked or pending"):
        add(desk.database, Variant(**copied))


def test_a_blocked_variant_does_not_begin_pending(desk: Any, writer_of: Any) -> None:
    first = one_variant(desk, writer_of)
    copied = first.model_dump() | {"id": new_id(), "supersedes": first.id, "verdict": "block"}
    with pytest.raises(IntegrityError):
        add(desk.database, Variant(**copied))


def test_a_batch_begins_queued(desk: Any) -> None:
    batch_id = desk.request()
    with pytest.raises(IntegrityError, match="begins queued"):
        desk.sql(
            "INSERT INTO batch SELECT 'other', brief_id, brand_document, requested_by, NULL,"
            " request_sha256, seed, 'done', NULL, created_at, NULL FROM batch WHERE id = :id",
            id=batch_id,
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE variant SET subject = 'Buy now'",
        "UPDATE variant SET preview = 'Buy now'",
        "UPDATE variant SET sha256 = 'x'",
        "UPDATE variant SET verdict = 'pass'",
        "UPDATE variant SET report = '{}'",
        "UPDATE variant SET provenance = '{}'",
        "UPDATE variant SET expires_at = '2099-01-01 00:00:00.000000'",
        "UPDATE variant SET created_at = '2020-01-01 00:00:00.000000'",
        "UPDATE variant SET id = 'x'",
        "UPDATE decision SET reason = 'x'",
        "UPDATE decision SET kind = 'reject'",
        "UPDATE decision SET sha256 = 'x'",
        "UPDATE finding SET message = 'x'",
        "UPDATE finding SET severity = 'block'",
        "UPDATE audit_entry SET action = 'x'",
        "UPDATE audit_entry SET data = '{}'",
        "UPDATE audit_entry SET hash = 'x'",
        "UPDATE rendered_prompt SET text = 'x'",
        "UPDATE slot SET number = number + 10",
        "UPDATE brief SET document = '{}'",
        "UPDATE batch SET brand_document = '{}'",
        "UPDATE batch SET requested_by = (SELECT id FROM user_account WHERE role = 'admin')",
        "UPDATE batch SET seed = seed + 1",
        "UPDATE segment SET name = 'x'",
        "UPDATE segment SET document = '{}'",
        "UPDATE segment SET high_sensitivity = NOT high_sensitivity",
        "UPDATE segment SET wanted = wanted + 1",
        "UPDATE segment SET position = position + 10",
    ],
)
def test_what_was_stored_never_changes(
    desk: Any, writer_of: Any, word_check: Any, statement: str
) -> None:
    desk.decide(one_variant(desk, writer_of, [word_check("undyed", "review")]))
    with pytest.raises(IntegrityError, match="never change"):
        desk.sql(statement)


KEPT = [
    "variant",
    "decision",
    "finding",
    "audit_entry",
    "rendered_prompt",
    "slot",
    "segment",
    "batch",
    "brief",
]


@pytest.mark.parametrize("name", KEPT)
def test_what_was_stored_is_never_deleted(
    desk: Any, writer_of: Any, word_check: Any, name: str
) -> None:
    desk.decide(one_variant(desk, writer_of, [word_check("undyed", "review")]))
    table = SQLModel.metadata.tables[name]
    with pytest.raises(IntegrityError, match="never deleted"), desk.database.write() as session:
        session.execute(sa.delete(table))
    assert desk.count(name) > 0


@pytest.mark.parametrize("name", ["variant", "decision", "finding", "audit_entry"])
def test_what_was_stored_is_never_replaced(
    desk: Any, writer_of: Any, word_check: Any, name: str
) -> None:
    desk.decide(one_variant(desk, writer_of, [word_check("undyed", "review")]))
    table = SQLModel.metadata.tables[name]
    same = sa.insert(table).prefix_with("OR REPLACE").from_select(table.c.keys(), sa.select(table))
    with pytest.raises(IntegrityError), desk.database.write() as session:
        session.execute(same)


def test_whoever_requested_a_batch_does_not_approve_it(desk: Any, writer_of: Any) -> None:
    (variant,) = desk.fill(desk.brief(variants=1), by=desk.people.reviewer)
    with pytest.raises(IntegrityError, match="whoever requested a batch"):
        add(desk.database, decision(variant, desk.people.reviewer))


def test_a_segment_never_moves_to_the_batch_of_somebody_else(desk: Any) -> None:
    desk.fill(desk.brief(variants=1), by=desk.people.reviewer)
    other = desk.request(by=desk.people.marketer)
    with pytest.raises(IntegrityError):
        desk.sql(
            "UPDATE segment SET batch_id = :other, name = 'moved', position = 9"
            " WHERE batch_id <> :other",
            other=other,
        )


def test_an_admin_does_not_approve_a_batch_of_his_own(desk: Any) -> None:
    (variant,) = desk.fill(desk.brief(variants=1), by=desk.people.admin)
    with pytest.raises(IntegrityError, match="whoever requested a batch"):
        add(desk.database, decision(variant, desk.people.admin))


@pytest.mark.parametrize("role", ["marketer", "auditor"])
@pytest.mark.parametrize("kind", ["approve", "reject"])
def test_only_a_reviewer_or_admin_decides(desk: Any, writer_of: Any, role: str, kind: str) -> None:
    (variant,) = desk.fill(desk.brief(variants=1), by=desk.people.admin)
    with pytest.raises(IntegrityError, match="only an active reviewer or admin decides"):
        add(desk.database, decision(variant, getattr(desk.people, role), DecisionKind(kind)))


def test_a_closed_account_decides_nothing(desk: Any, writer_of: Any) -> None:
    variant = one_variant(desk, writer_of)
    desk.sql("UPDATE user_account SET active = 0 WHERE role = 'reviewer'")
    with pytest.raises(IntegrityError, match="only an active reviewer or admin decides"):
        add(desk.database, decision(variant, desk.people.reviewer))


def test_a_decision_on_another_text_is_refused(desk: Any, writer_of: Any) -> None:
    variant = one_variant(desk, writer_of)
    with pytest.raises(IntegrityError, match="decided already or its text is another"):
        add(desk.database, decision(variant, desk.people.reviewer, sha256="0" * 64))


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_decision_on_a_decided_variant_is_refused(
    desk: Any, writer_of: Any, first: str, second: str
) -> None:
    variant = one_variant(desk, writer_of)
    desk.decide(variant, first)
    with pytest.raises(IntegrityError, match="decided already or its text is another"):
        add(desk.database, decision(variant, desk.people.admin, DecisionKind(second)))


def test_a_decision_on_a_blocked_variant_is_refused(
    desk: Any, writer_of: Any, word_check: Any
) -> None:
    variant = one_variant(desk, writer_of, [word_check("Wool", "block")])
    with pytest.raises(IntegrityError):
        add(desk.database, decision(variant, desk.people.reviewer))


def test_a_slot_takes_one_generated_variant(desk: Any, writer_of: Any) -> None:
    first = one_variant(desk, writer_of)
    second = Variant(**first.model_dump() | {"id": new_id()})
    with pytest.raises(IntegrityError, match="UNIQUE"):
        add(desk.database, second)


def test_a_variant_is_superseded_by_one_edit_alone(desk: Any, writer_of: Any) -> None:
    first = one_variant(desk, writer_of)
    edit = first.model_dump() | {"supersedes": first.id}
    add(desk.database, Variant(**edit | {"id": new_id()}))
    with pytest.raises(IntegrityError, match="UNIQUE"):
        add(desk.database, Variant(**edit | {"id": new_id()}))


def test_a_time_without_a_zone_is_refused(desk: Any) -> None:
    with pytest.raises(sa.exc.StatementError, match="without a time zone"):
        desk.database.engine.connect().execute(
            sa.insert(User).values(
                id="x",
                email="x@y",
                role="admin",
                active=True,
                created_at=now().replace(tzinfo=None),
            )
        )


def test_times_come_back_as_they_were_stored(desk: Any) -> None:
    with desk.database.read() as session:
        user = session.get_one(User, desk.people.admin.id)
        assert user.created_at == desk.people.admin.created_at
        assert user.created_at.utcoffset() is not None


def test_the_models_are_the_migrated_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_head_is_the_newest_migration() -> None:
    folder = Path(copygen.migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'copygen.sqlite'}"
    config = Config()
    config.set_main_option("script_location", str(Path(copygen.migrations.__file__).parent))
    with sa.create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO rendered_prompt VALUES ('abc', 'Write.')")
    database = Database(url)
    with database.write() as session:
        assert session.get_one(RenderedPrompt, "abc").text == "Write."
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'finding'"
        assert len(list(session.execute(sa.text(triggers)))) == 2
    database.close()


def test_the_triggers_hold_the_transitions_of_the_models(desk: Any) -> None:
    for table, transitions in [("variant", VARIANT_TRANSITIONS), ("batch", BATCH_TRANSITIONS)]:
        ((sql,),) = desk.sql(
            "SELECT sql FROM sqlite_master WHERE name = :name", name=f"{table}_state"
        )
        for state in transitions:
            assert f"OLD.state = '{state}'" in sql


def test_a_database_of_a_newer_version_is_refused(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "copygen.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseTooNew, match=rf"9999.*{HEAD}.*COPYGEN_HOME") as caught:
        Database(settings.store_url)
    assert caught.value.exit_status == 2


def test_opening_a_store_again_keeps_what_is_in_it(desk: Any, settings: Settings) -> None:
    again = Database(settings.store_url)
    with again.read() as session:
        assert session.get(User, desk.people.admin.id) is not None
    again.close()


def test_a_file_that_is_no_database_is_told_so(settings: Settings) -> None:
    path = settings.home / "copygen.sqlite"
    path.write_text("not a database, however long it is\n" * 100)
    with pytest.raises(CopygenError, match=r"copygen\.sqlite.*no database"):
        Database(settings.store_url)


def test_a_cut_off_database_is_told_so(settings: Settings) -> None:
    path = settings.home / "copygen.sqlite"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CopygenError, match=r"copygen\.sqlite.*damaged"):
        Database(settings.store_url)


def test_a_url_that_is_none_names_the_setting() -> None:
    with pytest.raises(InvalidInput, match="COPYGEN_DATABASE_URL"):
        Database("my database")


def test_a_folder_that_can_not_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(InvalidInput, match="COPYGEN_HOME"):
        Database(f"sqlite:///{tmp_path / 'home' / 'inner' / 'copygen.sqlite'}")


@pytest.mark.parametrize("name", ["with space", "50%", "a#b", "über"])
def test_a_home_of_any_name_works(tmp_path: Path, new_store: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    shutil.copy(new_store, home / "copygen.sqlite")
    database = Database(Settings(home=home).store_url)
    with database.write() as session:
        session.add(User(email="x@example.com", role="admin"))
    database.close()
    with sqlite3.connect(home / "copygen.sqlite") as connection:
        assert connection.execute("SELECT email FROM user_account").fetchall() == [
            ("x@example.com",)
        ]
    connection.close()


def test_a_home_that_no_url_can_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COPYGEN_HOME", str(tmp_path / "why?"))
    with pytest.raises(InvalidInput, match="COPYGEN_HOME"):
        Settings.load()


def test_an_error_of_the_database_quotes_no_copy(desk: Any, writer_of: Any) -> None:
    first = one_variant(desk, writer_of)
    second = Variant(**first.model_dump() | {"id": new_id()})
    with pytest.raises(IntegrityError) as caught:
        add(desk.database, second)
    assert first.subject not in str(caught.value)


def test_a_full_disk_is_told_so_and_nothing_is_half_stored(desk: Any) -> None:
    with pytest.raises(OutOfSpace, match="disk is full"):
        fill_the_disk(desk.database)
    assert desk.count("user_account") == 5


def fill_the_disk(database: Database) -> None:
    """Write to a store that may not grow, until it is full."""
    with database.write() as session:
        pages = session.execute(sa.text("PRAGMA page_count")).scalar_one()
        session.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
        for number in range(3_000):
            session.add(User(email=f"{number}@example.com", role="marketer"))


def test_an_error_rolls_all_back(desk: Any) -> None:
    user = User(email="x@example.com", role="marketer")
    with pytest.raises(Undone), desk.database.write() as session:
        _add_and_fail(session, user)
    assert desk.count("user_account") == 5


def _add_and_fail(session: Any, user: User) -> None:
    session.add(user)
    session.flush()
    raise Undone


@pytest.mark.parametrize("url", ["nosuch://host/x", "mysql://host/x", "no url at all"])
def test_a_database_that_can_not_be_used_names_the_setting(url: str) -> None:
    with pytest.raises(InvalidInput, match="COPYGEN_DATABASE_URL"):
        Database(url)


def test_a_database_that_can_not_be_reached_says_so() -> None:
    with pytest.raises(StoreBusy, match="COPYGEN_DATABASE_URL"):
        Database("postgresql+psycopg://nobody@127.0.0.1:9/none?connect_timeout=2")
