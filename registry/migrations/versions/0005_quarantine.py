"""Quarantine: payloads that were not understood, kept until a fix reads them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)

_EVENT = "received, done, unknown_account, refused, failed"

# Of two patients with the same body, the refusals of one remain.
_FORGET_SECOND = """
DELETE FROM refusals r USING refusals kept
WHERE kept.raw_sha256 = r.raw_sha256 AND kept.record = r.record
  AND kept.connection_id < r.connection_id"""


def upgrade() -> None:
    op.drop_constraint("pk_refusals", "refusals")
    op.create_primary_key("pk_refusals", "refusals", ["raw_sha256", "connection_id", "record"])
    op.alter_column("webhook_events", "status", existing_type=sa.Text(), existing_nullable=False,
                    existing_server_default="received", comment=f"{_EVENT}, dismissed",
                    existing_comment=_EVENT)
    op.create_table(
        "quarantine",
        sa.Column("entry_id", sa.Text(), nullable=False,
                  comment="16 hex digits of a hash of the key: tells nothing of the patient"),
        sa.Column("raw_sha256", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False,
                  comment="as fetched; webhook for a push, file <format> for an import"),
        sa.Column("kind", sa.Text(), nullable=False,
                  comment="page: not understood as a whole; discrepancy: too much of the fetch was "
                          "refused; records: single ones were"),
        sa.Column("reason", sa.Text(), nullable=False, comment="what is wrong, never a value"),
        sa.Column("records", sa.Integer(), nullable=False,
                  comment="records refused, 1 for a whole page"),
        sa.Column("first_cycle", _UTC, nullable=False),
        sa.Column("last_cycle", _UTC, nullable=False,
                  comment="of the newest cycle that it came in"),
        sa.Column("cycles", sa.Integer(), server_default="1", nullable=False,
                  comment="how many cycles it came in"),
        sa.Column("zone", sa.Text(), nullable=True,
                  comment="of local times, where the file was imported with --timezone"),
        sa.Column("parser_version", sa.Integer(), nullable=False,
                  comment="that did not understand it; after a replay the one that did"),
        sa.Column("status", sa.Text(), server_default="held", nullable=False,
                  comment="held, replayed, dismissed"),
        sa.Column("first_seen_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", _UTC, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True,
                  comment="login of the operator, or the job that read it"),
        sa.Column("why", sa.Text(), nullable=True, comment="why it was dismissed"),
        sa.ForeignKeyConstraint(["raw_sha256"], ["raw_payloads.sha256"],
                                name=op.f("fk_quarantine_raw_sha256"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.connection_id"],
                                name=op.f("fk_quarantine_connection_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("raw_sha256", "connection_id", "resource",
                                name=op.f("pk_quarantine")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_quarantine_entry_id")),
        comment="a payload stays here once for each connection and resource it came for")
    op.create_index("ix_quarantine_held", "quarantine", ["connection_id"],
                    postgresql_where=sa.text("status = 'held'"))


def downgrade() -> None:
    op.drop_table("quarantine")
    op.alter_column("webhook_events", "status", existing_type=sa.Text(), existing_nullable=False,
                    existing_server_default="received", comment=_EVENT,
                    existing_comment=f"{_EVENT}, dismissed")
    op.execute(_FORGET_SECOND)
    op.drop_constraint("pk_refusals", "refusals")
    op.create_primary_key("pk_refusals", "refusals", ["raw_sha256", "record"])
