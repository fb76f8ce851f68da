"""How far each device of an account had synced at a fetch."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("fetches", sa.Column(
        "device_syncs", sa.JSON(), nullable=True,
        comment="last sync of each device that measures by itself, by its id at the vendor; null "
                "where it told no devices apart"))


def downgrade() -> None:
    op.drop_column("fetches", "device_syncs")
