"""An index of the readings that were entered by hand, which show no wear and no sync."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_observations_manual", "observations", ["patient_id", "effective_start"],
                    postgresql_where=sa.text("method = 'manual'"))


def downgrade() -> None:
    op.drop_index("ix_observations_manual", "observations")
