"""Tables of the store, and the state changes that they allow.

Texts of briefs, brands and variants live here and nowhere else. What may change and how is held
by triggers in the database itself (see `migrations/`); a test holds them to the tables of
transitions below.
"""

import enum
import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A point in time: aware on both sides, stored as UTC; naive values are refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Python to database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Database to Python; SQLite drops the zone, which is UTC by the other side."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Role(enum.StrEnum):
    """What an account may do. An auditor reads all and changes nothing."""

    MARKETER = "marketer"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Scope(enum.StrEnum):
    """What an API key may do."""

    BATCHES_READ = "batches:read"
    BATCHES_WRITE = "batches:write"
    VARIANTS_READ = "variants:read"
    REVIEWS_WRITE = "reviews:write"


class BatchState(enum.StrEnum):
    """Where a batch, or one segment of it, stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class VariantState(enum.StrEnum):
    """Where a variant stands."""

    BLOCKED = "blocked"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class DecisionKind(enum.StrEnum):
    """What was decided on a variant."""

    APPROVE = "approve"
    REJECT = "reject"
    REVISE = "revise"
    REVOKE = "revoke"


BATCH_TRANSITIONS = {
    BatchState.QUEUED: [BatchState.RUNNING, BatchState.FAILED, BatchState.CANCELLED],
    BatchState.RUNNING: [BatchState.DONE, BatchState.FAILED, BatchState.CANCELLED],
}
VARIANT_TRANSITIONS = {
    VariantState.BLOCKED: [VariantState.SUPERSEDED],
    VariantState.PENDING: [
        VariantState.APPROVED,
        VariantState.REJECTED,
        VariantState.EXPIRED,
        VariantState.SUPERSEDED,
    ],
    VariantState.APPROVED: [VariantState.REVOKED, VariantState.EXPIRED, VariantState.SUPERSEDED],
}


def new_id() -> str:
    """A random identifier: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def text_sha256(subject: str, preview: str) -> str:
    """SHA-256 of a variant's exact text, over UTF-8 of subject, a zero byte, preview."""
    return hashlib.sha256(f"{subject}\0{preview}".encode()).hexdigest()


def _choice(kind: type[enum.StrEnum]) -> sa.Enum:
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=20,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


