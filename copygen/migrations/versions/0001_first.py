"""The first tables, and the triggers that make illegal changes impossible.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from copygen.migrations.triggers import forbid

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BATCH_CHANGES = {
    "queued": ["running", "failed", "cancelled"],
    "running": ["done", "failed", "cancelled"],
}
VARIANT_CHANGES = {
    "blocked": ["superseded"],
    "pending": ["approved", "rejected", "expired", "superseded"],
    "approved": ["revoked", "expired", "superseded"],
}
FIXED = {
    "variant": [
        "id",
        "slot_id",
        "supersedes",
        "subject",
        "preview",
        "sha256",
        "verdict",
        "report",
        "provenance",
        "created_at",
        "expires_at",
    ],
    "batch": [
        "id",
        "brief_id",
        "brand_document",
        "requested_by",
        "request_sha256",
        "seed",
        "created_at",
    ],
    "segment": [
        "id",
        "batch_id",
        "position",
        "name",
        "document",
        "high_sensitivity",
        "wanted",
    ],
    "brief": ["id", "brand_slug", "campaign", "document", "created_at"],
}
KEPT = [
    "variant",
    "slot",
    "segment",
    "batch",
    "brief",
    "decision",
    "finding",
    "audit_entry",
    "rendered_prompt",
]
APPEND_ONLY = ["decision", "finding", "audit_entry", "rendered_prompt", "slot"]
REQUESTER = """SELECT batch.requested_by FROM variant JOIN slot ON slot.id = variant.slot_id
    JOIN segment ON segment.id = slot.segment_id JOIN batch ON batch.id = segment.batch_id
    WHERE variant.id = NEW.variant_id"""


def upgrade() -> None:
    _tables()
    for table, changes in [
        ("batch", BATCH_CHANGES),
        ("segment", BATCH_CHANGES),
        ("variant", VARIANT_CHANGES),
    ]:
        allowed = " OR ".join(
            f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(each) for each in after)}))"
            for before, after in changes.items()
        )
        forbid(
            f"{table}_state",
            table,
            "UPDATE",
            f"OLD.state <> NEW.state AND NOT ({allowed})",
            f"{table}: this change of state is not allowed",
        )
    for table in ["batch", "segment"]:
        forbid(
            f"{table}_begins_queued",
            table,
            "INSERT",
            "NEW.state <> 'queued'",
            f"{table}: begins queued",
        )
    forbid(
        "variant_begins",
        "variant",
        "INSERT",
        "NOT ((NEW.verdict = 'block' AND NEW.state = 'blocked')"
        " OR (NEW.verdict IN ('pass', 'review') AND NEW.state = 'pending'))"
        " OR NEW.approved_at IS NOT NULL",
        "variant: begins blocked or pending, as its verdict says",
    )
    for table, columns in FIXED.items():
        changed = " OR ".join(
            f"COALESCE(CAST(OLD.{column} AS TEXT), '') <> COALESCE(CAST(NEW.{column} AS TEXT), '')"
            for column in columns
        )
        forbid(f"{table}_fixed", table, "UPDATE", changed, f"{table}: its content never changes")
    forbid(
        "variant_approval",
        "variant",
        "UPDATE",
        "NEW.state = 'approved' AND OLD.state <> 'approved' AND (NEW.approved_at IS NULL OR NOT EXISTS"
        " (SELECT 1 FROM decision WHERE decision.variant_id = NEW.id"
        " AND decision.kind = 'approve' AND decision.sha256 = NEW.sha256))",
        "variant: approved without a decision on this text",
    )
    forbid(
        "variant_approved_at",
        "variant",
        "UPDATE",
        "COALESCE(CAST(OLD.approved_at AS TEXT), '') <> COALESCE(CAST(NEW.approved_at AS TEXT), '')"
        " AND NOT (OLD.state = 'pending' AND NEW.state = 'approved')",
        "variant: the time of approval is set by the approval alone",
    )
    forbid(
        "decision_text",
        "decision",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM variant WHERE variant.id = NEW.variant_id"
        " AND variant.sha256 = NEW.sha256 AND ((NEW.kind IN ('approve', 'reject') AND"
        " variant.state = 'pending') OR (NEW.kind = 'revoke' AND variant.state = 'approved') OR"
        " (NEW.kind = 'revise' AND variant.state IN ('pending', 'approved', 'blocked'))))",
        "decision: the variant was decided already or its text is another",
    )
    forbid(
        "decision_reviewer",
        "decision",
        "INSERT",
        "NEW.kind <> 'revise' AND NOT EXISTS (SELECT 1 FROM user_account"
        " WHERE user_account.id = NEW.user_id AND user_account.active"
        " AND user_account.role IN ('reviewer', 'admin'))",
        "decision: only an active reviewer or admin decides",
    )
    forbid(
        "decision_not_own",
        "decision",
        "INSERT",
        f"NEW.kind = 'approve' AND NEW.user_id = ({REQUESTER})",
        "decision: whoever requested a batch can not approve its variants",
    )
    forbid(
        "audit_chain",
        "audit_entry",
        "INSERT",
        "NEW.sequence <> COALESCE((SELECT MAX(sequence) FROM audit_entry), 0) + 1"
        " OR NEW.previous <> COALESCE((SELECT hash FROM audit_entry"
        " ORDER BY sequence DESC LIMIT 1), '" + "0" * 64 + "')",
        "audit_entry: it does not follow the last one",
    )
    for table in APPEND_ONLY:
        forbid(f"{table}_no_update", table, "UPDATE", "TRUE", f"{table}: never changes")
    for table in KEPT:
        forbid(f"{table}_no_delete", table, "DELETE", "TRUE", f"{table}: is never deleted")


def _tables() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "brand",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_table(
        "rendered_prompt",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "marketer",
                "reviewer",
                "admin",
                "auditor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_sha256"),
    )
    op.create_table(
        "brief",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("brand_slug", sa.String(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_slug"],
            ["brand.slug"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_brief_brand_slug"), "brief", ["brand_slug"], unique=False)
    op.create_index(op.f("ix_brief_campaign"), "brief", ["campaign"], unique=False)
    op.create_table(
        "login",
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("csrf_token", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
        ),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index(op.f("ix_login_user_id"), "login", ["user_id"], unique=False)
    op.create_table(
        "batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("brief_id", sa.String(), nullable=False),
        sa.Column("brand_document", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                "cancelled",
                name="batchstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["brief_id"],
            ["brief.id"],
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"],
            ["user_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("requested_by", "idempotency_key"),
    )
    op.create_index(op.f("ix_batch_brief_id"), "batch", ["brief_id"], unique=False)
    op.create_index(op.f("ix_batch_state"), "batch", ["state"], unique=False)
    op.create_table(
        "segment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("high_sensitivity", sa.Boolean(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                "cancelled",
                name="batchstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batch.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "name"),
        sa.UniqueConstraint("batch_id", "position"),
    )
    op.create_index(op.f("ix_segment_batch_id"), "segment", ["batch_id"], unique=False)
    op.create_index(op.f("ix_segment_name"), "segment", ["name"], unique=False)
    op.create_table(
        "slot",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("segment_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"],
            ["segment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("segment_id", "number"),
    )
    op.create_table(
        "variant",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("slot_id", sa.String(), nullable=False),
        sa.Column("supersedes", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("preview", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "blocked",
                "pending",
                "approved",
                "rejected",
                "revoked",
                "expired",
                "superseded",
                name="variantstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "verdict != 'block' OR state IN ('blocked', 'superseded')", name="blocked_stays_blocked"
        ),
        sa.ForeignKeyConstraint(
            ["slot_id"],
            ["slot.id"],
        ),
        sa.ForeignKeyConstraint(
            ["supersedes"],
            ["variant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("supersedes"),
    )
    op.create_index(
        "one_generated_variant_per_slot",
        "variant",
        ["slot_id"],
        unique=True,
        sqlite_where=sa.text("supersedes IS NULL"),
        postgresql_where=sa.text("supersedes IS NULL"),
    )
    op.create_index("variant_delivery", "variant", ["state", "approved_at", "id"], unique=False)
    op.create_index("variant_queue", "variant", ["state", "created_at", "id"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("variant_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "approve",
                "reject",
                "revise",
                "revoke",
                name="decisionkind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["variant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_decision_variant_id"), "decision", ["variant_id"], unique=False)
    op.create_table(
        "finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.String(), nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("suggestion", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["variant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_finding_variant_id"), "finding", ["variant_id"], unique=False)
