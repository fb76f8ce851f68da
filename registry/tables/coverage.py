"""Why each hour of a patient and vital has a reading or none, and the signals that tell it."""

from sqlalchemy import (
    JSON,
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from registry.tables.base import NOW, UTCTime, metadata, ordered

STATES = ("one byte an hour (get_byte(states, 0..23)): 0 not judged, 1 ok, 2 worn_no_reading, "
          "3 not_worn, 4 not_measured, 5 not_expected, 6 not_synced, 7 fetch_failed, "
          "8 format_discrepancy, 9 not_entitled, 10 unsupported, 11 kept_out")
REASONS = "[[first hour, why]]: each holds until the next one; null where nothing is missing"

coverage = Table(
    "coverage", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("vital", Text, nullable=False),
    Column("day", Date, nullable=False, comment="UTC"),
    Column("states", LargeBinary, nullable=False, comment=STATES),
    Column("reasons", JSON, nullable=False, comment=REASONS),
    Column("version", Integer, nullable=False,
           comment="1, and one more each time an hour that was judged is judged otherwise"),
    Column("computed_cycle", UTCTime, nullable=False,
           comment="the cycle that wrote this last; hours from it on are not judged"),
    PrimaryKeyConstraint("patient_id", "vital", "day"),
    ordered("ix_coverage_day", "day"),
    comment="what is known now about each hour of a day; forecasts.coverage keeps it as of then",
)

coverage_revisions = Table(
    "coverage_revisions", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("version", Integer, nullable=False),
    Column("states", LargeBinary, nullable=False, comment=STATES),
    Column("reasons", JSON, nullable=False, comment=REASONS),
    Column("computed_cycle", UTCTime, nullable=False),
    Column("replaced_at", UTCTime, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("patient_id", "vital", "day", "version"),
    ordered("ix_coverage_revisions_replaced", "replaced_at"),
    comment="what the coverage of a day said before an hour of it was judged otherwise",
)

wear_days = Table(
    "wear_days", metadata,
    Column("connection_id", Text, ForeignKey("connections.connection_id"), nullable=False),
    Column("day", Date, nullable=False, comment="UTC"),
    Column("worn", Integer, nullable=False,
           comment="bit h: evidence beside readings that the device was worn in hour h (steps)"),
    Column("charging", Integer, nullable=False,
           comment="bit h: the device was in its charger in hour h"),
    PrimaryKeyConstraint("connection_id", "day"),
    comment="wear evidence that vendors give beside readings",
)

device_syncs = Table(
    "device_syncs", metadata,
    Column("connection_id", Text, ForeignKey("connections.connection_id"), nullable=False),
    Column("device", Text, nullable=False,
           comment="cuff, watch, mat, thermometer, scale, ring, tracker or other"),
    Column("last_sync", UTCTime, comment="null: linked, never synced"),
    PrimaryKeyConstraint("connection_id", "device"),
    comment="when each kind of device of an account last spoke to its vendor",
)
