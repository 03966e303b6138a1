"""Review: the queue, one variant with all that a reviewer needs, and decisions."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from copygen import schemas
from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound
from copygen.models import (
    Batch,
    Brief,
    Decision,
    DecisionKind,
    Finding,
    Role,
    Segment,
    Slot,
    User,
    Variant,
    VariantState,
    Waiver,
    now,
    text_sha256,
)
from copygen.services import audit

DECIDERS = (Role.REVIEWER, Role.ADMIN)
NEXT_STATE = {
    DecisionKind.APPROVE: VariantState.APPROVED,
    DecisionKind.REJECT: VariantState.REJECTED,
    DecisionKind.REVOKE: VariantState.REVOKED,
}
NEEDED_STATE = {
    DecisionKind.APPROVE: VariantState.PENDING,
    DecisionKind.REJECT: VariantState.PENDING,
    DecisionKind.REVOKE: VariantState.APPROVED,
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What part of the queue is asked for; empty means all."""

    campaign: str = ""
    segment: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the queue."""

    id: str
    subject: str
    preview: str
    brand: str
    campaign: str
    segment: str
    high_sensitivity: bool
    verdict: str
    findings: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue. `total` counts all rows that the filters leave."""

    rows: list[Row]
    total: int
    campaigns: list[str]
    segments: list[str]


@dataclass(frozen=True, slots=True)
class Detail:
    """A variant with all that a decision takes."""

    variant: Variant
    slot: Slot
    segment: schemas.Segment
    brief: schemas.Brief
    brand: schemas.Brand
    batch: Batch
    findings: list[Finding]
    decisions: list[tuple[Decision, User]]


def queue(session: Session, filters: Filters, *, offset: int = 0, limit: int = 50) -> Queue:
    """Pending variants, oldest first."""
    found = sa.select(sa.func.count()).where(col(Finding.variant_id) == Variant.id)
    joined = placed(
        sa.select(Variant, Brief, Segment, found.correlate(Variant).scalar_subquery())
    ).where(col(Variant.state) == VariantState.PENDING)
    everything = joined
    if filters.campaign:
        joined = joined.where(col(Brief.campaign) == filters.campaign)
    if filters.segment:
        joined = joined.where(col(Segment.name) == filters.segment)
    if filters.verdict:
        joined = joined.where(col(Variant.verdict) == filters.verdict)
    ordered = joined.order_by(col(Variant.created_at), col(Variant.id))
    rows = session.execute(ordered.offset(offset).limit(limit)).all()
    total = session.execute(
        joined.with_only_columns(sa.func.count(), maintain_column_froms=True)
    ).scalar_one()
    names = session.execute(
        everything.with_only_columns(
            col(Brief.campaign), col(Segment.name), maintain_column_froms=True
        ).distinct()
    ).all()
    return Queue(
        [
            Row(
                variant.id,
                variant.subject,
                variant.preview,
                brief.brand_slug,
                brief.campaign,
                segment.name,
                segment.high_sensitivity,
                variant.verdict,
                count,
                variant.created_at,
            )
            for variant, brief, segment, count in rows
        ],
        total,
        sorted({campaign for campaign, _ in names}),
        sorted({segment for _, segment in names}),
    )


def following(session: Session, filters: Filters, variant_id: str) -> str | None:
    """Id of the pending variant that comes after `variant_id` in the queue, or of the first."""
    here = session.get(Variant, variant_id)
    rows = queue(session, filters, limit=1).rows
    if here is None:
        return rows[0].id if rows else None
    later = (
        placed(sa.select(col(Variant.id)))
        .where(col(Variant.state) == VariantState.PENDING)
        .where(
            sa.tuple_(col(Variant.created_at), col(Variant.id))
            > sa.tuple_(sa.literal(here.created_at, Variant.created_at.type), sa.literal(here.id))  # type: ignore[attr-defined]
        )
    )
    for column, value in [
        (Brief.campaign, filters.campaign),
        (Segment.name, filters.segment),
        (Variant.verdict, filters.verdict),
    ]:
        if value:
            later = later.where(col(column) == value)
    found = session.execute(
        later.order_by(col(Variant.created_at), col(Variant.id)).limit(1)
    ).scalar()
    return found or (rows[0].id if rows and rows[0].id != variant_id else None)


