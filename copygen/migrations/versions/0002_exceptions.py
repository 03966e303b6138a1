"""Exceptions: what reviewers found to be false positives, and which findings they cover.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from copygen.migrations.triggers import forbid

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIXED = (
    *("id", "brand_slug", "check", "rule", "phrase", "variant_id", "user_id", "reason"),
    *("created_at", "expires_at"),
)
DECIDES = """EXISTS (SELECT 1 FROM user_account WHERE user_account.id = {user}
    AND user_account.active AND user_account.role IN ('reviewer', 'admin'))"""
REQUESTER = """SELECT batch.requested_by FROM variant JOIN slot ON slot.id = variant.slot_id
    JOIN segment ON segment.id = slot.segment_id JOIN batch ON batch.id = segment.batch_id
    WHERE variant.id = NEW.variant_id"""


def upgrade() -> None:
    op.create_table(
        "waiver",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("brand_slug", sa.String(), nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("phrase", sa.String(), nullable=False),
        sa.Column("variant_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brand_slug"], ["brand.slug"]),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        sa.ForeignKeyConstraint(["revoked_by"], ["user_account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_waiver_brand_slug"), "waiver", ["brand_slug"], unique=False)
    # Plain SQL: Alembic would copy the whole table on SQLite, and lose its triggers.
    op.execute("ALTER TABLE finding ADD COLUMN waived_by VARCHAR REFERENCES waiver (id)")
    forbid(
        "waiver_reviewer",
        "waiver",
        "INSERT",
        f"NOT {DECIDES.format(user='NEW.user_id')}",
        "waiver: only an active reviewer or admin makes an exception",
    )
    forbid(
        "waiver_not_own",
        "waiver",
        "INSERT",
        f"NEW.user_id = ({REQUESTER})",
        "waiver: whoever requested a batch can not except its findings",
    )
    changed = " OR ".join(
        f'CAST(OLD."{column}" AS TEXT) <> CAST(NEW."{column}" AS TEXT)' for column in FIXED
    )
    forbid("waiver_fixed", "waiver", "UPDATE", changed, "waiver: its content never changes")
    forbid(
        "waiver_revocation",
        "waiver",
        "UPDATE",
        "OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL"
        f" OR NOT {DECIDES.format(user='NEW.revoked_by')}",
        "waiver: it is revoked once, by an active reviewer or admin",
    )
    forbid("waiver_no_delete", "waiver", "DELETE", "TRUE", "waiver: is never deleted")
