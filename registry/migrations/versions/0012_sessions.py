"""Sessions that end before their token does."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_VERSION = "another password makes another one, which ends every older session"


def upgrade() -> None:
    op.add_column("users", sa.Column(
        "session_version", sa.Integer(), nullable=False, server_default="0", comment=_VERSION))
    op.create_table(
        "ended_sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_ended_sessions")),
        comment="signed out of, until the token itself has expired")


def downgrade() -> None:
    op.drop_table("ended_sessions")
    op.drop_column("users", "session_version")
