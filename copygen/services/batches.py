"""Batches: requesting them, writing them segment by segment, and telling how far they are."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from copygen import schemas
from copygen.errors import Conflict, Forbidden, NotFound
from copygen.models import (
    Batch,
    BatchState,
    Brief,
    Finding,
    RenderedPrompt,
    Role,
    Segment,
    Slot,
    User,
    Variant,
    VariantState,
    now,
    text_sha256,
)
from copygen.services import audit, brands, exceptions, overview
from copygen.services.writing import MAX_SEED, Job, Source, Written, text_hash
from guardrails import Waiver

SEEDS_PER_SEGMENT = 100_000
"""Distance of the segments' first seeds: more than a segment ever takes."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is left to write of a batch; a job's id is its segment's."""

    brand: schemas.Brand
    brief: schemas.Brief
    seed: int
    jobs: list[Job]
    waivers: list[Waiver]


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """How far one segment is: `stored` of `wanted` variants, out of `candidates` written."""

    name: str
    wanted: int
    stored: int
    state: BatchState
    candidates: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    id: str
    state: BatchState
    error: str | None
    segments: list[SegmentProgress]


def request(
    session: Session,
    user: User,
    brief: schemas.Brief,
    brand: schemas.Brand | None,
    *,
    idempotency_key: str | None = None,
    seed: int | None = None,
) -> Batch:
    """Accept a batch: from here on nothing loses it. A repeat with the same key gives the same one.

    Raises:
        Forbidden: the account may not request.
        InvalidInput: the brand is another one than the brief names.
        NotFound: the brand is not known and was not sent along.
        Conflict: the key was used for another request.
    """
    if user.role == Role.AUDITOR:
        raise Forbidden("An auditor can't request a batch. Use a marketer's account.")
    document = brief.model_dump(mode="json")
    content = [document, brand.model_dump(mode="json") if brand else None]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if idempotency_key is not None:
        earlier = session.exec(
            select(Batch).where(
                Batch.requested_by == user.id, Batch.idempotency_key == idempotency_key
            )
        ).first()
        if earlier is not None:
            if earlier.request_sha256 != digest:
                raise Conflict("This Idempotency-Key was used for another request. Take a new one.")
            return earlier
    if brand is None:
        brand = brands.get(session, brief.brand)
    else:
        schemas.check_brand(brief, brand)
        brands.save(session, brand, user.id)
    stored = Brief(brand_slug=brand.slug, campaign=brief.campaign, document=document)
    session.add(stored)
    session.flush()
    batch = Batch(
        brief_id=stored.id,
        brand_document=brand.model_dump(mode="json"),
        requested_by=user.id,
        idempotency_key=idempotency_key,
        request_sha256=digest,
        seed=secrets.randbelow(MAX_SEED) if seed is None else seed % MAX_SEED,
    )
    session.add(batch)
    session.flush()
    for position, segment in enumerate(brief.segments):
        row = Segment(
            batch_id=batch.id,
            position=position,
            name=segment.name,
            document=segment.model_dump(mode="json"),
            high_sensitivity=segment.sensitivity == "high",
            wanted=brief.variants,
        )
        session.add(row)
        session.flush()
        session.add_all(
            Slot(segment_id=row.id, number=number + 1) for number in range(brief.variants)
        )
    session.flush()
    audit.record(
        session,
        user.id,
        "batch.requested",
        f"batch:{batch.id}",
        {"brief": stored.id, "request_sha256": digest, "seed": batch.seed},
    )
    return batch


def progress(session: Session, batch_id: str) -> Progress:
    """How far a batch is.

    Raises:
        NotFound: there is no such batch.
    """
    batch = get(session, batch_id)
    rows = session.exec(
        select(Segment, sa.func.count(col(Slot.id)))
        .outerjoin(
            Slot,
            sa.and_(
                col(Slot.segment_id) == Segment.id,
                sa.exists().where(col(Variant.slot_id) == Slot.id),
            ),
        )
        .where(Segment.batch_id == batch_id)
        .group_by(col(Segment.id))
        .order_by(col(Segment.position))
    ).all()
    return Progress(
        batch.id,
        batch.state,
        batch.error,
        [
            SegmentProgress(row.name, row.wanted, stored, row.state, row.candidates)
            for row, stored in rows
        ],
    )


def get(session: Session, batch_id: str) -> Batch:
    """A batch.

    Raises:
        NotFound: there is no such batch.
    """
    batch = session.get(Batch, batch_id)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id!r}.")
    return batch


def open_batches(session: Session) -> list[str]:
    """Ids of the batches that are not finished, oldest first."""
    states = [BatchState.QUEUED, BatchState.RUNNING]
    return list(
        session.exec(
            select(Batch.id).where(col(Batch.state).in_(states)).order_by(col(Batch.created_at))
        )
    )


def begin(session: Session, batch_id: str) -> None:
    """Start a batch, unless that is done already."""
    batch = get(session, batch_id)
    if batch.state == BatchState.QUEUED:
        _move(session, batch, BatchState.RUNNING)


