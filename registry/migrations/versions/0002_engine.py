"""The batch engine: no stored states, how a fit was made, windows read from an index alone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERIES = ["patient_id", "vital", "effective_start"]
_CHOSEN_BY = ["value", "quality", "granularity", "statistic", "context", "utc_offset_s",
              "civil_date"]


def upgrade() -> None:
    op.drop_table("model_states")
    op.add_column("fits", sa.Column(
        "made_by", sa.Text(), nullable=True,
        comment="search or refit; null where nothing was fitted"))
    op.alter_column("model_documents", "made_by", comment="search or refit",
                    existing_comment="search, refit or update", existing_nullable=False)
    op.drop_index("ix_observations_series", "observations")
    op.create_index("ix_observations_series", "observations", _SERIES,
                    postgresql_include=_CHOSEN_BY)
    op.create_index("ix_observations_nights", "observations", _SERIES,
                    postgresql_include=["value", "quality", "statistic"],
                    postgresql_where=sa.text("granularity IN ('night', 'day')"))
    # An index answers alone only for pages that a vacuum has seen: not later than a few hours.
    op.execute("ALTER TABLE observations SET (autovacuum_vacuum_insert_scale_factor = 0.02)")
    op.create_index("ix_evaluations_open", "evaluations", ["patient_id", "vital", "cutoff"],
                    postgresql_where=sa.text("NOT final"))
    # Numbers of members' paths hardly compress (a tenth), and trying costs more than all the rest.
    op.execute("ALTER TABLE forecasts ALTER members SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE forecasts ALTER members SET STORAGE EXTENDED")
    op.drop_index("ix_evaluations_open", "evaluations")
    op.execute("ALTER TABLE observations RESET (autovacuum_vacuum_insert_scale_factor)")
    op.drop_index("ix_observations_nights", "observations")
    op.drop_index("ix_observations_series", "observations")
    op.create_index("ix_observations_series", "observations", _SERIES)
    op.alter_column("model_documents", "made_by", comment="search, refit or update",
                    existing_comment="search or refit", existing_nullable=False)
    op.drop_column("fits", "made_by")
    op.create_table(
        "model_states",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id", "patient_id", "vital"],
            ["model_documents.document_id", "model_documents.patient_id",
             "model_documents.vital"],
            name=op.f("fk_model_states_document_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("document_id", "patient_id", "vital",
                                name=op.f("pk_model_states")))
