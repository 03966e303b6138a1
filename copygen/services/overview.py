"""Overviews of batches: what was requested, how far it is, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from copygen.errors import NotFound
from copygen.models import Batch, BatchState, Brief, Finding, Segment, Slot, User, Variant


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in a list. `variants` counts what is stored, by state; `wanted` what was asked for."""

    id: str
    brand: str
    campaign: str
    requested_by: str
    state: BatchState
    error: str | None
    created_at: datetime
    wanted: int
    variants: dict[str, int]

    @property
    def stored(self) -> int:
        """Variants stored by now, edits among them."""
        return sum(self.variants.values())


@dataclass(frozen=True, slots=True)
class BatchList:
    """A page of batches, newest first. `total` counts all of them."""

    rows: list[BatchRow]
    total: int


@dataclass(frozen=True, slots=True)
class WrittenVariant:
    """A variant of a batch with its place and its findings."""

    variant: Variant
    segment: str
    slot: int
    findings: list[Finding]


def batches_list(session: Session, *, offset: int = 0, limit: int = 50) -> BatchList:
    """Batches, newest first."""
    query = _batches().order_by(col(Batch.created_at).desc(), col(Batch.id))
    total = session.execute(sa.select(sa.func.count()).select_from(Batch)).scalar_one()
    return BatchList(_rows(session, query.offset(offset).limit(limit)), total)


def batch(session: Session, batch_id: str) -> BatchRow:
    """One batch.

    Raises:
        NotFound: there is no such batch.
    """
    rows = _rows(session, _batches().where(col(Batch.id) == batch_id))
    if not rows:
        raise NotFound(f"There is no batch {batch_id!r}.")
    return rows[0]


def written(session: Session, batch_id: str) -> list[WrittenVariant]:
    """All variants of a batch, blocked ones too, by segment and slot."""
    rows = session.exec(
        select(Variant, Slot, Segment)
        .join(Slot, col(Slot.id) == Variant.slot_id)
        .join(Segment, col(Segment.id) == Slot.segment_id)
        .where(Segment.batch_id == batch_id)
        .order_by(col(Segment.position), col(Slot.number), col(Variant.created_at))
    ).all()
    found = session.exec(
        select(Finding)
        .join(Variant, col(Variant.id) == Finding.variant_id)
        .join(Slot, col(Slot.id) == Variant.slot_id)
        .join(Segment, col(Segment.id) == Slot.segment_id)
        .where(Segment.batch_id == batch_id)
        .order_by(col(Finding.id))
    ).all()
    findings: dict[str, list[Finding]] = {}
    for finding in found:
        findings.setdefault(finding.variant_id, []).append(finding)
    return [
        WrittenVariant(variant, segment.name, slot.number, findings.get(variant.id, []))
        for variant, slot, segment in rows
    ]


def _batches() -> Any:
    return (
        sa.select(Batch, Brief, User)
        .join(Brief, col(Brief.id) == Batch.brief_id)
        .join(User, col(User.id) == Batch.requested_by)
    )


def _rows(session: Session, query: Any) -> list[BatchRow]:
    rows = session.execute(query).all()
    ids = [batch.id for batch, _, _ in rows]
    wanted = {
        batch_id: int(count)
        for batch_id, count in session.execute(
            sa.select(col(Segment.batch_id), sa.func.sum(col(Segment.wanted)))
            .where(col(Segment.batch_id).in_(ids))
            .group_by(col(Segment.batch_id))
        )
    }
    counts: dict[str, dict[str, int]] = {}
    for batch_id, state, count in session.execute(
        sa.select(col(Segment.batch_id), col(Variant.state), sa.func.count())
        .select_from(Variant)
        .join(Slot, col(Slot.id) == Variant.slot_id)
        .join(Segment, col(Segment.id) == Slot.segment_id)
        .where(col(Segment.batch_id).in_(ids))
        .group_by(col(Segment.batch_id), col(Variant.state))
        .order_by(col(Variant.state))
    ):
        counts.setdefault(batch_id, {})[str(state)] = count
    return [
        BatchRow(
            batch.id,
            brief.brand_slug,
            brief.campaign,
            user.email,
            batch.state,
            batch.error,
            batch.created_at,
            wanted.get(batch.id, 0),
            counts.get(batch.id, {}),
        )
        for batch, brief, user in rows
    ]
