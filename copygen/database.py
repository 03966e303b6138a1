"""The store: opening it, bringing it up to date, and its two kinds of transactions."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, NoSuchModuleError, OperationalError
from sqlmodel import Session

from copygen.errors import CopygenError, DatabaseTooNew, InvalidInput, OutOfSpace, StoreBusy

HEAD = "0002"
"""Newest migration; a test holds it to the migrations folder."""

BUSY_TIMEOUT_S = 30
"""How long a SQLite transaction waits for another one's lock."""


class Database:
    """A store at its newest version. `read` and `write` give sessions; callers never commit."""

    def __init__(self, url: str) -> None:
        """Open the store at `url`, make it where it is missing, and migrate it.

        Raises:
            InvalidInput: the URL can't be used.
            DatabaseTooNew: a newer version of copygen made it.
            OutOfSpace: the disk is full.
        """
        try:
            parsed = sa.make_url(url)
            parsed.get_dialect().import_dbapi()
        except (sa.exc.ArgumentError, NoSuchModuleError, ImportError) as error:
            raise InvalidInput(
                "COPYGEN_DATABASE_URL: no URL of a database that can be used here. Write it as "
                "postgresql+psycopg://user@host/name, or leave it empty.",
                field="COPYGEN_DATABASE_URL",
            ) from error
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite and parsed.database:
            make_folder(Path(parsed.database).parent)
        connect_args: dict[str, Any] = {}
        if self.sqlite:
            connect_args = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        # Errors are logged, and their parameters may hold copy.
        self.engine = sa.create_engine(url, connect_args=connect_args, hide_parameters=True)
        if self.sqlite:
            sa.event.listen(self.engine, "connect", _on_connect)
            sa.event.listen(self.engine, "begin", _on_begin)
        self._writing = self.engine.execution_options(copygen_write=True)
        with translated(f"The database {parsed.render_as_string(hide_password=True)}"):
            self._migrate()

    def _migrate(self) -> None:
        with self.engine.connect() as connection:
            exists = sa.inspect(connection).has_table("alembic_version")
            query = sa.text("SELECT version_num FROM alembic_version")
            version = connection.execute(query).scalar() if exists else None
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise DatabaseTooNew(
                f"The database is at version {version}, which a newer copygen made; this one knows "
                f"{HEAD}. Install the newer copygen, or point COPYGEN_HOME at another folder."
            )
        # Imported here since it is slow and rarely needed.
        from alembic import command
        from alembic.config import Config

        with resources.as_file(resources.files("copygen") / "migrations") as folder:
            config = Config()
            config.set_main_option("script_location", str(folder))
            with self._writing.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads."""
        with translated("The database"), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error.

        On SQLite it takes the write lock at once, so that nothing read in it can change under it.
        """
        with (
            translated("The database"),
            Session(self._writing, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def make_folder(folder: Path) -> None:
    """Make `folder`, for this user alone.

    Raises:
        InvalidInput: it can't be made.
        OutOfSpace: the disk is full.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpace(f"The disk is full: {folder}. Free some space.") from error
        raise InvalidInput(
            f"{folder}: the folder can't be made ({error.strerror}). Set COPYGEN_HOME and "
            "COPYGEN_CACHE to folders that you may write to.",
            field="COPYGEN_HOME",
        ) from error


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn a driver's errors that a person can mend into errors that say how."""
    try:
        yield
    except DatabaseError as error:
        message = str(error.orig)
        if "disk is full" in message or "No space left" in message:
            raise OutOfSpace(f"{what}: the disk is full. Free some space and try again.") from error
        if "is locked" in message:
            raise StoreBusy(
                f"{what}: another process has held it for over {BUSY_TIMEOUT_S} s. Try again."
            ) from error
        if "readonly" in message or "unable to open" in message:
            raise InvalidInput(
                f"{what}: can't be written to. Check the rights on the folder COPYGEN_HOME."
            ) from error
        if "not a database" in message or "malformed" in message:
            raise CopygenError(
                f"{what}: the file is damaged or no database. Restore a copy of it."
            ) from error
        if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
            raise StoreBusy(
                f"{what}: can't be reached. See that it runs and that COPYGEN_DATABASE_URL is right."
            ) from error
        raise


def _on_connect(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # Transactions are begun below, not by the driver.
    # The rollback journal: WAL has a corruption bug before SQLite 3.51.3 (sqlite.org/wal.html).
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")


def _on_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("copygen_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