def work(session: Session, batch_id: str) -> Work:
    """What is left to write of a batch: no jobs where it doesn't run."""
    batch = get(session, batch_id)
    running = batch.state == BatchState.RUNNING
    brand = schemas.Brand.model_validate(batch.brand_document)
    return Work(
        brand,
        schemas.Brief.model_validate(session.get_one(Brief, batch.brief_id).document),
        batch.seed,
        [
            Job(
                segment.id,
                schemas.Segment.model_validate(segment.document),
                (batch.seed + segment.position * SEEDS_PER_SEGMENT) % MAX_SEED,
            )
            for segment in _segments(session, batch_id)
            if running and segment.state in (BatchState.QUEUED, BatchState.RUNNING)
        ],
        exceptions.active(session, brand.slug),
    )


def begin_segment(session: Session, segment_id: str) -> bool:
    """Start a segment, unless that is done already; False where its batch runs no more."""
    segment = session.get_one(Segment, segment_id)
    batch = session.get_one(Batch, segment.batch_id)
    if batch.state != BatchState.RUNNING:
        return False
    if segment.state == BatchState.QUEUED:
        segment.state = BatchState.RUNNING
        session.add(segment)
    return True


def store(session: Session, brief: schemas.Brief, job: Job, written: Written) -> int:
    """Store what was written, once, and finish the segment; the number of variants stored."""
    segment = session.get_one(Segment, job.id)
    batch = session.get_one(Batch, segment.batch_id)
    if segment.state != BatchState.RUNNING or batch.state != BatchState.RUNNING:
        return 0
    digest = text_hash(written.prompt_text)
    if session.get(RenderedPrompt, digest) is None:
        session.add(RenderedPrompt(sha256=digest, text=written.prompt_text))
    slots = session.exec(
        select(Slot).where(Slot.segment_id == segment.id).order_by(col(Slot.number))
    ).all()
    pairs = list(zip(slots, written.variants, written.provenance, strict=False))
    for slot, scored, provenance in pairs:
        report = scored.report
        blocked = report.verdict == "block"
        variant = Variant(
            slot_id=slot.id,
            subject=scored.subject,
            preview=scored.preview,
            sha256=text_sha256(scored.subject, scored.preview),
            verdict=report.verdict,
            report={
                "scores": dict(report.scores),
                "outcomes": dict(report.outcomes),
                "demanded": list(report.demanded),
            },
            provenance=provenance,
            state=VariantState.BLOCKED if blocked else VariantState.PENDING,
            expires_at=brief.offer.ends if brief.offer else None,
        )
        session.add(variant)
        session.flush()
        session.add_all(
            Finding(variant_id=variant.id, **asdict(finding)) for finding in report.findings
        )
        audit.record(
            session,
            "system",
            "variant.written",
            f"variant:{variant.id}",
            {
                "sha256": variant.sha256,
                "verdict": variant.verdict,
                "policy_sha256": report.policy_hash,
            },
        )
    segment.state = BatchState.DONE
    segment.candidates, segment.seconds = written.candidates, written.seconds
    session.add(segment)
    return len(pairs)


def finish(session: Session, batch_id: str, error: str | None = None) -> None:
    """End a batch that runs: done, or failed with `error`. What is stored stays."""
    batch = get(session, batch_id)
    if batch.state not in (BatchState.QUEUED, BatchState.RUNNING):
        return
    if error is not None:
        for segment in _segments(session, batch_id):
            if segment.state in (BatchState.QUEUED, BatchState.RUNNING):
                segment.state = BatchState.FAILED
                session.add(segment)
    batch.error, batch.finished_at = error, now()
    _move(session, batch, BatchState.DONE if error is None else BatchState.FAILED)


def candidates(session: Session, batch_id: str) -> int:
    """How many candidates were written for a batch."""
    return sum(segment.candidates for segment in _segments(session, batch_id))


def source(session: Session, variant_id: str) -> Source:
    """What a variant was written from.

    Raises:
        NotFound: there is no such variant.
    """
    variant = session.get(Variant, variant_id)
    if variant is None:
        raise NotFound(f"There is no variant {variant_id!r}.")
    slot = session.get_one(Slot, variant.slot_id)
    segment = session.get_one(Segment, slot.segment_id)
    digest = variant.provenance["prompt"]["rendered_sha256"]
    prompt = session.get_one(RenderedPrompt, digest)
    tags = schemas.Segment.model_validate(segment.document).merge_tags
    return Source(variant.sha256, prompt.text, tags, variant.provenance)


def _move(session: Session, batch: Batch, state: BatchState) -> None:
    batch.state = state
    session.add(batch)
    session.flush()
    audit.record(session, "system", f"batch.{state}", f"batch:{batch.id}", {})


def _segments(session: Session, batch_id: str) -> list[Segment]:
    return list(
        session.exec(
            select(Segment).where(Segment.batch_id == batch_id).order_by(col(Segment.position))
        )
    )


def results(session: Session, batch_id: str) -> list[dict[str, Any]]:
    """The variants of a batch as plain values, by segment and slot."""
    return [
        {
            "id": each.variant.id,
            "segment": each.segment,
            "slot": each.slot,
            "subject": each.variant.subject,
            "preview": each.variant.preview,
            "verdict": each.variant.verdict,
            "findings": [
                finding.model_dump(exclude={"id", "variant_id"}, exclude_none=True)
                for finding in each.findings
            ],
            "state": str(each.variant.state),
            "provenance": each.variant.provenance,
        }
        for each in overview.written(session, batch_id)
    ]