def detail(session: Session, variant_id: str, *, lock: bool = False) -> Detail:
    """A variant with all that a decision takes; with `lock`, nobody else can change it meanwhile.

    Raises:
        NotFound: there is no such variant.
    """
    query = placed(sa.select(Variant, Slot, Segment, Batch, Brief))
    query = query.where(col(Variant.id) == variant_id)
    if lock:
        query = query.with_for_update(of=Variant)
    row = session.execute(query).first()
    if row is None:
        raise NotFound(f"There is no variant {variant_id!r}.")
    variant, slot, segment, batch, brief = row
    findings = session.exec(
        select(Finding).where(Finding.variant_id == variant_id).order_by(col(Finding.id))
    ).all()
    decisions = session.exec(
        select(Decision, User)
        .join(User, col(User.id) == Decision.user_id)
        .where(Decision.variant_id == variant_id)
        .order_by(col(Decision.created_at))
    ).all()
    return Detail(
        variant,
        slot,
        schemas.Segment.model_validate(segment.document),
        schemas.Brief.model_validate(brief.document),
        schemas.Brand.model_validate(batch.brand_document),
        batch,
        list(findings),
        [(decision, user) for decision, user in decisions],
    )


def decide(
    session: Session,
    user: User,
    variant_id: str,
    kind: DecisionKind,
    sha256: str,
    reason: str = "",
) -> Variant:
    """Approve, reject or revoke the text with hash `sha256`, and nothing else.

    Raises:
        Forbidden: the account decides nothing, or requested the batch itself.
        InvalidInput: a rejection or revocation without a reason.
        Conflict: it was decided already, its text is another, its offer has ended, or so has an
            exception without which it would be blocked.
    """
    if user.role not in DECIDERS or not user.active:
        raise Forbidden("Only a reviewer decides on variants.")
    if kind not in NEXT_STATE:
        raise InvalidInput(f"decision: {kind} can't be decided here.", field="decision")
    reason = told(reason)
    if kind != DecisionKind.APPROVE and not reason:
        raise InvalidInput(f"reason: say why, to {kind}.", field="reason")
    found = detail(session, variant_id, lock=True)
    variant = found.variant
    if kind == DecisionKind.APPROVE and found.batch.requested_by == user.id:
        raise Forbidden("You requested this batch, so somebody else must approve it.")
    if sha256 != variant.sha256 or sha256 != text_sha256(variant.subject, variant.preview):
        raise Conflict("The text is not the one that was decided on. Load it again.")
    if variant.state != NEEDED_STATE[kind]:
        raise Conflict(f"This variant is {variant.state} by now. Nothing was changed.")
    if kind == DecisionKind.APPROVE and variant.expires_at and variant.expires_at <= now():
        raise Conflict(
            f"The offer ended on {variant.expires_at:%d %B %Y}: it would never be sent. Reject it."
        )
    ended = _ended_exception(session, variant_id) if kind == DecisionKind.APPROVE else None
    if ended:
        raise Conflict(
            f"The exception {ended} kept this from being blocked, and is in force no more. Reject it."
        )
    decision = Decision(
        variant_id=variant.id, user_id=user.id, kind=kind, reason=reason, sha256=sha256
    )
    session.add(decision)
    session.flush()
    variant.state = NEXT_STATE[kind]
    if kind == DecisionKind.APPROVE:
        variant.approved_at = now()
    session.add(variant)
    session.flush()
    audit.record(
        session,
        user.id,
        f"variant.{variant.state}",
        f"variant:{variant.id}",
        {"sha256": sha256, "decision": decision.id},
    )
    return variant


def _ended_exception(session: Session, variant_id: str) -> str | None:
    """An exception from what blocks, of a variant's report, that was revoked or has expired."""
    return session.exec(
        select(Waiver.id)
        .join(Finding, col(Finding.waived_by) == Waiver.id)
        .where(Finding.variant_id == variant_id, Finding.severity == "block")
        .where(sa.or_(col(Waiver.revoked_at).is_not(None), col(Waiver.expires_at) <= now()))
        .limit(1)
    ).first()


def told(reason: str) -> str:
    """A reason as it is stored.

    Raises:
        InvalidInput: it is too long, or holds control characters.
    """
    reason = reason.strip()
    if any(unicodedata.category(each) in ("Cc", "Cs") and not each.isspace() for each in reason):
        raise InvalidInput("reason: holds a control character; take it out.", field="reason")
    if len(reason) > 1000:
        raise InvalidInput("reason: at most 1,000 characters.", field="reason")
    return reason


def expired(session: Session) -> Sequence[Variant]:
    """Move pending and approved variants whose offer has ended to expired; those it moved."""
    rows = session.exec(
        select(Variant).where(
            col(Variant.state).in_([VariantState.PENDING, VariantState.APPROVED]),
            col(Variant.expires_at) <= now(),
        )
    ).all()
    for variant in rows:
        variant.state = VariantState.EXPIRED
        session.add(variant)
        session.flush()
        audit.record(session, "system", "variant.expired", f"variant:{variant.id}", {})
    return rows


def placed(query: Any) -> Any:
    """`query` over variants with their slot, segment, batch and brief."""
    return (
        query.select_from(Variant)
        .join(Slot, col(Slot.id) == Variant.slot_id)
        .join(Segment, col(Segment.id) == Slot.segment_id)
        .join(Batch, col(Batch.id) == Segment.batch_id)
        .join(Brief, col(Brief.id) == Batch.brief_id)
    )
