"""Consents under way, what a link is known by, and rate limits that all workers share."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)


_STATUS = "active, reauth_required, revoked, not_linked, subscription_lapsed"


def upgrade() -> None:
    op.alter_column("connections", "status", existing_type=sa.Text(), existing_nullable=False,
                    comment=f"{_STATUS}, file", existing_comment=_STATUS)
    op.add_column("connections", sa.Column(
        "provider_legacy_id", sa.Text(), nullable=True,
        comment="the same account's id at the vendor's former API"))
    op.add_column("connections", sa.Column(
        "consented_at", _UTC, nullable=True, comment="when the patient last consented"))
    op.add_column("connections", sa.Column(
        "key_id", sa.Text(), nullable=True,
        comment="which key encrypts the tokens; null = written before keys had names"))
    # A revoked link holds no account: it may become another patient's.
    op.drop_constraint("uq_connections_provider_provider_user_id", "connections")
    op.create_index("uq_connections_account", "connections", ["provider", "provider_user_id"],
                    unique=True, postgresql_where=sa.text("status <> 'revoked'"))
    op.create_table(
        "consents",
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("session_hash", sa.Text(), nullable=False),
        sa.Column("verifier_enc", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patient_id"],
                                name=op.f("fk_consents_patient_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_consents")),
        comment="patients on their way to a vendor's consent page; spent or expired rows go")
    op.create_table(
        "rate_calls",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("called_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("provider", "account", "number", name=op.f("pk_rate_calls")),
        comment="calls of the latest period, of all workers together",
        prefixes=["UNLOGGED"])


def downgrade() -> None:
    op.drop_table("rate_calls")
    op.drop_table("consents")
    op.drop_index("uq_connections_account", "connections")
    op.create_unique_constraint("uq_connections_provider_provider_user_id", "connections",
                                ["provider", "provider_user_id"])
    op.drop_column("connections", "key_id")
    op.drop_column("connections", "consented_at")
    op.drop_column("connections", "provider_legacy_id")
    op.alter_column("connections", "status", existing_type=sa.Text(), existing_nullable=False,
                    comment=_STATUS, existing_comment=f"{_STATUS}, file")
