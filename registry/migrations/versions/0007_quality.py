"""Quality: flags of readings, the profiles of series, and a report a day."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "quality_flags",
        sa.Column("key", sa.LargeBinary(), nullable=False,
                  comment="of the reading in observations"),
        sa.Column("flag", sa.Text(), nullable=False,
                  comment="out_of_range, jump, flat_line, impossible_pair, devices_differ, "
                          "duplicate, clock_ahead, clock_shift"),
        sa.Column("flagged_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.Column("cleared_at", _UTC, nullable=True, comment="null while the flag stands"),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("effective_start", _UTC, nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False,
                  comment="what the flagged version of the reading said"),
        sa.Column("keeps_out", sa.Boolean(), nullable=False,
                  comment="the reading is not forecast from and not scored; it is shown all the "
                          "same"),
        sa.Column("reason", sa.Text(), nullable=False,
                  comment="in words, with values: patient data"),
        sa.PrimaryKeyConstraint("key", "flag", "flagged_at", name=op.f("pk_quality_flags")),
        comment="a row for each time a check found something about a reading; nothing is deleted")
    op.create_index("ix_quality_flags_standing", "quality_flags",
                    ["patient_id", "vital", "effective_start"],
                    postgresql_where=sa.text("cleared_at IS NULL"))
    op.create_index("ix_quality_flags_kept_out", "quality_flags",
                    ["patient_id", "vital", "effective_start"],
                    postgresql_include=["value", "flagged_at", "cleared_at"],
                    postgresql_where=sa.text("keeps_out"))
    op.create_index("ix_quality_flags_day", "quality_flags", ["effective_start"],
                    postgresql_where=sa.text("cleared_at IS NULL"))
    op.create_table(
        "profiles",
        sa.Column("scope", sa.Text(), nullable=False, comment="patient or provider"),
        sa.Column("subject", sa.Text(), nullable=False, comment="patient id or provider"),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC, the last day of the profile"),
        sa.Column("days", sa.Integer(), nullable=False,
                  comment="how many days the profile reaches back"),
        sa.Column("patients", sa.Integer(), nullable=False, comment="with a reading"),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False, comment="patient-hours with a reading"),
        sa.Column("missing_share", sa.Double(), nullable=False,
                  comment="of the patient-hours since each patient's first reading in the profile"),
        sa.Column("q05", sa.Double(), nullable=False,
                  comment="5 % quantile, in the vital's own unit"),
        sa.Column("q25", sa.Double(), nullable=False),
        sa.Column("median", sa.Double(), nullable=False),
        sa.Column("q75", sa.Double(), nullable=False),
        sa.Column("q95", sa.Double(), nullable=False),
        sa.Column("lateness_median_s", sa.Double(), nullable=True,
                  comment="from a reading's end to its arrival; null where nothing came since a "
                          "consent"),
        sa.Column("lateness_q95_s", sa.Double(), nullable=True),
        sa.Column("lateness_max_s", sa.Double(), nullable=True),
        sa.Column("late", sa.Integer(), nullable=False,
                  comment="readings that came more than 72 h late"),
        sa.Column("devices", sa.ARRAY(sa.Text()), nullable=False, comment="models"),
        sa.Column("flags", sa.JSON(), nullable=False,
                  comment="{flag: readings}, of standing flags"),
        sa.PrimaryKeyConstraint("scope", "subject", "vital", name=op.f("pk_profiles")),
        comment="what a patient's, or a provider's, readings of a vital are usually like")
    op.create_table(
        "quality_reports",
        sa.Column("day", sa.Date(), nullable=False, comment="UTC"),
        sa.Column("report", sa.JSON(), nullable=False,
                  comment="counts alone: no patient, no reading"),
        sa.Column("made_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_quality_reports")),
        comment="the daily quality report")


def downgrade() -> None:
    op.drop_table("quality_reports")
    op.drop_table("profiles")
    op.drop_table("quality_flags")
