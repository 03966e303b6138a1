"""The audit log: a chain of hashes, written in the same transaction as what it tells of."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from copygen.models import AuditEntry, now

FIRST = "0" * 64
"""What the first entry names as the hash before it."""

LOCK_KEY = 0x636F7079
"""PostgreSQL advisory lock that puts writers of the chain in a row; SQLite has one writer."""


def record(session: Session, actor: str, action: str, subject: str, data: dict[str, Any]) -> None:
    """Append an entry. `data` holds ids, hashes and settings; never text of copy or secrets."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_KEY)))
    last = session.exec(select(AuditEntry).order_by(sa.desc("sequence")).limit(1)).first()
    entry = AuditEntry(
        sequence=last.sequence + 1 if last else 1,
        at=now(),
        actor=actor,
        action=action,
        subject=subject,
        data=data,
        previous=last.hash if last else FIRST,
        hash="",
    )
    entry.hash = entry_hash(entry)
    session.add(entry)
    session.flush()


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 over the entry's content and the hash before it, as canonical JSON."""
    content = {
        "sequence": entry.sequence,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "data": entry.data,
        "previous": entry.previous,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def entries(session: Session, *, after: int = 0, limit: int | None = None) -> Iterator[AuditEntry]:
    """The entries that follow number `after`, oldest first."""
    query = select(AuditEntry).where(AuditEntry.sequence > after).order_by(sa.asc("sequence"))
    yield from session.exec(query.limit(limit), execution_options={"yield_per": 1000})


def verify(session: Session) -> tuple[int, str | None]:
    """How many entries follow each other unbroken, and what is wrong with the next one, if any."""
    previous, count = FIRST, 0
    for entry in entries(session):
        if entry.sequence != count + 1:
            return count, f"entry {count + 1} is missing"
        if entry.previous != previous or entry.hash != entry_hash(entry):
            return count, f"entry {entry.sequence} was changed"
        previous, count = entry.hash, count + 1
    return count, None