class User(SQLModel, table=True):
    """An account. Without a password it can't log in; it can still own keys and requests."""

    __tablename__ = "user_account"

    id: str = Field(default_factory=new_id, primary_key=True)
    email: str = Field(unique=True, description="Lower case.")
    role: Role = Field(sa_type=_choice(Role))
    password_hash: str | None = None
    active: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Login(SQLModel, table=True):
    """A browser's session. The database knows the token's SHA-256 alone."""

    token_sha256: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    csrf_token: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ApiKey(SQLModel, table=True):
    """A bearer key of a user. The database knows its SHA-256 alone."""

    __tablename__ = "api_key"

    id: str = Field(default_factory=new_id, primary_key=True)
    name: str
    user_id: str = Field(foreign_key="user_account.id")
    key_sha256: str = Field(unique=True)
    scopes: list[str] = Field(sa_type=sa.JSON)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Brand(SQLModel, table=True):
    """A brand as it stands now; `document` is its file's content."""

    slug: str = Field(primary_key=True)
    name: str
    document: dict[str, Any] = Field(sa_type=sa.JSON)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Brief(SQLModel, table=True):
    """A brief as it was sent; it never changes."""

    id: str = Field(default_factory=new_id, primary_key=True)
    brand_slug: str = Field(foreign_key="brand.slug", index=True)
    campaign: str = Field(index=True)
    document: dict[str, Any] = Field(sa_type=sa.JSON)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Batch(SQLModel, table=True):
    """One request: brief x segments x n variants. `brand_document` is the brand at that time."""

    __table_args__ = (sa.UniqueConstraint("requested_by", "idempotency_key"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    brief_id: str = Field(foreign_key="brief.id", index=True)
    brand_document: dict[str, Any] = Field(sa_type=sa.JSON)
    requested_by: str = Field(foreign_key="user_account.id")
    idempotency_key: str | None = None
    request_sha256: str = Field(
        description="SHA-256 of the request, to tell a repeat from another."
    )
    seed: int = Field(description="Seeds of all candidates follow from it.")
    state: BatchState = Field(default=BatchState.QUEUED, sa_type=_choice(BatchState), index=True)
    error: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Segment(SQLModel, table=True):
    """One segment of a batch, as its brief had it, and how far its writing is."""

    __table_args__ = (
        sa.UniqueConstraint("batch_id", "position"),
        sa.UniqueConstraint("batch_id", "name"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    batch_id: str = Field(foreign_key="batch.id", index=True)
    position: int
    name: str = Field(index=True)
    document: dict[str, Any] = Field(sa_type=sa.JSON)
    high_sensitivity: bool
    wanted: int
    state: BatchState = Field(default=BatchState.QUEUED, sa_type=_choice(BatchState))
    candidates: int = Field(default=0, description="Candidates written to fill it.")
    seconds: float = Field(default=0.0, description="From its first candidate to its choice.")


class Slot(SQLModel, table=True):
    """One place in a batch: (segment, number), number from 1."""

    __table_args__ = (sa.UniqueConstraint("segment_id", "number"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    segment_id: str = Field(foreign_key="segment.id")
    number: int


class RenderedPrompt(SQLModel, table=True):
    """A prompt as the model saw it, kept once by its SHA-256, so that copy can be made again."""

    __tablename__ = "rendered_prompt"

    sha256: str = Field(primary_key=True)
    text: str


class Variant(SQLModel, table=True):
    """A subject and a preview. Its text and all that made it never change; its state does.

    A slot takes one generated variant (`supersedes` is NULL) ever; an edit is a further variant
    of the same slot that names the one it supersedes.
    """

    __table_args__ = (
        sa.Index(
            "one_generated_variant_per_slot",
            "slot_id",
            unique=True,
            sqlite_where=sa.text("supersedes IS NULL"),
            postgresql_where=sa.text("supersedes IS NULL"),
        ),
        sa.Index("variant_queue", "state", "created_at", "id"),
        sa.Index("variant_delivery", "state", "approved_at", "id"),
        sa.CheckConstraint(
            "verdict != 'block' OR state IN ('blocked', 'superseded')", name="blocked_stays_blocked"
        ),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    slot_id: str = Field(foreign_key="slot.id")
    supersedes: str | None = Field(default=None, foreign_key="variant.id", unique=True)
    subject: str
    preview: str
    sha256: str
    verdict: str
    report: dict[str, Any] = Field(sa_type=sa.JSON, description="Scores and outcomes of checks.")
    provenance: dict[str, Any] = Field(sa_type=sa.JSON)
    state: VariantState = Field(sa_type=_choice(VariantState))
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    approved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="Never served from then on: the offer's end."
    )


class Finding(SQLModel, table=True):
    """One thing that a check found in a variant."""

    id: int | None = Field(default=None, primary_key=True)
    variant_id: str = Field(foreign_key="variant.id", index=True)
    check: str
    rule: str
    severity: str
    field: str
    start: int
    end: int
    message: str
    suggestion: str
    waived_by: str | None = Field(
        default=None, foreign_key="waiver.id", description="The exception that covers it."
    )


class Waiver(SQLModel, table=True):
    """An exception: from now on, findings of this rule over these words of this brand don't count.

    Only its revocation is ever added. `phrase` is normalised (`guardrails.waivers.phrase`).
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    brand_slug: str = Field(foreign_key="brand.slug", index=True)
    check: str
    rule: str
    phrase: str
    variant_id: str = Field(foreign_key="variant.id", description="Where it was found.")
    user_id: str = Field(foreign_key="user_account.id")
    reason: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_by: str | None = Field(default=None, foreign_key="user_account.id")
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Decision(SQLModel, table=True):
    """What a person decided on a variant. Append-only."""

    id: str = Field(default_factory=new_id, primary_key=True)
    variant_id: str = Field(foreign_key="variant.id", index=True)
    user_id: str = Field(foreign_key="user_account.id")
    kind: DecisionKind = Field(sa_type=_choice(DecisionKind))
    reason: str = ""
    sha256: str = Field(description="Of the text that was decided on.")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class AuditEntry(SQLModel, table=True):
    """One link of the audit chain. Append-only; holds ids and hashes, no text of copy."""

    __tablename__ = "audit_entry"

    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str = Field(description="A user's id, or 'system'.")
    action: str
    subject: str = Field(description="Kind and id of what it was done to, as 'variant:…'.")
    data: dict[str, Any] = Field(sa_type=sa.JSON)
    previous: str = Field(description="Hash of the entry before; 64 zeros for the first.")
    hash: str = Field(unique=True)
