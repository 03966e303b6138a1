"""Delivery: what campaign tools may pull. Text leaves here and nowhere else, and only approved."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from copygen.errors import InvalidInput, NotFound
from copygen.models import (
    Batch,
    Brief,
    Decision,
    DecisionKind,
    Segment,
    Slot,
    Variant,
    VariantState,
    now,
    text_sha256,
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A variant as campaign tools see it. Text is None where it is not approved."""

    id: str
    brand: str
    campaign: str
    segment: str
    slot: int
    subject: str | None
    preview: str | None
    sha256: str
    state: VariantState
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Variants in order of approval (or of writing, where they are not approved)."""

    items: list[Delivered]
    next_cursor: str | None


def variants(
    session: Session,
    *,
    status: VariantState = VariantState.APPROVED,
    brand: str = "",
    campaign: str = "",
    segment: str = "",
    cursor: str = "",
    limit: int = 100,
) -> Page:
    """A page of the variants in state `status`.

    Approved ones come with their text if, in this very transaction, the offer has not ended and
    an approval binds the SHA-256 of exactly this text; any other is left out.

    Raises:
        InvalidInput: the cursor is none of ours.
    """
    approved = status == VariantState.APPROVED
    moment = Variant.approved_at if approved else Variant.created_at
    query = _joined().where(Variant.state == status).order_by(col(moment), col(Variant.id))
    if approved:
        query = query.where(
            sa.or_(col(Variant.expires_at).is_(None), col(Variant.expires_at) > now()), _bound()
        )
    if brand:
        query = query.where(Brief.brand_slug == brand)
    if campaign:
        query = query.where(Brief.campaign == campaign)
    if segment:
        query = query.where(Segment.name == segment)
    if cursor:
        after, last = _decode(cursor)
        query = query.where(
            sa.or_(
                col(moment) > after,
                sa.and_(col(moment) == after, col(Variant.id) > last),
            )
        )
    rows = session.execute(query.limit(limit + 1)).all()
    items = [_delivered(*row) for row in rows[:limit]]
    if approved:
        items = [item for item in items if item.subject is not None]
    following = None
    if len(rows) > limit:
        last_row = rows[limit - 1][0]
        following = _encode(last_row.approved_at if approved else last_row.created_at, last_row.id)
    return Page(items, following)


def one(session: Session, variant_id: str) -> Delivered:
    """One variant, in whatever state it is.

    Raises:
        NotFound: there is no such variant.
    """
    row = session.execute(_joined().where(Variant.id == variant_id)).first()
    if row is None:
        raise NotFound(f"There is no variant {variant_id!r}.")
    return _delivered(*row)


def _bound() -> Any:
    """Whether an approval binds the SHA-256 that stands beside the text."""
    return (
        sa.exists()
        .where(
            col(Decision.variant_id) == Variant.id,
            col(Decision.kind) == DecisionKind.APPROVE,
            col(Decision.sha256) == Variant.sha256,
        )
        .correlate(Variant)
    )


def _joined() -> Any:
    return (
        sa.select(Variant, Slot, Segment, Brief, _bound().label("bound"))
        .join(Slot, col(Slot.id) == Variant.slot_id)
        .join(Segment, col(Segment.id) == Slot.segment_id)
        .join(Batch, col(Batch.id) == Segment.batch_id)
        .join(Brief, col(Brief.id) == Batch.brief_id)
    )


def _delivered(
    variant: Variant, slot: Slot, segment: Segment, brief: Brief, bound: bool
) -> Delivered:
    live = (
        variant.state == VariantState.APPROVED
        and (variant.expires_at is None or variant.expires_at > now())
        and bound
        and text_sha256(variant.subject, variant.preview) == variant.sha256
    )
    return Delivered(
        variant.id,
        brief.brand_slug,
        brief.campaign,
        segment.name,
        slot.number,
        variant.subject if live else None,
        variant.preview if live else None,
        variant.sha256,
        variant.state,
        variant.approved_at,
    )


def _encode(moment: datetime | None, identifier: str) -> str:
    content = json.dumps([moment.isoformat() if moment else "", identifier])
    return base64.urlsafe_b64encode(content.encode()).decode()


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        content: Any = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        moment, identifier = datetime.fromisoformat(content[0]), str(content[1])
        if moment.tzinfo is None:
            raise ValueError("naive")
        moment = moment.astimezone(UTC)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise InvalidInput("cursor: take it as it came in next_cursor.", field="cursor") from error
    return moment, identifier
