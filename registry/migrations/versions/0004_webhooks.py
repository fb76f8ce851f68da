"""Webhook events: stored before they are acknowledged, processed later."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("key", sa.Text(), nullable=False, comment="sha256 of provider and body"),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("received_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True,
                  comment="zlib-compressed; null once it was processed"),
        sa.Column("status", sa.Text(), server_default="received", nullable=False,
                  comment="received, done, unknown_account, refused, failed"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("accounts", sa.ARRAY(sa.Text()), server_default="{}", nullable=False,
                  comment="accounts that no connection has yet"),
        sa.Column("processed_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_webhook_events")),
        comment="what vendors told by themselves; a replay has the same key")
    op.create_index("ix_webhook_events_open", "webhook_events", ["received_at"],
                    postgresql_where=sa.text("status IN ('received', 'unknown_account')"))


def downgrade() -> None:
    op.drop_table("webhook_events")
