"""Coverage: why each hour of a patient and vital has a reading or none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_STATES = ("one byte an hour (get_byte(states, 0..23)): 0 not judged, 1 ok, 2 worn_no_reading, "
           "3 not_worn, 4 not_measured, 5 not_expected, 6 not_synced, 7 fetch_failed, "
           "8 format_discrepancy, 9 not_entitled, 10 unsupported, 11 kept_out")
_REASONS = "[[first hour, why]]: each holds until the next one; null where nothing is missing"


def upgrade() -> None:
    _days()
    _signals()
    op.add_column("forecasts", sa.Column(
        "coverage", sa.JSON(), nullable=True,
        comment="at the cutoff: state of the last hour, since when, why, shares of the window"))


def _days() -> None:
    op.create_table(
        "coverage",
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC"),
        sa.Column("states", sa.LargeBinary(), nullable=False, comment=_STATES),
        sa.Column("reasons", sa.JSON(), nullable=False, comment=_REASONS),
        sa.Column(
            "version", sa.Integer(), nullable=False,
            comment="1, and one more each time an hour that was judged is judged otherwise"),
        sa.Column("computed_cycle", _UTC, nullable=False,
                  comment="the cycle that wrote this last; hours from it on are not judged"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patient_id"],
                                name=op.f("fk_coverage_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "vital", "day", name=op.f("pk_coverage")),
        comment="what is known now about each hour of a day; forecasts.coverage keeps it as of "
                "then")
    op.create_table(
        "coverage_revisions",
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("states", sa.LargeBinary(), nullable=False, comment=_STATES),
        sa.Column("reasons", sa.JSON(), nullable=False, comment=_REASONS),
        sa.Column("computed_cycle", _UTC, nullable=False),
        sa.Column("replaced_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "vital", "day", "version",
                                name=op.f("pk_coverage_revisions")),
        comment="what the coverage of a day said before an hour of it was judged otherwise")


def _signals() -> None:
    op.create_table(
        "wear_days",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC"),
        sa.Column(
            "worn", sa.Integer(), nullable=False,
            comment="bit h: evidence beside readings that the device was worn in hour h (steps)"),
        sa.Column("charging", sa.Integer(), nullable=False,
                  comment="bit h: the device was in its charger in hour h"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.connection_id"],
                                name=op.f("fk_wear_days_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "day", name=op.f("pk_wear_days")),
        comment="wear evidence that vendors give beside readings")
    op.create_table(
        "device_syncs",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False,
                  comment="cuff, watch, mat, thermometer, scale, ring, tracker or other"),
        sa.Column("last_sync", _UTC, nullable=True, comment="null: linked, never synced"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.connection_id"],
                                name=op.f("fk_device_syncs_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "device", name=op.f("pk_device_syncs")),
        comment="when each kind of device of an account last spoke to its vendor")


def downgrade() -> None:
    op.drop_column("forecasts", "coverage")
    for name in ("device_syncs", "wear_days", "coverage_revisions", "coverage"):
        op.drop_table(name)
